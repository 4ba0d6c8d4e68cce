package aggregate

import (
	"cmp"
	"slices"
	"time"

	"weir/count"
	"weir/flowlog"
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
	flows   flows
	watch   map[string]*watch
	ids     []string // by place
	// version is that of the topology when the interface was watched last, by
	// place.
	version []string
	place   map[string]uint32 // by interface id
	reasons []string          // of refusals, by code: the kernel's names
	stats   Stats

	// Memory that is kept.
	doors   []door  // of merge
	drafts  []draft // of close
	record  flowlog.Record
	current *vpc.Interface // whose records are being emitted
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
		watch: map[string]*watch{},
		place: map[string]uint32{},
	}
}

// Stats returns the totals so far.
func (a *Aggregator) Stats() Stats { return a.stats }

// Interface is the one of the record that is being emitted, as it was when it was
// watched last. It is never changed.
func (a *Aggregator) Interface() *vpc.Interface { return a.current }

// Open is how many flows the open interval holds.
func (a *Aggregator) Open() int { return a.flows.count }

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

// door is an interface of the swap that is merged, by the capture's index.
type door struct {
	*watch // nil: the swap does not list it
	place  uint32
}

func (a *Aggregator) merge(s *count.Swap) {
	a.started = true
	for _, w := range a.watch {
		w.recent = false
	}
	clear(a.doors)
	for i := range s.Interfaces {
		a.meet(&s.Interfaces[i], s.Topology)
	}
	for i := range s.Flows {
		f := &s.Flows[i]
		if int(f.Key.Interface) >= len(a.doors) {
			continue // a swap lists every interface it has flows of
		}
		d := &a.doors[f.Key.Interface]
		if d.watch == nil {
			continue
		}
		d.active = true
		k := key{f.Key, d.place}
		k.Interface = 0
		into := a.flows.of(&k)
		into.seen.add(&f.Seen)
		if f.Refused.Packets > 0 {
			r := a.flows.refusalOf(into)
			r.refused.add(&f.Refused)
			r.rule, r.reason = f.Rule, a.reasonOf(s.Reasons[f.Reason])
		}
	}
}

// meet takes in what a swap says of an interface.
func (a *Aggregator) meet(i *count.Watched, version string) {
	place := a.placeOf(i.ID)
	a.version[place] = version
	w := a.watch[i.ID]
	if w == nil {
		w = &watch{}
		a.watch[i.ID] = w
	}
	w.present, w.recent = true, true
	w.active = w.active || i.Active || i.Loss.Packets() > 0
	w.loss.Add(i.Loss)
	a.stats.Lost.Add(i.Loss)
	if more := int(i.Index) + 1 - len(a.doors); more > 0 {
		a.doors = append(a.doors, make([]door, more)...)
	}
	a.doors[i.Index] = door{w, place}
}

// reasonOf is the code of a reason. There are some dozens.
func (a *Aggregator) reasonOf(name string) uint32 {
	i := slices.Index(a.reasons, name)
	if i < 0 {
		i = len(a.reasons)
		a.reasons = append(a.reasons, name)
	}
	return uint32(i)
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

// close turns the open interval into records and opens the one that begins at
// next; whole is false when it had not ended. What is owed goes over.
func (a *Aggregator) close(next time.Time, whole bool, emit Emit) {
	w := window{a.open.Unix(), a.open.Add(a.cfg.Interval).Unix()}
	per, owing := a.flows.survey(len(a.ids))
	status := a.closeWatch(whole, per)
	lots := a.draw(per, status, w)
	places := make([]int, len(a.ids))
	for place := range places {
		places[place] = place
	}
	slices.SortFunc(places, func(x, y int) int { return cmp.Compare(a.ids[x], a.ids[y]) })
	for _, place := range places {
		a.emit(lots[place], place, w, emit)
		a.stats.Records += uint64(len(lots[place]))
	}
	a.flows.reset()
	for i := range owing {
		a.flows.owe(&owing[i])
	}
	a.renumber()
	a.open, a.started = next, false
}

// closeWatch is which interfaces have a record beside those of their flows, noData
// or skipData, by place; per is how many of those they have.
func (a *Aggregator) closeWatch(whole bool, per []int) (status []uint32) {
	status = make([]uint32, len(a.ids))
	for id, w := range a.watch {
		place := a.place[id]
		if w.loss.Packets() > 0 {
			status[place] = skipData
			a.stats.SkipData++
		} else if whole && w.active && w.present && per[place] == 0 {
			status[place] = noData
			a.stats.NoData++
		}
		w.loss, w.present = count.Loss{}, false
		if !w.recent {
			delete(a.watch, id) // its device is gone
		}
	}
	return status
}

// draw makes the drafts of each place, in no order.
func (a *Aggregator) draw(per []int, status []uint32, w window) (lots [][]draft) {
	all := 0
	for place := range per {
		if status[place] != 0 {
			per[place]++
		}
		all += per[place]
	}
	if cap(a.drafts) < all || cap(a.drafts) > 4*all {
		a.drafts = make([]draft, 0, all)
	}
	lots = make([][]draft, len(per))
	rest := a.drafts[:all]
	for place, n := range per {
		lots[place], rest = rest[:0:n], rest[n:]
		if status[place] != 0 {
			lots[place] = append(lots[place], statusDraft(status[place], w))
		}
	}
	for n := range a.flows.count {
		f := a.flows.at(n)
		if accepted, _ := a.flows.accepted(f); accepted.packets > 0 {
			lots[f.place] = append(lots[f.place], flowDraft(n, f, &accepted, false, w))
		}
		if r := a.flows.refusal(f); r != nil && r.refused.packets > 0 {
			lots[f.place] = append(lots[f.place], flowDraft(n, f, &r.refused, true, w))
		}
	}
	return lots
}

// emit makes the records of one interface in a fixed order, one after the other.
func (a *Aggregator) emit(drafts []draft, place int, w window, emit Emit) {
	if len(drafts) == 0 {
		return
	}
	slices.SortFunc(drafts, func(x, y draft) int { return a.flows.compare(x, y, w) })
	a.current = a.interfaceOf(place)
	for _, d := range drafts {
		a.fill(&a.record, d, a.current, w)
		emit(&a.record)
	}
}

// renumber forgets the places of interfaces that are gone, once they are many.
func (a *Aggregator) renumber() {
	if len(a.ids) < 2*len(a.watch)+1024 || a.flows.count > 0 {
		return
	}
	a.ids, a.version, a.place = nil, nil, map[string]uint32{}
}

// interfaceOf is an interface as it was when it was watched last.
func (a *Aggregator) interfaceOf(place int) *vpc.Interface {
	id := a.ids[place]
	if i, ok := a.cfg.Topology(a.version[place]).Interface(id); ok {
		return i
	}
	return &vpc.Interface{ID: id}
}
