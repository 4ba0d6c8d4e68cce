package nft

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"weir/policy"
	"weir/vpc"
)

// line is the conditions under which rules of a group allow a packet: all of
// one protocol's ports that the same peers may use are one line.
type line struct {
	peer    string      // condition on the other end; with its family
	traffic vpc.Traffic // without ports, if spans has them
	spans   []span
	is6     bool
}

func (l *line) String() string {
	if len(l.spans) == 0 {
		return join(l.peer, traffic(l.traffic, l.is6))
	}
	return join(l.peer, protocolName(l.traffic.Protocol)+" dport", spanSet(l.spans))
}

// allow is the conditions under which rules of a group allow a packet. Rules
// about the same traffic become one for each family, and so do those about the
// same peers and protocol.
//
// Sets of address, protocol and port would be asked once for all the rules, but
// were measured: they take ten times the kernel's memory (264 MB against 22 for
// 500 groups of 30 + 30 rules) and load no faster.
func (t *table) allow(rules []policy.Match, d policy.Direction) []string {
	type key struct {
		peer     string
		protocol int
	}
	var lines []*line
	byPeer := map[key]*line{}
	for _, b := range byTraffic(rules) {
		for _, is6 := range t.is6 {
			for _, peer := range t.conditions(b, d, is6) {
				l := &line{peer: peer, traffic: b.traffic, is6: is6}
				if tr := b.traffic; tr.HasPorts() && !allPorts(tr) {
					k := key{peer, tr.Protocol}
					if byPeer[k] == nil {
						byPeer[k] = l
						lines = append(lines, l)
					}
					byPeer[k].spans = append(byPeer[k].spans, span{int(tr.From), int(tr.To)})
					continue
				}
				lines = append(lines, l)
			}
		}
	}
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = l.String()
	}
	return out
}

// peers is the other ends that rules about the same traffic name.
type peers struct {
	traffic vpc.Traffic
	cidrs   []netip.Prefix
	sets    []*policy.Match // whose peers are groups or prefix lists
}

// byTraffic gathers rules about the same traffic, in the order of the first.
func byTraffic(rules []policy.Match) []*peers {
	var order []*peers
	by := map[vpc.Traffic]*peers{}
	for i := range rules {
		m := &rules[i]
		p := by[m.Traffic]
		if p == nil {
			p = &peers{traffic: m.Traffic}
			by[m.Traffic] = p
			order = append(order, p)
		}
		if m.Addresses == nil {
			p.cidrs = append(p.cidrs, m.Peer.CIDR)
		} else {
			p.sets = append(p.sets, m)
		}
	}
	return order
}

// conditions on the other end, one for each line that is needed.
func (t *table) conditions(p *peers, d policy.Direction, is6 bool) []string {
	v4, v6 := byFamily(p.cidrs)
	nets := v4
	if is6 {
		nets = v6
	}
	var out []string
	if len(nets) > 0 {
		out = append(out, t.oneOf(nets, d, is6))
		if slices.ContainsFunc(nets, func(c netip.Prefix) bool { return c.Bits() == 0 }) {
			return out // everything else is in it
		}
	}
	for _, m := range p.sets {
		name := t.set(m, is6)
		if name == "" {
			continue
		}
		if c := fmt.Sprintf("%s %s @%s", protocol(is6), field(d), name); !slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	return out
}

// traffic is the condition on what is above the addresses.
func traffic(t vpc.Traffic, is6 bool) string {
	switch {
	case t.Protocol == vpc.AnyProtocol:
		return ""
	case t.HasPorts() && !allPorts(t):
		return protocolName(t.Protocol) + " dport " + spanSet([]span{{int(t.From), int(t.To)}})
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

func allPorts(t vpc.Traffic) bool { return t.From == 0 && t.To == 65535 }

func join(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), " ")
}
