package deliver

import (
	"context"
	"runtime"
	"sync"
	"time"

	"weir/aggregate"
	"weir/flowlog"
	"weir/vpc"
)

// pass is one reading of the journal from a position on, for some lines of a lane.
type pass struct {
	lane  *lane
	agg   *aggregate.Aggregator
	stats aggregate.Stats // as they were counted last; guarded by lane.mu

	// boundary is where the last interval ended. Guarded by lane.mu, written by
	// run alone.
	boundary Position
	repeat   *manifest // of a batch that a crash has cut: the pass ends where it does

	// Of the interval that is being emitted.
	to      uint64 // the sequence number where it ends
	begun   bool
	takers  []taker
	places  map[string]int   // of the takers, by their flow log's id
	version int64            // of the records: that of the first taker's format
	records []flowlog.Record // a chunk that is shared out when it is full
	runs    []run            // of it
}

// taker is a line that takes an interval.
type taker struct {
	line  *line
	batch *batch
}

// run is some records of one interface in a row.
type run struct {
	from, to int            // of the chunk
	of       *vpc.Interface // theirs
	takers   []int          // who takes them, of pass.takers
}

// chunkRecords is how many records are made before they are encoded: enough to
// share out among the CPUs, and few enough to stay in their caches.
const chunkRecords = 512

// run reads until ctx is done, or until another pass has taken its lines over.
func (p *pass) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	d := p.lane.d
	p.agg = aggregate.New(aggregate.Config{Interval: p.lane.interval, Topology: d.cfg.Topology, Rules: d.cfg.Rules})
	if err := p.agg.Restore(p.boundary.Carry); err != nil {
		return err // it will be told again and again: the catalogue is damaged
	}
	reader, err := d.cfg.Journal.Read(ctx, p.boundary.Seq)
	if err != nil {
		return err
	}
	// One swap is read while the one before is merged, so that both have a CPU; no
	// more, for one of 300,000 flows takes 40 MB.
	entries := make(chan Entry)
	failed := make(chan error, 1)
	var reading sync.WaitGroup
	reading.Go(func() {
		defer close(entries)
		for {
			e, err := reader.Next(ctx)
			if err != nil {
				failed <- err
				return
			}
			select {
			case entries <- e:
			case <-ctx.Done():
				failed <- ctx.Err()
				return
			}
		}
	})
	defer func() { cancel(); reading.Wait(); _ = reader.Close() }()

	read := p.boundary.Seq
	drain := d.drain
	for {
		if end, err := p.atEnd(ctx, read); err != nil || end || p.lane.isAlone(p) {
			return err
		}
		var e Entry
		select {
		case <-drain: // closed: everything has been appended
			drain = nil
			continue
		case next, ok := <-entries:
			if !ok {
				return <-failed
			}
			e = next
		}
		p.begin(read)
		if p.agg.Turn(e.Swap, p.emit) {
			p.end(Position{Seq: read, Carry: p.agg.Carry()}, e.Swap.Start)
		}
		p.begin(e.Seq)
		read = e.Seq
		switch {
		case p.agg.Take(e.Swap, p.emit):
			p.end(Position{Seq: read, Carry: p.agg.Carry()}, e.Swap.End)
		case p.repeat != nil && p.repeat.To.Seq == read && p.repeat.To.Early:
			p.agg.Flush(p.emit)
			p.end(Position{Seq: read, Carry: p.agg.Carry(), Early: true}, e.Swap.End)
		}
		p.lane.setOpen(p, p.agg.Open())
	}
}

// atEnd looks whether everything has been read. There the pass becomes the live
// one or gives way to it; and there it ends the open interval when the Weir
// stops.
func (p *pass) atEnd(ctx context.Context, read uint64) (done bool, err error) {
	d := p.lane.d
	if read < d.last.Load() {
		return false, nil
	}
	bounds, err := d.cfg.Journal.Bounds(ctx)
	if err != nil {
		return false, err
	}
	if d.last.Store(bounds.Last); read < bounds.Last && bounds.First <= bounds.Last {
		return false, nil
	}
	if p.lane.caughtUp(p) {
		return true, nil
	}
	if d.draining() {
		p.begin(read)
		p.agg.Flush(p.emit)
		p.end(Position{Seq: read, Carry: p.agg.Carry(), Early: true}, d.cfg.Now())
		return p.lane.caughtUp(p), nil
	}
	return false, nil
}

// begin says that what is emitted from now on is of an interval that ends at a
// sequence number.
func (p *pass) begin(to uint64) { p.to, p.begun = to, false }

// start finds who takes the interval, before its first record.
func (p *pass) start() {
	p.begun = true
	p.takers = p.lane.takers(p, p.to)
	p.places = map[string]int{}
	for i, t := range p.takers {
		p.places[t.line.log.ID] = i
		p.tellGap(t)
	}
	if len(p.takers) > 0 {
		p.version = int64(p.takers[0].line.format.Version())
	}
}

// tellGap writes SKIPDATA records for what the line had to give up.
func (p *pass) tellGap(t taker) {
	g := t.batch.gap
	if g == nil || t.batch.enc != nil {
		return
	}
	topology := p.lane.d.cfg.Topology(g.Topology)
	for _, id := range g.IDs {
		r := aggregate.Skipped(topology, id, g.Start, g.End)
		r.Version = int64(t.line.format.Version())
		t.batch.add(t.line, &r)
	}
}

// emit takes a record of the interval.
func (p *pass) emit(r *flowlog.Record) {
	if !p.begun {
		p.start()
	}
	if len(p.takers) == 0 {
		return
	}
	if n := len(p.records); n == 0 || p.records[n-1].InterfaceID != r.InterfaceID {
		if n == chunkRecords {
			p.share()
		}
		p.runs = append(p.runs, run{from: len(p.records), to: len(p.records), of: p.agg.Interface(), takers: p.covering(r)})
	}
	last := &p.runs[len(p.runs)-1]
	if len(last.takers) == 0 {
		return // an interface that no flow log covers
	}
	if len(p.records) == chunkRecords {
		rest := run{of: last.of, takers: last.takers}
		p.share()
		p.runs = append(p.runs, rest)
		last = &p.runs[0]
	}
	p.records = append(p.records, *r)
	p.records[last.to].Version = p.version
	last.to = len(p.records)
}

// covering are the takers whose flow log covers a record's interface.
func (p *pass) covering(r *flowlog.Record) []int {
	var list []int
	for _, log := range p.lane.d.cover.Load().Covering(r.InterfaceID, r.SubnetID, r.VPCID) {
		if i, ok := p.places[log.ID]; ok {
			list = append(list, i)
		}
	}
	return list
}

// share encodes the chunk for every taker, each by one goroutine.
func (p *pass) share() {
	workers := min(runtime.GOMAXPROCS(0), len(p.takers))
	if workers <= 1 {
		p.encode(0, 1)
	} else {
		var wait sync.WaitGroup
		for w := range workers {
			wait.Go(func() { p.encode(w, workers) })
		}
		wait.Wait()
	}
	p.records, p.runs = p.records[:0], p.runs[:0]
}

// encode gives the chunk to each taker of a worker's share.
func (p *pass) encode(worker, workers int) {
	for _, run := range p.runs {
		for _, i := range run.takers {
			if i%workers == worker {
				p.takers[i].take(p.records[run.from:run.to], run.of)
			}
		}
	}
}

// take encodes what the line wants of some records of an interface, which other
// takers look at, too.
func (t *taker) take(records []flowlog.Record, of *vpc.Interface) {
	version := int64(t.line.format.Version())
	tags := len(t.line.log.TagFields) > 0
	for i := range records {
		r := &records[i]
		if !t.line.log.Passes(r) {
			continue
		}
		if r.Version != version || tags { // as a few are: a record has 1 KiB
			other := *r
			other.Version = version
			setTags(&other, &t.line.log, of)
			r = &other
		}
		t.batch.add(t.line, r)
	}
}

// end says that the interval is over: what the takers have is whole.
func (p *pass) end(to Position, at time.Time) {
	if !p.begun {
		p.start() // an interval without a record, which moves everybody on
	}
	if len(p.records) > 0 {
		p.share()
	}
	p.records, p.runs, p.begun = p.records[:0], p.runs[:0], false
	p.lane.endInterval(p, to, p.takers, at)
	p.takers = nil
	p.lane.catchUp()
}
