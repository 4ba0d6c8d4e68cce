package aggregate

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"weir/count"
	"weir/flowlog"
	"weir/policy"
)

// TestCarryOn: an aggregator that begins at any boundary with what was carried
// over makes the same records and the same boundaries as the one that went on.
func TestCarryOn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var swaps []*count.Swap
		now := 0.0
		for range rapid.IntRange(1, 25).Draw(t, "swaps") {
			end := now + rapid.Float64Range(0.1, 70).Draw(t, "length")
			s := swap(now, end, far())
			s.Interfaces[0].Active = true
			for range rapid.IntRange(0, 4).Draw(t, "flows") {
				door := rapid.SampledFrom([]policy.Door{policy.Entering, policy.Leaving}).Draw(t, "door")
				f := count.Flow{Key: k(1, door, "10.0.1.10", "198.51.100.7", uint16(len(s.Flows)), 80)}
				f.Seen = plus(f.Seen, rapid.Uint64Range(0, 5).Draw(t, "seen"), now)
				f.Refused = plus(f.Refused, rapid.Uint64Range(0, 5).Draw(t, "refused"), now) // also more than were seen
				if f.Seen.Packets+f.Refused.Packets > 0 {
					s.Flows = append(s.Flows, f)
				}
			}
			swaps = append(swaps, s)
			now = end
			if rapid.IntRange(0, 9).Draw(t, "clock") == 0 {
				now += rapid.Float64Range(-4000, 4000).Draw(t, "step")
			}
		}

		// run feeds the swaps from one on; it tells what each boundary had.
		type boundary struct {
			next  int // swap
			carry string
			lines []string
		}
		run := func(first int, carry []byte) (all []boundary) {
			a := New(Config{Interval: time.Minute, Topology: Always(lab)})
			if err := a.Restore(carry); err != nil {
				t.Fatal(err)
			}
			var records []flowlog.Record
			mark := func(next int) {
				all = append(all, boundary{next, string(a.Carry()), lines(records)})
				records = nil
			}
			for i := first; i < len(swaps); i++ {
				if a.Turn(swaps[i], collect(&records)) {
					mark(i)
				}
				if a.Take(swaps[i], collect(&records)) {
					mark(i + 1)
				}
			}
			return all
		}
		whole := run(0, nil)
		for i, b := range whole {
			if diff := cmp.Diff(whole[i+1:], run(b.next, []byte(b.carry)), cmp.AllowUnexported(boundary{})); diff != "" && i+1 < len(whole) {
				t.Fatalf("from boundary %d on (-went on +restored):\n%s", i, diff)
			}
		}
	})
}

func TestRestoreRefuses(t *testing.T) {
	a := New(Config{Interval: time.Minute, Topology: Always(lab)})
	f := count.Flow{Key: k(1, policy.Entering, "10.0.1.10", "198.51.100.7", 1, 2), Refused: tally(1, 1, 1, 0)}
	a.Add(swap(0, 60, far(), f), func(*flowlog.Record) {})
	good := a.Carry()
	if len(good) == 0 {
		t.Fatal("nothing is owed")
	}
	for n := range good {
		if n == 0 {
			continue // nothing was carried over
		}
		if err := New(a.cfg).Restore(good[:n]); err == nil && n > 1 {
			t.Errorf("%d of %d bytes are taken", n, len(good))
		}
	}
	if err := New(a.cfg).Restore([]byte{9, 1, 2}); err == nil {
		t.Error("another version is taken")
	}
}
