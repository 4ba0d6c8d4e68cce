package policy

import (
	"cmp"
	"fmt"
	"math/bits"
	"net/netip"
	"slices"
	"strings"

	"weir/vpc"
)

// Nearest is, for a refusal, the rule that would have come closest to allowing
// and what differs: "web (sg-1) allows tcp 443 from 0.0.0.0/0, but the port is
// 8443". It is empty when no rule is close.
func (v Verdict) Nearest() string {
	if v.Allowed {
		return ""
	}
	if v.Rule.Number != Last && v.Stage == ACL {
		return v.overruled()
	}
	c, m := v.nearest()
	if c.Match == nil {
		return ""
	}
	return v.candidateWords(c) + ", but " + strings.Join(v.differences(c, m), " and ")
}

// overruled is the rule that would allow what a rule before it denies.
func (v *Verdict) overruled() string {
	other := v.packet.other(v.direction)
	for _, c := range v.candidates() {
		if c.Rule.Allow && c.matches(other, &v.packet) {
			return fmt.Sprintf("%s, but rule %d comes first", v.candidateWords(c), v.Rule.Number)
		}
	}
	return ""
}

// miss is how a rule fails to match a packet.
type miss struct {
	protocol, port, peer bool
	cost                 int
	ports, bits          int // distances, to choose among equal costs
}

// nearest is the allowing rule with the least to change, the zero candidate when
// none is close.
func (v *Verdict) nearest() (best candidate, least miss) {
	for _, c := range v.candidates() {
		if !c.Rule.Allow {
			continue
		}
		m, near := v.compare(c.Match)
		if !near {
			continue
		}
		if best.Match == nil || cmp.Or(cmp.Compare(m.cost, least.cost), cmp.Compare(m.ports, least.ports), cmp.Compare(m.bits, least.bits)) < 0 {
			best, least = c, m
		}
	}
	return best, least
}

// What a difference costs. A rule that names the packet's port but another peer
// was meant for that service; one that allows everything from another peer was
// not meant for it. The rule for the whole of the other family is the classic
// oversight.
const (
	costFamily   = 1
	costPeer     = 2
	costPort     = 3
	costProtocol = 4
	costBroad    = 5 // another peer, and no ports or type named

	// narrow is how wide a range of ports may be and still name something: as
	// wide as the ephemeral ports.
	narrow = 65535 - 1024
)

// compare finds what differs. A rule is close when at most two of protocol, port
// and peer do, and when it speaks of ports or types as the packet does.
func (v *Verdict) compare(r *Match) (m miss, near bool) {
	k, other, t := &v.packet, v.packet.other(v.direction), r.Traffic
	if !r.matchesProtocol(k) {
		if t.HasPorts() != k.hasPorts() || t.IsICMP() != k.isICMP() || !t.HasPorts() && !t.IsICMP() {
			return m, false
		}
		m.protocol = true
		m.cost += costProtocol
	}
	if !r.matchesPort(k) {
		m.port = true
		m.cost += costPort
		if t.HasPorts() {
			m.ports = max(int(t.From)-int(k.DstPort), int(k.DstPort)-int(t.To))
		}
	}
	if !r.matchesPeer(other) {
		m.peer = true
		m.cost += peerCost(r, other)
		m.bits = 128 - commonBits(r.Peer.CIDR.Addr(), other)
	}
	return m, !m.protocol || !m.port || !m.peer
}

func peerCost(r *Match, other netip.Addr) int {
	t := r.Traffic
	switch {
	case r.Addresses == nil && r.Peer.CIDR.Bits() == 0:
		return costFamily
	case t.HasPorts() && t.To-t.From <= narrow, t.IsICMP() && t.ICMPType >= 0:
		return costPeer
	}
	return costBroad
}

// commonBits is how many leading bits two addresses share; 0 for different
// families and for a peer that is no network.
func commonBits(a, b netip.Addr) int {
	if a.BitLen() != b.BitLen() {
		return 0
	}
	x, y := a.AsSlice(), b.AsSlice()
	for i := range x {
		if d := x[i] ^ y[i]; d != 0 {
			return i*8 + bits.LeadingZeros8(d)
		}
	}
	return len(x) * 8
}

// differences says what of the packet is not as the rule has it.
func (v *Verdict) differences(c candidate, m miss) []string {
	var out []string
	k := &v.packet
	if m.protocol {
		out = append(out, "the protocol is "+protocolWords(k.Protocol))
	}
	switch {
	case !m.port:
	case c.Traffic.HasPorts():
		out = append(out, fmt.Sprintf("the port is %d", k.DstPort))
	case c.Traffic.ICMPType != -1 && c.Traffic.ICMPType != int(k.ICMPType):
		out = append(out, "the type is "+strings.TrimPrefix(typeWords(k.Protocol, k.ICMPType), "type "))
	default:
		out = append(out, fmt.Sprintf("the code is %d", k.ICMPCode))
	}
	if m.peer {
		out = append(out, v.peerDifference(c.Peer))
	}
	return out
}

func (v *Verdict) peerDifference(p vpc.Peer) string {
	other := v.packet.other(v.direction)
	switch {
	case p.GroupID != "":
		if owner := v.owner(); owner != nil && !slices.Contains(owner.GroupIDs, p.GroupID) {
			return fmt.Sprintf("the %s %s is %s, which is not in that group", end(v.direction), other, label(owner.Name, owner.ID))
		}
		return fmt.Sprintf("the %s %s is no address of that group", end(v.direction), other)
	case p.PrefixListID != "":
		return fmt.Sprintf("the %s %s is not in that list", end(v.direction), other)
	case p.CIDR.Addr().Is4() != other.Is4():
		if other.Is4() {
			return "the packet is IPv4"
		}
		return "the packet is IPv6"
	}
	return fmt.Sprintf("the %s is %s", end(v.direction), other)
}

// owner is the interface at the packet's other end, as far as it is known.
func (v *Verdict) owner() *vpc.Interface {
	return v.at.policy.index.Owner(v.at.VPCID, v.packet.other(v.direction))
}
