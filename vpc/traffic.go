package vpc

import (
	"fmt"
	"strconv"
)

// Protocols that rules know by name, by IANA number. "all" is -1.
const (
	AnyProtocol = -1
	ICMP        = 1
	TCP         = 6
	UDP         = 17
	ICMPv6      = 58
)

// protocolNames is the one list of names; numbers beside it have none.
var protocolNames = []struct {
	number int
	name   string
}{
	{AnyProtocol, "all"},
	{ICMP, "icmp"},
	{TCP, "tcp"},
	{UDP, "udp"},
	{ICMPv6, "icmpv6"},
}

// ProtocolName is the protocol's name in rules, or its number.
func ProtocolName(number int) string {
	for _, p := range protocolNames {
		if p.number == number {
			return p.name
		}
	}
	return strconv.Itoa(number)
}

// ProtocolNames are the names that [ParseProtocol] knows.
func ProtocolNames() []string {
	names := make([]string, len(protocolNames))
	for i, p := range protocolNames {
		names[i] = p.name
	}
	return names
}

// ParseProtocol reads a protocol's name or number (0 to 255, or -1).
func ParseProtocol(s string) (int, error) {
	for _, p := range protocolNames {
		if p.name == s {
			return p.number, nil
		}
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < -1 || n > 255 || strconv.Itoa(n) != s {
		return 0, fmt.Errorf("%.40q is not a protocol", s)
	}
	return n, nil
}

// AllPorts is a protocol's traffic to every port.
func AllPorts(protocol int) Traffic { return Ports(protocol, 0, 65535) }

// Ports is a protocol's traffic to some ports, inclusive.
func Ports(protocol int, from, to uint16) Traffic {
	return Traffic{Protocol: protocol, From: from, To: to, ICMPType: -1, ICMPCode: -1}
}

// String is the traffic in words: "tcp 443", "udp 1024-65535", "icmp type 3
// code 4", "protocol 47", "all".
func (t Traffic) String() string {
	name := ProtocolName(t.Protocol)
	if name == strconv.Itoa(t.Protocol) {
		name = "protocol " + name
	}
	switch {
	case t.HasPorts() && (t.From != 0 || t.To != 65535):
		name += " " + t.PortRange()
	case t.IsICMP() && t.ICMPType >= 0:
		name += fmt.Sprintf(" type %d", t.ICMPType)
		if t.ICMPCode >= 0 {
			name += fmt.Sprintf(" code %d", t.ICMPCode)
		}
	}
	return name
}

// PortRange is "443" or "1024-65535".
func (t Traffic) PortRange() string {
	if t.From == t.To {
		return strconv.Itoa(int(t.From))
	}
	return fmt.Sprintf("%d-%d", t.From, t.To)
}

// meant is the traffic without what its protocol's rules do not have, so that
// equal ones compare equal.
func (t Traffic) meant() Traffic {
	if !t.HasPorts() {
		t.From, t.To = 0, 0
	}
	if !t.IsICMP() {
		t.ICMPType, t.ICMPCode = -1, -1
	}
	return t
}

func (t Traffic) key() string {
	m := t.meant()
	return fmt.Sprintf("%d/%d-%d/%d.%d", m.Protocol, m.From, m.To, m.ICMPType, m.ICMPCode)
}

func (p Peer) key() string {
	if p.CIDR.IsValid() {
		return p.CIDR.String()
	}
	return p.PrefixListID + p.GroupID // their kinds tell them apart
}
