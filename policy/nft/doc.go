// Package nft makes a policy real: it renders security groups and network ACLs
// to one nftables script per network namespace, and applies, checks and removes
// it.
//
//	policy.Policy ─ Render ─▶ Ruleset ─ Apply ─▶ nft -f ─▶ kernel
//
// A packet is judged at the doors of its interface (docs/decisions/0002): where
// it enters the host, in prerouting at -150, and where it leaves, in postrouting
// at 150. Each door has two base chains, because a security group that allows a
// packet leaves the rest to the network ACL, and the other way round: "accept"
// in the first goes on with the second.
//
//	device ─ map ─▶ set of groups ─▶ known connection? ─▶ group, group … ─▶ exempt? ─▶ refuse
//	device ─ map ─▶ subnet's border ─▶ inside the subnet? ─▶ ACL, exempt? ─▶ refuse
//
// Maps lead from a device to its chains, and interfaces share the chains of
// their groups and subnets: what a packet costs does not grow with their number.
//
// What refuses sets the packet's mark (policy.Mark) and drops, in one rule: the
// capture reads the mark in the drop. Packets that pass keep their mark, except
// for those that pass a bridge with ports of ours: see passage.go. Why it is
// built like this: docs/decisions/0011.
//
// A packet whose headers the kernel's firewall reads otherwise than a policy
// does is judged by what the kernel reads: in IPv6, the authentication header
// (51) is one of the extension headers, and so are 0, 43, 44, 60 and 135. A rule
// about one of these protocols never meets IPv6.
package nft
