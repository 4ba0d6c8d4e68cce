package question_test

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"time"

	"weir/flowlog"
	"weir/question"
)

// gatherPlainly is what [question.Gather] finds, the long way: without SQL,
// record by record. All records have one format.
func gatherPlainly(q *question.Question, format flowlog.Format, records []flowlog.Record) question.Evidence {
	e := question.Evidence{Total: question.Total{Has: map[string]bool{}}}
	w := q.Window()
	var in []flowlog.Record
	for _, r := range records {
		if end := time.Unix(r.End, 0); !end.Before(w.From) && end.Before(w.To) {
			in = append(in, r)
		}
	}
	began := func(r *flowlog.Record) bool {
		return q.Record == nil || r.Start <= q.To.Add(time.Minute).Unix()
	}
	is := func(e *question.End, addr, pkt netip.Addr) bool {
		return slices.Contains(e.Addrs, addr) || slices.Contains(e.Addrs, pkt) || !pkt.IsValid() && slices.Contains(e.Stand, addr)
	}
	port := func(want int, have int64) bool { return want == question.AnyPort || int64(want) == have }
	ports := q.Protocol == 6 || q.Protocol == 17
	e.Flows = group(in, func(r *flowlog.Record) question.Way {
		switch {
		case r.Protocol != int64(q.Protocol) || !r.Has("protocol") || !began(r):
		case is(&q.Src, r.SrcAddr, r.PktSrcAddr) && is(&q.Dst, r.DstAddr, r.PktDstAddr) && (!ports || port(q.SrcPort, r.SrcPort) && port(q.Port, r.DstPort)):
			return question.Request
		case is(&q.Dst, r.SrcAddr, r.PktSrcAddr) && is(&q.Src, r.DstAddr, r.PktDstAddr) && (!ports || port(q.Port, r.SrcPort) && port(q.SrcPort, r.DstPort)):
			return question.Reply
		}
		return ""
	})
	own := map[string]netip.Addr{}
	for _, f := range e.Flows {
		if f.Way == question.Request && f.InterfaceID != "" && f.PktDst.IsValid() && f.Dst.IsValid() && f.PktDst != f.Dst {
			if a, twice := own[f.InterfaceID]; !twice || f.Dst.Less(a) {
				own[f.InterfaceID] = f.Dst
			}
		}
	}
	maps.DeleteFunc(own, func(_ string, a netip.Addr) bool {
		return slices.Contains(q.Dst.Addrs, a) || slices.Contains(q.Dst.Stand, a)
	})
	if len(own) > 0 {
		want := question.AnyPort
		if ports {
			want = q.Port
		}
		e.Flows = append(e.Flows, group(in, func(r *flowlog.Record) question.Way {
			a, gateway := own[r.InterfaceID]
			switch {
			case !gateway || r.Protocol != int64(q.Protocol) || !began(r):
			case r.SrcAddr == a && slices.Contains(q.Dst.Addrs, r.DstAddr) && port(want, r.DstPort):
				return question.Beyond
			case r.DstAddr == a && slices.Contains(q.Dst.Addrs, r.SrcAddr) && port(want, r.SrcPort):
				return question.BeyondReply
			}
			return ""
		})...)
	}
	for i := range e.Flows {
		e.Flows[i].Names = e.Flows[i].RuleID > 0 || format.Has("weir-rule") || format.Has("weir-drop-reason")
	}
	sightPlainly(q, format, in, &e)
	return e
}

// group sums records up by everything but times, counters, flags and the client's port.
func group(records []flowlog.Record, way func(*flowlog.Record) question.Way) []question.Flow {
	type key struct {
		way                      question.Way
		id, direction, action    string
		src, dst, pktSrc, pktDst netip.Addr
		rule                     int64
		words, drop, reject      string
		_                        struct{}
	}
	type connection struct {
		flags int64
		has   bool
	}
	flows := map[key]*question.Flow{}
	connections := map[key]map[int64]*connection{}
	for i := range records {
		r := &records[i]
		w := way(r)
		if w == "" {
			continue
		}
		k := key{way: w, id: r.InterfaceID, direction: r.Direction, action: r.Action, src: r.SrcAddr, dst: r.DstAddr, pktSrc: r.PktSrcAddr, pktDst: r.PktDstAddr, rule: r.RuleID, words: r.Rule, drop: r.DropReason, reject: r.RejectReason}
		f := flows[k]
		if f == nil {
			f = &question.Flow{
				Way: w, InterfaceID: k.id, Direction: k.direction, Action: k.action, Src: k.src, Dst: k.dst, PktSrc: k.pktSrc, PktDst: k.pktDst,
				RuleID: k.rule, Rule: k.words, DropReason: k.drop, RejectReason: k.reject, First: time.Unix(r.Start, 0).UTC(), Last: time.Unix(r.End, 0).UTC(),
			}
			flows[k], connections[k] = f, map[int64]*connection{}
		}
		f.Records++
		f.Packets += r.Packets
		f.Bytes += r.Bytes
		if t := time.Unix(r.Start, 0).UTC(); t.Before(f.First) {
			f.First = t
		}
		if t := time.Unix(r.End, 0).UTC(); t.After(f.Last) {
			f.Last = t
		}
		client := r.SrcPort
		if w == question.Reply || w == question.BeyondReply {
			client = r.DstPort
		}
		c := connections[k][client]
		if c == nil {
			c = &connection{}
			connections[k][client] = c
		}
		if r.Has("tcp-flags") {
			c.has = true
			c.flags |= r.TCPFlags
		}
	}
	var out []question.Flow
	for k, f := range flows {
		clients := slices.Collect(maps.Keys(connections[k]))
		f.Port, f.Ports = int(slices.Min(clients)), int64(len(clients))
		for _, c := range connections[k] {
			f.HasFlags = f.HasFlags || c.has
			f.Flags |= c.flags
			if c.flags&16 != 0 {
				f.SynAcks++
			}
			if c.flags&4 != 0 {
				f.Resets++
				if c.flags&16 == 0 {
					f.Closed++
				}
			}
		}
		out = append(out, *f)
	}
	return out
}

func sightPlainly(q *question.Question, format flowlog.Format, records []flowlog.Record, e *question.Evidence) {
	src, dst := slices.Concat(q.Src.Addrs, q.Src.Stand), slices.Concat(q.Dst.Addrs, q.Dst.Stand)
	concerned := map[string]bool{}
	for _, f := range e.Flows {
		concerned[f.InterfaceID] = true
	}
	for _, id := range slices.Concat(q.Src.Interfaces, q.Dst.Interfaces) {
		concerned[id] = true
	}
	byInterface := map[string][]flowlog.Record{}
	for _, r := range records {
		byInterface[r.InterfaceID] = append(byInterface[r.InterfaceID], r)
		e.Total.Records++
		for _, f := range []string{"interface-id", "action", "log-status", "tcp-flags", "flow-direction", "pkt-srcaddr", "pkt-dstaddr", "weir-rule-id", "weir-rule"} {
			field, _ := flowlog.FieldByName(f) // a text that is "-" is held, a number is not
			if format.Has(f) && (field.Type == flowlog.String || r.Has(f)) {
				e.Total.Has[f] = true
			}
		}
	}
	for id, list := range byInterface {
		s := question.Sighting{InterfaceID: id, Records: int64(len(list))}
		for _, r := range list {
			switch r.Action {
			case flowlog.Accept:
				s.Accepted++
			case flowlog.Reject:
				s.Rejected++
			}
			switch r.LogStatus {
			case flowlog.NoData:
				s.NoData++
			case flowlog.SkipData:
				s.SkipData++
			}
			if t := time.Unix(r.Start, 0).UTC(); s.First.IsZero() || t.Before(s.First) {
				s.First = t
			}
			if t := time.Unix(r.End, 0).UTC(); t.After(s.Last) {
				s.Last = t
			}
		}
		s.OwnsSrc, s.OwnsDst = ownsPlainly(list, src), ownsPlainly(list, dst)
		e.Total.SkipData += s.SkipData
		e.Total.Accepted += s.Accepted
		e.Total.Rejected += s.Rejected
		if id != "" {
			e.Total.Interfaces++
		}
		if e.Total.First.IsZero() || s.First.Before(e.Total.First) {
			e.Total.First = s.First
		}
		if s.Last.After(e.Total.Last) {
			e.Total.Last = s.Last
		}
		if id != "" && (concerned[id] || s.OwnsSrc || s.OwnsDst) {
			e.Sightings = append(e.Sightings, s)
		}
	}
	slices.SortFunc(e.Sightings, func(a, b question.Sighting) int { return cmp.Compare(a.InterfaceID, b.InterfaceID) })
}

func ownsPlainly(list []flowlog.Record, addrs []netip.Addr) bool {
	flows, have, inPlace, others := 0, 0, 0, map[netip.Addr]bool{}
	for _, r := range list {
		if !r.SrcAddr.IsValid() {
			continue
		}
		flows++
		out, in := slices.Contains(addrs, r.SrcAddr), slices.Contains(addrs, r.DstAddr)
		switch {
		case out:
			others[r.DstAddr] = true
		case in:
			others[r.SrcAddr] = true
		}
		if out || in {
			have++
		}
		if out && r.Direction == flowlog.Egress || in && r.Direction == flowlog.Ingress {
			inPlace++
		}
	}
	return inPlace > 0 || flows > 0 && have == flows && len(others) > 1
}
