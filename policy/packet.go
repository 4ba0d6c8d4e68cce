package policy

import (
	"fmt"
	"net/netip"

	"weir/vpc"
)

// Packet is what rules look at. Ports are always known: the kernel judges
// datagrams after it has put their fragments together.
type Packet struct {
	Src, Dst           netip.Addr // IPv4 in its short form or mapped, IPv6 with or without a zone
	Protocol           uint8      // IANA number
	SrcPort, DstPort   uint16     // of TCP and UDP, otherwise 0
	ICMPType, ICMPCode uint8      // of ICMP and ICMPv6, otherwise 0
}

// other is the packet's other end as the interface sees it.
func (k *Packet) other(d Direction) netip.Addr {
	if d == Egress {
		return k.Dst
	}
	return k.Src
}

// plain takes from the addresses what comparisons stumble over.
func (k Packet) plain() Packet {
	k.Src, k.Dst = k.Src.Unmap().WithZone(""), k.Dst.Unmap().WithZone("")
	return k
}

func (k *Packet) hasPorts() bool { return k.Protocol == vpc.TCP || k.Protocol == vpc.UDP }

func (k *Packet) isICMP() bool { return k.Protocol == vpc.ICMP || k.Protocol == vpc.ICMPv6 }

// String says what the packet is, for people:
// "tcp from 10.0.1.10:40000 to 10.0.2.20:5432".
func (k Packet) String() string {
	if k.hasPorts() {
		return fmt.Sprintf("%s from %s to %s", protocolWords(k.Protocol), netip.AddrPortFrom(k.Src, k.SrcPort), netip.AddrPortFrom(k.Dst, k.DstPort))
	}
	what := protocolWords(k.Protocol)
	if k.isICMP() {
		what += " " + typeWords(k.Protocol, k.ICMPType)
		if k.ICMPCode != 0 {
			what += fmt.Sprintf(" code %d", k.ICMPCode)
		}
	}
	return fmt.Sprintf("%s from %s to %s", what, k.Src, k.Dst)
}
