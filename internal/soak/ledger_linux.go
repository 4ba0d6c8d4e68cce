package soak

import (
	"fmt"
	"hash/maphash"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"weir/flowlog"
)

// Ledger adds up what a destination was given. It is safe for concurrent use.
type Ledger struct {
	Name string
	// MayDouble says that the protocol cannot tell a call that is repeated.
	MayDouble bool

	storm *Storm
	seed  maphash.Seed

	mu       sync.Mutex // guards what follows
	records  uint64
	noData   uint64
	skipData []string          // the first of them
	sides    map[Side]Sum      // of all records
	copies   map[uint64]uint16 // of each record, by its identity
	again    map[Side]repeats  // of those that came before
	flows    [][]uint8         // packets of the storm's flows, by stream
	strange  []string
}

// repeats are records that are like one that came before. Most often that is the
// same one; but an interval that was ended early may have two that are alike.
type repeats struct {
	Sum
	records uint64
}

// doubled is how many of them came twice, at least, when so many packets are too
// many: the others have a packet each, or more.
func (r repeats) doubled(tooMany uint64) uint64 {
	alike := r.Packets - min(r.Packets, tooMany)
	return r.records - min(r.records, alike)
}

// NewLedger makes a ledger that also follows each flow of a storm.
func NewLedger(name string, mayDouble bool, storm *Storm) *Ledger {
	return &Ledger{
		Name: name, MayDouble: mayDouble, storm: storm, seed: maphash.MakeSeed(),
		sides: map[Side]Sum{}, copies: map[uint64]uint16{}, again: map[Side]repeats{}, flows: make([][]uint8, len(storm.Streams)),
	}
}

// few is how many of a kind are shown.
const few = 5

// Add adds a record. identity is all that tells it apart from others.
func (l *Ledger) Add(r *flowlog.Record, identity []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.records++
	switch r.LogStatus {
	case flowlog.NoData:
		l.noData++
		return
	case flowlog.SkipData:
		if len(l.skipData) < few {
			l.skipData = append(l.skipData, string(identity))
		}
		return
	}
	side := Side{r.InterfaceID, r.Direction, r.Action}
	sum := Sum{uint64(r.Packets), uint64(r.Bytes)}
	l.sides[side] = l.sides[side].plus(sum)
	h := maphash.Bytes(l.seed, identity)
	if l.copies[h]++; l.copies[h] > 1 {
		a := l.again[side]
		l.again[side] = repeats{a.plus(sum), a.records + 1}
	}
	for i, st := range l.storm.Streams {
		if n, ok := st.find(r); ok {
			l.addFlow(i, n, r)
		}
	}
}

func (l *Ledger) addFlow(stream, n int, r *flowlog.Record) {
	if missing := n + 1 - len(l.flows[stream]); missing > 0 {
		l.flows[stream] = append(l.flows[stream], make([]uint8, missing)...)
	}
	l.flows[stream][n] += uint8(min(r.Packets, 200-int64(l.flows[stream][n])))
	if r.Bytes != r.Packets*wireBytes {
		l.strangeLocked(fmt.Sprintf("%d packets of %d bytes have %d bytes", r.Packets, wireBytes, r.Bytes))
	}
}

// Strange notes something that should not be.
func (l *Ledger) Strange(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.strangeLocked(what)
}

func (l *Ledger) strangeLocked(what string) {
	if len(l.strange) < few {
		l.strange = append(l.strange, what)
	}
}

// Result is a ledger beside the witness.
type Result struct {
	Name      string
	Records   uint64
	NoData    uint64
	Counted   uint64 // packets, by the witness
	Delivered uint64 // each once
	Lost      uint64
	Doubled   uint64
	// DoubledRecords are records that came again, at least; Doubtful those of which Weir
	// says that they may have.
	DoubledRecords uint64
	Doubtful       uint64
	Faults         []string // what is wrong
}

// Compare holds the ledger against what was counted. doubtful is how many records
// may have come again, by Weir's own account.
func (l *Ledger) Compare(counted map[Side]Sum, doubtful uint64, clock func(time.Time) string) Result {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := Result{Name: l.Name, Records: l.records, NoData: l.noData, Doubtful: doubtful}
	wrong := func(format string, args ...any) { r.Faults = append(r.Faults, fmt.Sprintf(format, args...)) }
	sides := maps.Clone(l.sides)
	for side := range counted {
		sides[side] = l.sides[side]
	}
	for _, side := range slices.SortedFunc(maps.Keys(sides), Side.compare) {
		want, got, again := counted[side], l.sides[side], l.again[side]
		r.Counted += want.Packets
		switch {
		case got.Packets < want.Packets:
			r.Lost += want.Packets - got.Packets
		case got.Packets > want.Packets:
			r.Doubled += got.Packets - want.Packets
			if l.MayDouble {
				r.DoubledRecords += again.doubled(got.Packets - want.Packets)
			}
		}
		r.Delivered += min(got.Packets, want.Packets)
		more := got.minus(want) // wraps when it is less
		explained := l.MayDouble && more.Packets <= again.Packets && more.Bytes <= again.Bytes
		if got != want && !explained {
			wrong("%s %s %s: counted %d packets, %d bytes; delivered %d (%+d), %d (%+d)", side.Interface, side.Direction, side.Action,
				want.Packets, want.Bytes, got.Packets, int64(more.Packets), got.Bytes, int64(more.Bytes))
		}
	}
	r.Faults = append(r.Faults, l.compareFlows(clock)...)
	if r.DoubledRecords > doubtful {
		wrong("%d records came again, and only %d are said to be doubtful", r.DoubledRecords, doubtful)
	}
	for _, s := range l.skipData {
		wrong("SKIPDATA: %s", s)
	}
	for _, s := range l.strange {
		wrong("%s", s)
	}
	return r
}

// compareFlows holds every flow of the storm against what was sent of it.
func (l *Ledger) compareFlows(clock func(time.Time) string) (faults []string) {
	for i, st := range l.storm.Streams {
		st.mu.Lock()
		var lost, more int
		var where []string
		before := map[string]bool{}
		for n, sent := range st.sent {
			var got uint8
			if n < len(l.flows[i]) {
				got = l.flows[i][n]
			}
			switch {
			case got == sent, got > sent && l.MayDouble:
				continue
			case got < sent:
				lost++
			default:
				more++
			}
			if when := clock(st.at(n)); !before[when] && len(where) < few {
				before[when] = true
				where = append(where, fmt.Sprintf("flow %d, sent about %s: %d of %d packets", n, when, got, sent))
			}
		}
		if lost+more > 0 {
			faults = append(faults, fmt.Sprintf("the storm's flows %s: %d of %s incomplete, %d too many; %s", st.Name, lost, strconv.Itoa(len(st.sent)), more, strings.Join(where, "; ")))
		}
		st.mu.Unlock()
	}
	return faults
}

// Line is the last word about a destination.
func (r *Result) Line() string {
	s := fmt.Sprintf("%s: counted %d, delivered %d, lost %d, doubled %d", r.Name, r.Counted, r.Delivered, r.Lost, r.Doubled)
	if r.DoubledRecords > 0 {
		s += fmt.Sprintf(" (%d records that the protocol could not tell, of %d doubtful)", r.DoubledRecords, r.Doubtful)
	}
	return s
}
