// Package awstest injects faults between a client of AWS's SDK and a server.
//
// The server speaks as much of the JSON protocol as it takes to see how we
// react. That the services themselves behave so is not shown by it: for that
// there are the tests against peers that we did not write (internal/peertest).
package awstest
