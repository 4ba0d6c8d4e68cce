package nft

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"weir/policy"
	"weir/vpc"
)

// exempt is the chain that accepts what nothing filters. Many packets that an
// ACL judges pass it: where one table judges both families, each has its own.
func (t *table) exempt(d policy.Direction) string {
	name := "exempt_" + d.String()
	if t.done[name] {
		return name
	}
	t.done[name] = true
	b := t.chain()
	fmt.Fprintf(b, "\n\tchain %s { # what neither security groups nor network ACLs filter\n", name)
	if !t.bridge {
		t.writeExempt(b, d, t.is6[0])
		return name
	}
	fmt.Fprintf(b, "\t\tmeta protocol vmap { ip : goto %s_v4, ip6 : goto %s_v6 }\n\t}\n", name, name)
	for _, is6 := range t.is6 {
		b := t.chain()
		fmt.Fprintf(b, "\n\tchain %s%s {\n", name, familySuffix(is6))
		t.writeExempt(b, d, is6)
	}
	return name
}

// writeExempt writes the rest of a chain: what is rare comes last. The network
// that all services have in common is asked for before the set of them: that
// costs less, and few packets get beyond it.
func (t *table) writeExempt(b *strings.Builder, d policy.Direction, is6 bool) {
	var addrs []netip.Addr
	for _, e := range policy.Exemptions {
		for _, a := range e.Addresses {
			if a.Is6() == is6 {
				addrs = append(addrs, a)
			}
		}
		for _, p := range e.Ports {
			if p.Is6 == is6 {
				fmt.Fprintf(b, "\t\tudp sport %d udp dport %d accept # %s\n", p.Src, p.Dst, e.Words)
			}
		}
		if len(e.ICMPv6Types) > 0 && is6 {
			fmt.Fprintf(b, "\t\ticmpv6 type @%s accept # %s\n", t.constant(e.Words, "icmpv6_type", words(e.ICMPv6Types)), e.Words)
		}
	}
	if len(addrs) > 0 {
		of := protocol(is6) + " " + field(d)
		fmt.Fprintf(b, "\t\t%s %s %s @%s accept\n", of, around(addrs), of, t.constant("services"+familySuffix(is6), addressType(is6), words(addrs)))
	}
	b.WriteString("\t}\n")
}

// around is the smallest network of whole bytes that has all the addresses: the
// kernel compares whole bytes without a mask.
func around(addrs []netip.Addr) netip.Prefix {
	for bits := addrs[0].BitLen(); ; bits -= 8 {
		p := netip.PrefixFrom(addrs[0], bits).Masked()
		if !slices.ContainsFunc(addrs, func(a netip.Addr) bool { return !p.Contains(a) }) {
			return p
		}
	}
}

// mayBeExempt reports whether an ACL's rule can be about something that is exempt.
func mayBeExempt(m *policy.Match) bool {
	t, is6 := m.Traffic, m.Peer.CIDR.Addr().Is6()
	all := t.Protocol == vpc.AnyProtocol
	for _, e := range policy.Exemptions {
		if slices.ContainsFunc(e.Addresses, m.Peer.CIDR.Contains) {
			return true
		}
		for _, p := range e.Ports {
			if p.Is6 == is6 && (all || t.Protocol == vpc.UDP && t.From <= p.Dst && p.Dst <= t.To) {
				return true
			}
		}
		for _, kind := range e.ICMPv6Types {
			if is6 && (all || t.Protocol == vpc.ICMPv6 && (t.ICMPType < 0 || t.ICMPType == int(kind))) {
				return true
			}
		}
	}
	return false
}
