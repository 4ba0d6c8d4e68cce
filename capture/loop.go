package capture

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"weir/count"
	"weir/vpc"
)

// Source is where counts come from.
type Source interface {
	// Swap hands over what was counted since the last one.
	Swap() (*count.Swap, error)
	// Release says that the last swap is safe; the source may forget it.
	Release() error
	// Occupancy is how full the source is, from 0 to 1.
	Occupancy() (float64, error)
	// Watch makes the source count at exactly these interfaces.
	Watch([]vpc.Interface) error
}

// Sink takes a swap. When it returns nil the swap is its own. When it fails it is
// given the same swap again, until it takes it: the source keeps it, and goes on
// counting meanwhile.
type Sink func(context.Context, *count.Swap) error

// Config says when to swap.
type Config struct {
	// Intervals are the aggregation intervals in use: there is a swap at each end
	// of each. Called before every wait; there is at least one.
	Intervals func() []time.Duration
	Period    time.Duration    // and a swap at least this often; 0 means 10 s
	FillUp    float64          // and when the source is this full; 0 means 0.6
	Now       func() time.Time // the clock of the intervals; nil is time.Now
	Log       *slog.Logger
}

const (
	defaultPeriod = 10 * time.Second
	defaultFillUp = 0.6
	// look is how often the occupancy is looked at. At 0.6 of 131,072 flows, the
	// rest fills up in this time at half a million new flows a second.
	look = 100 * time.Millisecond
	// again is how long a sink is left alone that did not take a swap.
	again = 200 * time.Millisecond
	// lastly is how long the loop insists at its end.
	lastly = 10 * time.Second
)

// Loop owns the waiting of the capture: it swaps when it is time and gives the
// swap to the sink. Its zero value is not ready for use; see [NewLoop].
type Loop struct {
	cfg    Config
	source Source
	sink   Sink
	held   *count.Swap // that the sink has not taken
	failed error       // why, as it was logged
}

// NewLoop makes a loop that has not begun.
func NewLoop(cfg Config, source Source, sink Sink) *Loop {
	if cfg.Period <= 0 {
		cfg.Period = defaultPeriod
	}
	if cfg.FillUp <= 0 {
		cfg.FillUp = defaultFillUp
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Loop{cfg: cfg, source: source, sink: sink}
}

// NotTakenError means that the loop has ended with a swap that the sink did not
// take. The source has it still.
type NotTakenError struct {
	Epoch uint64
	Err   error
}

func (e *NotTakenError) Error() string {
	return fmt.Sprintf("swap %d was not taken, the kernel keeps it: %v", e.Epoch, e.Err)
}

func (e *NotTakenError) Unwrap() error { return e.Err }

// Hint is what to do.
func (e *NotTakenError) Hint() string {
	return "mend what it says and start weir again: it picks up what the kernel has counted"
}

// Run swaps until ctx is done, and once more then, so that nothing counted is
// left; a sink that does not take it is asked for ten seconds, and then the error
// is a [*NotTakenError]. Lists that come from interfaces are what is watched from
// then on; a list may name devices that are gone already, which is no failure.
func (l *Loop) Run(ctx context.Context, interfaces <-chan []vpc.Interface) error {
	next := time.NewTimer(l.wait())
	defer next.Stop()
	occupancy := time.NewTicker(look)
	defer occupancy.Stop()
	for {
		select {
		case <-ctx.Done():
			return l.last(context.WithoutCancel(ctx))
		case list := <-interfaces:
			if err := l.source.Watch(list); err != nil {
				l.cfg.Log.Warn("cannot watch every interface", "err", err)
			}
			continue
		case <-occupancy.C:
			if l.held != nil {
				continue
			}
			full, err := l.source.Occupancy()
			if err != nil {
				return err
			}
			if full < l.cfg.FillUp {
				continue
			}
			l.cfg.Log.Info("swapping early, the table fills up", "occupancy", fmt.Sprintf("%.2f", full))
		case <-next.C:
		}
		if _, err := l.swap(ctx); err != nil {
			return err
		}
		next.Reset(l.wait())
	}
}

// last brings home what was counted until now. The first swaps may be one that
// the sink did not take and one that an earlier run left behind, which may end in
// the future when the clock has been set back; what was counted since comes with
// the next.
func (l *Loop) last(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, lastly)
	defer cancel()
	now := l.cfg.Now()
	for taken := 0; taken < 3; {
		s, err := l.swap(ctx)
		switch {
		case err != nil:
			return err
		case s != nil && !s.End.Before(now) && !s.End.After(l.cfg.Now()):
			return nil // it was begun by this call
		case s != nil:
			taken++
			continue
		}
		select {
		case <-ctx.Done():
			return &NotTakenError{l.held.Epoch, l.failed}
		case <-time.After(again):
		}
	}
	return nil
}

// swap gives a swap to the sink: the one that it did not take, or a new one. It
// returns nil when the sink did not take it.
func (l *Loop) swap(ctx context.Context) (*count.Swap, error) {
	if l.held == nil {
		s, err := l.source.Swap()
		if err != nil {
			return nil, err
		}
		l.held = s
	}
	if err := l.sink(ctx, l.held); err != nil {
		if ctx.Err() == nil && (l.failed == nil || l.failed.Error() != err.Error()) {
			l.cfg.Log.Error("counts cannot be stored; the kernel keeps them and counts on", "epoch", l.held.Epoch, "err", err)
		}
		l.failed = err
		return nil, nil
	}
	if l.failed != nil {
		l.cfg.Log.Info("counts are stored again", "epoch", l.held.Epoch)
	}
	s := l.held
	l.held, l.failed = nil, nil
	return s, l.source.Release()
}

// wait is how long until the next swap.
func (l *Loop) wait() time.Duration {
	if l.held != nil {
		return again
	}
	now := l.cfg.Now()
	shortest := time.Duration(0)
	for _, i := range l.cfg.Intervals() {
		if d := until(now, i, l.cfg.Period); shortest == 0 || d < shortest {
			shortest = d
		}
	}
	return shortest
}

// until is how long to wait for the next swap: to the end of the interval, but
// no longer than the period. A rest shorter than half a period is joined to the
// wait before it.
func until(now time.Time, interval, period time.Duration) time.Duration {
	end := now.Truncate(interval).Add(interval)
	left := end.Sub(now)
	if left < period*3/2 {
		return left
	}
	return period
}
