// Package ebpf counts packets in the kernel and hands the counts over exactly.
//
//	tcx ingress, tcx egress, kfree_skb ─▶ maps of the current epoch
//	Swap: next epoch ─ grace period ─▶ the old maps, read without deleting ─▶ count.Swap
//	Release: the old maps are cleared and wait for the epoch after
//
// There are two sets of maps (IPv4, IPv6, losses), chosen by the parity of one
// epoch number that all programs read; storing the next epoch hands all of them
// over at once. A packet that entered is tagged with its epoch (skb->tc_index),
// so that a firewall's refusal is taken off the count it belongs to.
//
// Maps, programs and links are pinned in a bpffs of Weir's own: they go on
// counting when the process ends, and the next one picks them up.
//
// The package does not decide when to swap (package capture) nor what a count
// means (package aggregate). The C programs are in bpf/; "go generate" compiles
// them.
package ebpf
