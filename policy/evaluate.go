package policy

import "net/netip"

// Verdict is what happens to a packet, and by whose word. [Verdict.Reason],
// [Verdict.Nearest] and [Verdict.Changes] put it in words; they cost more than
// the verdict and are worked out only when asked for.
type Verdict struct {
	Allowed bool
	Exempt  string // why nothing filters it: "neighbour discovery"; Allowed then
	Stage   Stage  // who refused
	Rule    *Rule  // that refused, nil when allowed
	// Allowing are the rules that let it pass, by Stage; nil where none was
	// needed: nothing filters there, the connection is known, or the packet
	// stays inside the subnet. Of a refused packet, the stage before may be set.
	Allowing [2]*Rule

	at        *Interface // nil: not known
	direction Direction
	packet    Packet
	state     State
}

// Evaluate says what the groups and ACLs of an interface do with a packet that
// it sends (Egress) or that is sent to it (Ingress). Nothing is refused at an
// interface that the policy does not know. It does not allocate.
func (p *Policy) Evaluate(interfaceID string, d Direction, k Packet, s State) Verdict {
	return p.interfaces[interfaceID].Evaluate(d, k, s)
}

// Evaluate says what happens to a packet at this interface.
func (i *Interface) Evaluate(d Direction, k Packet, s State) Verdict {
	v := Verdict{at: i, direction: d, packet: k.plain(), state: s}
	v.Exempt = exemption(d, &v.packet)
	if v.Exempt != "" || i == nil {
		v.Allowed = true
		return v
	}
	for _, stage := range stages[d] {
		rule, refused := i.judge(stage, &v)
		if refused {
			v.Stage, v.Rule = stage, rule
			return v
		}
		v.Allowing[stage] = rule
	}
	v.Allowed = true
	return v
}

// judge asks one stage; the rule is nil when the stage has no say.
func (i *Interface) judge(s Stage, v *Verdict) (rule *Rule, refused bool) {
	other := v.packet.other(v.direction)
	switch {
	case s == Group && i.Groups != nil && v.state != Tracked:
		rule = i.Groups.match(v.direction, other, &v.packet)
	case s == ACL && i.ACL != nil && i.crosses(other):
		rule = i.ACL.match(v.direction, other, &v.packet)
	default:
		return nil, false
	}
	return rule, !rule.Allow
}

// crosses reports whether traffic with the other end crosses the subnet's border.
func (i *Interface) crosses(other netip.Addr) bool {
	for _, p := range i.Inside {
		if p.Contains(other) {
			return false
		}
	}
	return !onLink(other)
}

func (s *GroupSet) match(d Direction, other netip.Addr, k *Packet) *Rule {
	for _, g := range s.Groups {
		rules := g.Rules[d]
		for i := range rules {
			if rules[i].matches(other, k) {
				return rules[i].Rule
			}
		}
	}
	return s.Refusal[d]
}

func (a *NetworkACL) match(d Direction, other netip.Addr, k *Packet) *Rule {
	rules := a.Rules[d]
	for i := range rules {
		if rules[i].matches(other, k) {
			return rules[i].Rule
		}
	}
	return a.Rest[d]
}
