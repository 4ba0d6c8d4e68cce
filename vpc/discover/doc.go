// Package discover finds the network interfaces of a host that nobody
// described, and says when they change.
//
// Each of the host's own cards, bridge ports and far-end veths and taps becomes
// an interface (ENI) of a default VPC; loopback devices and bridges themselves
// do not. Ids are derived from facts that stay: the machine id and the device's
// name or hardware address. Devices that somebody named are looked up in their
// namespaces, for what is known of them.
package discover
