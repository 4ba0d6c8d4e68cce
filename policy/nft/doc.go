// Package nft makes a policy real: it renders security groups and network ACLs
// to one nftables script per network namespace, and applies, checks and removes
// it.
//
//	policy.Policy ─ Render ─▶ Ruleset ─ Apply ─▶ nft -f ─▶ kernel
//
// A packet is judged at the doors of its interface (docs/decisions/0002): where
// it enters the host, in prerouting around -150, and where it leaves, in
// postrouting around 150. Each door has three stages, which are base chains
// because a security group that allows a packet leaves the rest to the network
// ACL, and the other way round: "accept" in one goes on with the next. A packet
// into an instance meets the first two, one out of it the last two.
//
//	ingress ACL  device ─ map ─▶ ACL at the subnet's edge (before what may refuse them: inside the subnet? exempt?) ─▶ refuse
//	groups       known connection? ─▶ device ─ map ─▶ set of groups ─▶ groups that others have, too ─▶ exempt? ─▶ refuse
//	egress ACL   as the first
//
// IPv4 and IPv6 have a table each; a third one, of the bridge family, is for what
// leaves through bridge ports. One transaction replaces them all.
//
// Maps lead from a device to its chains, and interfaces share the chains of
// their groups and subnets: what a packet costs does not grow with their number.
// Within a chain one look stands for many lines about networks; see lines.go.
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
