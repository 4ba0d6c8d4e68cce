package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"weir/control"
	"weir/deliver"
	"weir/flowlog"
	"weir/vpc"
	"weir/vpc/flowlogs"
)

// subscriptions are the flow logs that there are: in the catalogue, and at work.
type subscriptions struct {
	catalogue    deliver.Catalogue
	destinations *destinations
	account      string
	region       string
	now          func() time.Time
	log          *slog.Logger
	dispatcher   *deliver.Dispatcher // nil until begin

	mu       sync.Mutex // guards what follows, and makes one change at a time
	list     []flowlogs.FlowLog
	topology *vpc.Topology // nil: every resource exists
}

const flowLogKey = "flow-logs."

// load reads the catalogue's flow logs.
func (s *subscriptions) load(ctx context.Context) error {
	keys, err := s.catalogue.Keys(ctx, flowLogKey)
	if err != nil {
		return err
	}
	for _, key := range keys {
		var f flowlogs.FlowLog
		if _, err := deliver.Load(ctx, s.catalogue, key, &f); err != nil {
			return err
		}
		if flowLogKey+f.ID != key {
			return fmt.Errorf("catalogue: %s holds the flow log %q", key, f.ID)
		}
		s.list = append(s.list, f)
	}
	return nil
}

func (s *subscriptions) store(ctx context.Context, f flowlogs.FlowLog) error {
	return deliver.Store(ctx, s.catalogue, flowLogKey+f.ID, &f)
}

// all are the flow logs.
func (s *subscriptions) all() []flowlogs.FlowLog {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.list)
}

// intervals are the aggregation intervals in use.
func (s *subscriptions) intervals() []time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []time.Duration
	for _, f := range s.list {
		if i := time.Duration(f.Interval) * time.Second; !slices.Contains(list, i) {
			list = append(list, i)
		}
	}
	if len(list) == 0 {
		list = append(list, defaultAggregation)
	}
	slices.Sort(list)
	return list
}

// describe says which resources there are.
func (s *subscriptions) describe(t *vpc.Topology) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.topology = t
}

// Create implements control.FlowLogs.
func (s *subscriptions) Create(ctx context.Context, r flowlogs.Request) (flowlogs.Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	facts := flowlogs.Facts{
		AccountID: s.account, Region: s.region, Now: s.now().UTC(), MadeBy: flowlogs.ByHand,
		Existing: s.list, Local: true, RemoteBuckets: s.destinations.remote(),
		Probe: func(p flowlogs.Place) error { return s.destinations.probe(ctx, p) },
	}
	if s.topology != nil {
		facts.Topology = s.topology.Index()
	}
	result, err := flowlogs.New(r, facts)
	if err != nil {
		return flowlogs.Result{}, s.withResources(err)
	}
	for i, f := range result.Made {
		if err := s.addLocked(ctx, f); err != nil {
			for _, made := range result.Made[:i] {
				err = errors.Join(err, s.removeLocked(ctx, made.ID))
			}
			return flowlogs.Result{}, err
		}
	}
	return result, nil
}

// shownResources are as many as help to find the one that was meant.
const shownResources = 8

// withResources adds to an error about a resource that does not exist which there
// are.
func (s *subscriptions) withResources(err error) error {
	e, ok := errors.AsType[*flowlogs.Error](err)
	if !ok || s.topology == nil || e.Hint() != "" {
		return err
	}
	var there []string
	add := func(id, name string) {
		if name != "" {
			id += " (" + name + ")"
		}
		there = append(there, id)
	}
	switch e.Code {
	case flowlogs.VPCNotFound:
		for _, v := range s.topology.VPCs {
			add(v.ID, v.Name)
		}
	case flowlogs.SubnetNotFound:
		for _, n := range s.topology.Subnets {
			add(n.ID, n.Name)
		}
	case flowlogs.InterfaceNotFound:
		for _, i := range s.topology.Interfaces {
			add(i.ID, i.Name)
		}
	default:
		return err
	}
	hint := "there is none"
	if len(there) > 0 {
		hint = "there are: " + strings.Join(there[:min(len(there), shownResources)], ", ")
		if more := len(there) - shownResources; more > 0 {
			hint += fmt.Sprintf(" and %d more", more)
		}
	}
	return flowlogs.NewError(e.Code, e.Message, e.Param, hint)
}

// addLocked stores a flow log and begins to deliver it.
func (s *subscriptions) addLocked(ctx context.Context, f flowlogs.FlowLog) error {
	if err := s.store(ctx, f); err != nil {
		return err
	}
	if s.dispatcher != nil {
		if err := s.dispatcher.Add(ctx, f); err != nil {
			return errors.Join(err, s.catalogue.Delete(ctx, flowLogKey+f.ID))
		}
	}
	s.list = append(s.list, f)
	s.log.Info("flow log created", "flow_log", f.ID, "resource", f.ResourceID, "to", flowlogs.Target(f))
	return nil
}

// removeLocked ends a flow log and forgets it.
func (s *subscriptions) removeLocked(ctx context.Context, id string) error {
	if err := s.catalogue.Delete(ctx, flowLogKey+id); err != nil {
		return err
	}
	s.list = slices.DeleteFunc(s.list, func(f flowlogs.FlowLog) bool { return f.ID == id })
	s.log.Info("flow log deleted", "flow_log", id)
	if s.dispatcher == nil {
		return nil
	}
	return s.dispatcher.Remove(ctx, id)
}

// madeElsewhereError is a flow log that would come back if it were deleted by
// hand.
type madeElsewhereError struct{ id, by string }

func (e *madeElsewhereError) Error() string {
	if e.by == flowlogs.ByFile {
		return fmt.Sprintf("flow log %s is declared in the configuration's file", e.id)
	}
	return fmt.Sprintf("flow log %s is the one that weir makes when no file declares any", e.id)
}

func (e *madeElsewhereError) Hint() string {
	if e.by == flowlogs.ByFile {
		return "take it out of the file: weir follows"
	}
	return "start weir with a file that declares its flow logs, such as flow-logs: [] (docs/flow-logs.md)"
}

// Delete implements control.FlowLogs.
func (s *subscriptions) Delete(ctx context.Context, ids []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var missing []string
	for _, id := range ids {
		i := slices.IndexFunc(s.list, func(f flowlogs.FlowLog) bool { return f.ID == id })
		switch {
		case i < 0:
			missing = append(missing, id)
		case s.list[i].MadeBy != flowlogs.ByHand:
			return &madeElsewhereError{id, s.list[i].MadeBy}
		}
	}
	if len(missing) > 0 {
		return flowlogs.NotFound(missing...)
	}
	for _, id := range ids {
		if err := s.removeLocked(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// lastWords is how long what was delivered last is still shown when whoever looks
// on, or Weir, comes to an end.
const lastWords = time.Second

// Watch implements control.FlowLogs.
func (s *subscriptions) Watch(ctx context.Context, ids []string) <-chan control.Delivered {
	out := make(chan control.Delivered)
	in := s.dispatcher.Watch(ctx, ids)
	go func() {
		defer close(out)
		end := make(chan struct{})
		context.AfterFunc(ctx, func() { time.AfterFunc(lastWords, func() { close(end) }) })
		for d := range in {
			shown := control.Delivered{FlowLogID: d.FlowLog.ID, Format: d.FlowLog.Format, Missed: d.Missed}
			for _, line := range d.Lines {
				shown.Lines = append(shown.Lines, string(line))
			}
			select {
			case out <- shown:
			case <-end:
				return
			}
		}
	}()
	return out
}

// plan is what is to be done so that the flow logs that were not made by hand are
// those that are wanted.
func (s *subscriptions) plan(want []flowlogs.FlowLog) flowlogs.Plan {
	return flowlogs.Changes(s.list, want)
}

// reconcile makes the flow logs that were not made by hand those that are wanted.
func (s *subscriptions) reconcile(ctx context.Context, want []flowlogs.FlowLog) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	plan := s.plan(want)
	for _, f := range plan.Delete {
		if err := s.removeLocked(ctx, f.ID); err != nil {
			return err
		}
	}
	for _, f := range plan.Create {
		f.Created = s.now().UTC()
		if err := s.addLocked(ctx, f); err != nil {
			return err
		}
	}
	for _, f := range plan.Update {
		if err := s.store(ctx, f); err != nil {
			return err
		}
		i := slices.IndexFunc(s.list, func(have flowlogs.FlowLog) bool { return have.ID == f.ID })
		s.list[i] = f
	}
	for _, r := range plan.Refused {
		s.log.Error("a declared flow log is not made", "flow_log", r.FlowLog.ID, "to", flowlogs.Target(r.FlowLog), "err", r.Err, "hint", r.Err.Hint())
	}
	return nil
}

// defaultFlowLog is the one that "weir up" and "weir lab" make for themselves.
func defaultFlowLog(account, region, bucket string, format flowlog.Format, interval time.Duration) (flowlogs.FlowLog, error) {
	d, err := flowlogs.ParseTarget("s3://"+bucket, account, region)
	if err != nil {
		return flowlogs.FlowLog{}, err
	}
	r, err := flowlogs.New(flowlogs.Request{
		ResourceIDs: []string{flowlogs.Everything}, ResourceType: flowlogs.EveryInterface, Traffic: flowlogs.All,
		DestinationType: d.Type, Destination: d.ARN, Format: format.String(), Interval: int(interval / time.Second),
	}, flowlogs.Facts{AccountID: account, Region: region, MadeBy: flowlogs.ByDefault, Local: true})
	if err != nil {
		return flowlogs.FlowLog{}, err
	}
	return r.Made[0], nil
}

// statusOf is the page of status of the flow logs.
func (s *subscriptions) status() []control.FlowLog {
	if s.dispatcher == nil {
		return nil
	}
	made := map[string]flowlogs.FlowLog{}
	for _, f := range s.all() {
		made[f.ID] = f
	}
	var list []control.FlowLog
	for _, d := range s.dispatcher.Status() {
		t := d.Totals
		f := control.FlowLog{
			FlowLog: made[d.FlowLog.ID], To: flowlogs.Target(d.FlowLog),
			Status: d.Status, Message: d.Message, Error: d.Error, Hint: d.Hint, FailedSince: d.FailedSince,
			LastDelivery: t.Last, Delivered: t.LastEnd, Lag: d.Lag, Backlog: d.Backlog, Waiting: d.Waiting, Held: d.Held,
			Records: t.Records, Bytes: t.Bytes, Parts: t.Parts, Retries: t.Retries, Doubtful: t.Doubtful, Refused: t.Refused,
			Skipped: control.Skipped(t.Skipped),
		}
		list = append(list, f)
	}
	slices.SortFunc(list, func(a, b control.FlowLog) int {
		return cmp.Or(a.Created.Compare(b.Created), strings.Compare(a.ID, b.ID))
	})
	return list
}
