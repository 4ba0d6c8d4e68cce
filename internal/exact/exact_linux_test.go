package exact

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"weir/aggregate"
	"weir/capture/ebpf"
	"weir/count"
	"weir/flowlog"
	"weir/vpc"
)

// duration is how long traffic runs. The issue of the matter is rare races, so
// it is not short; WEIR_EXACT_FOR makes it longer.
func duration(t *testing.T) time.Duration {
	if s := os.Getenv("WEIR_EXACT_FOR"); s != "" {
		d, err := time.ParseDuration(s)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	if testing.Short() {
		return 4 * time.Second
	}
	return 32 * time.Second
}

func TestRecordsEqualTheWire(t *testing.T) {
	for _, setting := range []struct {
		name       string
		namespaces []string
		build      func(*rig) run
	}{
		{"routed", []string{"r", "a", "b"}, routed},
		{"bridge", []string{"r", "a", "b", "c"}, bridged},
		{"own-card", []string{"h", "p"}, host},
	} {
		t.Run(setting.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, "wx-"+setting.name[:2], setting.namespaces...)
			traffic := setting.build(r)
			for _, f := range r.neighbours {
				f()
			}
			compare(t, r, traffic)
		})
	}
}

// totals is what the records of one direction of one interface add up to.
type totals struct{ accepted, rejected sum }

type sum struct{ packets, bytes uint64 }

// reader is the part of Weir that is restarted: it captures and aggregates.
type reader struct {
	t       *testing.T
	r       *rig
	cfg     ebpf.Config
	capture *ebpf.Capture
	totals  map[side]*totals
	records int
	agg     *aggregate.Aggregator
	swaps   int
	flows   int
	slowest time.Duration
}

func (rd *reader) Interface(id string) (*vpc.Interface, bool) {
	for i := range rd.r.interfaces {
		if rd.r.interfaces[i].ID == id {
			return &rd.r.interfaces[i], true
		}
	}
	return nil, false
}

func (rd *reader) open() {
	rd.t.Helper()
	c, err := ebpf.Open(rd.cfg)
	rd.r.must(err)
	rd.capture = c
	rd.r.must(c.Watch(rd.r.interfaces))
	rd.agg = aggregate.New(aggregate.Config{Interval: 2 * time.Second, Topology: aggregate.Always(rd)})
}

// swap hands over once; the interval ends when a swap reaches its end, as in
// the program.
func (rd *reader) swap() *count.Swap {
	rd.t.Helper()
	begin := time.Now()
	s, err := rd.capture.Swap()
	rd.r.must(err)
	rd.agg.Add(s, rd.keep)
	rd.r.must(rd.capture.Release())
	rd.slowest = max(rd.slowest, time.Since(begin))
	rd.swaps++
	rd.flows += len(s.Flows)
	for _, i := range s.Interfaces {
		if i.Loss != (count.Loss{}) {
			rd.t.Errorf("%s lost %+v", i.ID, i.Loss)
		}
	}
	return s
}

// keep adds a record to the totals of its side.
func (rd *reader) keep(rec *flowlog.Record) {
	rd.records++
	if rec.LogStatus == flowlog.SkipData {
		rd.t.Errorf("SKIPDATA at %s", rec.InterfaceID)
	}
	if rec.LogStatus != flowlog.OK {
		return
	}
	s := side{rec.InterfaceID, rec.Direction}
	if rd.totals[s] == nil {
		rd.totals[s] = &totals{}
	}
	into := &rd.totals[s].accepted
	if rec.Action == flowlog.Reject {
		into = &rd.totals[s].rejected
	}
	into.packets += uint64(rec.Packets)
	into.bytes += uint64(rec.Bytes)
}

// restart ends the reader, leaves the kernel counting for a moment, and begins
// another one.
func (rd *reader) restart() {
	rd.t.Helper()
	rd.swap()
	rd.agg.Flush(rd.keep)
	rd.r.must(rd.capture.Close(true))
	time.Sleep(500 * time.Millisecond)
	rd.open()
}

// quiet swaps until nothing moves on the wires between two looks, and sets the
// witnesses' beginning there.
func (rd *reader) quiet() {
	rd.t.Helper()
	for range 100 {
		rd.look()
		before := append([]wire(nil), rd.r.wires...)
		rd.swap()
		rd.look()
		same := true
		for i := range before {
			same = same && before[i] == rd.r.wires[i]
		}
		if same {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	rd.t.Fatal("the wires do not come to rest")
}

func (rd *reader) look() {
	for i := range rd.r.wires {
		w := &rd.r.wires[i]
		w.packets0, w.bytes0 = rd.r.wirePackets(w)
	}
}

func compare(t *testing.T, r *rig, traffic run) {
	rd := &reader{t: t, r: r, totals: map[side]*totals{}, cfg: ebpf.Config{RunDir: filepath.Join(t.TempDir(), "run")}}
	rd.open()
	closed := false
	defer func() {
		if !closed {
			_ = rd.capture.Close(false)
		}
	}()
	for _, ns := range r.ns {
		script{TCP: []int{5001}, UDP: []int{5002, 5003}}.start(t, ns)
	}
	// A bridge must have learned where everybody is, or it floods.
	var waits []func()
	for name, streams := range traffic {
		var pings []stream
		for _, s := range streams {
			if s.Kind == "ping" {
				pings = append(pings, s)
			}
		}
		wait, _ := script{Flows: pings, Seconds: 0.3}.start(t, r.ns[name])
		waits = append(waits, wait)
	}
	for _, wait := range waits {
		wait()
	}
	rd.quiet()
	start := append([]wire(nil), r.wires...)
	refused0 := map[string]map[string][2]uint64{}
	for _, ref := range r.refusals {
		refused0[ref.ns] = r.counters(ref.ns)
	}
	rd.totals, rd.records, rd.swaps, rd.flows = map[side]*totals{}, 0, 0, 0
	rd.agg = aggregate.New(aggregate.Config{Interval: 2 * time.Second, Topology: aggregate.Always(rd)})

	// Traffic, with a swap at least every second and a restart in the middle.
	d := duration(t)
	begin := time.Now()
	waits = nil
	for name, streams := range traffic {
		wait, _ := script{Flows: streams, Seconds: d.Seconds()}.start(t, r.ns[name])
		waits = append(waits, wait)
	}
	restarted := false
	for time.Since(begin) < d {
		time.Sleep(300 * time.Millisecond)
		rd.swap()
		if !restarted && time.Since(begin) > d/2 {
			rd.restart()
			restarted = true
		}
	}
	for _, wait := range waits {
		wait()
	}
	rd.quiet()
	rd.agg.Flush(rd.keep)
	if rd.swaps < 20 && !testing.Short() {
		t.Errorf("%d swaps, want at least 20", rd.swaps)
	}
	t.Logf("%d swaps, one restart, %d flows, %d records, slowest swap %v", rd.swaps, rd.flows, rd.records, rd.slowest.Round(time.Millisecond))

	got := rd.totals
	refused := map[side]sum{}
	for _, ref := range r.refusals {
		now := r.counters(ref.ns)[ref.counter]
		was := refused0[ref.ns][ref.counter]
		n := now[0] - was[0]
		if n == 0 {
			t.Errorf("nothing was refused at %s: the rig does not test it", ref.counter)
		}
		s := refused[ref.side]
		s.packets += n * ref.pieces
		s.bytes += now[1] - was[1] + n*ref.overhead
		refused[ref.side] = s
	}
	for i := range r.wires {
		w, w0 := &r.wires[i], &start[i]
		g := got[w.side]
		if g == nil {
			t.Errorf("%v: no records", w.side)
			continue
		}
		wire := sum{w.packets0 - w0.packets0, w.bytes0 - w0.bytes0}
		record := g.accepted
		if w.refused {
			record.packets += g.rejected.packets
			record.bytes += g.rejected.bytes
		}
		verdict := "equal"
		if record != wire {
			verdict = "DIFFERENT"
			t.Errorf("%s %v: records %+v, wire %+v: %+d packets, %+d bytes", w.side.id, w.side.dir, record, wire,
				int64(record.packets-wire.packets), int64(record.bytes-wire.bytes))
		}
		t.Logf("%-7s %-8v wire:    records %10d packets %14d bytes, pfifo %10d packets %14d bytes: %s",
			w.side.id, w.side.dir, record.packets, record.bytes, wire.packets, wire.bytes, verdict)
		if want, ok := refused[w.side]; ok || g.rejected.packets > 0 {
			verdict = "equal"
			if g.rejected != want {
				verdict = "DIFFERENT"
				t.Errorf("%s %v: REJECT records %+v, nft %+v", w.side.id, w.side.dir, g.rejected, want)
			}
			t.Logf("%-7s %-8v refused: records %10d packets %14d bytes, nft   %10d packets %14d bytes: %s",
				w.side.id, w.side.dir, g.rejected.packets, g.rejected.bytes, want.packets, want.bytes, verdict)
		}
	}
	closed = true
	r.must(rd.capture.Close(false))
}
