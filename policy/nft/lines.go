package nft

import (
	"fmt"
	"net/netip"
	"slices"
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

// prices are what a look into a map costs, in comparisons of a network: 9 ns in
// IPv4, 28 in IPv6. A hash table takes 44 and 80 ns (and a jump), one of pairs 65
// and 95, a tree of intervals 170 to 250 and 220 to 300.
var prices = map[bool]struct{ hash, tree int }{false: {5, 25}, true: {4, 8}}

// lines writes lines to a chain, in their order; field is the address of the
// other end. Where it costs less than asking for one network after the other, one
// look tells which lines are about the address: in a hash table for networks of
// one size, in a tree for those of many.
func (t *table) lines(b *strings.Builder, chain string, lines []line, field string) {
	for len(lines) > 0 {
		n, one := alike(lines)
		n = max(n, 1)
		switch price := prices[lines[0].is6]; {
		case one:
			pairs, rest := pairs(lines[:n])
			if order, _ := byNetwork(rest); len(pairs) > price.hash && len(order) <= price.hash {
				t.pairSet(b, chain, pairs, field)
				t.plain(b, rest, field)
			} else {
				t.hashMap(b, chain, lines[:n], field)
			}
		case n > price.tree:
			t.treeMap(b, chain, lines[:n], field)
		default:
			t.plain(b, lines[:n], field)
		}
		lines = lines[n:]
	}
}

// plain writes lines one after the other.
func (t *table) plain(b *strings.Builder, lines []line, field string) {
	for i := range lines {
		l := &lines[i]
		fmt.Fprintf(b, "\t\t%s%s\n", join(t.condition(l, field), l.traffic, l.then), note(l.note))
	}
}

// alike is how many lines at the beginning are about networks of one family. They
// are of one size, and so many that a hash table pays; or they go on until there
// are such.
func alike(lines []line) (n int, oneSize bool) {
	for n < len(lines) && lines[n].isNetwork() && lines[n].is6 == lines[0].is6 {
		same, most := 0, prices[lines[0].is6].hash
		var nets []netip.Prefix // of this size, as far as they matter
		for i := n; i < len(lines); i++ {
			l := &lines[i]
			if !l.isNetwork() || l.is6 != lines[0].is6 || l.net.Bits() != lines[n].net.Bits() {
				break
			}
			if len(nets) <= most && !slices.Contains(nets, l.net) {
				nets = append(nets, l.net)
			}
			same++
		}
		if len(nets) > most {
			if n > 0 {
				return n, false
			}
			return same, true
		}
		n += same
	}
	return n, false
}

// isNetwork reports whether the line is about some network, and not all addresses.
func (l *line) isNetwork() bool { return l.set == nil && l.net.Bits() > 0 }

// byNetwork sorts lines by what they are about.
func byNetwork(lines []line) (order []netip.Prefix, of [][]*line) {
	place := make(map[netip.Prefix]int, len(lines))
	for n := range lines {
		l := &lines[n]
		at, ok := place[l.net]
		if !ok {
			at = len(order)
			place[l.net] = at
			order, of = append(order, l.net), append(of, nil)
		}
		of[at] = append(of[at], l)
	}
	return order, of
}

// pairs are the lines that allow one port of a protocol, if all lines allow
// something: then their order does not matter.
func pairs(lines []line) (pairs, rest []line) {
	for _, l := range lines {
		switch {
		case l.then != "accept":
			return nil, lines
		case l.pair() != "":
			pairs = append(pairs, l)
		default:
			rest = append(rest, l)
		}
	}
	return pairs, rest
}

// pair is the line's protocol and port as part of an element, "" when it is about
// something else.
func (l *line) pair() string {
	protocol, port, ok := strings.Cut(l.traffic, " dport ")
	if !ok || strings.ContainsAny(port, "-@") {
		return ""
	}
	return protocol + " . " + port
}

// pairSet writes a set of networks of one size with a protocol and a port, and
// the line that looks into it. It takes a sixth of the kernel's memory that a map
// takes, and a third of the time to load.
func (t *table) pairSet(b *strings.Builder, chain string, lines []line, field string) {
	is6, bits := lines[0].is6, lines[0].net.Bits()
	elements := make([]string, len(lines))
	for n := range lines {
		l := &lines[n]
		elements[n] = l.net.Addr().String() + " . " + l.pair() + "," + note(l.note)
	}
	name := t.mapName(fmt.Sprint(chain, familySuffix(is6), "_", bits))
	writeElements(&t.sets, "set "+name, addressType(is6)+" . inet_proto . inet_service", sized(elements), elements)
	fmt.Fprintf(b, "\t\t%s . meta l4proto . th dport @%s accept\n", masked(protocol(is6)+" "+field, is6, bits), name)
}

// hashMap writes a map from networks of one size to their lines, and the line of
// the chain that looks into it: with the first bits of the address. As no two of
// the networks overlap, the lines about others have no say.
func (t *table) hashMap(b *strings.Builder, chain string, lines []line, field string) {
	order, of := byNetwork(lines)
	is6, bits := order[0].Addr().Is6(), order[0].Bits()
	elements := make([]string, len(order))
	for n, net := range order {
		then, notes := t.then(chain, of[n])
		elements[n] = net.Addr().String() + " : " + then + "," + note(notes)
	}
	name := t.mapName(fmt.Sprint(chain, familySuffix(is6), "_", bits))
	writeMap(&t.sets, name, addressType(is6), "verdict", sized(elements), elements)
	fmt.Fprintf(b, "\t\t%s vmap @%s\n", masked(protocol(is6)+" "+field, is6, bits), name)
}

// treeMap writes a map from networks of all sizes to the lines about them, cut
// into ranges in which the same ones have a say.
func (t *table) treeMap(b *strings.Builder, chain string, lines []line, field string) {
	is6 := lines[0].is6
	type entry struct {
		policy.Range
		then, notes string
	}
	var entries []entry
	for _, p := range cut(lines) {
		then, notes := t.then(chain, p.lines)
		e := entry{p.Range, then, notes}
		if n := len(entries); n > 0 {
			if last := &entries[n-1]; last.then == then && last.notes == notes && last.To.Next() == e.From {
				last.To = e.To
				continue
			}
		}
		entries = append(entries, e)
	}
	elements := make([]string, len(entries))
	for n, e := range entries {
		at := e.From.String()
		if e.From != e.To {
			at += "-" + e.To.String()
		}
		elements[n] = at + " : " + e.then + "," + note(e.notes)
	}
	name := t.mapName(chain + familySuffix(is6))
	writeMap(&t.sets, name, addressType(is6), "verdict", intervals, elements)
	fmt.Fprintf(b, "\t\t%s %s vmap @%s\n", protocol(is6), field, name)
}

// mapName is the name of one more map. A chain may have several.
func (t *table) mapName(wish string) string {
	key := "map " + wish
	for t.done[key] {
		key += "'"
	}
	t.done[key] = true
	return t.r.names.of(key, wish)
}

// then is what a map has for lines about the same addresses: what happens, or the
// chain that decides it. A chain that only allows serves everybody who may do the
// same. Each line ends the matter for what it is about: a later one about just that
// has no say.
func (t *table) then(chain string, lines []*line) (then, notes string) {
	first := lines[0]
	if first.traffic == "" && first.then == "accept" {
		return first.then, first.note
	}
	if chain := t.allows[first.traffic]; chain != "" && len(lines) == 1 && first.then == "accept" {
		return "jump " + chain, first.note // as most are
	}
	var allowed, body strings.Builder
	var about, words []string
	only := true
	for _, l := range lines {
		if slices.Contains(about, l.traffic) || slices.Contains(about, "") {
			continue
		}
		about = append(about, l.traffic)
		words = append(words, strings.Replace(l.traffic, " dport ", " ", 1))
		text := join(l.traffic, l.then)
		fmt.Fprintf(&allowed, "\t\t%s\n", text)
		fmt.Fprintf(&body, "\t\t%s%s\n", text, note(l.note))
		only = only && l.then == "accept"
	}
	if only {
		text := allowed.String()
		name := t.shared("allow "+text, "allow_"+strings.Join(words, "_and_"), text)
		if len(lines) == 1 {
			t.allows[first.traffic] = name
		}
		return "jump " + name, first.note
	}
	at := chain + "_" + lines[len(lines)-1].net.Addr().String()
	return "jump " + t.shared("network of "+chain+body.String(), at, body.String()), ""
}

// shared is the name of the chain with a key, which is written once.
func (t *table) shared(key, wish, body string) string {
	name := t.r.names.of(key, wish)
	if !t.done[name] {
		t.done[name] = true
		t.tail.WriteString("\n\tchain " + name + " {\n" + body + "\t}\n")
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
