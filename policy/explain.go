package policy

import (
	"fmt"
	"strings"

	"weir/vpc"
)

// Reason is the verdict in words, one line: who decided, by which rule.
func (v Verdict) Reason() string {
	switch {
	case v.Exempt != "":
		return "never filtered: " + v.Exempt
	case v.at == nil:
		return "allowed: nothing filters an interface that is not known"
	case v.Allowed:
		first, second := stages[v.direction][0], stages[v.direction][1]
		return "allowed: " + v.passed(first) + "; " + v.passed(second)
	}
	reason := v.Rule.Words
	if v.Rule.Stage == Group || v.Rule.Number == Last { // "… it": say what
		reason = strings.TrimSuffix(reason, "it") + v.packet.String()
		if len(v.candidates()) == 0 {
			reason += " (there are none)"
		}
	}
	if v.Stage == ACL && v.state == Tracked {
		reason += "; it belongs to a known connection, but a network ACL is stateless"
	}
	return reason
}

// passed says why a stage let the packet through.
func (v *Verdict) passed(s Stage) string {
	i := v.at
	switch {
	case v.Allowing[s] != nil:
		return v.Allowing[s].Words
	case s == Group && i.Groups == nil:
		return "the interface has no security groups"
	case s == Group:
		return "the security groups know the connection"
	case i.ACL == nil:
		return "the interface has no network ACL"
	}
	return "no network ACL sees traffic inside a subnet"
}

// candidate is a rule that might have allowed.
type candidate struct {
	*Match
	group *SecurityGroup // nil: a rule of the ACL
}

// candidates are the rules of the refusing stage and direction. A refused
// verdict has them.
func (v *Verdict) candidates() []candidate {
	var list []candidate
	if v.Stage == ACL {
		rules := v.at.ACL.Rules[v.direction]
		for i := range rules {
			list = append(list, candidate{Match: &rules[i]})
		}
		return list
	}
	for _, g := range v.at.Groups.Groups {
		for i := range g.Rules[v.direction] {
			list = append(list, candidate{&g.Rules[v.direction][i], g})
		}
	}
	return list
}

// candidateWords is "rule 100 allows tcp 22 from 10.0.0.0/8" or
// "web (sg-1) allows tcp 22 from 10.0.0.0/8".
func (v *Verdict) candidateWords(c candidate) string {
	who := fmt.Sprintf("rule %d", c.Rule.Number)
	if c.group != nil {
		who = label(c.group.Name, c.group.ID)
	}
	return who + " allows " + trafficWords(c.Traffic) + " " + toward(v.direction) + " " + v.at.policy.peerWords(c.Peer)
}

// peerWords names a rule's peer.
func (p *Policy) peerWords(peer vpc.Peer) string {
	switch {
	case peer.GroupID != "":
		if g := p.index.Group(peer.GroupID); g != nil {
			return label(g.Name, g.ID)
		}
		return peer.GroupID
	case peer.PrefixListID != "":
		if l := p.index.PrefixList(peer.PrefixListID); l != nil {
			return label(l.Name, l.ID)
		}
		return peer.PrefixListID
	}
	return peer.CIDR.String()
}
