package deliver

import (
	"context"
	"fmt"
	"slices"
	"time"

	"weir/vpc/flowlogs"
)

// Reap forgets what every flow log has delivered, and gives up the oldest when the
// journal is full. Who owns the journal calls it every few seconds, and only with
// a dispatcher that has all flow logs: what none of its own needs goes.
func (d *Dispatcher) Reap(ctx context.Context) error {
	bounds, err := d.cfg.Journal.Bounds(ctx)
	if err != nil || bounds.Last < bounds.First {
		return err
	}
	if err := d.giveUp(ctx, bounds); err != nil {
		return err
	}
	if upTo := d.delivered(bounds.Last); upTo >= bounds.First {
		return d.cfg.Journal.Purge(ctx, upTo)
	}
	return nil
}

// delivered is up to where nobody needs the journal any more.
func (d *Dispatcher) delivered(last uint64) uint64 {
	upTo := last
	for _, l := range d.allLines() {
		upTo = min(upTo, l.committed().Seq)
	}
	for _, n := range d.allLanes() {
		if b, ok := n.boundary(); ok { // where a new flow log would begin
			upTo = min(upTo, b.Seq)
		}
	}
	return upTo
}

// giveUp makes room when the journal is too large or too old: the flow logs that
// have not delivered the oldest swaps never will, and tell so.
func (d *Dispatcher) giveUp(ctx context.Context, bounds Bounds) error {
	upTo, why := d.tooMuch(bounds)
	if upTo == 0 {
		return nil
	}
	for _, l := range d.allLines() {
		if l.committed().Seq >= upTo {
			continue
		}
		if err := d.giveUpOf(ctx, l, bounds.First, upTo, why); err != nil {
			return err
		}
	}
	return nil
}

// giveUpOf gives up what one flow log has not delivered of the swaps from one
// sequence number to another.
func (d *Dispatcher) giveUpOf(ctx context.Context, l *line, first, upTo uint64, why string) error {
	upTo = max(upTo, l.halt().Seq)
	defer l.lane.catchUp()
	swaps, err := d.cfg.Journal.Survey(ctx, max(first-1, l.committed().Seq), upTo)
	if err != nil || len(swaps) == 0 {
		l.goOn()
		return err
	}
	g, lost := d.lostTo(l, swaps)
	if err := l.skip(ctx, Position{Seq: swaps[len(swaps)-1].Seq}, g, lost); err != nil {
		return err
	}
	d.cfg.Log.Error("counts are given up: the flow log will say SKIPDATA",
		"flow_log", l.log.ID, "because", why, "swaps", lost.Swaps, "packets", lost.Packets,
		"from", time.Unix(g.Start, 0).UTC(), "to", time.Unix(g.End, 0).UTC())
	return nil
}

// keep is what is left of a full journal, in hundredths.
const keep = 90

// tooMuch is up to where the journal is beyond its bounds; 0 when it is not.
func (d *Dispatcher) tooMuch(b Bounds) (upTo uint64, why string) {
	if limit := uint64(d.cfg.MaxBytes); limit > 0 && b.Bytes > limit {
		over := float64(b.Bytes-limit*keep/100) / float64(b.Bytes)
		n := max(1, uint64(over*float64(b.Last-b.First+1)))
		return b.First + n - 1, fmt.Sprintf("the journal has %d of %d MB", b.Bytes>>20, limit>>20)
	}
	if age := d.cfg.Now().Sub(b.Oldest); d.cfg.MaxAge > 0 && !b.Oldest.IsZero() && age > d.cfg.MaxAge {
		over := float64(age-d.cfg.MaxAge*keep/100) / float64(age)
		n := max(1, uint64(over*float64(b.Last-b.First+1)))
		return b.First + n - 1, fmt.Sprintf("the oldest counts are %v old, more than %v", age.Round(time.Second), d.cfg.MaxAge)
	}
	return 0, ""
}

// lostTo is what a flow log loses with some swaps.
func (d *Dispatcher) lostTo(l *line, swaps []Survey) (g gap, lost Skipped) {
	cover := d.cover.Load()
	for i := range swaps {
		s := &swaps[i]
		lost.Swaps++
		if g.Start == 0 || s.Start.Unix() < g.Start {
			g.Start = s.Start.Unix()
		}
		g.End = max(g.End, s.End.Unix()-1, g.Start)
		g.Topology = s.Topology
		for _, c := range s.Interfaces {
			covering := cover.Covering(c.ID, c.SubnetID, c.VPCID)
			if c.Packets == 0 || !slices.ContainsFunc(covering, func(f *flowlogs.FlowLog) bool { return f.ID == l.log.ID }) {
				continue
			}
			lost.Packets += c.Packets
			lost.Bytes += c.Bytes
			g.IDs = append(g.IDs, c.ID)
		}
	}
	slices.Sort(g.IDs)
	g.IDs = slices.Compact(g.IDs)
	return g, lost
}
