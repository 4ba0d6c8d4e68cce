package nft

import (
	"net/netip"
	"slices"

	"weir/policy"
)

// piece is consecutive addresses and the lines that are about all of them, in
// their order.
type piece struct {
	policy.Range
	lines []*line
}

// cut cuts networks of one family, which lie in each other or apart, at their
// ends. The pieces ascend.
func cut(lines []line) []piece {
	order, lists := byNetwork(lines)
	of := make(map[netip.Prefix][]*line, len(order))
	for n, net := range order {
		of[net] = lists[n]
	}
	slices.SortFunc(order, func(a, b netip.Prefix) int {
		if c := a.Addr().Compare(b.Addr()); c != 0 {
			return c
		}
		return a.Bits() - b.Bits() // the wider one first
	})
	place := make(map[*line]int, len(lines))
	for n := range lines {
		place[&lines[n]] = n
	}
	var pieces []piece
	var open []netip.Prefix // each in the one before
	var from netip.Addr     // what is open is cut up to here; not valid behind the last address there is
	to := func(last netip.Addr) {
		if !from.IsValid() || last.Less(from) {
			return
		}
		p := piece{Range: policy.Range{From: from, To: last}}
		for _, net := range open {
			p.lines = append(p.lines, of[net]...)
		}
		slices.SortFunc(p.lines, func(a, b *line) int { return place[a] - place[b] })
		pieces = append(pieces, p)
		from = last.Next()
	}
	shut := func() {
		to(policy.RangeOf(open[len(open)-1]).To)
		open = open[:len(open)-1]
	}
	for _, net := range order {
		for len(open) > 0 && !open[len(open)-1].Contains(net.Addr()) {
			shut()
		}
		if len(open) > 0 && from != net.Addr() {
			to(net.Addr().Prev())
		}
		open, from = append(open, net), net.Addr()
	}
	for len(open) > 0 {
		shut()
	}
	return pieces
}
