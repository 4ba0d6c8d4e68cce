package nft

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"weir/policy"
)

// field is the address of the packet's other end, by direction.
func field(d policy.Direction) string {
	if d == policy.Egress {
		return "daddr"
	}
	return "saddr"
}

func protocol(is6 bool) string {
	if is6 {
		return "ip6"
	}
	return "ip"
}

func familySuffix(is6 bool) string {
	if is6 {
		return "_v6"
	}
	return "_v4"
}

func addressType(is6 bool) string {
	if is6 {
		return "ipv6_addr"
	}
	return "ipv4_addr"
}

// oneOf is the condition that the other end lies in one of the networks, all of
// one family. Of a network that is everything the family is left, or nothing
// where the table has one family.
func (t *table) oneOf(nets []netip.Prefix, d policy.Direction, is6 bool) string {
	nets = widest(nets)
	switch everything := nets[0].Bits() == 0; {
	case everything && t.bridge:
		return "meta protocol " + protocol(is6)
	case everything:
		return ""
	}
	words := make([]string, len(nets))
	for i, n := range nets {
		words[i] = network(n)
	}
	return fmt.Sprintf("%s %s %s", protocol(is6), field(d), set(words))
}

func network(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

func byFamily(all []netip.Prefix) (v4, v6 []netip.Prefix) {
	for _, p := range all {
		if p.Addr().Is4() {
			v4 = append(v4, p)
		} else {
			v6 = append(v6, p)
		}
	}
	return v4, v6
}

// widest is the networks that do not lie in another one, ascending: nft refuses
// the others in a set.
func widest(all []netip.Prefix) []netip.Prefix {
	sorted := make([]netip.Prefix, len(all))
	for i := range all {
		sorted[i] = all[i].Masked()
	}
	slices.SortFunc(sorted, func(a, b netip.Prefix) int {
		if c := a.Addr().Compare(b.Addr()); c != 0 {
			return c
		}
		return a.Bits() - b.Bits()
	})
	out := sorted[:0]
	for _, p := range sorted {
		if n := len(out); n > 0 && out[n-1].Contains(p.Addr()) {
			continue
		}
		out = append(out, p)
	}
	return out
}

// set writes the set of a group's members or a prefix list, and is its name;
// "" when it has nothing of the family.
func (t *table) set(m *policy.Match, is6 bool) string {
	kind, id, what := "group", m.Peer.GroupID, "members of security group"
	if id == "" {
		kind, id, what = "list", m.Peer.PrefixListID, "prefix list"
	}
	var elements []string
	ranges := false
	for _, r := range m.Addresses.Ranges() {
		if r.From.Is6() != is6 {
			continue
		}
		if single := addressesOf(r); single != nil {
			elements = append(elements, single...)
			continue
		}
		elements = append(elements, rangeOf(r))
		ranges = true
	}
	if len(elements) == 0 {
		return ""
	}
	title := t.r.groups[id]
	name := t.r.names.of(kind+" "+id+familySuffix(is6), kind+"_"+word(title, id)+familySuffix(is6))
	if t.done[name] {
		return name
	}
	t.done[name] = true
	fmt.Fprintf(&t.sets, "\n\tset %s { # %s %s\n\t\ttype %s\n", name, what, label(title, id), addressType(is6))
	if ranges { // else a hash table does, which is faster
		t.sets.WriteString("\t\tflags interval\n")
	}
	fmt.Fprintf(&t.sets, "\t\telements = { %s }\n\t}\n", wrap(elements))
	return name
}

// wrap sets some elements to a line.
func wrap(elements []string) string {
	const perLine = 8
	var lines []string
	for part := range slices.Chunk(elements, perLine) {
		lines = append(lines, strings.Join(part, ", "))
	}
	return strings.Join(lines, ",\n\t\t\t")
}

// addressesOf is the addresses of a short range: neighbours, a small prefix. Nil
// when there are too many to read.
func addressesOf(r policy.Range) []string {
	const most = 16
	var out []string
	for a := r.From; ; a = a.Next() {
		out = append(out, a.String())
		if a == r.To {
			return out
		}
		if len(out) == most {
			return nil
		}
	}
}

// rangeOf is a range as an element: a network where it is one.
func rangeOf(r policy.Range) string {
	for bits := 0; bits < r.From.BitLen(); bits++ {
		p := netip.PrefixFrom(r.From, bits)
		if p.Masked() == p && policy.RangeOf(p).To == r.To {
			return p.String()
		}
	}
	return r.From.String() + "-" + r.To.String()
}

// span is consecutive ports.
type span struct{ from, to int }

// spanSet is ports as a set, merged where they touch.
func spanSet(spans []span) string {
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
	words := make([]string, len(merged))
	for i, s := range merged {
		words[i] = fmt.Sprint(s.from)
		if s.from != s.to {
			words[i] = fmt.Sprintf("%d-%d", s.from, s.to)
		}
	}
	return set(words)
}

// set is one word, or several in braces: one alone costs less without.
func set(words []string) string {
	if len(words) == 1 {
		return words[0]
	}
	return "{ " + strings.Join(words, ", ") + " }"
}

func list[T any](values []T) string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = fmt.Sprint(v)
	}
	return strings.Join(out, ", ")
}
