package count

import (
	"bytes"
	"cmp"
	"net/netip"
	"time"

	"weir/policy"
)

// Key identifies a flow at one door of one interface. It is comparable, without
// pointers, 40 bytes: a map of a million of them costs the collector nothing.
type Key struct {
	Src, Dst         [16]byte // as in the packet; IPv4 in its mapped form ::ffff:a.b.c.d
	SrcPort, DstPort uint16   // 0 for protocols without ports and for later fragments
	Interface        uint16   // the capture's dense index, see Swap.Interfaces
	Protocol         uint8
	Door             policy.Door
}

// Is6 reports whether the packet was IPv6.
func (k *Key) Is6() bool {
	return !netip.AddrFrom16(k.Src).Is4In6() || !netip.AddrFrom16(k.Dst).Is4In6()
}

// Compare orders keys by addresses, protocol, ports and door; not by interface.
func (k *Key) Compare(o *Key) int {
	return cmp.Or(
		bytes.Compare(k.Src[:], o.Src[:]),
		bytes.Compare(k.Dst[:], o.Dst[:]),
		cmp.Compare(k.Protocol, o.Protocol),
		cmp.Compare(k.SrcPort, o.SrcPort),
		cmp.Compare(k.DstPort, o.DstPort),
		cmp.Compare(k.Door, o.Door),
	)
}

// Addrs returns the addresses, IPv4 ones in their short form.
func (k *Key) Addrs() (src, dst netip.Addr) {
	src, dst = netip.AddrFrom16(k.Src), netip.AddrFrom16(k.Dst)
	if src.Is4In6() && dst.Is4In6() {
		return src.Unmap(), dst.Unmap()
	}
	return src, dst
}

// Tally is what was counted of one flow with one verdict.
type Tally struct {
	Packets uint64 // wire packets: a GSO super-packet counts its segments
	Bytes   uint64 // IP bytes on the wire
	First   int64  // Unix milliseconds of the first packet; 0 when Packets is 0
	Last    int64  // of the last one
	Flags   uint8  // tcp-flags as AWS records them: FIN 1, SYN 2, RST 4, SYN-ACK 18
}

// Flow is the counts of one key in one swap.
//
// At an entering door Seen counts every packet, the refused ones too; accepted
// is Seen minus Refused. A refusal stands in the swap of its packet; only a
// datagram whose fragments trickled in across a hand-over may be refused in a
// later swap than its first fragments were seen in. At a leaving door Seen is
// what left and Refused what was stopped before: they are disjoint.
type Flow struct {
	Key     Key
	Seen    Tally
	Refused Tally
	Rule    uint32 // id of the last rule that refused; 0 when the firewall named none
	Reason  uint16 // the kernel's enum skb_drop_reason of the last refusal
}

// Loss is what could not be counted at one interface in one swap. Bytes are IP
// bytes where the packet could be read at all.
type Loss struct {
	FullPackets, FullBytes       uint64 // the map had no room for a new flow
	UnreadPackets, UnreadBytes   uint64 // marked IP, but no IP header that could be read
	RefusedPackets, RefusedBytes uint64 // refusals that the map had no room for
	JournalPackets, JournalBytes uint64 // counted, then damaged in the journal
}

// Packets is the sum over all causes.
func (l *Loss) Packets() uint64 {
	return l.FullPackets + l.UnreadPackets + l.RefusedPackets + l.JournalPackets
}

// Bytes is the sum over all causes.
func (l *Loss) Bytes() uint64 {
	return l.FullBytes + l.UnreadBytes + l.RefusedBytes + l.JournalBytes
}

// Add adds o.
func (l *Loss) Add(o Loss) {
	l.FullPackets += o.FullPackets
	l.FullBytes += o.FullBytes
	l.UnreadPackets += o.UnreadPackets
	l.UnreadBytes += o.UnreadBytes
	l.RefusedPackets += o.RefusedPackets
	l.RefusedBytes += o.RefusedBytes
	l.JournalPackets += o.JournalPackets
	l.JournalBytes += o.JournalBytes
}

// Watched is one interface that was watched during a swap.
type Watched struct {
	Index uint16 // the Interface of a Key
	ID    string // the eni-… id
	// VPCID and SubnetID are where it is, empty when nobody knows.
	VPCID, SubnetID string
	// Active says that it has had a packet, in this swap or in any before it:
	// from then on an interval without packets is NODATA.
	Active bool
	Loss   Loss
}

// Swap is everything between two hand-overs of the kernel's maps. It belongs to
// whoever received it.
type Swap struct {
	// Source is what counted: one life of the kernel's maps on one host. Epochs of
	// one source ascend by one; a swap that was taken twice, because a crash came
	// before the kernel was told, has the same source and epoch.
	Source string
	Epoch  uint64
	// Topology names the version of the topology that was in force.
	Topology   string
	Start, End time.Time // [Start, End)
	Interfaces []Watched // ascending by Index
	Flows      []Flow    // in no order; no key twice
	// Reasons are the names of the flows' reasons, whose numbers differ between
	// kernels: "NETFILTER_DROP".
	Reasons map[uint16]string
}
