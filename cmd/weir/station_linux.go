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
	"weir/flowlog"
	"weir/journal"
	"weir/policy"
	"weir/policy/book"
	"weir/vpc"
	"weir/vpc/declare"
	"weir/vpc/flowlogs"
)

// stationConfig is what "up" and "lab" decide before a station runs.
type stationConfig struct {
	Data      string
	RunDir    string // of the capture, see ebpf.Config
	Buckets   string // directory of the local buckets
	AccountID string
	Region    string
	Publish   time.Duration
	MaxFlows  int
	Keep      bool // leave the kernel counting at the end
	Metrics   string
	Log       *slog.Logger
	// FlowLogs are those that a file declares, or the default one.
	FlowLogs     []flowlogs.FlowLog
	MostSpecific bool
	Settings     declare.Settings
	// Rules know the rules whose ids stand in marks.
	Rules aggregate.Rules
	// Policy is the one in force, nil when none is.
	Policy func() *book.InForce
	// Describe adds to the page of status what the station does not know; may
	// be nil.
	Describe func(*control.Status)
	// Now is the clock of intervals, publications and records; nil is the
	// machine's. Only tests have another.
	Now func() time.Time
}

// station is one Weir at work: capture, journal, delivery, control.
type station struct {
	cfg           stationConfig
	capture       *ebpf.Capture
	inherited     bool // an earlier run left the kernel counting, and run has not ended
	journal       *journal.Journal
	topologies    *topologies
	policies      *policies
	destinations  *destinations
	subscriptions *subscriptions
	dispatcher    *deliver.Dispatcher
	started       time.Time

	mu      sync.Mutex                // guards what follows
	known   map[string]*vpc.Interface // by id; those of the last list, and of earlier ones for a while
	leaving map[string]time.Time      // when those of earlier lists are forgotten
	news    bool                      // the catalogue does not have the version of known
	totals  map[string]*control.Interface
	lost    count.Loss
	figures control.Capture
	problem string          // why the last swap is not stored yet
	final   *control.Status // when everything has ended
}

// openStation takes the data directory's place in the world, loads the programs,
// and goes on to deliver what the journal holds; nothing is counted yet. The
// caller has locked cfg.Data.
func openStation(ctx context.Context, cfg stationConfig) (_ *station, err error) {
	if err := ebpf.Require(); err != nil {
		return nil, err
	}
	boundMemory()
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &station{
		cfg: cfg, started: time.Now(),
		known:   map[string]*vpc.Interface{},
		leaving: map[string]time.Time{},
		totals:  map[string]*control.Interface{},
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close(false))
		}
	}()
	if s.journal, err = openJournal(ctx, &cfg); err != nil {
		return nil, err
	}
	if err := s.openDelivery(ctx); err != nil {
		return nil, err
	}
	if s.capture, err = ebpf.Open(ebpf.Config{RunDir: cfg.RunDir, MaxFlows: cfg.MaxFlows, Log: cfg.Log, Now: cfg.Now}); err != nil {
		return nil, err
	}
	s.inherited = s.capture.Inherited()
	return s, nil
}

// openDelivery takes up the flow logs.
func (s *station) openDelivery(ctx context.Context) error {
	catalogue := s.journal.Catalogue()
	id, err := idOfJournal(ctx, catalogue)
	if err != nil {
		return err
	}
	s.topologies = newTopologies(catalogue, s.cfg.Log)
	s.policies = &policies{catalogue: catalogue, book: s.cfg.Rules}
	s.destinations = &destinations{settings: s.cfg.Settings, buckets: s.cfg.Buckets, journalID: id, region: s.cfg.Region}
	s.subscriptions = &subscriptions{
		catalogue: catalogue, destinations: s.destinations,
		account: s.cfg.AccountID, region: s.cfg.Region, now: s.cfg.Now, log: s.cfg.Log,
	}
	if err := s.subscriptions.load(ctx); err != nil {
		return err
	}
	if err := s.retire(ctx); err != nil {
		return err
	}
	if err := s.subscriptions.reconcile(ctx, s.cfg.FlowLogs); err != nil {
		return err
	}
	if s.dispatcher, err = deliver.NewDispatcher(ctx, s.delivery(), s.subscriptions.all()); err != nil {
		return err
	}
	s.subscriptions.dispatcher = s.dispatcher
	return nil
}

func (s *station) delivery() deliver.Config {
	return deliver.Config{
		Journal: s.journal, Catalogue: s.journal.Catalogue(),
		Topology: s.topologies.At, Rules: s.policies, Destination: s.destinations.of,
		Publish: s.cfg.Publish, MaxBytes: maxJournal(s.cfg.Settings.Journal), MaxAge: s.cfg.Settings.Journal.MaxAge,
		MostSpecific: s.cfg.MostSpecific, Now: s.cfg.Now, Log: s.cfg.Log,
	}
}

// drainFor is how long a station that ends insists on delivering; what is not
// delivered by then waits in the journal.
const drainFor = 10 * time.Second

// retire delivers what flow logs have waiting that are not wanted any more, such
// as the default one with another format.
func (s *station) retire(ctx context.Context) error {
	plan := s.subscriptions.plan(s.cfg.FlowLogs)
	if len(plan.Delete) == 0 {
		return nil
	}
	d, err := deliver.NewDispatcher(ctx, s.delivery(), plan.Delete)
	if err != nil {
		s.cfg.Log.Warn("flow logs that are not wanted any more cannot deliver the rest", "err", err)
		return nil
	}
	defer d.Close()
	ctx, cancel := context.WithTimeout(ctx, drainFor)
	defer cancel()
	if err := d.Drain(ctx); err != nil {
		s.cfg.Log.Warn("flow logs that are not wanted any more have not delivered the rest", "err", err)
	}
	for _, f := range plan.Delete { // one that comes back begins anew
		if err := d.Remove(context.WithoutCancel(ctx), f.ID); err != nil {
			return err
		}
	}
	return nil
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
// Lists that come are the interfaces from then on. The station is closed when it
// returns.
func (s *station) run(ctx context.Context, lists <-chan []vpc.Interface) error {
	server := control.Server{Data: s.cfg.Data, Metrics: s.cfg.Metrics, Status: s.status, FlowLogs: s.subscriptions}
	loop := capture.NewLoop(capture.Config{Intervals: s.subscriptions.intervals, Now: s.cfg.Now, Log: s.cfg.Log}, learner{s}, s.take)

	serving, stopServing := context.WithCancel(context.WithoutCancel(ctx))
	defer stopServing()
	group, ctx := errgroup.WithContext(ctx)
	var looped error // also when something else has failed before
	group.Go(func() error {
		err := server.Run(serving)
		if err != nil {
			stopServing()
		}
		return err
	})
	group.Go(func() error {
		defer stopServing() // the last to go: it answers while records are brought home
		err := loop.Run(ctx, lists)
		draining, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainFor)
		defer cancel()
		if err := s.dispatcher.Drain(draining); err != nil {
			s.cfg.Log.Warn("stopping before everything is delivered", "err", err, "hint", "the next start goes on with it")
		}
		looped = err
		return err
	})
	group.Go(func() error {
		s.keepTidy(serving)
		return nil
	})
	err := group.Wait()
	// What could not be brought home the next start picks up.
	keep := s.cfg.Keep || looped != nil
	s.inherited = false
	final := s.status()
	s.mu.Lock()
	s.final = &final
	s.mu.Unlock()
	return errors.Join(err, s.close(keep))
}

// close lets go of everything; the kernel goes on counting if keep is true, and if
// an earlier run left it counting and nobody has brought that home.
func (s *station) close(keep bool) error {
	var err error
	keep = keep || s.inherited
	if s.dispatcher != nil {
		s.dispatcher.Close()
	}
	if s.capture != nil {
		err = s.capture.Close(keep)
	}
	if s.destinations != nil {
		s.destinations.close()
	}
	if s.journal != nil {
		err = errors.Join(err, s.journal.Close())
	}
	return err
}

// take is the capture's sink: the swap is durable when it returns nil.
func (s *station) take(ctx context.Context, swap *count.Swap) error {
	err := s.store(ctx, swap)
	s.mu.Lock()
	s.problem = ""
	if err != nil {
		s.problem = err.Error()
	}
	s.mu.Unlock()
	if err == nil {
		s.tally(swap)
	}
	return err
}

// store makes a swap durable, and before it whatever it names.
func (s *station) store(ctx context.Context, swap *count.Swap) error {
	if err := errors.Join(s.keepTopology(ctx), s.policies.keep(ctx, s.cfg.Policy())); err != nil {
		return err
	}
	s.mu.Lock()
	swap.Topology = s.topologies.name()
	for i := range swap.Interfaces {
		w := &swap.Interfaces[i]
		if known := s.known[w.ID]; known != nil {
			w.VPCID, w.SubnetID = known.VPCID, known.SubnetID
		}
	}
	s.mu.Unlock()
	return s.journal.Append(ctx, swap)
}

// keepTopology makes the version of the topology durable that the next counts
// are of.
func (s *station) keepTopology(ctx context.Context) error {
	s.mu.Lock()
	news := s.news
	var list []vpc.Interface
	if news {
		for _, i := range s.known {
			list = append(list, *i)
		}
		slices.SortFunc(list, func(a, b vpc.Interface) int { return strings.Compare(a.ID, b.ID) })
	}
	s.news = false
	s.mu.Unlock()
	if !news {
		return nil
	}
	err := s.topologies.use(ctx, list)
	if err != nil {
		s.mu.Lock()
		s.news = true
		s.mu.Unlock()
	}
	return err
}

// tally adds a swap to the totals that status and metrics show.
func (s *station) tally(swap *count.Swap) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.figures.Swaps++
	s.figures.SwapTime = s.cfg.Now().Sub(swap.End)
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
		s.lost.Add(w.Loss)
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

// leaveAfter is how long an interface is known after it has gone: until its last
// counts have been handed over.
const leaveAfter = time.Minute

// learn takes a new list of interfaces in. Those that are not in it any more
// are remembered until their last counts are in the journal.
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
			s.leaving[id] = now.Add(leaveAfter)
		case now.After(due):
			delete(s.known, id)
			delete(s.leaving, id)
			delete(s.totals, id)
		}
	}
	s.news = true
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

// status is the page of status; when the station has ended, its last one.
func (s *station) status() control.Status {
	s.mu.Lock()
	final := s.final
	s.mu.Unlock()
	if final != nil {
		return *final
	}
	st := control.Status{
		Process:  control.Process{PID: os.Getpid(), Version: thisBuild().Version, Started: s.started, Data: s.cfg.Data, AccountID: s.cfg.AccountID, Region: s.cfg.Region},
		Journal:  s.journalStatus(),
		FlowLogs: s.subscriptions.status(),
	}
	for interval, made := range s.dispatcher.Made() {
		st.Records = append(st.Records, control.Records{Interval: interval, Open: made.Open, Made: made.Records, NoData: made.NoData, SkipData: made.SkipData})
	}
	slices.SortFunc(st.Records, func(a, b control.Records) int { return int(a.Interval - b.Interval) })
	for _, f := range st.FlowLogs {
		st.Journal.GivenUp.Swaps += f.Skipped.Swaps
		st.Journal.GivenUp.Packets += f.Skipped.Packets
		st.Journal.GivenUp.Bytes += f.Skipped.Bytes
		st.Lost.Records += f.Refused
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	st.Journal.Problem = s.problem
	st.Capture = s.figures
	st.Capture.MaxFlows = s.cfg.MaxFlows
	st.Capture.Occupancy, _ = s.capture.Occupancy() // an error shows in the loop
	for _, t := range s.totals {
		st.Capture.Interfaces = append(st.Capture.Interfaces, *t)
	}
	slices.SortFunc(st.Capture.Interfaces, func(a, b control.Interface) int { return strings.Compare(a.Name+a.ID, b.Name+b.ID) })
	st.Lost.Packets = s.lost.Packets() + st.Journal.GivenUp.Packets
	st.Lost.Bytes = s.lost.Bytes() + st.Journal.GivenUp.Bytes
	if s.cfg.Describe != nil {
		s.cfg.Describe(&st)
	}
	return st
}

func (s *station) journalStatus() control.Journal {
	j := s.journal.Stats(context.Background())
	return control.Journal{
		Place: placeOfJournal(&s.cfg), Swaps: j.Swaps, Flows: j.Flows, Bytes: j.Bytes,
		Stored: j.Stored, MaxBytes: uint64(maxJournal(s.cfg.Settings.Journal)), Oldest: j.Oldest,
		Append: j.Last, Failures: j.Failures, Repeated: j.Skipped, Damaged: j.Damaged, Gaps: j.Gaps,
	}
}

// waiting says what is not delivered, for people; empty when everything is.
func waiting(st *control.Status) string {
	var list []string
	for _, f := range st.FlowLogs {
		if f.Backlog > 0 {
			list = append(list, fmt.Sprintf("%s to %s", f.ID, f.To))
		}
	}
	return strings.Join(list, ", ")
}
