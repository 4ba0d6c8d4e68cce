package deliver

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"weir/vpc/flowlogs"
)

func at(seconds int) time.Time { return t0.Add(time.Duration(seconds) * time.Second) }

// TestEachGetsItsOwn: coverage, traffic types and intervals; a flow log that
// publishes waits for its time, a prompt one does not.
func TestEachGetsItsOwn(t *testing.T) {
	r := newRig(t)
	all := r.subscribe("fl-all", "vpc-1", flowlogs.All, 60, true)
	rejects := r.subscribe("fl-rejects", "subnet-a", flowlogs.Reject, 60, true)
	one := r.subscribe("fl-one", "eni-3", flowlogs.Accept, 60, false)
	long := r.subscribe("fl-long", flowlogs.Everything, flowlogs.All, 600, true)
	r.start()
	for i := range 6 {
		r.journal.append(swapOf(at(10*i), at(10*i+10), uint16(1+i%3), i+1, i%2 == 1))
	}
	r.eventually("an interval of all", func() bool { return len(all.lines()) == 6 })
	r.eventually("an interval of rejects", func() bool { return len(rejects.lines()) == 2 })
	if got := one.lines(); got != nil {
		t.Errorf("published before its time: %q", got)
	}
	r.clock.set(at(61))
	r.eventually("what is published", func() bool { return len(one.lines()) == 1 })
	if got := long.lines(); got != nil {
		t.Errorf("an interval of ten minutes after one: %q", got)
	}
	r.finish()
	want := map[string][]string{
		"all": {
			"2 eni-1 1 1 100 1795276800 1795276809 ACCEPT OK", "2 eni-1 4 4 400 1795276830 1795276839 REJECT OK",
			"2 eni-2 2 2 200 1795276810 1795276819 REJECT OK", "2 eni-2 5 5 500 1795276840 1795276849 ACCEPT OK",
			"2 eni-3 3 3 300 1795276820 1795276829 ACCEPT OK", "2 eni-3 6 6 600 1795276850 1795276859 REJECT OK",
		},
		"rejects": {"2 eni-1 4 4 400 1795276830 1795276839 REJECT OK", "2 eni-2 2 2 200 1795276810 1795276819 REJECT OK"},
		"one":     {"2 eni-3 3 3 300 1795276820 1795276829 ACCEPT OK"},
	}
	want["long"] = want["all"]
	got := map[string][]string{"all": all.lines(), "rejects": rejects.lines(), "one": one.lines(), "long": long.lines()}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("delivered (-want +got):\n%s", diff)
	}
	for _, s := range r.Status() {
		if s.Status != Success || s.Backlog != 0 || s.Waiting != 0 || s.Lag != 0 {
			t.Errorf("status: %+v", s)
		}
	}
}

// TestMostSpecific: with precedence the narrowest flow log alone delivers.
func TestMostSpecific(t *testing.T) {
	r := newRig(t)
	r.change = func(c *Config) { c.MostSpecific = true }
	wide := r.subscribe("fl-wide", "vpc-1", flowlogs.All, 60, true)
	narrow := r.subscribe("fl-narrow", "eni-3", flowlogs.All, 60, true)
	r.start()
	for i := range 6 {
		r.journal.append(swapOf(at(10*i), at(10*i+10), uint16(1+i%3), i+1, false))
	}
	r.finish()
	if len(wide.lines()) != 4 || len(narrow.lines()) != 2 {
		t.Errorf("wide %q, narrow %q", wide.lines(), narrow.lines())
	}
}

// TestTagFields: each flow log has the tags that it asks for.
func TestTagFields(t *testing.T) {
	r := newRig(t)
	plain := r.subscribe("fl-plain", "vpc-1", flowlogs.All, 60, true)
	tagged := r.subscribe("fl-tagged", "vpc-1", flowlogs.All, 60, true)
	for i := range r.logs {
		r.logs[i].Format = "${interface-id} ${packets} ${interface-tag} ${interface-tag-2} ${instance-tag}"
	}
	r.logs[1].TagFields = []flowlogs.TagField{
		{ResourceType: flowlogs.InterfaceTags, Keys: []string{"team", "of"}},
		{ResourceType: "instance", Keys: []string{"team"}},
	}
	r.start()
	for i := range 2 {
		r.journal.append(swapOf(at(30*i), at(30*i+30), uint16(1+i), i+1, false))
	}
	r.finish()
	want := []string{"eni-1 1 net%20ops eni-1 -", "eni-2 2 net%20ops eni-2 -"}
	if diff := cmp.Diff(want, tagged.lines()); diff != "" {
		t.Errorf("with tags (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"eni-1 1 - - -", "eni-2 2 - - -"}, plain.lines()); diff != "" {
		t.Errorf("without (-want +got):\n%s", diff)
	}
}

// TestSlowDestination: one that is down holds nobody up, fails with AWS's
// message, and has everything when it is back.
func TestSlowDestination(t *testing.T) {
	r := newRig(t)
	r.change = func(c *Config) { c.MaxHeld = 2000 }
	good := r.subscribe("fl-good", "vpc-1", flowlogs.All, 60, true)
	bad := r.subscribe("fl-bad", "vpc-1", flowlogs.All, 60, true)
	var down atomic.Bool
	down.Store(true)
	bad.misbehave = func() (error, bool) {
		if down.Load() {
			return &Error{Op: "put", Target: "shelf", Kind: Access, Err: errors.New("no"), Next: "ask for it"}, false
		}
		return nil, true
	}
	r.start()
	for i := range 200 {
		r.journal.append(swapOf(at(30*i), at(30*i+30), 1, i+1, false))
	}
	r.eventually("the good one has all", func() bool { return len(good.lines()) == 200 })
	r.eventually("the bad one fails", func() bool { return r.Status()[0].Status == Failed })
	s := r.Status()[0]
	if s.Message != "Access error" || s.Hint != "ask for it" || s.Backlog < 500 || s.Lag == 0 && s.Waiting == 0 {
		t.Errorf("status: %+v", s)
	}
	if s.Held > 3000 {
		t.Errorf("%d bytes held by one that is down", s.Held)
	}
	if err := r.Reap(t.Context()); err != nil {
		t.Fatal(err)
	}
	if b, _ := r.journal.Bounds(t.Context()); b.First != 1 {
		t.Errorf("the journal begins at %d: what the bad one needs is gone", b.First)
	}
	down.Store(false)
	r.eventually("the bad one has all", func() bool { return len(bad.lines()) == 200 })
	r.finish()
	if got := r.Status()[0]; got.Status != Success || got.Error != "" || got.Totals.Records != 200 {
		t.Errorf("status: %+v", got)
	}
	if checksum(good.lines()) != checksum(bad.lines()) {
		t.Error("they have different records")
	}
}

// TestGivenUp: when the journal is full, the oldest counts are given up as
// SKIPDATA, by the flow logs that did not have them, and by nobody else.
func TestGivenUp(t *testing.T) {
	r := newRig(t)
	r.change = func(c *Config) { c.MaxBytes = 50_000 } // fifty swaps
	good := r.subscribe("fl-good", "vpc-1", flowlogs.All, 60, true)
	bad := r.subscribe("fl-bad", "subnet-a", flowlogs.All, 60, true)
	var down atomic.Bool
	down.Store(true)
	bad.misbehave = func() (error, bool) {
		if down.Load() {
			return errors.New("down"), false
		}
		return nil, true
	}
	r.start()
	for i := range 60 {
		r.journal.append(swapOf(at(30*i), at(30*i+30), uint16(1+i%3), i+1, false))
	}
	r.eventually("the good one has all", func() bool { return len(flows(good.lines())) == 60 })
	if err := r.Reap(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := r.Status()[0].Totals.Skipped
	if s.Swaps != 15 || s.Packets != sumOf(0, 15, func(i int) bool { return i%3 != 2 }) {
		t.Errorf("given up: %+v", s)
	}
	if b, _ := r.journal.Bounds(t.Context()); b.Bytes != 45_000 {
		t.Errorf("the journal has %d bytes", b.Bytes)
	}
	down.Store(false)
	r.finish()
	if got := good.lines(); len(flows(got)) != 60 || strings.Contains(strings.Join(got, "\n"), flowlogSkip) {
		t.Errorf("the good one: %d %q", len(got), got[:2])
	}
	var skipped []string
	packets := uint64(0)
	for _, line := range bad.lines() {
		if strings.Contains(line, flowlogSkip) {
			skipped = append(skipped, line)
			continue
		}
		var version, port, n uint64
		var id string
		if _, err := fmt.Sscan(line, &version, &id, &port, &n); err == nil {
			packets += n
		}
	}
	want := []string{"2 eni-1 - - - 1795276800 1795277249 - SKIPDATA", "2 eni-2 - - - 1795276800 1795277249 - SKIPDATA"}
	if diff := cmp.Diff(want, skipped); diff != "" {
		t.Errorf("what it says is missing (-want +got):\n%s", diff)
	}
	if want := sumOf(15, 60, func(i int) bool { return i%3 != 2 }); packets != want {
		t.Errorf("%d packets delivered, want %d", packets, want)
	}
}

const flowlogSkip = "SKIPDATA"

// flows are the lines that stand for traffic.
func flows(lines []string) (list []string) {
	for _, l := range lines {
		if strings.HasSuffix(l, " OK") {
			list = append(list, l)
		}
	}
	return list
}

func sumOf(from, to int, want func(int) bool) (sum uint64) {
	for i := from; i < to; i++ {
		if want(i) {
			sum += uint64(i + 1)
		}
	}
	return sum
}

// TestFlowLogsComeAndGo: one that is added gets the interval that is open, whole;
// one that is removed leaves nothing in the catalogue.
func TestFlowLogsComeAndGo(t *testing.T) {
	r := newRig(t)
	first := r.subscribe("fl-first", "vpc-1", flowlogs.All, 60, true)
	r.start()
	for i := range 8 {
		r.journal.append(swapOf(at(15*i), at(15*i+15), 1, i+1, false))
	}
	r.eventually("two intervals", func() bool { return len(first.lines()) == 8 })
	r.journal.append(swapOf(at(120), at(135), 1, 9, false))
	r.shelves["fl-second"] = newShelf(true)
	if err := r.Add(t.Context(), flowlogs.FlowLog{ID: "fl-second", ResourceID: "vpc-1", Traffic: flowlogs.All, Interval: 60, Format: testFormat}); err != nil {
		t.Fatal(err)
	}
	r.journal.append(swapOf(at(135), at(180), 1, 10, false))
	second := r.shelves["fl-second"]
	r.eventually("the open interval", func() bool { return len(second.lines()) == 2 })
	if err := r.Remove(t.Context(), "fl-first"); err != nil {
		t.Fatal(err)
	}
	r.finish()
	keys, _ := r.journal.Keys(t.Context(), "delivery.")
	for _, k := range keys {
		if !strings.HasSuffix(k, "fl-second") {
			t.Errorf("left behind: %s", k)
		}
	}
}

// TestWatch: whoever looks on sees what was delivered, when it was.
func TestWatch(t *testing.T) {
	r := newRig(t)
	shelf := r.subscribe("fl-1", "vpc-1", flowlogs.All, 60, true)
	var down atomic.Bool
	down.Store(true)
	shelf.misbehave = func() (error, bool) {
		if down.Load() {
			return errors.New("down"), false
		}
		return nil, true
	}
	r.start()
	ctx, cancel := context.WithCancel(t.Context())
	shown := r.Watch(ctx, []string{"fl-1"})
	for i := range 4 {
		r.journal.append(swapOf(at(15*i), at(15*i+15), 1, i+1, false))
	}
	r.eventually("it fails", func() bool { return r.Status()[0].Status == Failed })
	select {
	case d := <-shown:
		t.Errorf("shown before it was delivered: %q", d.Lines)
	default:
	}
	down.Store(false)
	if d := <-shown; len(d.Lines) != 4 || d.FlowLog.ID != "fl-1" || string(d.Lines[0]) != "2 eni-1 1 1 100 1795276800 1795276814 ACCEPT OK" {
		t.Errorf("shown: %q of %s", d.Lines, d.FlowLog.ID)
	}
	cancel()
	if _, more := <-shown; more {
		t.Error("shown after the end")
	}
	r.finish()
}

// TestNothingLostNothingDoubled: destinations that fail, take and do not say so,
// a catalogue that fails, and ends at any moment; afterwards every flow log has
// each record once.
// A batch that is made again while nothing more comes is delivered all the same:
// its line is behind the pass that waits at the journal's end.
func TestMadeAgainWhenNothingComes(t *testing.T) {
	r := newRig(t)
	s := r.subscribe("fl-all", "vpc-1", flowlogs.All, 60, true)
	r.start()
	serial := 0
	minute := func() {
		for range 3 {
			at := t0.Add(time.Duration(serial) * 30 * time.Second)
			serial++
			r.journal.append(swapOf(at, at.Add(30*time.Second), 1, serial, false))
			r.clock.set(at.Add(30 * time.Second))
		}
	}
	l := r.allLines()[0]
	minute()
	r.eventually("something is delivered", func() bool { return l.committed().Seq > 0 })
	before := l.committed()
	minute()
	r.eventually("more is delivered", func() bool { return l.committed().Seq > before.Seq })
	delivered := len(s.lines())
	l.mu.Lock()
	l.state.Position = before // as if the last batch had to be made again
	l.mu.Unlock()
	l.restart(t.Context(), &batch{}, errors.New("made again"))
	l.lane.catchUp()
	r.eventually("the batch is there again", func() bool { return l.committed().Seq > before.Seq })
	r.finish()
	if got := len(s.lines()); got < delivered {
		t.Errorf("got %d lines, want at least the %d that had been there", got, delivered)
	}
}

func TestNothingLostNothingDoubled(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := newRig(t)
		r.change = func(c *Config) { c.MaxHeld = int64(rapid.SampledFrom([]int{500, 5000, 1 << 20}).Draw(rt, "held")) }
		shelves := []*shelf{
			r.subscribe("fl-all", "vpc-1", flowlogs.All, 60, true),
			r.subscribe("fl-later", "vpc-1", flowlogs.All, 60, false),
			r.subscribe("fl-short", "vpc-1", flowlogs.All, 7, true),
			r.subscribe("fl-long", "vpc-1", flowlogs.All, 600, false),
		}
		fault := rapid.IntRange(0, 4).Draw(rt, "fault")
		var calls atomic.Int64
		for _, s := range shelves {
			s.misbehave = func() (error, bool) {
				if n := calls.Add(1); fault > 0 && n%int64(fault+2) == 0 {
					return errors.New("fault"), n%2 == 0
				}
				return nil, true
			}
		}
		var want uint64
		swaps := 0
		now := t0
		r.start()
		for range rapid.IntRange(1, 6).Draw(rt, "lives") {
			for range rapid.IntRange(0, 40).Draw(rt, "swaps") {
				end := now.Add(time.Duration(rapid.IntRange(1, 45).Draw(rt, "seconds")) * time.Second)
				swaps++
				want += uint64(swaps)
				r.journal.append(swapOf(now, end, uint16(1+swaps%3), swaps, swaps%5 == 0))
				now = end
				r.clock.set(now)
			}
			if rapid.Bool().Draw(rt, "catalogue fails") {
				r.journal.mu.Lock()
				r.journal.fails = 3
				r.journal.mu.Unlock()
			}
			time.Sleep(time.Duration(rapid.IntRange(0, 30).Draw(rt, "ms")) * time.Millisecond)
			switch rapid.IntRange(0, 2).Draw(rt, "end") {
			case 0: // killed, as far as the catalogue can tell
				r.Close()
				r.start()
			case 1: // stopped
				r.finish()
				r.start()
			}
			if err := r.Reap(t.Context()); err != nil {
				rt.Fatal(err)
			}
		}
		r.finish()
		for i, s := range shelves {
			var packets, records uint64
			seen := map[uint64]bool{}
			for _, line := range s.lines() {
				var version, port, n uint64
				var id string
				if _, err := fmt.Sscan(line, &version, &id, &port, &n); err != nil {
					continue // NODATA
				}
				if seen[port] {
					rt.Errorf("%s: doubled: %s", r.logs[i].ID, line)
				}
				seen[port] = true
				packets += n
				records++
			}
			if packets != want || records != uint64(swaps) {
				rt.Errorf("%s: counted %d in %d, delivered %d in %d", r.logs[i].ID, want, swaps, packets, records)
			}
			if s.differed > 0 {
				rt.Errorf("%s: %d objects were overwritten with others", r.logs[i].ID, s.differed)
			}
		}
	})
}
