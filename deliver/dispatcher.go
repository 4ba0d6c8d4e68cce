package deliver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"weir/aggregate"
	"weir/flowlog"
	"weir/vpc/flowlogs"
)

// Config says what a dispatcher works with.
type Config struct {
	Journal   Journal
	Catalogue Catalogue
	// Topology returns a version of the topology by its name; see
	// aggregate.Config. Called by several goroutines.
	Topology func(version string) aggregate.Topology
	Rules    aggregate.Rules // nil when no rules are ours; safe for concurrent use
	// Destination makes what a flow log delivers to.
	Destination func(flowlogs.FlowLog) (Destination, error)
	// Publish is how often what is collected is published: at the multiples of it
	// by the UTC clock. 0 is AWS's 5 minutes.
	Publish time.Duration
	// MaxHeld bounds the memory of records that wait, of all flow logs together:
	// beyond it the flow logs that hold most read no further until they have
	// delivered. One interval always fits. 0 is 256 MiB.
	MaxHeld int64
	// MaxBytes and MaxAge bound the journal: what is older, or more, and not
	// delivered is given up. 0 is no bound.
	MaxBytes int64
	MaxAge   time.Duration
	// MostSpecific lets a flow log of an interface go before one of its subnet,
	// and that before one of its VPC; otherwise all deliver, as AWS's do.
	MostSpecific bool
	// FirstWait is how long a flow log waits after a failure; each further wait is
	// twice as long, up to 30 s. 0 is 200 ms.
	FirstWait time.Duration
	Now       func() time.Time // nil is time.Now
	Log       *slog.Logger     // nil is none
}

const (
	defaultPublish   = 5 * time.Minute
	defaultMaxHeld   = 256 << 20
	defaultFirstWait = 200 * time.Millisecond
)

// Dispatcher delivers the counts of a journal to the destinations of all flow
// logs. Make it with [NewDispatcher]; it works from then until Close.
type Dispatcher struct {
	cfg  Config
	tail tail

	ctx     context.Context // done when Close is called
	stop    context.CancelFunc
	passes  sync.WaitGroup
	working sync.WaitGroup // lines
	last    atomic.Uint64  // the journal's last sequence number, when it was asked last
	count   atomic.Int64   // of lines

	drain   chan struct{} // closed when all has been appended
	drainOn sync.Once

	mu    sync.Mutex // guards what follows; taken before a lane's, and that before a line's
	lines map[string]*line
	stops map[string]context.CancelFunc // of the lines' goroutines
	lanes map[time.Duration]*lane
	cover atomic.Pointer[flowlogs.Coverage]
}

// NewDispatcher takes up the flow logs where the catalogue says they were left.
func NewDispatcher(ctx context.Context, cfg Config, logs []flowlogs.FlowLog) (*Dispatcher, error) {
	cfg.Publish = cmp.Or(cfg.Publish, defaultPublish)
	cfg.MaxHeld = cmp.Or(cfg.MaxHeld, defaultMaxHeld)
	cfg.FirstWait = cmp.Or(cfg.FirstWait, defaultFirstWait)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	d := &Dispatcher{
		cfg: cfg, drain: make(chan struct{}),
		lines: map[string]*line{}, stops: map[string]context.CancelFunc{}, lanes: map[time.Duration]*lane{},
	}
	d.ctx, d.stop = context.WithCancel(context.WithoutCancel(ctx))
	d.cover.Store(flowlogs.NewCoverage(nil, cfg.MostSpecific))
	for _, log := range logs {
		if err := d.open(ctx, log); err != nil {
			d.Close()
			return nil, err
		}
	}
	for _, n := range d.allLanes() {
		n.catchUp()
	}
	return d, nil
}

// Add begins to deliver a flow log: from the interval on that is open now.
func (d *Dispatcher) Add(ctx context.Context, log flowlogs.FlowLog) error {
	if err := d.open(ctx, log); err != nil {
		return err
	}
	for _, n := range d.allLanes() {
		n.catchUp()
	}
	return nil
}

func (d *Dispatcher) open(ctx context.Context, log flowlogs.FlowLog) error {
	fail := func(err error) error { return fmt.Errorf("flow log %s: %w", log.ID, err) }
	format, err := flowlog.ParseFormat(log.Format)
	if err != nil {
		return fail(err)
	}
	dest, err := d.cfg.Destination(log)
	if err != nil {
		return fail(err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.lines[log.ID] != nil {
		return errors.Join(fail(errors.New("is there already")), dest.Close())
	}
	interval := time.Duration(log.Interval) * time.Second
	n := d.lanes[interval]
	if n == nil {
		n = &lane{d: d, interval: interval}
		d.lanes[interval] = n
	}
	start, ok := n.boundary()
	if !ok {
		bounds, err := d.cfg.Journal.Bounds(ctx)
		if err != nil {
			return errors.Join(fail(err), dest.Close())
		}
		start = Position{Seq: bounds.Last}
	}
	l, err := newLine(ctx, d, log, format, dest, start)
	if err != nil {
		return errors.Join(fail(err), dest.Close())
	}
	l.lane = n
	d.lines[log.ID] = l
	d.coverLocked()
	n.add(l)
	running, stop := context.WithCancel(d.ctx)
	d.stops[log.ID] = stop
	d.working.Go(func() { l.run(running) })
	return nil
}

// Remove ends a flow log. What it has not delivered by then it never will.
func (d *Dispatcher) Remove(ctx context.Context, id string) error {
	d.mu.Lock()
	l, stop := d.lines[id], d.stops[id]
	if l == nil {
		d.mu.Unlock()
		return forget(ctx, d.cfg.Catalogue, id)
	}
	delete(d.lines, id)
	delete(d.stops, id)
	d.coverLocked()
	d.mu.Unlock()
	l.lane.remove(l)
	stop()
	<-l.ended
	return errors.Join(l.dest.Close(), forget(ctx, d.cfg.Catalogue, id))
}

// coverLocked looks again at which flow log covers what.
func (d *Dispatcher) coverLocked() {
	d.count.Store(int64(len(d.lines)))
	var logs []flowlogs.FlowLog
	for _, l := range d.lines {
		logs = append(logs, l.log)
	}
	d.cover.Store(flowlogs.NewCoverage(logs, d.cfg.MostSpecific))
}

func (d *Dispatcher) allLanes() []*lane {
	d.mu.Lock()
	defer d.mu.Unlock()
	var list []*lane
	for _, n := range d.lanes {
		list = append(list, n)
	}
	return list
}

func (d *Dispatcher) allLines() []*line {
	d.mu.Lock()
	defer d.mu.Unlock()
	var list []*line
	for _, l := range d.lines {
		list = append(list, l)
	}
	slices.SortFunc(list, func(a, b *line) int { return cmp.Compare(a.log.ID, b.log.ID) })
	return list
}

// held is the memory of all records that wait.
func (d *Dispatcher) held() (sum int64) {
	for _, l := range d.allLines() {
		sum += l.held()
	}
	return sum
}

// pressed is what a flow log may hold before it publishes ahead of time.
func (d *Dispatcher) pressed() int64 { return d.cfg.MaxHeld / 4 }

func (d *Dispatcher) draining() bool {
	select {
	case <-d.drain:
		return true
	default:
		return false
	}
}

// Drain delivers everything that the journal holds, the open intervals too, and
// returns when it is delivered; or with an error when ctx is done before. Nothing
// is appended to the journal any more. What is not delivered then waits in the
// journal for the next start.
func (d *Dispatcher) Drain(ctx context.Context) error {
	bounds, err := d.cfg.Journal.Bounds(ctx)
	if err != nil {
		return err
	}
	d.last.Store(bounds.Last)
	d.drainOn.Do(func() { close(d.drain) })
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		waiting := 0
		for _, l := range d.allLines() {
			if !l.isDrained(bounds.Last) {
				waiting++
			}
		}
		if waiting == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return &UndeliveredError{FlowLogs: waiting}
		case <-tick.C:
		}
	}
}

// UndeliveredError means that the time was over before everything was delivered.
type UndeliveredError struct{ FlowLogs int }

func (e *UndeliveredError) Error() string {
	return fmt.Sprintf("%d flow logs have records that are not delivered yet: they wait in the journal", e.FlowLogs)
}

// Close ends all work. What is not delivered waits in the journal.
func (d *Dispatcher) Close() {
	for _, n := range d.allLanes() {
		n.close()
	}
	d.stop()
	d.passes.Wait()
	d.working.Wait()
	for _, l := range d.allLines() {
		if err := l.dest.Close(); err != nil {
			d.cfg.Log.Warn("closing a destination", "flow_log", l.log.ID, "err", err)
		}
	}
}
