package lab

import "net/netip"

// Mistake is a rule of lab.yaml that is wrong on purpose, by the traffic that it
// hurts: requests over TCP that should be answered and are not.
type Mistake struct {
	Name        string // who wants what: "app asks db over IPv6"
	Src, Dst    netip.Addr
	Port        uint16
	InterfaceID string // of Dst, where both shows: what comes in and what goes back
}

func (p *plan) mistakes() []Mistake {
	return []Mistake{
		// The network ACL db lets replies out by IPv4 only.
		{Name: "app asks db over IPv6", Src: p.app.addr.v6, Dst: p.db.addr.v6, Port: dbPort, InterfaceID: p.db.ID},
		// The security group web has another port.
		{Name: "bastion checks web's health", Src: p.bastion.addr.v4, Dst: p.web.addr.v4, Port: healthPort, InterfaceID: p.web.ID},
	}
}
