package nft

import (
	"fmt"
	"slices"

	"weir/policy"
	"weir/vpc"
)

// groupSet is the chain of the groups that some interfaces have in common. What
// it accepts goes on with the next stage. As any group may allow, the order is
// free: what everybody may do is asked first, then what groups say that no other
// interfaces have; the others have chains of their own.
func (t *table) groupSet(s *policy.GroupSet, d policy.Direction, door policy.Door) string {
	refusal := s.Refusal[d]
	name := t.r.names.of("groups "+refusal.Key+doorName(door), "groups_"+groupWords(s)+"_"+d.String()+"_"+doorName(door))
	if t.done[name] {
		return name
	}
	t.done[name] = true
	b := t.chain()
	fmt.Fprintf(b, "\n\tchain %s { # security groups %s\n", name, groupLabels(s))
	var anybody, own []policy.Match
	var others []string
	for _, g := range s.Groups {
		anybody = appendRules(anybody, g.Rules[d], true)
		if t.r.sets[g.ID] == 1 {
			own = appendRules(own, g.Rules[d], false)
		} else if chain := t.group(g, d); chain != "" {
			others = append(others, chain)
		}
	}
	t.lines(b, name, append(t.allow(anybody), t.allow(own)...), field(d))
	for _, chain := range others {
		fmt.Fprintf(b, "\t\tjump %s\n", chain)
	}
	// What a rule allows need not be exempt, so few packets get here.
	fmt.Fprintf(b, "\t\tjump %s\n\t\t%s\n\t}\n", t.exempt(d), refuse(refusal, door))
	return name
}

// appendRules appends the rules about everybody, or all others.
func appendRules(list, rules []policy.Match, anybody bool) []policy.Match {
	for i := range rules {
		if m := &rules[i]; (m.Addresses == nil && m.Peer.CIDR.Bits() == 0) == anybody {
			list = append(list, *m)
		}
	}
	return list
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

// group is the chain of what a security group allows somebody; all interfaces
// that have it share it. It is "" when that is nothing.
func (t *table) group(g *policy.SecurityGroup, d policy.Direction) string {
	name := t.r.names.of("group "+g.ID+" "+d.String(), "sg_"+word(g.Name, g.ID)+"_"+d.String())
	if t.done[name] {
		return name
	}
	lines := t.allow(appendRules(nil, g.Rules[d], false))
	if len(lines) == 0 {
		return ""
	}
	t.done[name] = true
	b := t.chain()
	fmt.Fprintf(b, "\n\tchain %s { # security group %s\n", name, label(g.Name, g.ID))
	t.lines(b, name, lines, field(d))
	b.WriteString("\t}\n")
	return name
}

// acl is the chain of a network ACL at the edge of a subnet: the first rule that
// matches decides.
func (t *table) acl(i *policy.Interface, d policy.Direction, door policy.Door) string {
	a, at := i.ACL, i.SubnetID+"_"+d.String()+"_"+doorName(door)
	name := t.r.names.of("acl at "+at, "acl_"+word(a.Name, a.ID)+"_"+at)
	if t.done[name] {
		return name
	}
	t.done[name] = true
	b := t.chain()
	fmt.Fprintf(b, "\n\tchain %s { # network ACL %s of subnet %s\n", name, label(a.Name, a.ID), plain(i.SubnetID))
	t.lines(b, name, t.judge(i, d, door), field(d))
	b.WriteString("\t}\n")
	return name
}

// judge is the lines of an ACL. What stays inside the subnet does not meet it, nor
// does what is exempt: either has to be let through before the first rule that
// may refuse it, and most packets are decided before.
func (t *table) judge(i *policy.Interface, d policy.Direction, door policy.Door) []line {
	var lines, inside []line
	for _, net := range slices.Concat(i.Inside, policy.LinkScope) {
		if is6 := net.Addr().Is6(); slices.Contains(t.is6, is6) {
			inside = append(inside, line{is6: is6, net: net.Masked(), then: "accept"})
		}
	}
	asked := false
	exempt := func() {
		if !asked {
			lines = append(lines, line{then: "jump " + t.exempt(d)})
		}
		asked = true
	}
	for n := range i.ACL.Rules[d] {
		m := &i.ACL.Rules[d][n]
		l := line{net: m.Peer.CIDR.Masked()}
		if l.is6 = l.net.Addr().Is6(); !slices.Contains(t.is6, l.is6) {
			continue
		}
		l.traffic = traffic(m.Traffic, l.is6)
		if m.Rule.Allow {
			l.then, l.note = "accept", fmt.Sprint("rule ", m.Rule.Number)
		} else {
			if slices.ContainsFunc(inside, func(in line) bool { return in.net.Overlaps(l.net) }) {
				lines, inside = append(lines, inside...), nil
			}
			if mayBeExempt(m) {
				exempt()
			}
			l.then = refuse(m.Rule, door)
		}
		lines = append(lines, l)
		if !t.bridge && l.net.Bits() == 0 && l.traffic == "" { // it is about everything
			return lines
		}
	}
	lines = append(lines, inside...)
	exempt()
	return append(lines, line{then: refuse(i.ACL.Rest[d], door)})
}

// refuse names the rule in the packet's mark and drops.
func refuse(r *policy.Rule, door policy.Door) string {
	return fmt.Sprintf("meta mark set %#x counter drop comment %s", uint32(policy.NewMark(door, r.ID)), comment(r.Words))
}
