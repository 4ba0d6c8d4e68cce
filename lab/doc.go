// Package lab is a VPC of network namespaces with real traffic: the demo and the
// test rig.
//
//	                      ┌ igw ─ internet: visitors, admin, resolver, mirror, attackers, scanner
//	router (doors, NAT) ──┼ web, bastion, nat    public subnet, zone a: 1:1 public addresses
//	                      ├ app                  private, zone b: IPv4 to the internet through nat
//	                      └ db                   private, zone b
//
// Each instance hangs on a veth whose end in the router is the watched
// interface. The router's nft ruleset judges at the doors (docs/decisions/0002), the
// plan of addresses stands in plan.go, who talks to whom in roles.go, and how
// the traffic is made in lab/traffic.
//
// Everything lives in namespaces and in processes that end with their standard
// input: whatever becomes of the lab's process, [Clean] has only names to
// remove.
package lab
