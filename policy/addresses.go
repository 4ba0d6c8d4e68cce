package policy

import (
	"net/netip"
	"slices"
)

// Addresses is a set of addresses of both families: the members of a security
// group, the entries of a prefix list. The zero value is empty.
type Addresses struct {
	ranges []Range // ascending, IPv4 first; none touches the next
}

// Range is consecutive addresses of one family, both ends included.
type Range struct{ From, To netip.Addr }

func newAddresses(addrs []netip.Addr, prefixes []netip.Prefix) Addresses {
	ranges := make([]Range, 0, len(addrs)+len(prefixes))
	for _, a := range addrs {
		a = a.Unmap().WithZone("")
		ranges = append(ranges, Range{a, a})
	}
	for _, p := range prefixes {
		ranges = append(ranges, RangeOf(p))
	}
	slices.SortFunc(ranges, func(a, b Range) int { return a.From.Compare(b.From) })
	merged := ranges[:0]
	for _, r := range ranges {
		if n := len(merged); n > 0 && touches(merged[n-1], r) {
			if merged[n-1].To.Less(r.To) {
				merged[n-1].To = r.To
			}
			continue
		}
		merged = append(merged, r)
	}
	return Addresses{merged}
}

// touches reports whether b, which begins no earlier, overlaps a or follows it
// without a gap.
func touches(a, b Range) bool {
	return b.From.BitLen() == a.To.BitLen() && (!a.To.Less(b.From) || a.To.Next() == b.From)
}

// RangeOf is the addresses of a network.
func RangeOf(p netip.Prefix) Range {
	p = p.Masked()
	b := p.Addr().AsSlice()
	for bit := p.Bits(); bit < len(b)*8; bit++ {
		b[bit/8] |= 0x80 >> (bit % 8)
	}
	last, _ := netip.AddrFromSlice(b)
	return Range{p.Addr(), last}
}

// Contains reports whether the address is in the set.
func (s *Addresses) Contains(a netip.Addr) bool {
	low, high := 0, len(s.ranges) // the answer is the last range that begins at a or before
	for low < high {
		mid := (low + high) / 2
		if a.Less(s.ranges[mid].From) {
			high = mid
		} else {
			low = mid + 1
		}
	}
	return low > 0 && !s.ranges[low-1].To.Less(a)
}

// Ranges is the set, ascending, IPv4 before IPv6, merged where ranges touch.
// The caller must not change it.
func (s *Addresses) Ranges() []Range { return s.ranges }
