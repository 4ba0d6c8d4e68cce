package aggregate

import (
	"encoding/binary"
	"hash/maphash"

	"weir/count"
	"weir/policy"
)

// key is a flow at one door of one interface. Interfaces are numbered by the
// aggregator, because the capture uses its indexes again. It has no pointers and
// no gaps: 44 bytes.
type key struct {
	count.Key // Interface is 0
	place     uint32
}

// flow is what the open interval knows of a key: 88 bytes, because an interval may
// have millions.
type flow struct {
	key
	refused uint32 // number of its refusal plus one; 0 is none, as of most flows
	seen    sum
}

// sum is several count.Tally.
type sum struct {
	packets, bytes uint64
	first, last    int64 // Unix milliseconds
	flags          uint8
}

func (t *sum) add(o *count.Tally) {
	if o.Packets == 0 {
		return
	}
	if t.packets == 0 || o.First < t.first {
		t.first = o.First
	}
	t.last = max(t.last, o.Last)
	t.packets += o.Packets
	t.bytes += o.Bytes
	t.flags |= o.Flags
}

// refusal is what a firewall refused of a flow.
type refusal struct {
	refused sum
	rule    uint32 // the last that refused; 0 is a foreign firewall's
	reason  uint32 // the kernel's name for the drop, by code
	owed    owed
}

// owed is what was refused beyond what had been seen when the interval before was
// closed: a datagram in fragments, refused in one interval and seen in part in the
// one before. It comes off what is seen from now on.
type owed struct{ packets, bytes int64 }

// debt is what a flow owes.
type debt struct {
	key
	owed
}

// pageFlows is how many flows are allocated at a time: adding more never moves
// those that are there, nor takes twice the memory meanwhile.
const pageFlows = 1 << 10

// flows are those of the open interval, numbered as they came. They are found by
// an open-addressing table. The language's map of as many pointers took three
// times the time and more than twice the memory (BenchmarkInterval). The zero
// value is empty.
type flows struct {
	pages    []*[pageFlows]flow
	count    int
	refusals []refusal
	table    []slot // its size is a power of two
	seed     maphash.Seed
}

// slot is a place of the table: a flow's number plus one, 0 when it is free, and
// its hash, which the table is enlarged by without looking at the flow.
type slot struct{ hash, number uint32 }

func (s *flows) at(n int) *flow { return &s.pages[n/pageFlows][n%pageFlows] }

// hash has a random seed: whoever sends packets chooses the addresses.
func (s *flows) hash(k *key) uint32 {
	var b [44]byte
	copy(b[:], k.Src[:])
	copy(b[16:], k.Dst[:])
	binary.NativeEndian.PutUint16(b[32:], k.SrcPort)
	binary.NativeEndian.PutUint16(b[34:], k.DstPort)
	b[36], b[37] = k.Protocol, byte(k.Door)
	binary.NativeEndian.PutUint32(b[40:], k.place)
	return uint32(maphash.Bytes(s.seed, b[:]))
}

// of is the flow of a key; it is made when there is none.
func (s *flows) of(k *key) *flow {
	if 4*s.count >= 3*len(s.table) {
		s.enlarge()
	}
	h := s.hash(k)
	mask := uint32(len(s.table) - 1)
	for i := h & mask; ; i = (i + 1) & mask {
		at := &s.table[i]
		if at.number == 0 {
			*at = slot{h, uint32(s.count) + 1}
			return s.append(k)
		}
		if at.hash == h {
			if f := s.at(int(at.number - 1)); f.key == *k {
				return f
			}
		}
	}
}

func (s *flows) append(k *key) *flow {
	if s.count == len(s.pages)*pageFlows {
		s.pages = append(s.pages, new([pageFlows]flow))
	}
	f := s.at(s.count)
	s.count++
	*f = flow{key: *k}
	return f
}

func (s *flows) enlarge() {
	if s.table == nil {
		s.table, s.seed = make([]slot, pageFlows), maphash.MakeSeed()
		return
	}
	old := s.table
	s.table = make([]slot, 2*len(old))
	mask := uint32(len(s.table) - 1)
	for _, at := range old {
		if at.number == 0 {
			continue
		}
		i := at.hash & mask
		for s.table[i].number != 0 {
			i = (i + 1) & mask
		}
		s.table[i] = at
	}
}

// refusal is what was refused of a flow; nil when nothing was.
func (s *flows) refusal(f *flow) *refusal {
	if f.refused == 0 {
		return nil
	}
	return &s.refusals[f.refused-1]
}

// refusalOf is the same, and made when there is none. It is valid until the next
// one is made.
func (s *flows) refusalOf(f *flow) *refusal {
	if f.refused == 0 {
		s.refusals = append(s.refusals, refusal{})
		f.refused = uint32(len(s.refusals))
	}
	return &s.refusals[f.refused-1]
}

// owe adds a flow that owes.
func (s *flows) owe(d *debt) { s.refusalOf(s.of(&d.key)).owed = d.owed }

// reset forgets all flows, and lets go of the memory that those there were did
// not need.
func (s *flows) reset() {
	if used := (s.count + pageFlows - 1) / pageFlows; used < len(s.pages) {
		s.pages = append([]*[pageFlows]flow(nil), s.pages[:used]...)
	}
	if 4*s.count < len(s.table) && len(s.table) > pageFlows {
		s.table = make([]slot, max(len(s.table)/2, pageFlows))
	} else {
		clear(s.table)
	}
	s.refusals = kept(s.refusals)
	s.count = 0
}

// kept is a slice's memory for the next time, unless most of it was not needed.
func kept[T any](s []T) []T {
	if cap(s) > 4*len(s) {
		return nil
	}
	return s[:0]
}

// survey is how many records the flows of each of so many interfaces make, by
// place, and what goes over into the next interval.
func (s *flows) survey(places int) (per []int, owing []debt) {
	per = make([]int, places)
	for n := range s.count {
		f := s.at(n)
		accepted, left := s.accepted(f)
		if accepted.packets > 0 {
			per[f.place]++
		}
		if r := s.refusal(f); r != nil && r.refused.packets > 0 {
			per[f.place]++
		}
		if left != (owed{}) {
			owing = append(owing, debt{f.key, left})
		}
	}
	return per, owing
}

// accepted is what was let through of a flow, and what is owed then. At a leaving
// door that is what was seen; at an entering one the refused packets are among
// the seen ones.
func (s *flows) accepted(f *flow) (sum, owed) {
	t, r := f.seen, s.refusal(f)
	if r == nil {
		return t, owed{}
	}
	if f.Door == policy.Leaving {
		return t, r.owed
	}
	packets := int64(t.packets) - int64(r.refused.packets) - r.owed.packets
	octets := int64(t.bytes) - int64(r.refused.bytes) - r.owed.bytes
	if packets <= 0 || octets <= 0 {
		return sum{}, owed{-packets, -octets}
	}
	t.packets, t.bytes = uint64(packets), uint64(octets)
	if t.first == 0 { // all of it was carried over
		t.first, t.last = r.refused.first, r.refused.last
	}
	return t, owed{}
}
