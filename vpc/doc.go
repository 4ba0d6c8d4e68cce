// Package vpc is the topology: which network interfaces exist, what they belong
// to, and which device of the host carries each of them.
//
// It holds facts and decides nothing about packets; vpc/discover finds the
// interfaces of a host that nobody described.
package vpc
