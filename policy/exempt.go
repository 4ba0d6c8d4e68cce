package policy

import (
	"net/netip"
	"slices"

	"weir/vpc"
)

// Exemption is traffic that neither security groups nor network ACLs filter.
// Each of its lists is a way to be exempt; one match is enough.
type Exemption struct {
	Words string // what it is, for people: "neighbour discovery"
	// Addresses of services that every instance may use. The packet's other end
	// has one: the destination of what leaves, the source of what comes in.
	Addresses []netip.Addr
	// Ports are pairs of UDP, from source to destination, over IPv6 or IPv4.
	Ports []PortPair
	// ICMPv6Types are types of ICMPv6 over IPv6, whatever the code.
	ICMPv6Types []uint8
}

// PortPair is the ports of one way of a protocol.
type PortPair struct {
	Is6      bool
	Src, Dst uint16
}

// Exemptions is the one list: the evaluator and the firewall's rules both come
// from it. Nobody may change it.
//
// Source: Amazon VPC User Guide, "Security groups" and "Network ACL basics":
// neither filters traffic to and from the Amazon DNS, DHCP, instance metadata,
// ECS task metadata, license activation for Windows, the time service, and the
// addresses reserved for the VPC's router. The IPv6 addresses: "IPv6 on AWS",
// supporting VPC services. ARP is no IP and never gets here.
//
// On purpose not in it: the resolver at the VPC's base address plus two, and the
// router at the subnet's plus one. AWS keeps machines off them; in anybody
// else's network a machine may stand there, and exempting it would be a hole
// that nobody asked for. Whoever has a service there writes a rule.
var Exemptions = []Exemption{
	// RFC 4861: without it no neighbour is found. Linux does not track it, so
	// the state of a connection cannot let it pass. Receivers drop what came
	// through a router (hop limit below 255): this opens nothing from afar.
	{Words: "neighbour discovery", ICMPv6Types: []uint8{133, 134, 135, 136, 137}},
	// RFC 2710, RFC 3810: query, report, done, report v2. Where a bridge snoops,
	// neighbour solicitations arrive only while the queries are answered;
	// RFC 4890, 4.4.1 has them among what must not be dropped.
	{Words: "multicast listener discovery", ICMPv6Types: []uint8{130, 131, 132, 143}},
	// RFC 2131, RFC 8415: client to server and back.
	{Words: "DHCP", Ports: []PortPair{{false, 68, 67}, {false, 67, 68}, {true, 546, 547}, {true, 547, 546}}},
	{Words: "instance metadata", Addresses: addrs("169.254.169.254", "fd00:ec2::254")},
	{Words: "task metadata", Addresses: addrs("169.254.170.2")},
	{Words: "time service", Addresses: addrs("169.254.169.123", "fd00:ec2::123")},
	{Words: "DNS resolver", Addresses: addrs("169.254.169.253", "fd00:ec2::253")},
	{Words: "license activation", Addresses: addrs("169.254.169.250", "169.254.169.251")},
}

// LinkScope is the addresses that never leave a link, and so never cross a
// subnet's border: no network ACL sees what goes there or comes from there.
// Security groups do. Nobody may change it. Source: RFC 4291, 2.5.6 and 2.7;
// RFC 5771, 4; RFC 919, 7. IPv4's own 169.254.0.0/16 is not in it: in a VPC
// services live there, beyond the router.
var LinkScope = []netip.Prefix{
	netip.MustParsePrefix("fe80::/10"),
	netip.MustParsePrefix("ff02::/16"),
	netip.MustParsePrefix("224.0.0.0/24"),
	netip.MustParsePrefix("255.255.255.255/32"),
}

// exemption says why nothing filters the packet, or "".
func exemption(d Direction, k *Packet) string {
	other := k.other(d)
	for i := range Exemptions {
		if e := &Exemptions[i]; e.covers(other, k) {
			return e.Words
		}
	}
	return ""
}

func (e *Exemption) covers(other netip.Addr, k *Packet) bool {
	if k.Protocol == vpc.ICMPv6 && other.Is6() && slices.Contains(e.ICMPv6Types, k.ICMPType) {
		return true
	}
	if k.Protocol == vpc.UDP {
		for _, p := range e.Ports {
			if p.Src == k.SrcPort && p.Dst == k.DstPort && p.Is6 == other.Is6() {
				return true
			}
		}
	}
	return slices.Contains(e.Addresses, other)
}

func onLink(a netip.Addr) bool {
	for _, p := range LinkScope {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

func addrs(text ...string) []netip.Addr {
	out := make([]netip.Addr, len(text))
	for i, s := range text {
		out[i] = netip.MustParseAddr(s)
	}
	return out
}
