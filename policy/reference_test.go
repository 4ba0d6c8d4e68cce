package policy_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"weir/policy"
	"weir/vpc"
)

// reference says what happens to a packet, as plainly as it can be said: it
// walks the declared topology, compares addresses bit by bit as text, and knows
// none of the compiled forms. Its answer is that of outcome.
func reference(t *vpc.Topology, interfaceID string, d policy.Direction, k policy.Packet, s policy.State) string {
	at := slices.IndexFunc(t.Interfaces, func(i vpc.Interface) bool { return i.ID == interfaceID })
	if why := referenceExempt(d, k); why != "" {
		return "exempt " + why
	}
	i := t.Interfaces[at]
	if d == policy.Egress {
		if r := referenceGroups(t, i, d, k, s); r != "allow" {
			return r
		}
		return referenceACL(t, i, d, k)
	}
	if r := referenceACL(t, i, d, k); r != "allow" {
		return r
	}
	return referenceGroups(t, i, d, k, s)
}

func referenceExempt(d policy.Direction, k policy.Packet) string {
	other := k.Src
	if d == policy.Egress {
		other = k.Dst
	}
	if k.Protocol == 58 && other.Is6() {
		switch k.ICMPType {
		case 133, 134, 135, 136, 137:
			return "neighbour discovery"
		case 130, 131, 132, 143:
			return "multicast listener discovery"
		}
	}
	if k.Protocol == 17 {
		switch fmt.Sprintf("%v %d-%d", other.Is6(), k.SrcPort, k.DstPort) {
		case "false 67-68", "false 68-67", "true 546-547", "true 547-546":
			return "DHCP"
		}
	}
	switch other.String() {
	case "169.254.169.254", "fd00:ec2::254":
		return "instance metadata"
	case "169.254.170.2":
		return "task metadata"
	case "169.254.169.123", "fd00:ec2::123":
		return "time service"
	case "169.254.169.253", "fd00:ec2::253":
		return "DNS resolver"
	case "169.254.169.250", "169.254.169.251":
		return "license activation"
	}
	return ""
}

func referenceGroups(t *vpc.Topology, i vpc.Interface, d policy.Direction, k policy.Packet, s policy.State) string {
	if s == policy.Tracked || len(i.GroupIDs) == 0 {
		return "allow"
	}
	for _, g := range t.Groups {
		if !slices.Contains(i.GroupIDs, g.ID) {
			continue
		}
		rules, other := g.Ingress, k.Src
		if d == policy.Egress {
			rules, other = g.Egress, k.Dst
		}
		for _, r := range rules {
			if referenceTraffic(r.Traffic, k) && referencePeer(t, r.Peer, other) {
				return "allow"
			}
		}
	}
	ids := slices.Clone(i.GroupIDs)
	slices.Sort(ids)
	return strings.Join(slices.Compact(ids), ",") + " " + d.String()
}

func referencePeer(t *vpc.Topology, p vpc.Peer, a netip.Addr) bool {
	switch {
	case p.PrefixListID != "":
		for _, l := range t.PrefixLists {
			if l.ID == p.PrefixListID {
				return slices.ContainsFunc(l.Entries, func(e netip.Prefix) bool { return referenceIn(e, a) })
			}
		}
	case p.GroupID != "":
		for _, i := range t.Interfaces {
			if !slices.Contains(i.GroupIDs, p.GroupID) {
				continue
			}
			if slices.Contains(i.Addresses, a) || slices.ContainsFunc(i.Prefixes, func(e netip.Prefix) bool { return referenceIn(e, a) }) {
				return true
			}
		}
		return false
	}
	return referenceIn(p.CIDR, a)
}

func referenceACL(t *vpc.Topology, i vpc.Interface, d policy.Direction, k policy.Packet) string {
	at := slices.IndexFunc(t.Subnets, func(s vpc.Subnet) bool { return s.ID == i.SubnetID })
	if at < 0 {
		return "allow"
	}
	subnet := t.Subnets[at]
	acl := t.ACLs[slices.IndexFunc(t.ACLs, func(a vpc.NetworkACL) bool { return a.ID == subnet.ACLID })]
	rules, other := acl.Ingress, k.Src
	if d == policy.Egress {
		rules, other = acl.Egress, k.Dst
	}
	for _, c := range slices.Concat(subnet.CIDRs, []netip.Prefix{
		mustPrefix("fe80::/10"), mustPrefix("ff02::/16"), mustPrefix("224.0.0.0/24"), mustPrefix("255.255.255.255/32"),
	}) {
		if referenceIn(c, other) {
			return "allow"
		}
	}
	for number := 1; number <= vpc.MaxACLRuleNumber; number++ {
		for _, r := range rules {
			if r.Number != number || !referenceTraffic(r.Traffic, k) || !referenceIn(r.CIDR, other) {
				continue
			}
			if r.Allow {
				return "allow"
			}
			return fmt.Sprintf("%s %s %d", acl.ID, d, number)
		}
	}
	return fmt.Sprintf("%s %s *", acl.ID, d)
}

func referenceTraffic(t vpc.Traffic, k policy.Packet) bool {
	if t.Protocol == -1 {
		return true
	}
	if t.Protocol != int(k.Protocol) {
		return false
	}
	switch k.Protocol {
	case 6, 17:
		return k.DstPort >= t.From && k.DstPort <= t.To
	case 1, 58:
		anyType, anyCode := t.ICMPType == -1, t.ICMPCode == -1
		return (anyType || int(k.ICMPType) == t.ICMPType) && (anyCode || int(k.ICMPCode) == t.ICMPCode)
	}
	return true
}

// referenceIn compares the leading binary digits.
func referenceIn(p netip.Prefix, a netip.Addr) bool {
	return p.Addr().Is4() == a.Is4() && strings.HasPrefix(binary(a), binary(p.Addr())[:p.Bits()])
}

func binary(a netip.Addr) string {
	var b strings.Builder
	for _, x := range a.AsSlice() {
		fmt.Fprintf(&b, "%08b", x)
	}
	return b.String()
}
