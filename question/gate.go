package question

import (
	"net/netip"
	"slices"

	"weir/policy"
	"weir/vpc"
)

// probe is a packet of the question's, with what no record holds guessed.
type probe struct {
	src, dst            netip.Addr
	srcPort, dstPort    uint16
	protocol            uint8
	icmpType, icmpReply uint8
}

func (p probe) packet(w Way) policy.Packet {
	if w == Reply {
		return policy.Packet{Src: p.dst, Dst: p.src, SrcPort: p.dstPort, DstPort: p.srcPort, Protocol: p.protocol, ICMPType: p.icmpReply}
	}
	return policy.Packet{Src: p.src, Dst: p.dst, SrcPort: p.srcPort, DstPort: p.dstPort, Protocol: p.protocol, ICMPType: p.icmpType}
}

// gate is a place where the policy judges the traffic, and its verdict.
type gate struct {
	role    Role
	way     Way
	id      string
	verdict policy.Verdict
}

// gates are what the traffic passes by a version, along its path. Ends that are
// no interfaces of the topology, or more than one, have none.
func (c *inquiry) gates(v *version) []gate {
	if v == nil || c.q.hasPorts() && c.q.Port == AnyPort {
		return nil
	}
	p := c.q.packet(c.port())
	sender, receiver := c.only(v, &c.q.Src, Sender), c.only(v, &c.q.Dst, Receiver)
	var all []gate
	add := func(in *vpc.Interface, r Role, w Way, d policy.Direction, s policy.State) {
		if in != nil {
			all = append(all, gate{r, w, in.ID, v.policy.Evaluate(in.ID, d, p.packet(w), s)})
		}
	}
	add(sender, Sender, Request, policy.Egress, policy.New)
	add(receiver, Receiver, Request, policy.Ingress, policy.New)
	add(receiver, Receiver, Reply, policy.Egress, policy.Tracked)
	add(sender, Sender, Reply, policy.Ingress, policy.Tracked)
	return all
}

// gate is that of a version for a way and role.
func (c *inquiry) gate(v *version, w Way, r Role) (gate, bool) {
	for _, g := range c.gates(v) {
		if g.way == w && g.role == r {
			return g, true
		}
	}
	return gate{}, false
}

// only is an end's interface in a version: that with records, if there are more.
func (c *inquiry) only(v *version, e *End, r Role) *vpc.Interface {
	var ids []string
	for _, id := range e.Interfaces {
		if v.index.Interface(id) != nil {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		ids = endOf(e.Addr(), v).Interfaces
	}
	if len(ids) > 1 {
		ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool {
			return !slices.ContainsFunc(c.path, func(h *hop) bool { return h.id == id && h.role == r })
		})
	}
	if len(ids) != 1 {
		return nil
	}
	return v.index.Interface(ids[0])
}

// port is a client's port, 0 when no record tells one.
func (c *inquiry) port() int {
	if c.q.SrcPort != AnyPort {
		return c.q.SrcPort
	}
	low := 0
	for i := range c.e.Flows {
		f := &c.e.Flows[i]
		if p := f.Port; (f.Way == Request || f.Way == Reply) && p > 0 && (low == 0 || p < low) {
			low = p
		}
	}
	return low
}
