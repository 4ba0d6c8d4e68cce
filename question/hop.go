package question

import (
	"slices"
	"time"

	"weir/flowlog"
)

// hop is one way of the traffic at one interface.
type hop struct {
	way  Way
	role Role
	id   string

	accepted, refused tally
	last              *Flow // of the refusals, the latest
	flows             []*Flow
}

// tally sums flows up.
type tally struct {
	records, packets int64
	first, last      time.Time
}

func (t *tally) add(f *Flow) {
	if t.records == 0 || f.First.Before(t.first) {
		t.first = f.First
	}
	if f.Last.After(t.last) {
		t.last = f.Last
	}
	t.records += f.Records
	t.packets += f.Packets
}

// hops are those of the evidence, along the traffic's path.
func (c *inquiry) hops() []*hop {
	var all []*hop
	for i := range c.e.Flows {
		f := &c.e.Flows[i]
		role := c.role(f)
		at := slices.IndexFunc(all, func(h *hop) bool { return h.way == f.Way && h.role == role && h.id == f.InterfaceID })
		if at < 0 {
			at = len(all)
			all = append(all, &hop{way: f.Way, role: role, id: f.InterfaceID})
		}
		all[at].add(f)
	}
	slices.SortStableFunc(all, func(a, b *hop) int { return a.order() - b.order() })
	return all
}

func (h *hop) add(f *Flow) {
	h.flows = append(h.flows, f)
	switch f.Action {
	case flowlog.Accept:
		h.accepted.add(f)
	case flowlog.Reject:
		h.refused.add(f)
		if h.last == nil || f.Last.After(h.last.Last) {
			h.last = f
		}
	}
}

// order is the hop's place on the path: out, and back.
func (h *hop) order() int {
	roles := []Role{Sender, Somewhere, Middle, Receiver}
	if h.way == Reply {
		roles = []Role{Receiver, Middle, Somewhere, Sender}
	}
	return wayOrder(h.way)*len(roles) + slices.Index(roles, h.role)
}

// over reports whether what was refused here was accepted after the last refusal.
func (h *hop) over() bool {
	return h.refused.records > 0 && h.accepted.records > 0 && h.accepted.first.After(h.refused.last)
}

// refuses reports whether refusals are the last word here.
func (h *hop) refuses() bool { return h.refused.records > 0 && !h.over() }

// find is the first hop of a way and role with accepted packets, or nil.
func (c *inquiry) find(w Way, roles ...Role) *hop {
	for _, h := range c.path {
		if h.way == w && slices.Contains(roles, h.role) && h.accepted.records > 0 {
			return h
		}
	}
	return nil
}
