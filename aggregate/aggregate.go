package aggregate

import (
	"cmp"
	"slices"
	"time"

	"weir/count"
	"weir/flowlog"
	"weir/policy"
	"weir/vpc"
)

// Topology tells what an interface is. An id that it does not know gets a
// record with the id alone.
type Topology interface {
	Interface(id string) (*vpc.Interface, bool)
}

// Always is a topology that has one version only.
func Always(t Topology) func(version string) Topology {
	return func(string) Topology { return t }
}

// Rules tells what a refusing rule says, in words without spaces. A rule that it
// does not know has its id alone.
type Rules interface {
	Rule(id uint32) (words string, ok bool)
}

// Config says how to aggregate.
type Config struct {
	Interval time.Duration // the aggregation interval, whole seconds
	// Topology returns a version of the topology, by the name that swaps give it.
	// It is called with the same name many times.
	Topology func(version string) Topology
	Rules    Rules // nil when no rules are ours
}

// Aggregator collects swaps into the records of one interval length. It is not
// safe for concurrent use.
type Aggregator struct {
	cfg  Config
	open time.Time // beginning of the open interval; zero before the first swap
	// started says that the open interval has a swap.
	started bool
	flows   map[key]*flow
	watch   map[string]*watch
	ids     []string // by place
	// version is that of the topology when the interface was watched last, by
	// place.
	version []string
	place   map[string]uint32 // by interface id
	stats   Stats

	drafts []draft        // of close; kept for its memory
	record flowlog.Record // the one that is handed out
}

// Emit takes a record. It belongs to the aggregator again when Emit returns.
type Emit func(*flowlog.Record)

// Stats are the totals since the aggregator was made.
type Stats struct {
	Records  uint64
	NoData   uint64
	SkipData uint64
	Lost     count.Loss // as the capture's ledger says
}

// key is a flow at one door of one interface. Interfaces are numbered by the
// aggregator, because the capture uses its indexes again.
type key struct {
	count.Key // Interface is 0
	place     uint32
}

// flow is what the open interval knows of a key.
type flow struct {
	seen, refused count.Tally
	rule          uint32 // the last that refused; 0 is a foreign firewall's
	reason        string // the kernel's name for the drop
	// owed is what was refused beyond what had been seen when the interval
	// before was closed: a datagram in fragments, refused in one interval and
	// seen in part in the one before. It comes off what is seen from now on.
	owedPackets, owedBytes int64
}

// watch is what the open interval knows of an interface.
type watch struct {
	active  bool // it has had a packet at some time: from then on it has NODATA records
	present bool // in this interval
	recent  bool // in the latest swap
	loss    count.Loss
}

// New makes an aggregator that holds nothing.
func New(cfg Config) *Aggregator {
	return &Aggregator{
		cfg:   cfg,
		flows: map[key]*flow{},
		watch: map[string]*watch{},
		place: map[string]uint32{},
	}
}

// Stats returns the totals so far.
func (a *Aggregator) Stats() Stats { return a.stats }

// Open is how many flows the open interval holds.
func (a *Aggregator) Open() int { return len(a.flows) }

// Add takes a swap in and emits the records of the intervals that it ends: of an
// earlier one that is still open, then of its own if the swap reaches its end.
// Swaps come in the order in which they were made.
func (a *Aggregator) Add(s *count.Swap, emit Emit) {
	a.Turn(s, emit)
	a.Take(s, emit)
}

// Turn ends the open interval if a swap belongs to another one, and reports
// whether it did: what was emitted holds all swaps before this one. The swap is
// not taken in yet.
//
// A clock that was set back ends an interval early, and the same interval comes
// again later: its records are in two lots then, none of them twice.
func (a *Aggregator) Turn(s *count.Swap, emit Emit) (closed bool) {
	begin := a.intervalOf(s)
	if !a.open.IsZero() && !begin.Equal(a.open) {
		closed = a.started
		a.close(begin, begin.After(a.open), emit)
	}
	a.open = begin
	return closed
}

// Take takes a swap in, for which Turn has been called. It ends the swap's
// interval if the swap reaches its end, and reports whether it did.
func (a *Aggregator) Take(s *count.Swap, emit Emit) (closed bool) {
	a.merge(s)
	end := a.open.Add(a.cfg.Interval)
	if s.End.Before(end) {
		return false
	}
	a.close(end, true, emit)
	return true
}

// Flush closes the open interval before its time, as when the program stops. It
// makes no NODATA records: the interval may still have data.
func (a *Aggregator) Flush(emit Emit) {
	if a.started {
		a.close(a.open, false, emit)
	}
}

// intervalOf is the beginning of the interval that holds the swap's middle: the
// swap at a boundary comes a moment after it, never before.
func (a *Aggregator) intervalOf(s *count.Swap) time.Time {
	return s.Start.Add(s.End.Sub(s.Start) / 2).UTC().Truncate(a.cfg.Interval)
}

func (a *Aggregator) merge(s *count.Swap) {
	a.started = true
	for _, w := range a.watch {
		w.recent = false
	}
	places := map[uint16]uint32{}
	watches := map[uint16]*watch{}
	for _, i := range s.Interfaces {
		place := a.placeOf(i.ID)
		places[i.Index], a.version[place] = place, s.Topology
		w := a.watch[i.ID]
		if w == nil {
			w = &watch{}
			a.watch[i.ID] = w
		}
		w.present, w.recent = true, true
		w.active = w.active || i.Active
		w.loss.Add(i.Loss)
		a.stats.Lost.Add(i.Loss)
		if i.Loss.Packets() > 0 {
			w.active = true
		}
		watches[i.Index] = w
	}
	for i := range s.Flows {
		f := &s.Flows[i]
		place, ok := places[f.Key.Interface]
		if !ok {
			continue // a swap lists every interface it has flows of
		}
		watches[f.Key.Interface].active = true
		k := key{f.Key, place}
		k.Interface = 0
		into := a.flows[k]
		if into == nil {
			into = &flow{}
			a.flows[k] = into
		}
		add(&into.seen, &f.Seen)
		add(&into.refused, &f.Refused)
		if f.Refused.Packets > 0 {
			into.rule, into.reason = f.Rule, s.Reasons[f.Reason]
		}
	}
}

func (a *Aggregator) placeOf(id string) uint32 {
	p, ok := a.place[id]
	if !ok {
		p = uint32(len(a.ids))
		a.ids = append(a.ids, id)
		a.version = append(a.version, "")
		a.place[id] = p
	}
	return p
}

func add(to *count.Tally, t *count.Tally) {
	if t.Packets == 0 {
		return
	}
	if to.Packets == 0 || t.First < to.First {
		to.First = t.First
	}
	to.Last = max(to.Last, t.Last)
	to.Packets += t.Packets
	to.Bytes += t.Bytes
	to.Flags |= t.Flags
}

// close turns the open interval into records and opens the one that begins at
// next; whole is false when it had not ended. What is owed goes over.
func (a *Aggregator) close(next time.Time, whole bool, emit Emit) {
	window := window{a.open.Unix(), a.open.Add(a.cfg.Interval).Unix()}
	had := make([]bool, len(a.ids))
	drafts := a.drafts[:0]
	for k, f := range a.flows {
		if accepted, ok := f.accepted(k.Door); ok {
			drafts = append(drafts, draftOf(k, &accepted, flowlog.Accept, window))
			had[k.place] = true
		}
		if f.refused.Packets > 0 {
			d := draftOf(k, &f.refused, flowlog.Reject, window)
			d.rule, d.reason = f.rule, f.reason
			drafts = append(drafts, d)
			had[k.place] = true
		}
		f.seen, f.refused, f.rule, f.reason = count.Tally{}, count.Tally{}, 0, ""
		if f.owedPackets == 0 && f.owedBytes == 0 {
			delete(a.flows, k)
		}
	}
	for id, w := range a.watch {
		place := a.place[id]
		if w.loss.Packets() > 0 {
			drafts = append(drafts, statusDraft(place, flowlog.SkipData, window))
			a.stats.SkipData++
		} else if whole && w.active && w.present && !had[place] {
			drafts = append(drafts, statusDraft(place, flowlog.NoData, window))
			a.stats.NoData++
		}
		w.loss, w.present = count.Loss{}, false
		if !w.recent {
			delete(a.watch, id) // its device is gone
		}
	}
	a.emit(drafts, emit)
	a.drafts = drafts[:0]
	a.stats.Records += uint64(len(drafts))
	a.renumber()
	a.open, a.started = next, false
}

// emit makes the records of drafts in a fixed order, one after the other.
func (a *Aggregator) emit(drafts []draft, emit Emit) {
	slices.SortFunc(drafts, func(x, y draft) int {
		return cmp.Or(cmp.Compare(a.ids[x.place], a.ids[y.place]), x.compare(&y))
	})
	var i *vpc.Interface
	for n := range drafts {
		d := &drafts[n]
		if n == 0 || drafts[n-1].place != d.place {
			i = a.interfaceOf(d.place)
		}
		d.fill(&a.record, i)
		if d.rule != 0 && a.cfg.Rules != nil {
			a.record.Rule, _ = a.cfg.Rules.Rule(d.rule)
		}
		emit(&a.record)
	}
}

// renumber forgets the places of interfaces that are gone, once they are many.
func (a *Aggregator) renumber() {
	if len(a.ids) < 2*len(a.watch)+1024 || len(a.flows) > 0 {
		return
	}
	a.ids, a.version, a.place = nil, nil, map[string]uint32{}
}

// interfaceOf is an interface as it was when it was watched last.
func (a *Aggregator) interfaceOf(place uint32) *vpc.Interface {
	id := a.ids[place]
	if i, ok := a.cfg.Topology(a.version[place]).Interface(id); ok {
		return i
	}
	return &vpc.Interface{ID: id}
}

// accepted is what was let through, and settles what is owed. At a leaving door
// that is what was seen; at an entering one the refused packets are among the
// seen ones.
func (f *flow) accepted(door policy.Door) (count.Tally, bool) {
	t := f.seen
	if door == policy.Leaving {
		return t, t.Packets > 0
	}
	packets := int64(t.Packets) - int64(f.refused.Packets) - f.owedPackets
	bytes := int64(t.Bytes) - int64(f.refused.Bytes) - f.owedBytes
	if packets <= 0 || bytes <= 0 {
		f.owedPackets, f.owedBytes = -packets, -bytes
		return count.Tally{}, false
	}
	f.owedPackets, f.owedBytes = 0, 0
	t.Packets, t.Bytes = uint64(packets), uint64(bytes)
	if t.First == 0 { // all of it was carried over
		t.First, t.Last = f.refused.First, f.refused.Last
	}
	return t, true
}
