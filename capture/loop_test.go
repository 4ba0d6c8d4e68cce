package capture

import (
	"cmp"
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"weir/count"
	"weir/vpc"
)

func every(list ...time.Duration) func() []time.Duration {
	return func() []time.Duration { return list }
}

type fakeSource struct {
	occupancy atomic.Uint64 // in hundredths
	left      int           // swaps that an earlier run left behind
	ahead     time.Duration // how far those end in the future: the clock was set back
	swaps     []time.Time
	released  int
	watched   [][]vpc.Interface
}

func (f *fakeSource) Swap() (*count.Swap, error) {
	s := &count.Swap{Epoch: uint64(len(f.swaps)), End: time.Now()}
	if f.left > 0 {
		f.left--
		s.End = s.End.Add(cmp.Or(f.ahead, -time.Hour))
	}
	f.swaps = append(f.swaps, time.Now())
	f.occupancy.Store(0)
	return s, nil
}
func (f *fakeSource) Release() error                { f.released++; return nil }
func (f *fakeSource) Occupancy() (float64, error)   { return float64(f.occupancy.Load()) / 100, nil }
func (f *fakeSource) Watch(l []vpc.Interface) error { f.watched = append(f.watched, l); return nil }

func TestLoopSwapsAtEveryBoundaryAndPeriod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &fakeSource{}
		var got int
		l := NewLoop(Config{Intervals: every(time.Minute)}, src, func(context.Context, *count.Swap) error { got++; return nil })
		time.Sleep(3 * time.Second) // not at a boundary
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		if err := l.Run(ctx, nil); err != nil {
			t.Fatal(err)
		}
		boundaries := map[time.Time]bool{}
		for i, at := range src.swaps {
			if at.Equal(at.Truncate(time.Minute)) {
				boundaries[at] = true
			}
			if i > 0 && at.Sub(src.swaps[i-1]) > 15*time.Second {
				t.Errorf("%v between two swaps", at.Sub(src.swaps[i-1]))
			}
		}
		if len(boundaries) != 5 {
			t.Errorf("%d swaps at the end of an interval in 5 minutes: %v", len(boundaries), src.swaps)
		}
		if got != len(src.swaps) || src.released != got {
			t.Errorf("%d swaps, %d taken, %d released", len(src.swaps), got, src.released)
		}
		if last := src.swaps[len(src.swaps)-1]; !last.Equal(time.Now()) {
			t.Errorf("no swap at the end: the last was at %v, now %v", last, time.Now())
		}
	})
}

func TestLoopSwapsWhenFillingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &fakeSource{}
		l := NewLoop(Config{Intervals: every(time.Minute)}, src, func(context.Context, *count.Swap) error { return nil })
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		go func() {
			time.Sleep(time.Second)
			src.occupancy.Store(61)
		}()
		if err := l.Run(ctx, nil); err != nil {
			t.Fatal(err)
		}
		if len(src.swaps) != 2 { // the early one and the last one
			t.Fatalf("swaps at %v", src.swaps)
		}
	})
}

func TestLoopStopsAfterItsOwnSwap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for left, want := range []int{1, 2} {
			src := &fakeSource{left: left}
			l := NewLoop(Config{Intervals: every(time.Minute)}, src, func(context.Context, *count.Swap) error { return nil })
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if err := l.Run(ctx, nil); err != nil {
				t.Fatal(err)
			}
			if len(src.swaps) != want || src.released != want {
				t.Errorf("%d left behind: %d swaps, %d released, want %d", left, len(src.swaps), src.released, want)
			}
		}
	})
}

// What an earlier run left behind ends in the future when the clock has been set
// back since: it is not what was counted until now.
func TestLoopStopsAfterItsOwnSwapWhenTheClockWasSetBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &fakeSource{left: 1, ahead: time.Hour}
		l := NewLoop(Config{Intervals: every(time.Minute)}, src, func(context.Context, *count.Swap) error { return nil })
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := l.Run(ctx, nil); err != nil {
			t.Fatal(err)
		}
		if len(src.swaps) != 2 || src.released != 2 {
			t.Errorf("%d swaps, %d released, want 2: what is counted now is still in the kernel", len(src.swaps), src.released)
		}
	})
}

func TestLoopKeepsWhatTheSinkRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &fakeSource{}
		full := errors.New("disk full")
		began := time.Now()
		l := NewLoop(Config{Intervals: every(time.Minute)}, src, func(context.Context, *count.Swap) error { return full })
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := l.Run(ctx, nil); !errors.Is(err, full) {
			t.Errorf("error %v, want the sink's", err)
		} else if _, ok := errors.AsType[*NotTakenError](err); !ok {
			t.Errorf("%T", err)
		}
		if src.released != 0 || len(src.swaps) != 1 {
			t.Errorf("%d swaps, %d released of what nobody took", len(src.swaps), src.released)
		}
		if took := time.Since(began); took != lastly {
			t.Errorf("it insisted for %v", took)
		}
	})
}

// TestLoopGivesTheSameSwapAgain: while the sink does not take a swap there is no
// other, and the source counts on; nothing is left out afterwards.
func TestLoopGivesTheSameSwapAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &fakeSource{}
		var taken []uint64
		ready := time.Now().Add(30 * time.Second)
		l := NewLoop(Config{Intervals: every(time.Minute, 10*time.Minute)}, src, func(_ context.Context, s *count.Swap) error {
			if time.Now().Before(ready) {
				return errors.New("not yet")
			}
			taken = append(taken, s.Epoch)
			return nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		go func() {
			time.Sleep(12 * time.Second)
			src.occupancy.Store(90) // it fills up meanwhile
		}()
		if err := l.Run(ctx, nil); err != nil {
			t.Fatal(err)
		}
		if len(taken) < 4 || src.released != len(taken) || len(src.swaps) != len(taken) {
			t.Errorf("%v taken of %d, %d released", taken, len(src.swaps), src.released)
		}
		for i, e := range taken {
			if e != uint64(i) {
				t.Fatalf("%v taken: one is missing or twice", taken)
			}
		}
	})
}

func TestLoopWatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &fakeSource{}
		l := NewLoop(Config{Intervals: every(time.Minute)}, src, func(context.Context, *count.Swap) error { return nil })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		lists := make(chan []vpc.Interface)
		go func() { lists <- []vpc.Interface{{ID: "eni-1"}} }()
		if err := l.Run(ctx, lists); err != nil {
			t.Fatal(err)
		}
		if len(src.watched) != 1 || src.watched[0][0].ID != "eni-1" {
			t.Errorf("watched %v", src.watched)
		}
	})
}

func TestUntil(t *testing.T) {
	at := func(s string) time.Time {
		v, err := time.Parse("15:04:05.000", s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, tt := range []struct {
		now      string
		interval time.Duration
		want     time.Duration
	}{
		{"10:00:00.000", time.Minute, 10 * time.Second},
		{"10:00:46.000", time.Minute, 14 * time.Second}, // the rest is too short for a swap of its own
		{"10:00:44.000", time.Minute, 10 * time.Second},
		{"10:00:59.999", time.Minute, time.Millisecond},
		{"10:00:00.000", 10 * time.Second, 10 * time.Second},
		{"10:00:00.500", time.Second, 500 * time.Millisecond},
		{"10:09:58.000", 10 * time.Minute, 2 * time.Second},
	} {
		if got := until(at(tt.now), tt.interval, 10*time.Second); got != tt.want {
			t.Errorf("until(%s, %v) = %v, want %v", tt.now, tt.interval, got, tt.want)
		}
	}
}
