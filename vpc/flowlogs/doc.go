// Package flowlogs is the flow log as a subscription: what is recorded, how, and
// where it goes. It knows what AWS accepts, in AWS's words, and which interfaces
// a flow log covers. Nothing here does I/O.
package flowlogs
