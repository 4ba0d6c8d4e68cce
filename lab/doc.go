// Package lab is a VPC of network namespaces with real traffic: the demo and the
// test rig.
//
//	                        ┌ igw ─ internet: visitors, admin, resolver, mirror, attackers, scanner
//	router (doors, gateway) ┼ web, bastion, nat    public subnet, zone 1: 1:1 public addresses
//	                        ├ app                  private, zone 2: IPv4 to the internet through nat
//	                        └ db                   private, zone 2
//
// Each instance hangs on a veth whose end in the router is the watched interface.
// lab.yaml is the topology, as people write one: addresses, routes, security
// groups and network ACLs, of which two rules are wrong on purpose ([Mistake]).
// Who talks to whom stands in roles.go, how the traffic is made in lab/traffic.
// The lab translates addresses; it refuses nothing. Its caller puts the policy
// into force, and is told by [Lab.Topology] which and where.
//
// Everything lives in namespaces and in processes that end with their standard
// input: whatever becomes of the lab's process, [Clean] has only names to
// remove.
package lab
