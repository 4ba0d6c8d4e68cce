package nft

import (
	"fmt"
	"net/netip"
	"slices"

	"weir/policy"
	"weir/vpc"
)

// groupSet is the chain of the groups that some interfaces have in common. What
// it accepts goes on with the next stage.
func (t *table) groupSet(s *policy.GroupSet, d policy.Direction, door policy.Door) string {
	refusal := s.Refusal[d]
	name := t.r.names.of("groups "+refusal.Key+doorName(door), "groups_"+groupWords(s)+"_"+d.String()+"_"+doorName(door))
	if t.done[name] {
		return name
	}
	t.done[name] = true
	b := t.chain()
	fmt.Fprintf(b, "\n\tchain %s { # security groups %s\n", name, groupLabels(s))
	for _, g := range s.Groups {
		if chain := t.group(g, d); chain != "" {
			fmt.Fprintf(b, "\t\tjump %s\n", chain)
		}
	}
	// What a rule allows need not be exempt, so few packets get here.
	fmt.Fprintf(b, "\t\tjump %s\n\t\t%s\n\t}\n", t.exempt(d), refuse(refusal, door))
	return name
}

// groupsOpen reports whether the groups let everything pass that the table judges.
func (t *table) groupsOpen(s *policy.GroupSet, d policy.Direction) bool {
	for _, is6 := range t.is6 {
		if !slices.ContainsFunc(s.Groups, func(g *policy.SecurityGroup) bool { return open(g.Rules[d], is6) }) {
			return false
		}
	}
	return true
}

// open reports whether an ACL's rules let everything pass that the table judges.
func (t *table) open(rules []policy.Match) bool {
	return !slices.ContainsFunc(t.is6, func(is6 bool) bool { return !open(rules, is6) })
}

// open reports whether rules let everything of a family pass: one of them does,
// and none before it refuses.
func open(rules []policy.Match, is6 bool) bool {
	for i := range rules {
		m := &rules[i]
		switch {
		case m.Addresses != nil || m.Peer.CIDR.Addr().Is6() != is6:
		case !m.Rule.Allow:
			return false
		case m.Peer.CIDR.Bits() == 0 && m.Traffic.Protocol == vpc.AnyProtocol:
			return true
		}
	}
	return false
}

// tracked matches replies and related packets. In the bridge family there is no
// connection tracking: the state came with the mark.
func (t *table) tracked() string {
	if t.bridge {
		return fmt.Sprintf("meta mark & %#x == %#x", passageMask|passageTracked, passageMagic|passageTracked)
	}
	return "ct state established,related"
}

// group is the chain of one security group; all interfaces that have it share
// it. It is "" when the group allows nothing.
func (t *table) group(g *policy.SecurityGroup, d policy.Direction) string {
	name := t.r.names.of("group "+g.ID+" "+d.String(), "sg_"+word(g.Name, g.ID)+"_"+d.String())
	if t.done[name] {
		return name
	}
	lines := t.allow(g.Rules[d], d)
	if len(lines) == 0 {
		return ""
	}
	t.done[name] = true
	b := t.chain()
	fmt.Fprintf(b, "\n\tchain %s { # security group %s\n", name, label(g.Name, g.ID))
	for _, line := range lines {
		fmt.Fprintf(b, "\t\t%s\n", join(line, "accept"))
	}
	b.WriteString("\t}\n")
	return name
}

// border is the chain of a subnet's edge: what stays inside does not meet the ACL.
func (t *table) border(i *policy.Interface, d policy.Direction, door policy.Door) string {
	name := t.r.names.of("border "+i.SubnetID+" "+d.String()+doorName(door), "border_"+i.SubnetID+"_"+d.String()+"_"+doorName(door))
	if t.done[name] {
		return name
	}
	t.done[name] = true
	b := t.chain()
	fmt.Fprintf(b, "\n\tchain %s { # out of and into subnet %s, network ACL %s\n", name, plain(i.SubnetID), label(i.ACL.Name, i.ACL.ID))
	for _, inside := range i.Inside {
		if is6 := inside.Addr().Is6(); slices.Contains(t.is6, is6) {
			fmt.Fprintf(b, "\t\t%s\n", join(t.oneOf([]netip.Prefix{inside}, d, is6), "accept"))
		}
	}
	for _, is6 := range t.is6 {
		fmt.Fprintf(b, "\t\t%s %s @%s accept\n", protocol(is6), field(d), t.link(is6))
	}
	fmt.Fprintf(b, "\t\tgoto %s\n\t}\n", t.acl(i.ACL, d, door))
	return name
}

// link is the set of addresses that never leave a link. It has a name: the kernel
// goes through the whole transaction for each set without one.
func (t *table) link(is6 bool) string {
	name := t.r.names.of("link"+familySuffix(is6), "link"+familySuffix(is6))
	if t.done[name] {
		return name
	}
	t.done[name] = true
	v4, v6 := byFamily(policy.LinkScope)
	nets := v4
	if is6 {
		nets = v6
	}
	fmt.Fprintf(&t.sets, "\n\tset %s { # what never leaves a link\n\t\ttype %s\n\t\tflags interval\n\t\telements = { %s }\n\t}\n", name, addressType(is6), list(nets))
	return name
}

// acl is the chain of a network ACL: the first rule that matches decides. What
// is exempt has to be let through before the first rule that would refuse it;
// asking costs 60 to 80 ns, and few packets are about any of that.
func (t *table) acl(a *policy.NetworkACL, d policy.Direction, door policy.Door) string {
	name := t.r.names.of("acl "+a.ID+" "+d.String()+doorName(door), "acl_"+word(a.Name, a.ID)+"_"+d.String()+"_"+doorName(door))
	if t.done[name] {
		return name
	}
	t.done[name] = true
	b := t.chain()
	fmt.Fprintf(b, "\n\tchain %s { # network ACL %s\n", name, label(a.Name, a.ID))
	asked := false
	exempt := func() {
		if !asked {
			fmt.Fprintf(b, "\t\tjump %s\n", t.exempt(d))
		}
		asked = true
	}
	for n := range a.Rules[d] {
		m := &a.Rules[d][n]
		is6 := m.Peer.CIDR.Addr().Is6()
		if !slices.Contains(t.is6, is6) {
			continue
		}
		line := join(t.oneOf([]netip.Prefix{m.Peer.CIDR}, d, is6), traffic(m.Traffic, is6))
		if m.Rule.Allow {
			fmt.Fprintf(b, "\t\t%s # rule %d\n", join(line, "accept"), m.Rule.Number)
		} else {
			if mayBeExempt(m) {
				exempt()
			}
			fmt.Fprintf(b, "\t\t%s\n", join(line, refuse(m.Rule, door)))
		}
		if line == "" { // it is about everything
			b.WriteString("\t}\n")
			return name
		}
	}
	exempt()
	fmt.Fprintf(b, "\t\t%s\n\t}\n", refuse(a.Rest[d], door))
	return name
}

// refuse names the rule in the packet's mark and drops.
func refuse(r *policy.Rule, door policy.Door) string {
	return fmt.Sprintf("meta mark set %#x counter drop comment %s", uint32(policy.NewMark(door, r.ID)), comment(r.Words))
}
