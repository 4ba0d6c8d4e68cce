package question

import (
	"slices"

	"weir/flowlog"
)

// Role is whose interface one is.
type Role string

// Roles. Somewhere is one end's, and the data does not say which.
const (
	Sender    Role = "sender"
	Receiver  Role = "receiver"
	Middle    Role = "between"
	Somewhere Role = "one end"
)

// role is whose interface a flow was recorded at. The topology knows best, then
// what the interface's records have in common, then the flow's own direction.
func (c *inquiry) role(f *Flow) Role {
	src, dst := c.interfaces(&c.q.Src), c.interfaces(&c.q.Dst)
	s := c.e.sighting(f.InterfaceID)
	switch {
	case f.Way == Beyond || f.Way == BeyondReply:
		return Middle
	case f.InterfaceID == "":
	case slices.Contains(src, f.InterfaceID):
		return Sender
	case slices.Contains(dst, f.InterfaceID):
		return Receiver
	case s.OwnsSrc && !s.OwnsDst:
		return Sender
	case s.OwnsDst && !s.OwnsSrc:
		return Receiver
	}
	return c.roleByFlow(f)
}

func (c *inquiry) roleByFlow(f *Flow) Role {
	near, far := &c.q.Src, &c.q.Dst // of the way
	nearRole, farRole := Sender, Receiver
	if f.Way == Reply {
		near, far, nearRole, farRole = far, near, farRole, nearRole
	}
	switch {
	case f.Direction == flowlog.Egress && slices.Contains(c.q.both(near), f.Src):
		return nearRole
	case f.Direction == flowlog.Ingress && slices.Contains(c.q.both(far), f.Dst):
		return farRole
	case f.Direction != "" || f.rewrites():
		return Middle
	}
	return Somewhere
}

// interfaces are an end's, by the topology of the time.
func (c *inquiry) interfaces(e *End) []string {
	if len(e.Interfaces) > 0 || c.then == nil {
		return e.Interfaces
	}
	return endOf(e.Addr(), c.then).Interfaces
}

// watched is what is known of an end's interfaces: the topology's and those that
// show to be it by their records.
func (c *inquiry) watched(r Role) (ids []string, sum Sighting) {
	end := &c.q.Src
	if r == Receiver {
		end = &c.q.Dst
	}
	ids = slices.Clone(c.interfaces(end))
	for _, s := range c.e.Sightings {
		own := s.OwnsSrc && !s.OwnsDst
		if r == Receiver {
			own = s.OwnsDst && !s.OwnsSrc
		}
		if own && len(c.interfaces(end)) == 0 {
			ids = append(ids, s.InterfaceID)
		}
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	for _, id := range ids {
		s := c.e.sighting(id)
		sum.Records += s.Records
		sum.NoData += s.NoData
		sum.SkipData += s.SkipData
		sum.Accepted += s.Accepted
		sum.Rejected += s.Rejected
		if s.Records > 0 && (sum.First.IsZero() || s.First.Before(sum.First)) {
			sum.First = s.First
		}
		if s.Last.After(sum.Last) {
			sum.Last = s.Last
		}
	}
	return ids, sum
}
