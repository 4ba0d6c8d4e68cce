package aggregate

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"weir/count"
	"weir/flowlog"
	"weir/policy"
)

// plain is the aggregator as one would write it down: a map of flows, records
// that are made and then sorted. It knows one version of the topology.
type plain struct {
	interval time.Duration
	open     time.Time
	flows    map[plainKey]*plainFlow
	watch    map[string]*watch
}

type plainKey struct {
	count.Key
	id string
}

type plainFlow struct {
	seen, refused count.Tally
	rule          uint32
	reason        string
	packets       int64 // owed
	bytes         int64
}

// plainRecord is a record and what it is sorted by.
type plainRecord struct {
	plainKey
	flowlog.Record
}

func (a *plain) add(s *count.Swap) (all []flowlog.Record) {
	begin := s.Start.Add(s.End.Sub(s.Start) / 2).UTC().Truncate(a.interval)
	if !a.open.IsZero() && !begin.Equal(a.open) {
		all = a.close(begin.After(a.open))
	}
	a.open = begin
	a.merge(s)
	if !s.End.Before(begin.Add(a.interval)) {
		all = append(all, a.close(true)...)
		a.open = begin.Add(a.interval)
	}
	return all
}

func (a *plain) merge(s *count.Swap) {
	for _, w := range a.watch {
		w.recent = false
	}
	ids := map[uint16]string{}
	for _, i := range s.Interfaces {
		ids[i.Index] = i.ID
		if a.watch[i.ID] == nil {
			a.watch[i.ID] = &watch{}
		}
		w := a.watch[i.ID]
		w.present, w.recent, w.active = true, true, w.active || i.Active || i.Loss.Packets() > 0
		w.loss.Add(i.Loss)
	}
	for _, f := range s.Flows {
		id, ok := ids[f.Key.Interface]
		if !ok {
			continue
		}
		a.watch[id].active = true
		k := plainKey{f.Key, id}
		k.Interface = 0
		if a.flows[k] == nil {
			a.flows[k] = &plainFlow{}
		}
		into := a.flows[k]
		plainAdd(&into.seen, f.Seen)
		plainAdd(&into.refused, f.Refused)
		if f.Refused.Packets > 0 {
			into.rule, into.reason = f.Rule, s.Reasons[f.Reason]
		}
	}
}

func plainAdd(to *count.Tally, t count.Tally) {
	switch {
	case t.Packets == 0:
	case to.Packets == 0:
		*to = t
	default:
		to.Packets, to.Bytes, to.Flags = to.Packets+t.Packets, to.Bytes+t.Bytes, to.Flags|t.Flags
		to.First, to.Last = min(to.First, t.First), max(to.Last, t.Last)
	}
}

func (a *plain) close(whole bool) []flowlog.Record {
	w := window{a.open.Unix(), a.open.Add(a.interval).Unix()}
	var list []plainRecord
	had := map[string]bool{}
	add := func(k plainKey, f *plainFlow, t count.Tally, action string) {
		had[k.id] = true
		list = append(list, plainRecord{k, plainOf(k, f, t, action, w)})
	}
	for k, f := range a.flows {
		accepted := f.seen
		if k.Door == policy.Entering {
			packets := int64(f.seen.Packets) - int64(f.refused.Packets) - f.packets
			octets := int64(f.seen.Bytes) - int64(f.refused.Bytes) - f.bytes
			f.packets, f.bytes = 0, 0
			if packets <= 0 || octets <= 0 {
				f.packets, f.bytes, packets, octets = -packets, -octets, 0, 0
			}
			accepted.Packets, accepted.Bytes = uint64(packets), uint64(octets)
			if accepted.First == 0 {
				accepted.First, accepted.Last = f.refused.First, f.refused.Last
			}
		}
		if accepted.Packets > 0 {
			add(k, f, accepted, flowlog.Accept)
		}
		if f.refused.Packets > 0 {
			add(k, f, f.refused, flowlog.Reject)
		}
		*f = plainFlow{packets: f.packets, bytes: f.bytes}
		if *f == (plainFlow{}) {
			delete(a.flows, k)
		}
	}
	for id, watch := range a.watch {
		r := plainRecord{plainKey{id: id}, flowlog.Record{Start: w.start, End: w.end - 1}}
		i, _ := lab.Interface(id)
		setInterface(&r.Record, i)
		if watch.loss.Packets() > 0 {
			r.SetStatus(flowlog.SkipData)
			list = append(list, r)
		} else if whole && watch.active && watch.present && !had[id] {
			r.SetStatus(flowlog.NoData)
			list = append(list, r)
		}
		watch.loss, watch.present = count.Loss{}, false
		if !watch.recent {
			delete(a.watch, id)
		}
	}
	slices.SortFunc(list, func(x, y plainRecord) int {
		return cmp.Or(cmp.Compare(x.id, y.id), cmp.Compare(x.Start, y.Start), x.Compare(&y.Key),
			cmp.Compare(x.Action, y.Action), cmp.Compare(x.LogStatus, y.LogStatus))
	})
	var out []flowlog.Record
	for _, r := range list {
		out = append(out, r.Record)
	}
	return out
}

func plainOf(k plainKey, f *plainFlow, t count.Tally, action string, w window) flowlog.Record {
	i, _ := lab.Interface(k.id)
	r := flowlog.Record{Start: t.First / 1000, End: t.Last / 1000, Action: action, LogStatus: flowlog.OK, Type: flowlog.IPv4}
	if r.Start == w.start-1 {
		r.Start = w.start
	}
	if r.End == w.end {
		r.End = w.end - 1
	}
	r.Start = min(r.Start, r.End)
	setInterface(&r, i)
	r.SrcAddr, r.DstAddr = k.Addrs()
	if r.SrcAddr.Is6() {
		r.Type = flowlog.IPv6
	}
	r.PktSrcAddr, r.PktDstAddr = r.SrcAddr, r.DstAddr
	r.SrcPort, r.DstPort, r.Protocol = int64(k.SrcPort), int64(k.DstPort), int64(k.Protocol)
	r.Packets, r.Bytes, r.TCPFlags = int64(t.Packets), int64(t.Bytes), int64(t.Flags)
	r.Direction = Direction(i.Side, k.Door)
	r.Missing.Add(encryptionStatus.Place())
	setOwnAddress(&r, i)
	if action == flowlog.Reject {
		r.RuleID, r.DropReason = int64(f.rule), f.reason
		r.Rule, _ = ruleBook{}.Rule(f.rule)
	}
	return r
}

// TestAgainstPlain: the same swaps give the same records in the same order, as
// the plain form makes them.
func TestAgainstPlain(t *testing.T) {
	ids := []string{"eni-far", "eni-own", "eni-unknown-address"}
	addresses := []string{"10.0.1.10", "198.51.100.7", "2001:db8::10", "::1", "2001:db8:9::1", "::fffe:1.2.3.4", "0.0.0.0", "255.255.255.255"}
	rapid.Check(t, func(t *rapid.T) {
		fast := New(Config{Interval: time.Minute, Topology: Always(lab), Rules: ruleBook{}})
		slow := &plain{interval: time.Minute, flows: map[plainKey]*plainFlow{}, watch: map[string]*watch{}}
		now := 0.0
		for range rapid.IntRange(1, 12).Draw(t, "swaps") {
			end := now + rapid.Float64Range(0.1, 70).Draw(t, "length")
			s := swap(now, end, nil)
			s.Reasons = map[uint16]string{1: "NETFILTER_DROP", 2: "TC_EGRESS"}
			for i, id := range ids {
				if rapid.IntRange(0, 9).Draw(t, "watched") > 0 {
					s.Interfaces = append(s.Interfaces, count.Watched{Index: uint16(3 * i), ID: id, Loss: count.Loss{FullPackets: rapid.SampledFrom([]uint64{0, 0, 0, 1}).Draw(t, "lost")}})
				}
			}
			flows := map[count.Key]count.Flow{}
			for range rapid.IntRange(0, 20).Draw(t, "flows") {
				f := anyFlow(t, now, addresses)
				flows[f.Key] = f
			}
			for _, f := range flows {
				s.Flows = append(s.Flows, f)
			}
			var got []flowlog.Record
			fast.Add(s, collect(&got))
			if diff := gocmp.Diff(slow.add(s), got, gocmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
				t.Fatalf("records (-plain +got):\n%s", diff)
			}
			if now = end; rapid.IntRange(0, 5).Draw(t, "clock") == 0 {
				now += rapid.Float64Range(-4000, 4e9).Draw(t, "step")
			}
		}
	})
}

func anyFlow(t *rapid.T, now float64, addresses []string) count.Flow {
	address := rapid.SampledFrom(addresses)
	f := count.Flow{Key: k(rapid.SampledFrom([]uint16{0, 3, 6, 7, 100}).Draw(t, "interface"), policy.Entering,
		address.Draw(t, "src"), address.Draw(t, "dst"), rapid.Uint16Range(1, 2).Draw(t, "port"), 80)}
	f.Key.Door = rapid.SampledFrom([]policy.Door{policy.Entering, policy.Leaving}).Draw(t, "door")
	at := now + rapid.Float64Range(-100, 100).Draw(t, "at")
	f.Seen = plus(f.Seen, rapid.Uint64Range(0, 3).Draw(t, "seen"), at)
	if n := rapid.Uint64Range(0, 3).Draw(t, "refused"); n > 0 && rapid.Bool().Draw(t, "is refused") {
		f.Refused = plus(f.Refused, n, at)
		f.Rule, f.Reason = rapid.SampledFrom([]uint32{0, 7, 9}).Draw(t, "rule"), uint16(n)
	}
	return f
}

// TestManyFlows: the table grows, shrinks and still has all of them.
func TestManyFlows(t *testing.T) {
	a := New(Config{Interval: time.Minute, Topology: Always(lab)})
	for i, n := range []int{5_000, 20_000, 10, 0, 3_000} {
		var flows []count.Flow
		for p := range n {
			flows = append(flows, count.Flow{
				Key:  k(1, policy.Leaving, fmt.Sprintf("198.51.%d.7", p>>12), "10.0.1.10", uint16(p), 80),
				Seen: tally(1, float64(60*i), float64(60*i), 0),
			})
		}
		got := 0
		a.Add(swap(float64(60*i), float64(60*i+30), far(), flows...), func(*flowlog.Record) { t.Error("too early") })
		a.Add(swap(float64(60*i+30), float64(60*i+60), far(), flows...), func(r *flowlog.Record) {
			if r.LogStatus == flowlog.OK && r.Packets == 2 {
				got++
			}
		})
		if got != n {
			t.Errorf("interval %d: %d records, want %d", i, got, n)
		}
	}
}
