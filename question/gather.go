package question

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strings"
	"time"

	"weir/flowlog"
	"weir/query"
)

// Gather asks the engine what its view holds about the question. The view must
// show [Question.Window]. It reads the records two or three times, the
// columns that it needs.
func Gather(ctx context.Context, engine query.Engine, q *Question) (Evidence, error) {
	var e Evidence
	if !q.Asks() {
		return e, nil
	}
	var err error
	if e.Flows, err = gatherFlows(ctx, engine, q.wayFlowsSQL()); err != nil {
		return e, fmt.Errorf("look for the traffic: %w", err)
	}
	if own := gateways(q, e.Flows); len(own) > 0 {
		beyond, err := gatherFlows(ctx, engine, q.beyondSQL(own))
		if err != nil {
			return e, fmt.Errorf("look behind the gateway: %w", err)
		}
		e.Flows = append(e.Flows, beyond...)
	}
	if err := gatherSightings(ctx, engine, q, &e); err != nil {
		return e, fmt.Errorf("look for the interfaces: %w", err)
	}
	return e, nil
}

func (e *End) known() bool { return len(e.Addrs) > 0 }

// gateways are the interfaces whose address stands in the place of the
// destination, as at a NAT gateway, and that address.
func gateways(q *Question, flows []Flow) map[string]netip.Addr {
	own := map[string]netip.Addr{}
	for i := range flows {
		f := &flows[i]
		if f.Way != Request || f.InterfaceID == "" || !f.PktDst.IsValid() || !f.Dst.IsValid() || f.PktDst == f.Dst {
			continue
		}
		if a, twice := own[f.InterfaceID]; !twice || f.Dst.Less(a) {
			own[f.InterfaceID] = f.Dst
		}
	}
	for id, a := range own {
		for _, of := range q.both(&q.Dst) {
			if a == of {
				delete(own, id) // a secondary address of the destination
			}
		}
	}
	return own
}

// row reads the values of an answer from left to right.
type row struct {
	values []any
	at     int
}

func (r *row) next() any {
	v := r.values[r.at]
	r.at++
	return v
}

func (r *row) number() int64 {
	switch v := r.next().(type) {
	case int64:
		return v
	case fmt.Stringer: // beyond 64 bits
		return math.MaxInt64
	}
	return 0
}

// text is a value's text; "" for NULL and for "-".
func (r *row) text() string {
	s, _ := r.next().(string)
	if s == "-" {
		return ""
	}
	return strings.Clone(s)
}

func (r *row) address() netip.Addr {
	a, _ := netip.ParseAddr(r.text())
	return a
}

// moment is a time, zero for NULL.
func (r *row) moment() time.Time {
	v, ok := r.next().(int64)
	if !ok {
		return time.Time{}
	}
	return time.Unix(min(v, maxTime), 0).UTC()
}

// each calls f for every row of an answer.
func each(ctx context.Context, engine query.Engine, sql string, f func(*row)) (err error) {
	rows, err := engine.Query(ctx, sql)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		f(&row{values: rows.Values()})
	}
	return rows.Err()
}

func gatherFlows(ctx context.Context, engine query.Engine, sql string) (flows []Flow, err error) {
	err = each(ctx, engine, sql, func(r *row) {
		f := Flow{Way: Way(r.text()), InterfaceID: r.text(), Direction: r.text(), Action: r.text()}
		f.Src, f.Dst, f.PktSrc, f.PktDst = r.address(), r.address(), r.address(), r.address()
		f.RuleID = r.number()
		// "-" names no rule, but could have: the format holds the field.
		rule, _ := r.next().(string)
		drop, _ := r.next().(string)
		f.Names = rule != "" || drop != "" || f.RuleID != 0
		f.Rule, f.DropReason = undashed(rule), undashed(drop)
		f.RejectReason = r.text()
		f.Records, f.Packets, f.Bytes = r.number(), r.number(), r.number()
		f.First, f.Last = r.moment(), r.moment()
		f.Port, f.Ports = int(r.number()), r.number()
		f.Flags, f.HasFlags = r.number(), r.number() > 0
		f.SynAcks, f.Resets, f.Closed = r.number(), r.number(), r.number()
		flows = append(flows, f)
	})
	return flows, err
}

func undashed(s string) string {
	if s == "-" {
		return ""
	}
	return strings.Clone(s)
}

func gatherSightings(ctx context.Context, engine query.Engine, q *Question, e *Evidence) error {
	concerned := map[string]bool{}
	for i := range e.Flows {
		concerned[e.Flows[i].InterfaceID] = true
	}
	for _, id := range append(append([]string{}, q.Src.Interfaces...), q.Dst.Interfaces...) {
		concerned[id] = true
	}
	e.Total.Has = map[string]bool{}
	return each(ctx, engine, q.sightingsSQL(), func(r *row) {
		s := Sighting{InterfaceID: r.text(), Records: r.number(), NoData: r.number(), SkipData: r.number(), Accepted: r.number(), Rejected: r.number(), First: r.moment(), Last: r.moment()}
		flows := r.number()
		s.OwnsSrc = owns(flows, r.number(), r.number(), r.number())
		s.OwnsDst = owns(flows, r.number(), r.number(), r.number())
		e.Total.add(&s)
		for _, name := range helpful {
			if r.number() > 0 {
				e.Total.Has[name] = true
			}
		}
		if s.InterfaceID != "" && (concerned[s.InterfaceID] || s.OwnsSrc || s.OwnsDst) {
			e.Sightings = append(e.Sightings, s)
		}
	})
}

// owns reports whether an address is an interface's own, of whose flows some
// have it in the interface's place by their direction, and some have it at all,
// with so many other ends. Without a direction an address that is in every flow
// is the interface's, but not when it is always the same two that talk.
func owns(flows, inPlace, have, others int64) bool {
	return inPlace > 0 || flows > 0 && have == flows && others > 1
}

func (t *Total) add(s *Sighting) {
	t.Records += s.Records
	t.SkipData += s.SkipData
	t.Accepted += s.Accepted
	t.Rejected += s.Rejected
	if s.InterfaceID != "" {
		t.Interfaces++
	}
	if t.First.IsZero() || !s.First.IsZero() && s.First.Before(t.First) {
		t.First = s.First
	}
	if s.Last.After(t.Last) {
		t.Last = s.Last
	}
}

// BucketOf sums up the slots of a bucket's objects.
func BucketOf(inWindow int, slots []time.Time) Bucket {
	b := Bucket{Objects: inWindow, All: len(slots)}
	for _, t := range slots {
		if t.IsZero() {
			continue
		}
		if b.Oldest.IsZero() || t.Before(b.Oldest) {
			b.Oldest = t
		}
		if end := t.Add(flowlog.SlotLength); end.After(b.Newest) {
			b.Newest = end
		}
	}
	return b
}
