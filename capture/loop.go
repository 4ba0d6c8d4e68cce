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

// Sink takes a swap. When it returns nil the swap is its own.
type Sink func(*count.Swap) error

// Config says when to swap.
type Config struct {
	Interval time.Duration // aggregation interval: a swap at each of its ends
	Period   time.Duration // and at least this often; 0 means 10 s
	FillUp   float64       // and when the source is this full; 0 means 0.6
	Log      *slog.Logger
}

const (
	defaultPeriod = 10 * time.Second
	defaultFillUp = 0.6
	// look is how often the occupancy is looked at. At 0.6 of 131,072 flows, the
	// rest fills up in this time at half a million new flows a second.
	look = 100 * time.Millisecond
)

// Loop owns the waiting of the capture: it swaps when it is time and gives the
// swap to the sink. Its zero value is not ready for use; see [NewLoop].
type Loop struct {
	cfg    Config
	source Source
	sink   Sink
}

// NewLoop makes a loop that has not begun.
func NewLoop(cfg Config, source Source, sink Sink) *Loop {
	if cfg.Period <= 0 {
		cfg.Period = defaultPeriod
	}
	if cfg.FillUp <= 0 {
		cfg.FillUp = defaultFillUp
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Loop{cfg, source, sink}
}

// Run swaps until ctx is done, and once more then, so that nothing counted is
// left. Lists that come from interfaces are what is watched from then on; a
// list may name devices that are gone already, which is no failure.
func (l *Loop) Run(ctx context.Context, interfaces <-chan []vpc.Interface) error {
	last := time.Now()
	next := time.NewTimer(until(last, l.cfg.Interval, l.cfg.Period))
	defer next.Stop()
	occupancy := time.NewTicker(look)
	defer occupancy.Stop()
	for {
		select {
		case <-ctx.Done():
			return l.last()
		case list := <-interfaces:
			if err := l.source.Watch(list); err != nil {
				l.cfg.Log.Warn("cannot watch every interface", "err", err)
			}
			continue
		case <-occupancy.C:
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
		if _, err := l.swap(); err != nil {
			return err
		}
		next.Reset(until(time.Now(), l.cfg.Interval, l.cfg.Period))
	}
}

// last brings home what was counted until now. The first swap may be one that an
// earlier run left behind; what this one counted comes with the next.
func (l *Loop) last() error {
	now := time.Now()
	s, err := l.swap()
	if err != nil {
		return err
	}
	if s.End.Before(now) {
		_, err = l.swap()
	}
	return err
}

func (l *Loop) swap() (*count.Swap, error) {
	s, err := l.source.Swap()
	if err != nil {
		return nil, err
	}
	if err := l.sink(s); err != nil {
		return nil, fmt.Errorf("swap %d was not taken, the kernel keeps it: %w", s.Epoch, err)
	}
	return s, l.source.Release()
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
