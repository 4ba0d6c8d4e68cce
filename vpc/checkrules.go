package vpc

import (
	"net/netip"
	"strings"
)

func (c *checker) groups() {
	seen := names{}
	for i := range c.t.Groups {
		g, at := &c.t.Groups[i], At("security-groups", i)
		c.identity(at, KindGroup, g.ID, seen, g.VPCID, g.Name)
		c.tags(at, g.Tags)
		c.inVPC(at, g.VPCID)
		c.groupRules(at, "ingress", g.Ingress)
		c.groupRules(at, "egress", g.Egress)
	}
}

func (c *checker) groupRules(group Path, direction string, rules []GroupRule) {
	type content struct {
		traffic Traffic
		peer    Peer
	}
	seen := make(map[content]int, len(rules))
	for i := range rules {
		r, at := &rules[i], group.Item(direction, i)
		is := content{r.Traffic.meant(), r.Peer}
		if first, twice := seen[is]; twice {
			c.clash(at, group.Item(direction, first), "remove one of them", "another rule says the same")
			continue
		}
		seen[is] = i
		c.id(at, KindGroupRule, r.ID)
		c.text(at.Field("description"), r.Description)
		c.traffic(at, r.Traffic)
		c.peer(at, r)
	}
}

// peer wants exactly one peer, one that exists and that the protocol can have.
func (c *checker) peer(at Path, r *GroupRule) {
	p, at := r.Peer, at.Field("peer")
	set := 0
	for _, is := range []bool{p.CIDR.IsValid(), p.PrefixListID != "", p.GroupID != ""} {
		if is {
			set++
		}
	}
	switch {
	case set == 0:
		c.add(at, "name a network, a prefix list or a security group", "the rule has no peer")
	case set > 1:
		c.add(at, "write a rule for each", "the rule has %d peers, not one", set)
	case p.CIDR.IsValid():
		if c.network(at, p.CIDR) {
			c.family(at, r.Traffic.Protocol, p.CIDR)
		}
	case p.GroupID != "":
		if c.x.Group(p.GroupID) == nil {
			c.add(at, "", "there is no security group %q", p.GroupID)
		}
	default:
		c.prefixList(at, r.Traffic.Protocol, p.PrefixListID)
	}
}

func (c *checker) prefixList(at Path, protocol int, id string) {
	l := c.x.PrefixList(id)
	if l == nil {
		c.add(at, "", "there is no prefix list %q", id)
		return
	}
	has := c.families[id]
	if len(l.Entries) > 0 && (protocol == ICMP && !has[0] || protocol == ICMPv6 && !has[1]) {
		c.add(at, otherICMP(protocol), "%s never matches: %s has no such network", ProtocolName(protocol), label("prefix list", l.Name, l.ID))
	}
}

// family wants ICMP with IPv4 and ICMPv6 with IPv6.
func (c *checker) family(at Path, protocol int, p netip.Prefix) {
	if !familyFits(protocol, p) {
		c.add(at, otherICMP(protocol), "%s never matches: %v is of the other family", ProtocolName(protocol), p)
	}
}

func familyFits(protocol int, p netip.Prefix) bool {
	return (protocol != ICMP || p.Addr().Is4()) && (protocol != ICMPv6 || p.Addr().Is6())
}

func otherICMP(protocol int) string {
	if protocol == ICMP {
		return "IPv6 has icmpv6"
	}
	return "IPv4 has icmp"
}

func (c *checker) traffic(at Path, t Traffic) {
	switch {
	case t.Protocol < AnyProtocol || t.Protocol > 255:
		c.add(at.Field("protocol"), "write "+strings.Join(ProtocolNames(), ", ")+" or a number", "%d is not a protocol", t.Protocol)
		return
	case t.HasPorts() && t.From > t.To:
		c.add(at.Field("ports"), "", "%d-%d ends before it begins", t.From, t.To)
	case !t.HasPorts() && (t.From != 0 || t.To != 0):
		c.add(at.Field("ports"), "only tcp and udp have ports", "%s has no ports", ProtocolName(t.Protocol))
	}
	if !t.IsICMP() {
		return
	}
	if t.ICMPType < -1 || t.ICMPType > 255 {
		c.add(at.Field("icmp-type"), "", "%d is not an ICMP type: 0 to 255", t.ICMPType)
	}
	switch {
	case t.ICMPCode < -1 || t.ICMPCode > 255:
		c.add(at.Field("icmp-code"), "", "%d is not an ICMP code: 0 to 255", t.ICMPCode)
	case t.ICMPType == -1 && t.ICMPCode != -1:
		c.add(at.Field("icmp-code"), "name the type, too", "a code means nothing without its type")
	}
}

func (c *checker) acls() {
	seen := names{}
	for i := range c.t.ACLs {
		a, at := &c.t.ACLs[i], At("network-acls", i)
		c.identity(at, KindACL, a.ID, seen, a.VPCID, a.Name)
		c.tags(at, a.Tags)
		c.inVPC(at, a.VPCID)
		c.aclRules(at, "ingress", a.Ingress)
		c.aclRules(at, "egress", a.Egress)
	}
}

func (c *checker) aclRules(acl Path, direction string, rules []ACLRule) {
	first := make(map[int]int, len(rules))
	last := 0
	for i, r := range rules {
		at := acl.Item(direction, i)
		j, twice := first[r.Number]
		switch {
		case r.Number < 1 || r.Number > MaxACLRuleNumber:
			c.add(at.Field("rule"), "", "%d is not a rule's number: 1 to %d", r.Number, MaxACLRuleNumber)
		case twice:
			c.clash(at.Field("rule"), acl.Item(direction, j), "give each rule of a direction its own number", "%d is the number of another rule", r.Number)
		case r.Number < last:
			c.add(at.Field("rule"), "", "%d stands behind %d: rules are in the order of their numbers", r.Number, last)
		}
		if !twice {
			first[r.Number] = i
		}
		last = max(last, r.Number)
		c.traffic(at, r.Traffic)
		if c.network(at.Field("cidr"), r.CIDR) {
			c.family(at.Field("cidr"), r.Traffic.Protocol, r.CIDR)
		}
	}
}
