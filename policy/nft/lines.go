package nft

import (
	"fmt"
	"net/netip"
	"strings"

	"weir/policy"
)

// line is a line of a chain: what happens to some packets.
type line struct {
	is6     bool
	net     netip.Prefix  // of the packet's other end, if set is nil
	set     *policy.Match // whose peer is a group or a prefix list
	traffic string        // condition on what is above the addresses; "" is none
	then    string        // "accept", "meta mark set … drop"
	note    string        // for people
}

// few is how many networks of one size are asked for one after the other.
// Looking into a map costs as much as comparing five IPv4 addresses or networks
// (8 ns each), or two of IPv6 (30 ns), and then a jump.
const few = 4

// lines writes lines to a chain, in their order; field is the address of the
// other end. Where lines behind each other are about more than a few networks of
// one size, a map leads from the network to its own lines: as no two of the
// networks overlap, the others have no say.
func (t *table) lines(b *strings.Builder, chain string, lines []line, field string) {
	for len(lines) > 0 {
		n := sameSize(lines)
		if order, of := byNetwork(lines[:n]); len(order) > few {
			t.networkMap(b, chain, order, of, field)
		} else {
			n = max(n, 1)
			for i := range lines[:n] {
				l := &lines[i]
				fmt.Fprintf(b, "\t\t%s%s\n", join(t.condition(l, field), l.traffic, l.then), note(l.note))
			}
		}
		lines = lines[n:]
	}
}

// sameSize is how many lines at the beginning are about networks of one size.
func sameSize(lines []line) int {
	for n := range lines {
		l := &lines[n]
		if l.set != nil || l.net.Bits() <= 0 || l.is6 != lines[0].is6 || l.net.Bits() != lines[0].net.Bits() {
			return n
		}
	}
	return len(lines)
}

// byNetwork sorts lines by what they are about.
func byNetwork(lines []line) (order []netip.Prefix, of map[netip.Prefix][]*line) {
	of = map[netip.Prefix][]*line{}
	for n := range lines {
		l := &lines[n]
		if of[l.net] == nil {
			order = append(order, l.net)
		}
		of[l.net] = append(of[l.net], l)
	}
	return order, of
}

// networkMap writes a map from networks of one size to their lines, and the line
// of the chain that looks into it.
func (t *table) networkMap(b *strings.Builder, chain string, order []netip.Prefix, of map[netip.Prefix][]*line, field string) {
	is6, bits := order[0].Addr().Is6(), order[0].Bits()
	wish := fmt.Sprint(chain, familySuffix(is6), "_", bits)
	key := "map " + wish
	for t.done[key] { // an ACL may have several
		key += "'"
	}
	t.done[key] = true
	name := t.r.names.of(key, wish)
	elements := make([]string, len(order))
	for n, net := range order {
		then, notes := t.then(chain, of[net])
		elements[n] = fmt.Sprintf("%s : %s,%s", net.Addr(), then, note(notes))
	}
	writeMap(&t.sets, name, addressType(is6), "verdict", elements)
	fmt.Fprintf(b, "\t\t%s vmap @%s\n", masked(protocol(is6)+" "+field, is6, bits), name)
}

// then is what a map has for lines about one network: what happens, or the chain
// that decides it. A chain that only allows serves everybody who may do the same.
func (t *table) then(chain string, lines []*line) (then, notes string) {
	if l := lines[0]; l.traffic == "" && l.then == "accept" {
		return l.then, l.note
	}
	var allowed, body strings.Builder
	var words []string
	only := true
	for _, l := range lines {
		text := join(l.traffic, l.then)
		fmt.Fprintf(&allowed, "\t\t%s\n", text)
		fmt.Fprintf(&body, "\t\t%s%s\n", text, note(l.note))
		words = append(words, strings.Replace(l.traffic, " dport ", " ", 1))
		only = only && l.then == "accept"
	}
	if only {
		text := allowed.String()
		return "jump " + t.shared("allow "+text, "allow_"+strings.Join(words, "_and_"), text), lines[0].note
	}
	at := chain + "_" + lines[0].net.Addr().String()
	return "jump " + t.shared("network of "+chain+body.String(), at, body.String()), ""
}

// shared is the name of the chain with a key, which is written once.
func (t *table) shared(key, wish, body string) string {
	name := t.r.names.of(key, wish)
	if !t.done[name] {
		t.done[name] = true
		fmt.Fprintf(t.chain(), "\n\tchain %s {\n%s\t}\n", name, body)
	}
	return name
}

// note is a comment at the end of a line.
func note(words string) string {
	if words == "" {
		return ""
	}
	return " # " + words
}
