// Package verdict holds tests of the whole firewall with real packets: the
// kernel does what package policy says (verdict_linux_test.go), records say what
// happened (truth_linux_test.go), and a new policy takes the old one's place
// without a packet lost (apply_linux_test.go).
//
//	random topology ─▶ policy ─▶ nft ─▶ kernel ◀─ random packets
//	                     │                │
//	                  Evaluate         capture, witness at the far ends, counters of the rules
//	                     └──── equal? ────┘
package verdict
