// Package policy decides what security groups and network ACLs do with a packet
// and says why in words.
//
//	vpc.Topology ─ Compile ─▶ Policy ─ Evaluate(interface, direction, packet, state) ─▶ Verdict
//	                  │                                                                   │
//	               RuleIDs                               Reason · Nearest · Changes ◀─────┘
//	               (a refusing rule's id, for ever)
//
// On its way out a packet meets the security groups of its interface, then the
// ACL of the subnet; on its way in the ACL, then the groups. Groups are stateful
// and only allow: what no rule of any of them allows is refused, what belongs to
// a known connection passes. An ACL is stateless, its lowest matching number
// decides, and it sees only what crosses the subnet's border. [Exemptions] are
// filtered by neither.
//
// A refusing rule has an id, which the firewall puts into the packet's [Mark]
// and a record names. The id belongs to the rule's [Rule.Key]: it stays while
// the rule says the same, and a changed rule is another rule.
//
// policy/nft renders the compiled [Interface], [GroupSet] and [NetworkACL] to the
// kernel's firewall; a test there holds the kernel to this package's verdicts.
// Nothing here does I/O, reads a clock or knows a connection: the caller says
// whether the packet is [New] or [Tracked].
package policy
