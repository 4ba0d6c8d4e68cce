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

// condition is what a line says of the packet's other end: nothing when it is
// anybody's, but for the family where the table has both.
func (t *table) condition(l *line, field string) string {
	of := protocol(l.is6) + " " + field
	switch {
	case l.set != nil:
		return of + " @" + t.set(l.set, l.is6)
	case l.net.Bits() > 0:
		return network(of, l.net)
	case t.bridge && l.net.IsValid():
		return "meta protocol " + protocol(l.is6)
	}
	return ""
}

// network is the condition that an address lies in a network. Written as a
// prefix of whole bytes, the kernel loads and compares just these bytes, which
// takes four times as long when they are three: it has a fast way for 1, 2 and 4.
func network(of string, p netip.Prefix) string {
	switch {
	case p.IsSingleIP():
		return of + " " + p.Addr().String()
	case p.Addr().Is4() && p.Bits() == 24:
		return of + " & 255.255.255.0 == " + p.Addr().String()
	}
	return of + " " + p.String()
}

// masked is the first bits of an address.
func masked(of string, is6 bool, bits int) string {
	mask := netip.MustParseAddr("255.255.255.255")
	if is6 {
		mask = netip.MustParseAddr("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")
	}
	if bits == mask.BitLen() {
		return of
	}
	return of + " & " + netip.PrefixFrom(mask, bits).Masked().Addr().String()
}

// set writes the set of a group's members or a prefix list, and is its name.
func (t *table) set(m *policy.Match, is6 bool) string {
	kind, id, what := "group", m.Peer.GroupID, "members of security group"
	if id == "" {
		kind, id, what = "list", m.Peer.PrefixListID, "prefix list"
	}
	title := t.r.groups[id]
	name := t.r.names.of(kind+" "+id+familySuffix(is6), kind+"_"+word(title, id)+familySuffix(is6))
	if t.done[name] {
		return name
	}
	t.done[name] = true
	nets := t.r.networks(m.Addresses, is6)
	elements := make([]string, len(nets))
	for n, p := range nets {
		elements[n] = strings.TrimSuffix(p.String(), fmt.Sprint("/", p.Addr().BitLen()))
	}
	t.writeSet(name, what+" "+label(title, id), addressType(is6), elements)
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

// networks is the addresses of one family as networks.
func (r *renderer) networks(a *policy.Addresses, is6 bool) []netip.Prefix {
	key := familyOf{a, is6}
	if nets, ok := r.nets[key]; ok {
		return nets
	}
	var nets []netip.Prefix
	for _, of := range a.Ranges() {
		if of.From.Is6() == is6 {
			nets = appendNetworks(nets, of)
		}
	}
	r.nets[key] = nets
	return nets
}

// familyOf is the addresses of one family.
type familyOf struct {
	addresses *policy.Addresses
	is6       bool
}

// appendNetworks appends a range as networks, the widest that fit; of a short
// one, as neighbours and small prefixes are, the addresses.
func appendNetworks(nets []netip.Prefix, r policy.Range) []netip.Prefix {
	whole := len(nets)
	for a := r.From; len(nets)-whole < short; a = a.Next() {
		nets = append(nets, netip.PrefixFrom(a, a.BitLen()))
		if a == r.To {
			return nets
		}
	}
	nets = nets[:whole]
	for a := r.From; ; a = a.Next() {
		widest := netip.PrefixFrom(a, a.BitLen())
		for bits := a.BitLen() - 1; bits >= 0; bits-- {
			p := netip.PrefixFrom(a, bits)
			if p.Masked() != p || r.To.Less(policy.RangeOf(p).To) {
				break
			}
			widest = p
		}
		nets = append(nets, widest)
		if a = policy.RangeOf(widest).To; a == r.To {
			return nets
		}
	}
}

// short is how many addresses or networks are still taken one by one.
const short = 16

// constant is the name of a set that is made of its name: all who want it share it.
func (t *table) constant(wish, kind string, elements []string) string {
	name := t.r.names.of("constant "+wish, wish)
	if !t.done[name] {
		t.done[name] = true
		t.writeSet(name, "", kind, elements)
	}
	return name
}

// writeSet writes a set; words say what it is.
func (t *table) writeSet(name, words, of string, elements []string) {
	kind := sized(elements)
	if slices.ContainsFunc(elements, func(e string) bool { return strings.ContainsAny(e, "-/") }) {
		kind = intervals
	}
	fmt.Fprintf(&t.sets, "\n\tset %s {%s\n\t\ttype %s\n\t\t%s\n\t\telements = { %s }\n\t}\n", name, note(words), of, kind, wrap(elements))
}

// braces is one word, or several in braces.
func braces(words []string) string {
	if len(words) == 1 {
		return words[0]
	}
	return "{ " + strings.Join(words, ", ") + " }"
}

// words is values as nft writes them.
func words[T any](values []T) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = fmt.Sprint(v)
	}
	return out
}
