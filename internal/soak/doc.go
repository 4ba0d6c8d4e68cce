// Package soak is what a soak of the delivery is made of: traffic whose every
// flow is known, a witness of what passed, faults by a seed, destinations that
// remember what they were given, and the comparison.
//
//	Storm ─ packets ─▶ the lab's router ─▶ Weir ─▶ buckets, Recorder ─▶ Ledger ─┐
//	   │                     └ nftables counters: Witness ──────────────────────┼─▶ Compare
//	   └ what it sent of each flow ─────────────────────────────────────────────┘
//	Script: which fault when, from a seed
//
// Neither the witness nor the ledgers know anything of Weir's journal, of its
// aggregation or of what it says that it delivered. The soak itself stands where
// Weir is started: cmd/weir.
package soak
