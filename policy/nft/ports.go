package nft

import (
	"fmt"
	"slices"
	"strings"

	"weir/vpc"
)

// span is consecutive ports.
type span struct{ from, to int }

func (s span) String() string {
	if s.from == s.to {
		return fmt.Sprint(s.from)
	}
	return fmt.Sprintf("%d-%d", s.from, s.to)
}

// merge is ports ascending, one span where some touch.
func merge(spans []span) []span {
	spans = slices.Clone(spans)
	slices.SortFunc(spans, func(a, b span) int { return a.from - b.from })
	merged := spans[:0]
	for _, s := range spans {
		if n := len(merged); n > 0 && s.from <= merged[n-1].to+1 {
			merged[n-1].to = max(merged[n-1].to, s.to)
			continue
		}
		merged = append(merged, s)
	}
	return merged
}

// few is how many ports are asked for one after the other: a set takes 48 ns, a
// port 16.
const few = 4

// portLines is the conditions on a protocol and merged destination ports. A few are
// asked for one after the other, and a set of many has a name: for each set
// without one the kernel goes through the whole transaction.
func (t *table) portLines(protocol int, spans []span) []string {
	if len(spans) > few {
		return []string{protocolName(protocol) + " dport @" + t.portSet(spans)}
	}
	// A single port is compared in a third of the time that a range takes.
	slices.SortStableFunc(spans, func(a, b span) int { return min(a.to-a.from, 1) - min(b.to-b.from, 1) })
	out := make([]string, len(spans))
	for n, s := range spans {
		out[n] = traffic(vpc.Ports(protocol, uint16(s.from), uint16(s.to)), false)
	}
	return out
}

// portSet is the name of the set of merged ports.
func (t *table) portSet(spans []span) string {
	elements := words(spans)
	return t.constant("ports_"+strings.Join(elements, "_"), "inet_service", elements)
}
