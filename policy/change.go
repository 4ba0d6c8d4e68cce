package policy

import (
	"fmt"
	"net/netip"
	"slices"

	"weir/vpc"
)

// Change is one rule that somebody may add so that a refused packet passes a stage.
type Change struct {
	Stage     Stage
	Direction Direction
	ID        string // of the security group or the ACL
	// Number is the ACL rule's; 0 when no number is free where one is needed, and
	// always for a security group.
	Number  int
	Traffic vpc.Traffic
	Peer    vpc.Peer // a security group or one address; in an ACL always an address
	Words   string   // "allow tcp 5432 from app (sg-2) in security group db (sg-1) ingress"
}

func (c Change) String() string { return c.Words }

// Changes are the rules that would let a refused packet pass, one for each stage
// that refuses it, in the order of the stages: the narrowest ones, for this
// packet's port and other end. It says what would work, not that it is wise.
func (v Verdict) Changes() []Change {
	if v.Allowed {
		return nil
	}
	var out []Change
	for _, s := range stages[v.direction] {
		rule, refused := v.at.judge(s, &v)
		if !refused {
			continue
		}
		of := v
		of.Stage, of.Rule = s, rule
		if s == Group {
			out = append(out, of.groupChange())
		} else {
			out = append(out, of.aclChange())
		}
	}
	return out
}

func (v *Verdict) groupChange() Change {
	set := v.at.Groups
	group := set.Groups[0]
	for _, g := range set.Groups { // the one that the interface names first
		if g.ID == v.at.GroupIDs[0] {
			group = g
		}
	}
	if c, _ := v.nearest(); c.group != nil {
		group = c.group
	}
	peer := vpc.Peer{CIDR: hostPrefix(v.packet.other(v.direction))}
	if owner := v.owner(); owner != nil && len(owner.GroupIDs) > 0 {
		peer = vpc.Peer{GroupID: owner.GroupIDs[0]}
	}
	c := Change{Stage: Group, Direction: v.direction, ID: group.ID, Traffic: v.packet.traffic(), Peer: peer}
	c.Words = v.changeWords(c) + " in security group " + label(group.Name, group.ID) + " " + v.direction.String()
	return c
}

func (v *Verdict) aclChange() Change {
	a := v.at.ACL
	c := Change{
		Stage: ACL, Direction: v.direction, ID: a.ID,
		Number:  freeNumber(a.Rules[v.direction], v.Rule.Number),
		Traffic: v.packet.traffic(),
		Peer:    vpc.Peer{CIDR: hostPrefix(v.packet.other(v.direction))},
	}
	if v.state == Tracked && c.Traffic.HasPorts() && c.Traffic.From >= 1024 {
		c.Traffic.From, c.Traffic.To = 1024, 65535 // the next reply goes to another one
	}
	c.Words = v.changeWords(c) + " in " + aclWords(a.NetworkACL) + " " + v.direction.String()
	switch {
	case c.Number == 0:
		c.Words += fmt.Sprintf(" before rule %d (no number is free there)", v.Rule.Number)
	case v.Rule.Number == Last:
		c.Words += fmt.Sprintf(" as rule %d", c.Number)
	default:
		c.Words += fmt.Sprintf(" as rule %d, before rule %d", c.Number, v.Rule.Number)
	}
	if v.state == Tracked {
		c.Words += ": replies need it, an ACL is stateless"
	}
	return c
}

func (v *Verdict) changeWords(c Change) string {
	return "allow " + trafficWords(c.Traffic) + " " + toward(v.direction) + " " + v.at.policy.peerWords(c.Peer)
}

// freeNumber is a number for a rule that is to come before the rule with the
// number before (Last: behind all the others), 0 when there is none. A new last
// rule gets the next hundred, as people number them.
func freeNumber(rules []Match, before int) int {
	if before == Last {
		next := 100
		if n := len(rules); n > 0 {
			next = (rules[n-1].Rule.Number/100 + 1) * 100
		}
		if next <= vpc.MaxACLRuleNumber {
			return next
		}
	}
	free := before - 1
	for _, r := range slices.Backward(rules) {
		switch n := r.Rule.Number; {
		case n < free:
			return free
		case n == free:
			free--
		}
	}
	return free
}

// traffic is the narrowest traffic of a rule that matches the packet.
func (k *Packet) traffic() vpc.Traffic {
	t := vpc.Traffic{Protocol: int(k.Protocol), ICMPType: -1, ICMPCode: -1}
	if k.hasPorts() {
		t.From, t.To = k.DstPort, k.DstPort
	}
	if k.isICMP() {
		t.ICMPType = int(k.ICMPType)
	}
	return t
}

func hostPrefix(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }
