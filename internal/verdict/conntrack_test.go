package verdict

import (
	"weir/policy"
	"weir/vpc"
)

// conntrack is a small model of the kernel's connection tracking: what it knows
// of a packet when the packet enters. Connections never end.
type conntrack map[tuple]*connection

type tuple struct{ policy.Packet } // with the id of ICMP in SrcPort

type connection struct {
	from     tuple // the original direction
	answered bool  // a packet of the other direction was seen
}

// tupleOf is what identifies the connection in the packet's direction.
func tupleOf(p *packet) tuple {
	k := tuple{p.Packet}
	switch p.Protocol {
	case vpc.TCP, vpc.UDP:
	case vpc.ICMP, vpc.ICMPv6:
		k.SrcPort = p.ICMPID
	default:
		k.SrcPort, k.DstPort = 0, 0
	}
	return k
}

// inverse are the answers to ICMP requests. Source: net/netfilter,
// nf_conntrack_proto_icmp.c and nf_conntrack_proto_icmpv6.c, invmap.
var inverse = map[[2]uint8]uint8{
	{vpc.ICMP, 8}: 0, {vpc.ICMP, 13}: 14, {vpc.ICMP, 15}: 16, {vpc.ICMP, 17}: 18,
	{vpc.ICMPv6, 128}: 129,
}

// reversed is the tuple of an answer.
func (k tuple) reversed() tuple {
	k.Src, k.Dst = k.Dst, k.Src
	switch k.Protocol {
	case vpc.TCP, vpc.UDP:
		k.SrcPort, k.DstPort = k.DstPort, k.SrcPort
	case vpc.ICMP, vpc.ICMPv6:
		if t, ok := inverse[[2]uint8{k.Protocol, k.ICMPType}]; ok {
			k.ICMPType = t
		}
	}
	return k
}

// enter is the state of a packet that enters, and the connection that it
// belongs to or would begin. It changes nothing; see passed.
func (c conntrack) enter(p *packet) (policy.State, *connection) {
	if p.About != nil {
		if c[tupleOf(p.About)] != nil {
			return policy.Tracked, nil // related
		}
		return policy.New, nil
	}
	k := tupleOf(p)
	known := c[k]
	switch {
	case known == nil && begins(p):
		return policy.New, &connection{from: k}
	case known == nil:
		return policy.New, nil // invalid, or not tracked at all
	case known.from == k && !known.answered:
		return policy.New, known
	}
	return policy.Tracked, known
}

// saw takes note of a packet of a connection. The answer counts when it was
// seen, whoever refuses it then; a connection begins when its packet gets to
// where the kernel confirms it.
func (c conntrack) saw(p *packet, n *connection, confirmed bool) {
	switch k := tupleOf(p); {
	case n == nil:
	case c[k] == n:
		n.answered = n.answered || n.from != k
	case confirmed:
		c[k], c[k.reversed()] = n, n
	}
}

// begins reports whether conntrack takes the packet for the first one of a
// connection.
func begins(p *packet) bool {
	switch p.Protocol {
	case vpc.TCP:
		// In the middle of a connection, it picks it up (nf_conntrack_tcp_loose).
		return p.Flags&rst == 0 && p.Flags&(syn|ack) != syn|ack && p.Flags&(syn|ack) != 0
	case vpc.ICMP:
		return inverse[[2]uint8{vpc.ICMP, p.ICMPType}] != 0 || p.ICMPType == 8
	case vpc.ICMPv6:
		return !p.Dst.Is4() && p.ICMPType == 128
	case 132:
		return false // no chunk that begins an association
	}
	return true
}
