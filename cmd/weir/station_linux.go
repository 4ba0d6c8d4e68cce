package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"weir/aggregate"
	"weir/capture"
	"weir/capture/ebpf"
	"weir/control"
	"weir/count"
	"weir/deliver"
	"weir/deliver/s3"
	"weir/flowlog"
	"weir/policy"
	"weir/vpc"
)

// stationConfig is what "up" and "lab" decide before a station runs.
type stationConfig struct {
	Data      string
	RunDir    string // of the capture, see ebpf.Config
	Bucket    string
	AccountID string
	Region    string
	FlowLogID string
	Format    flowlog.Format
	Interval  time.Duration
	Publish   time.Duration
	MaxFlows  int
	Keep      bool // leave the kernel counting at the end
	Metrics   string
	Log       *slog.Logger
	// Rules know the rules whose ids stand in marks; nil when none are ours.
	Rules aggregate.Rules
	// Describe adds to the page of status what the station does not know; may
	// be nil.
	Describe func(*control.Status)
}

// station is one Weir at work: capture, aggregation, delivery, control.
type station struct {
	cfg     stationConfig
	capture *ebpf.Capture
	dest    *s3.Publisher
	started time.Time

	mu         sync.Mutex // guards what follows
	aggregator *aggregate.Aggregator
	known      map[string]*vpc.Interface // by id; those of the last list, and of earlier ones for a while
	leaving    map[string]time.Time      // when those of earlier lists are forgotten
	totals     map[string]*control.Interface
	figures    control.Capture
}

// openStation takes the data directory's place in the world and loads the
// programs; nothing is counted yet. The caller has locked cfg.Data.
func openStation(cfg stationConfig) (*station, error) {
	if err := ebpf.Require(); err != nil {
		return nil, err
	}
	dest, err := s3.New(s3.Config{
		BucketDir: cfg.Bucket, AccountID: cfg.AccountID, Region: cfg.Region,
		FlowLogID: cfg.FlowLogID, Format: cfg.Format,
	})
	if err != nil {
		return nil, err
	}
	c, err := ebpf.Open(ebpf.Config{RunDir: cfg.RunDir, MaxFlows: cfg.MaxFlows, Log: cfg.Log})
	if err != nil {
		return nil, err
	}
	s := &station{
		cfg: cfg, capture: c, dest: dest, started: time.Now(),
		known:   map[string]*vpc.Interface{},
		leaving: map[string]time.Time{},
		totals:  map[string]*control.Interface{},
	}
	s.aggregator = aggregate.New(aggregate.Config{Interval: cfg.Interval, Topology: aggregate.Always(topology{s}), Rules: cfg.Rules})
	return s, nil
}

// watch begins to count at the interfaces. Some may fail; all is an error.
func (s *station) watch(list []vpc.Interface) error {
	s.learn(list)
	err := s.capture.Watch(list)
	if err == nil {
		return nil
	}
	if s.capture.Watching() == 0 || errors.Is(err, ebpf.ErrWatched) {
		return err
	}
	s.cfg.Log.Warn("cannot watch every interface", "err", err)
	return nil
}

// run works until ctx is done, then brings everything home that was counted.
// Lists that come are the interfaces from then on.
func (s *station) run(ctx context.Context, lists <-chan []vpc.Interface) error {
	server := control.Server{Data: s.cfg.Data, Metrics: s.cfg.Metrics, Status: s.status}
	loop := capture.NewLoop(capture.Config{Interval: s.cfg.Interval, Log: s.cfg.Log}, learner{s}, s.take)

	serving, stopServing := context.WithCancel(context.WithoutCancel(ctx))
	defer stopServing()
	captured := make(chan struct{})
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		err := server.Run(serving)
		if err != nil {
			stopServing()
		}
		return err
	})
	group.Go(func() error {
		defer close(captured)
		err := loop.Run(ctx, lists)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.aggregator.Flush(s.dest.Add)
		return err
	})
	group.Go(func() error {
		defer stopServing() // the last to go: it answers while records are brought home
		s.publish(ctx, captured)
		return s.publishLast()
	})
	err := group.Wait()
	return errors.Join(err, s.capture.Close(s.cfg.Keep))
}

// publish delivers when it is time, until the capture has ended.
func (s *station) publish(ctx context.Context, captured <-chan struct{}) {
	const look = time.Second
	next := nextPublish(time.Now(), s.cfg.Publish)
	tick := time.NewTicker(min(look, s.cfg.Publish))
	defer tick.Stop()
	for {
		select {
		case <-captured:
			return
		case now := <-tick.C:
			if now.Before(next) && !s.dest.Pressed() {
				continue
			}
			if _, err := s.dest.Publish(); err != nil {
				s.complain(ctx, err)
				next = now.Add(min(10*time.Second, s.cfg.Publish))
				continue
			}
			next = nextPublish(now, s.cfg.Publish)
		}
	}
}

// nextPublish is the next multiple of the publish interval by the UTC clock.
func nextPublish(now time.Time, every time.Duration) time.Time {
	return now.Truncate(every).Add(every)
}

// publishLast tries for a moment to deliver what waits.
func (s *station) publishLast() error {
	var err error
	for attempt := range 3 {
		if attempt > 0 {
			time.Sleep(time.Second)
		}
		if _, err = s.dest.Publish(); err == nil {
			return nil
		}
	}
	return fmt.Errorf("stopping with %d records not delivered: %w", s.dest.Stats().PendingRecords, err)
}

func (s *station) complain(ctx context.Context, err error) {
	attrs := []any{"err", err}
	var h hinter
	if errors.As(err, &h) && h.Hint() != "" {
		attrs = append(attrs, "hint", h.Hint())
	}
	s.cfg.Log.WarnContext(ctx, "cannot deliver, trying again", attrs...)
}

// take is the capture's sink: it turns a swap into records and gives them to the
// flow log.
func (s *station) take(swap *count.Swap) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tally(swap)
	s.aggregator.Add(swap, s.dest.Add)
	return nil
}

// tally adds a swap to the totals that status and metrics show.
func (s *station) tally(swap *count.Swap) {
	s.figures.Swaps++
	s.figures.SwapTime = time.Since(swap.End)
	s.figures.LastSwap = swap.End
	s.figures.Flows = len(swap.Flows)
	byIndex := map[uint16]*control.Interface{}
	sides := map[uint16]vpc.Side{}
	for _, w := range swap.Interfaces {
		t := s.total(w.ID)
		if i := s.known[w.ID]; i != nil {
			sides[w.Index] = i.Side
		}
		lost := count.Loss(t.Lost) // the same fields, with names for JSON
		lost.Add(w.Loss)
		t.Lost = control.Loss(lost)
		byIndex[w.Index] = t
	}
	for i := range swap.Flows {
		f := &swap.Flows[i]
		t := byIndex[f.Key.Interface]
		if t == nil {
			continue
		}
		c := &t.Egress
		if aggregate.Direction(sides[f.Key.Interface], f.Key.Door) == flowlog.Ingress {
			c = &t.Ingress
		}
		accepted, bytes := f.Seen.Packets, f.Seen.Bytes
		if f.Key.Door == policy.Entering {
			accepted -= min(accepted, f.Refused.Packets)
			bytes -= min(bytes, f.Refused.Bytes)
		}
		c.AcceptedPackets += accepted
		c.AcceptedBytes += bytes
		c.RejectedPackets += f.Refused.Packets
		c.RejectedBytes += f.Refused.Bytes
	}
}

// total is the totals of an interface.
func (s *station) total(id string) *control.Interface {
	t := s.totals[id]
	if t == nil {
		t = &control.Interface{ID: id}
		s.totals[id] = t
	}
	if i := s.known[id]; i != nil {
		t.Name, t.Device, t.Side = i.Name, i.Device.String(), i.Side.String()
	}
	return t
}

// learn takes a new list of interfaces in. Those that are not in it any more
// are remembered until their last counts have become records.
func (s *station) learn(list []vpc.Interface) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	present := map[string]bool{}
	for i := range list {
		present[list[i].ID] = true
		s.known[list[i].ID] = &list[i]
		delete(s.leaving, list[i].ID)
		s.total(list[i].ID)
	}
	for id := range s.known {
		due, leaving := s.leaving[id]
		switch {
		case present[id]:
		case !leaving:
			s.leaving[id] = now.Add(2*s.cfg.Interval + time.Minute)
		case now.After(due):
			delete(s.known, id)
			delete(s.leaving, id)
			delete(s.totals, id)
		}
	}
}

// topology answers the aggregator, which is called with the lock held.
type topology struct{ s *station }

func (t topology) Interface(id string) (*vpc.Interface, bool) {
	i, ok := t.s.known[id]
	return i, ok
}

// learner is the capture as the loop sees it: a new list is learned before it is
// watched.
type learner struct{ s *station }

func (l learner) Swap() (*count.Swap, error)  { return l.s.capture.Swap() }
func (l learner) Release() error              { return l.s.capture.Release() }
func (l learner) Occupancy() (float64, error) { return l.s.capture.Occupancy() }
func (l learner) Watch(list []vpc.Interface) error {
	l.s.learn(list)
	return l.s.capture.Watch(list)
}

// status is the page of status while the station runs.
func (s *station) status() control.Status {
	st := s.finalStatus()
	st.Capture.Occupancy, _ = s.capture.Occupancy() // an error shows in the loop
	return st
}

// finalStatus is the same without asking the kernel.
func (s *station) finalStatus() control.Status {
	d := s.dest.Stats()

	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.aggregator.Stats()
	st := control.Status{
		Process: control.Process{PID: os.Getpid(), Version: thisBuild().Version, Started: s.started, Data: s.cfg.Data},
		Capture: s.figures,
		Records: control.Records{
			Interval: s.cfg.Interval, Open: s.aggregator.Open(),
			Made: a.Records, NoData: a.NoData, SkipData: a.SkipData,
		},
		FlowLogs: []control.FlowLog{flowLogStatus(s.cfg.FlowLogID, s.cfg.Bucket, d)},
		Lost:     control.Lost{Packets: a.Lost.Packets(), Bytes: a.Lost.Bytes(), Records: uint64(d.Lost.Records)},
	}
	st.Capture.MaxFlows = s.cfg.MaxFlows
	for _, t := range s.totals {
		st.Capture.Interfaces = append(st.Capture.Interfaces, *t)
	}
	slices.SortFunc(st.Capture.Interfaces, func(a, b control.Interface) int { return strings.Compare(a.Name+a.ID, b.Name+b.ID) })
	if s.cfg.Describe != nil {
		s.cfg.Describe(&st)
	}
	return st
}

func flowLogStatus(id, destination string, d deliver.Stats) control.FlowLog {
	f := control.FlowLog{
		ID: id, Destination: destination, Status: "SUCCESS", LastDelivery: d.LastPublish,
		Objects: uint64(d.Objects), Records: uint64(d.Records), Bytes: uint64(d.Bytes), Failures: uint64(d.Failures),
		PendingRecords: uint64(d.PendingRecords), PendingBytes: uint64(d.PendingBytes), LostRecords: uint64(d.Lost.Records),
	}
	if d.LastError != nil {
		f.Status, f.LastError = "FAILED", d.LastError.Error()
	}
	return f
}
