package nft

import (
	"fmt"
	"slices"
	"strings"

	"weir/policy"
	"weir/vpc"
)

// peer is another end that rules of a group allow something.
type peer struct {
	line    line // what is said of the other end
	traffic []vpc.Traffic
}

// allow is what a group's rules allow. The order is free, as no rule refuses.
func (t *table) allow(rules []policy.Match) []line {
	var all []line
	for _, is6 := range t.is6 {
		all = append(all, t.allowed(t.peers(rules, is6), is6)...)
	}
	return all
}

// peers is the other ends of one family, in the order in which rules name them,
// and what each is allowed. The members of small groups and prefix lists are taken
// one by one: few of them cost less than a set, and many are one look with others.
func (t *table) peers(rules []policy.Match, is6 bool) []*peer {
	order := make([]*peer, 0, len(rules))
	by := make(map[vpc.Peer]*peer, len(rules))
	add := func(l line, traffic vpc.Traffic) {
		key := vpc.Peer{CIDR: l.net}
		if l.set != nil {
			key = l.set.Peer
		}
		p := by[key]
		if p == nil {
			p = &peer{line: l}
			by[key] = p
			order = append(order, p)
		} else if l.note != "" && !strings.Contains(p.line.note, l.note) {
			p.line.note = strings.TrimPrefix(p.line.note+", "+l.note, ", ")
		}
		p.traffic = append(p.traffic, traffic)
	}
	for i := range rules {
		m := &rules[i]
		if m.Addresses == nil {
			if net := m.Peer.CIDR.Masked(); net.Addr().Is6() == is6 {
				add(line{is6: is6, net: net}, m.Traffic)
			}
			continue
		}
		nets := t.r.networks(m.Addresses, is6)
		if len(nets) > short {
			add(line{is6: is6, set: m}, m.Traffic)
			continue
		}
		for _, net := range nets {
			add(line{is6: is6, net: net, note: t.r.peerLabel(m)}, m.Traffic)
		}
	}
	return order
}

// allowed is the lines of what peers are allowed.
func (t *table) allowed(peers []*peer, is6 bool) []line {
	sizes := map[int]int{} // how many networks there are of each
	for _, p := range peers {
		sizes[p.line.net.Bits()]++
	}
	slices.SortStableFunc(peers, func(a, b *peer) int { return a.line.rank(sizes) - b.line.rank(sizes) })
	var lines []line
	for _, p := range peers {
		for _, c := range t.conditions(p.traffic, is6) {
			l := p.line
			l.traffic, l.then = c, "accept"
			lines = append(lines, l)
		}
	}
	return lines
}

// rank is a line's place among those of a group: everybody, networks of a size
// that has a map, other networks, sets.
func (l *line) rank(sizes map[int]int) int {
	const most = 129 // sizes there are
	switch bits := l.net.Bits(); {
	case l.set != nil:
		return 2 * most
	case bits == 0:
		return -most
	case sizes[bits] > prices[l.is6].hash:
		return -bits
	default:
		return most - bits
	}
}

// conditions are what is above the addresses, one for each line that is needed:
// the ports of a protocol are together.
func (t *table) conditions(all []vpc.Traffic, is6 bool) []string {
	if len(all) == 1 {
		return []string{traffic(all[0], is6)}
	}
	var out []string
	spans := map[int][]span{}
	for _, of := range all {
		if of.HasPorts() {
			spans[of.Protocol] = append(spans[of.Protocol], span{int(of.From), int(of.To)})
		}
	}
	for _, of := range all {
		switch {
		case of.Protocol == vpc.AnyProtocol:
			return []string{""}
		case !of.HasPorts():
			if c := traffic(of, is6); !slices.Contains(out, c) {
				out = append(out, c)
			}
		case spans[of.Protocol] != nil:
			out = append(out, t.portLines(of.Protocol, merge(spans[of.Protocol]))...)
			spans[of.Protocol] = nil
		}
	}
	return out
}

// traffic is the condition on what is above the addresses.
func traffic(t vpc.Traffic, is6 bool) string {
	switch {
	case t.Protocol == vpc.AnyProtocol:
		return ""
	case t.HasPorts() && (t.From > 0 || t.To < 65535):
		return protocolName(t.Protocol) + " dport " + span{int(t.From), int(t.To)}.String()
	case t.IsICMP():
		return icmp(t, is6)
	}
	return "meta l4proto " + protocolName(t.Protocol)
}

// icmp is the condition on type and code. ICMP over the other family has no
// name in nft: its bytes are looked at.
func icmp(t vpc.Traffic, is6 bool) string {
	if t.ICMPType < 0 && t.ICMPCode < 0 {
		return "meta l4proto " + protocolName(t.Protocol)
	}
	parts := []string{}
	kind, code := "@th,0,8", "@th,8,8"
	if is6 == (t.Protocol == vpc.ICMPv6) {
		kind, code = protocolName(t.Protocol)+" type", protocolName(t.Protocol)+" code"
	} else {
		parts = append(parts, "meta l4proto "+protocolName(t.Protocol))
	}
	if t.ICMPType >= 0 {
		parts = append(parts, fmt.Sprintf("%s %d", kind, t.ICMPType))
	}
	if t.ICMPCode >= 0 {
		parts = append(parts, fmt.Sprintf("%s %d", code, t.ICMPCode))
	}
	return join(parts...)
}

// protocolName is nft's word, or the number.
func protocolName(p int) string {
	switch p {
	case vpc.ICMP, vpc.TCP, vpc.UDP, vpc.ICMPv6:
		return vpc.ProtocolName(p)
	}
	return fmt.Sprint(p)
}

func join(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), " ")
}
