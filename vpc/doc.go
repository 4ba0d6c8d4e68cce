// Package vpc is the topology: VPCs, subnets, network interfaces and the device
// of the host that carries each, security groups, network ACLs, prefix lists and
// route tables.
//
//	vpc/declare (YAML) ──────┐
//	vpc/discover ─▶ Default ─┴─▶ Topology ─▶ Check ─▶ problems
//	                                └─▶ Index ─▶ lookups by id, address, device
//
// It holds facts and decides nothing about packets. A Topology is never changed:
// a new one takes its place.
package vpc
