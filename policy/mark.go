package policy

// Mark is the value that a refusing firewall rule gives the packet (skb->mark)
// just before it drops it. The drop is final, so no other user of the mark is
// disturbed; the capture program sees the mark in the kfree_skb tracepoint.
//
//	31      28 27   26                    0
//	┌─────────┬────┬──────────────────────┐
//	│ 1 0 1 1 │door│       rule id        │
//	└─────────┴────┴──────────────────────┘
//
// The four bits at the top tell our refusals from a foreign mark. They are a
// cross-check only: the drop reason decides that it was a firewall.
type Mark uint32

// Door says at which door of a device the packet was judged.
type Door uint8

const (
	// Entering: the packet came into the host through the device and was judged
	// in prerouting. It has been counted already and is taken back.
	Entering Door = iota
	// Leaving: the packet was about to leave through the device and was judged
	// in postrouting. Nothing has counted it.
	Leaving
)

// The layout; capture/ebpf/bpf/weir.h repeats it for the kernel's side and a
// test compares the two.
const (
	MarkMagic     = 0xB0000000
	MarkMagicMask = 0xF0000000
	MarkLeaving   = 0x08000000
	MarkRuleMask  = 0x07FFFFFF
)

// NewMark makes the mark of a rule. Rule ids lie in 1..MarkRuleMask; 0 stands
// for "no rule".
func NewMark(door Door, rule uint32) Mark {
	m := Mark(MarkMagic | rule&MarkRuleMask)
	if door == Leaving {
		m |= MarkLeaving
	}
	return m
}
