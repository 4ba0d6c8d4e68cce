package deliver

import (
	"errors"
	"time"

	"weir/vpc/flowlogs"
)

// Values of DeliverLogsStatus.
const (
	Success = "SUCCESS"
	Failed  = "FAILED"
)

// Status is how a flow log's delivery goes.
type Status struct {
	FlowLog flowlogs.FlowLog
	To      string // the destination, for people
	Totals  Totals
	// Status is Success or Failed; Message is AWS's when it failed, Error and Hint
	// are ours. It is Success again as soon as something was delivered.
	Status, Message string
	Error, Hint     string
	FailedSince     time.Time
	// Waiting are the records that are encoded and wait, and Held the memory that
	// they take; what is not read from the journal yet is neither.
	Waiting int64
	Held    int64
	// Backlog is how many messages of the journal the flow log has not delivered.
	Backlog uint64
	// Lag is how long ago the oldest interval ended that is not delivered.
	Lag time.Duration
}

// Status are all flow logs, by id.
func (d *Dispatcher) Status() []Status {
	var list []Status
	for _, l := range d.allLines() {
		list = append(list, l.status())
	}
	return list
}

func (l *line) status() Status {
	l.lane.mu.Lock()
	behind := l.pass == nil || l.pass != l.lane.live
	l.lane.mu.Unlock()
	last := l.d.last.Load()

	l.mu.Lock()
	defer l.mu.Unlock()
	s := Status{
		FlowLog: l.log, To: l.dest.String(), Totals: l.state.Totals, Status: Success,
		Held: l.heldOpen + l.heldSealed,
	}
	s.Totals.Retries = l.retries
	now := l.d.cfg.Now()
	if last > l.state.Position.Seq {
		s.Backlog = last - l.state.Position.Seq
	}
	oldest := l.open.firstEnd
	if l.sealed != nil {
		s.Waiting += l.sealed.records
		oldest = l.sealed.firstEnd
	}
	if !l.filling { // else it is the pass's
		s.Waiting += l.open.records
	}
	if behind && oldest.IsZero() && s.Backlog > 0 {
		oldest = l.state.Totals.LastEnd
	}
	if !oldest.IsZero() {
		s.Lag = max(0, now.Sub(oldest))
	}
	if err := l.failure.err; err != nil {
		kind := Unknown
		if e, ok := errors.AsType[*Error](err); ok {
			kind, s.Hint = e.Kind, e.Next
		}
		s.Status, s.Message, s.Error, s.FailedSince = Failed, kind.String(), err.Error(), l.failure.since
	}
	return s
}

// Made is what the aggregation has made, by the length of its interval.
func (d *Dispatcher) Made() map[time.Duration]Made {
	all := map[time.Duration]Made{}
	for _, n := range d.allLanes() {
		n.mu.Lock()
		all[n.interval] = n.made
		n.mu.Unlock()
	}
	return all
}
