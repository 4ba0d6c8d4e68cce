package policy

import "weir/vpc"

// Filtered reports whether anything can be refused at the interface, apart from
// whether it has a device.
func (i *Interface) Filtered() bool {
	for _, d := range []Direction{Ingress, Egress} {
		if i.Groups != nil && !i.Groups.Open(d) || i.ACL != nil && !i.ACL.Open(d) {
			return true
		}
	}
	return false
}

// Open reports whether the ACL lets everything of both families pass: AWS's
// default one does. Then it need not be asked.
func (a *NetworkACL) Open(d Direction) bool {
	var e everything
	for i := range a.Rules[d] {
		m := &a.Rules[d][i]
		if !m.Rule.Allow {
			return false
		}
		if e.add(m) {
			return true
		}
	}
	return false
}

// Open reports whether the groups let everything of both families pass: most do
// on its way out.
func (s *GroupSet) Open(d Direction) bool {
	var e everything
	for _, g := range s.Groups {
		for i := range g.Rules[d] {
			if e.add(&g.Rules[d][i]) {
				return true
			}
		}
	}
	return false
}

// everything gathers rules that let everything pass, of each family.
type everything struct{ v4, v6 bool }

func (e *everything) add(m *Match) (all bool) {
	if m.Traffic.Protocol == vpc.AnyProtocol && m.Peer.CIDR.IsValid() && m.Peer.CIDR.Bits() == 0 {
		e.v4 = e.v4 || m.Peer.CIDR.Addr().Is4()
		e.v6 = e.v6 || m.Peer.CIDR.Addr().Is6()
	}
	return e.v4 && e.v6
}
