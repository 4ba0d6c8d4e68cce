package deliver

import (
	"context"
	"errors"
	"sync"
	"time"

	"weir/flowlog"
	"weir/vpc/flowlogs"
)

// line is one flow log at work. A pass fills its open batch; its own goroutine
// sends what is sealed, one batch after the other.
type line struct {
	d      *Dispatcher
	lane   *lane
	log    flowlogs.FlowLog
	format flowlog.Format
	dest   Destination
	manner Manner        // of dest
	wake   chan struct{} // something has changed; room for one
	ended  chan struct{} // closed when run has returned

	// pass fills the batch; nil when the line is behind. Guarded by lane.mu.
	pass *pass

	mu                   sync.Mutex // guards what follows
	state                state      // as the catalogue has it
	next                 Position   // where the next interval begins
	open                 *batch     // never nil
	filling              bool       // a pass adds an interval to it
	heldOpen, heldSealed int64      // bytes of memory, as they were when they were last looked at
	sealed               *batch     // in the hands of run; nil when there is none
	batches              uint64     // begun
	due                  time.Time  // of the next publication
	halted               bool       // nothing is sealed
	failure              failure
	retries              uint64 // since the flow log was created
}

// failure is what keeps a line from delivering; its zero value is nothing.
type failure struct {
	err   error
	since time.Time
}

// newLine takes a flow log up where the catalogue says that it was left; a new
// one begins at start.
func newLine(ctx context.Context, d *Dispatcher, log flowlogs.FlowLog, format flowlog.Format, dest Destination, start Position) (*line, error) {
	l := &line{
		d: d, log: log, format: format, dest: dest, manner: dest.Manner(),
		wake: make(chan struct{}, 1), ended: make(chan struct{}),
	}
	known, err := Load(ctx, d.cfg.Catalogue, stateKey+log.ID, &l.state)
	if err != nil {
		return nil, err
	}
	if !known {
		l.state.Position = start
		if err := Store(ctx, d.cfg.Catalogue, stateKey+log.ID, &l.state); err != nil {
			return nil, err
		}
	}
	l.next, l.batches, l.retries = l.state.Position, l.state.Batches, l.state.Totals.Retries
	l.begin()
	var m manifest
	begun, err := Load(ctx, d.cfg.Catalogue, manifestKey+log.ID, &m)
	if err != nil || !begun || m.From != l.state.Position.Seq {
		return l, err
	}
	bounds, err := d.cfg.Journal.Bounds(ctx)
	if err != nil {
		return nil, err
	}
	if m.To.Seq > bounds.Last {
		d.cfg.Log.Error("the journal does not reach to the end of a batch that was begun: what was sent of it may come again",
			"flow_log", log.ID, "journal", bounds.Last, "batch", m.To.Seq)
		return l, nil
	}
	l.open.cut = &m
	return l, nil
}

// begin opens a batch where the last one ends.
func (l *line) begin() {
	l.open = &batch{number: l.batches, from: l.next, to: l.next, abandoned: make(chan struct{}), stopped: make(chan struct{})}
	l.batches++
	l.heldOpen = 0
	if l.sealed == nil {
		l.open.gap = l.state.Gap
	}
}

// held is the memory that the line takes.
func (l *line) held() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.heldOpen + l.heldSealed
}

// position is where the next interval begins.
func (l *line) position() Position {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.next
}

// committed is where all before it has been delivered.
func (l *line) committed() Position {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state.Position
}

// isDrained reports whether everything up to a sequence number is delivered.
func (l *line) isDrained(last uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state.Position.Seq >= last
}

// holdsTooMuch reports whether the line holds more than its share, and is about
// to deliver some of it.
func (l *line) holdsTooMuch(share int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	goes := l.sealed != nil || l.manner.Prompt || l.heldOpen > l.d.pressed()
	return goes && l.heldOpen+l.heldSealed > share
}

// isReady reports whether the line can take part in a pass: no other one is
// filling it, and it holds no more than its share, or must go on all the same.
func (l *line) isReady(share int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open.cut != nil {
		return !l.filling && !l.open.isWhole()
	}
	return !l.filling && l.heldOpen+l.heldSealed <= share
}

// isBehind reports whether an interval that ended at a sequence number or before
// is not in the line's batches, and none is being added.
func (l *line) isBehind(seq uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.filling && l.next.Seq < seq
}

// fill gives the open batch to a pass that is about to add an interval, which
// begins at a position and ends at another; nil when the line is not there. The
// batch is the pass's until took.
func (l *line) fill(from, to uint64) (b *batch, behind bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.next.Seq >= to:
		return nil, false // it has this interval, and is yet to come
	case l.next.Seq != from:
		return nil, true
	}
	l.filling = true
	return l.open, false
}

// took says that a batch has all records of an interval that ended at a position.
func (l *line) took(b *batch, to Position, end time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.filling = false
	if l.open != b {
		return // it was given up meanwhile
	}
	if b.to.Seq == b.from.Seq {
		b.firstEnd = end
	}
	b.to, l.next, b.lastEnd = to, to, end
	l.heldOpen = b.held()
	l.poke()
}

// toRepeat is the batch that is to be made again, when it is not whole yet.
func (l *line) toRepeat() *manifest {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open.isWhole() {
		return nil
	}
	return l.open.cut
}

// poke makes run look.
func (l *line) poke() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// look is how often a line looks at the clock, which may have been set.
const look = time.Second

// run sends batches until ctx is done, or until the line is drained.
func (l *line) run(ctx context.Context) {
	defer close(l.ended)
	for {
		b := l.seal()
		if b == nil {
			timer := time.NewTimer(l.untilDue())
			select {
			case <-ctx.Done():
				timer.Stop()
				return
			case <-l.wake:
			case <-timer.C:
			}
			timer.Stop()
			continue
		}
		l.deliver(ctx, b)
		if ctx.Err() != nil {
			return
		}
		l.lane.catchUp()
	}
}

// untilDue is how long there is nothing to do.
func (l *line) untilDue() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(time.Millisecond, min(look, l.due.Sub(l.d.cfg.Now())))
}

// seal takes the open batch out if it is to be delivered now, and opens another.
func (l *line) seal() *batch {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.d.cfg.Now()
	due := !now.Before(l.due)
	every := l.d.cfg.Publish
	if due || l.due.Sub(now) > every { // the clock was set back
		l.due = now.Truncate(every).Add(every)
	}
	b := l.open
	switch {
	case l.halted || l.filling || b.to.Seq == b.from.Seq: // no interval has ended yet
		return nil
	case b.cut != nil && !b.isWhole():
		return nil
	case b.isWhole() || l.manner.Prompt || due || l.d.draining() || l.heldOpen > l.d.pressed():
	default:
		return nil
	}
	l.sealed, l.heldSealed = b, l.heldOpen
	l.begin()
	return b
}

// deliver sends a batch, whatever it takes, until ctx is done or the batch is
// abandoned. It is in the catalogue before it is sent, and off it afterwards.
func (l *line) deliver(ctx context.Context, b *batch) {
	defer close(b.stopped)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-b.abandoned:
			cancel()
		case <-ctx.Done():
		}
	}()
	parts, err := b.finish()
	if err != nil {
		l.restart(ctx, b, err)
		return
	}
	sender := sender{line: l, batch: b, parts: parts}
	if !sender.send(ctx) {
		l.drop(b)
		return
	}
	l.commit(ctx, b, &sender)
}

// drop forgets a batch that could not be sent before the end; the catalogue and
// the journal have it.
func (l *line) drop(b *batch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sealed == b {
		l.sealed, l.heldSealed = nil, 0
	}
}

// commit writes down that a batch is delivered.
func (l *line) commit(ctx context.Context, b *batch, s *sender) {
	l.mu.Lock()
	next := l.state
	next.Totals.Retries = l.retries
	l.mu.Unlock()
	next.Position, next.Gap, next.Batches = b.to, nil, b.number+1
	s.addTo(&next.Totals)
	next.Totals.LastEnd = b.lastEnd
	if len(s.parts) > 0 {
		next.Totals.Last = l.d.cfg.Now().UTC()
	}
	ok := l.attempt(ctx, func(ctx context.Context) error {
		return Store(ctx, l.d.cfg.Catalogue, stateKey+l.log.ID, &next)
	})
	l.mu.Lock()
	if l.sealed == b {
		l.sealed, l.heldSealed = nil, 0
		if ok {
			l.state = next
		}
	}
	l.mu.Unlock()
	if ok {
		l.d.tail.show(&l.log, b.lines, b.records)
	}
}

// restart begins a batch anew from the journal, without regard to how it was cut
// before: what was sent of it may be there twice.
func (l *line) restart(ctx context.Context, b *batch, cause error) {
	l.d.cfg.Log.Error("a batch is made again from the journal", "flow_log", l.log.ID, "err", cause)
	l.failed(cause)
	if b.cut != nil {
		l.attempt(ctx, func(ctx context.Context) error {
			return l.d.cfg.Catalogue.Delete(ctx, manifestKey+l.log.ID)
		})
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if b.cut != nil {
		for _, n := range b.cut.Notes {
			l.state.Totals.Doubtful += uint64(n.Records)
		}
	}
	l.sealed, l.heldSealed = nil, 0
	l.next = l.state.Position
	l.begin()
}

// attempt does something until it succeeds; false when ctx is done before.
func (l *line) attempt(ctx context.Context, do func(context.Context) error) bool {
	wait := backoff{l.d.cfg.FirstWait}
	for ctx.Err() == nil {
		err := do(ctx)
		if err == nil {
			l.recovered()
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		l.failed(err)
		wait.wait(ctx, err)
	}
	return false
}

// failed notes why nothing goes on; the first time, and when the reason changes,
// it is logged.
func (l *line) failed(err error) {
	l.mu.Lock()
	news := l.failure.err == nil || !alike(l.failure.err, err)
	if l.failure.err == nil {
		l.failure.since = l.d.cfg.Now()
	}
	l.failure.err = err
	l.retries++
	l.mu.Unlock()
	if !news {
		return
	}
	attrs := []any{"flow_log", l.log.ID, "to", l.dest.String(), "err", err}
	if e, ok := errors.AsType[*Error](err); ok && e.Next != "" {
		attrs = append(attrs, "hint", e.Next)
	}
	l.d.cfg.Log.Warn("cannot deliver, trying again", attrs...)
}

// alike reports whether two failures are the same to whoever reads the log. Texts
// may differ in what a service numbers its answers with, and in the part that was
// sent.
func alike(a, b error) bool {
	x, ok1 := errors.AsType[*Error](a)
	y, ok2 := errors.AsType[*Error](b)
	if ok1 && ok2 {
		return x.Op == y.Op && x.Kind == y.Kind && x.Next == y.Next
	}
	return ok1 == ok2 && a.Error() == b.Error()
}

func (l *line) recovered() {
	l.mu.Lock()
	was := l.failure
	l.failure = failure{}
	l.mu.Unlock()
	if was.err != nil {
		l.d.cfg.Log.Info("delivering again", "flow_log", l.log.ID, "to", l.dest.String(), "after", l.d.cfg.Now().Sub(was.since).Round(time.Second))
	}
}

// halt stops what is on its way, before some counts are given up. It returns up to
// where counts must be given up because the destination has some of them, or may
// have: they would be there twice. [line.skip] or [line.goOn] must follow.
func (l *line) halt() (touched Position) {
	l.mu.Lock()
	l.halted = true
	b := l.sealed
	if b != nil {
		close(b.abandoned)
	}
	l.mu.Unlock()
	if b == nil {
		return Position{}
	}
	<-b.stopped
	if b.touched.Load() {
		return b.to
	}
	return Position{}
}

// goOn goes on after halt, from what is committed.
func (l *line) goOn() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.halted = false
	if l.next = l.state.Position; l.open.from.Seq != l.next.Seq {
		l.begin()
	}
}

// skip goes on after halt from a position: what the line has not delivered before
// it is given up. The catalogue knows when skip returns without an error.
func (l *line) skip(ctx context.Context, to Position, g gap, lost Skipped) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	next := l.state
	next.Position, next.Batches = to, l.batches
	next.Gap = joinGaps(next.Gap, &g)
	next.Totals.Skipped.Swaps += lost.Swaps
	next.Totals.Skipped.Packets += lost.Packets
	next.Totals.Skipped.Bytes += lost.Bytes
	l.halted = false
	err := Store(ctx, l.d.cfg.Catalogue, stateKey+l.log.ID, &next)
	if err == nil {
		l.state = next
	}
	l.next = l.state.Position
	l.begin()
	return err
}
