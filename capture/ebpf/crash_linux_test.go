package ebpf

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"weir/vpc"
)

// The process is killed while packets arrive: the kernel counts on, and whoever
// opens next has all of it.
func TestKilledWhileCounting(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	cfg := Config{RunDir: runDirOf(t)}
	other := job{cfg, []vpc.Interface{r.tap}, "nothing"}.start(t)
	r.wire.sendN(100, datagram(1))
	other.kill()
	r.wire.sendN(50, datagram(2))

	c := openFor(t, cfg)
	r.wire.sendN(25, datagram(3)) // before anybody says what to watch
	must(t, c.Watch([]vpc.Interface{r.tap}))
	r.wire.sendN(5, datagram(4))
	got := totals{}
	collect(t, c, got, 180)
	wantTotals(t, totals{"eni-tap in": datagrams(180)}, got)
}

// Killed between Swap and Release: the swap comes again, the same one, and only
// then what was counted since.
func TestKilledBetweenSwapAndRelease(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	cfg := Config{RunDir: runDirOf(t)}
	begin := time.Now()
	other := job{cfg, []vpc.Interface{r.tap}, "nothing"}.start(t)
	r.wire.sendN(30, datagram(1))
	other.kill()
	other = job{cfg, []vpc.Interface{r.tap}, "swap"}.start(t)
	first := other.next()
	wantTotals(t, totals{"eni-tap in": datagrams(30)}, first.Totals)
	r.wire.sendN(12, datagram(2))
	other.kill()

	c := openFor(t, cfg)
	must(t, c.Watch([]vpc.Interface{r.tap}))
	got := totals{}
	again := swap(t, c, got)
	if again.Epoch != first.Epoch {
		t.Errorf("epoch %d comes again, want %d", again.Epoch, first.Epoch)
	}
	wantTotals(t, first.Totals, got)
	now := time.Now()
	if again.Start.Before(begin) || !again.Start.Before(again.End) || again.End.After(now) {
		t.Errorf("the swap is from %v to %v, the test from %v to %v", again.Start, again.End, begin, now)
	}
	for _, f := range again.Flows {
		// The kernel's coarse clock is up to a tick behind.
		if f.Seen.First < again.Start.UnixMilli()-20 || f.Seen.Last > again.End.UnixMilli()+20 {
			t.Errorf("a packet from %v to %v, outside of its swap from %v to %v",
				time.UnixMilli(f.Seen.First), time.UnixMilli(f.Seen.Last), again.Start, again.End)
		}
	}
	collect(t, c, got, 42)
	wantTotals(t, totals{"eni-tap in": datagrams(42)}, got)
}

// A loss without any flow is a swap, too.
func TestKilledWithALossAlone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	cfg := Config{RunDir: runDirOf(t)}
	other := job{cfg, []vpc.Interface{r.tap}, "nothing"}.start(t)
	r.wire.sendN(3, ether(typeIPv4, make([]byte, 10)))
	other.kill()
	other = job{cfg, []vpc.Interface{r.tap}, "swap"}.start(t)
	want := totals{"eni-tap lost": {3, 30}}
	wantTotals(t, want, other.next().Totals)
	other.kill()
	c := openFor(t, cfg)
	must(t, c.Watch([]vpc.Interface{r.tap}))
	got := totals{}
	swap(t, c, got)
	swap(t, c, got)
	wantTotals(t, want, got)
}

// Killed at any moment, again and again, while swaps go on and packets arrive:
// with the epoch as its name, each swap is there once. Whoever was killed while
// releasing may deliver a part of a swap again; the first whole one counts.
func TestKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	cfg := Config{RunDir: runDirOf(t), Settle: time.Millisecond, MaxFlows: 1 << 14}
	journal := map[uint64]totals{}
	keep := func(list ...handed) {
		for _, h := range list {
			if _, ok := journal[h.Epoch]; !ok && h.Epoch != 0 {
				journal[h.Epoch] = h.Totals
			}
		}
	}
	j := job{cfg, []vpc.Interface{r.tap}, "loop"}
	other := j.start(t)
	stream := r.wire.stream(5000)
	random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	for range 8 {
		time.Sleep(time.Duration(random.Int64N(int64(150 * time.Millisecond)))) // any moment
		other.cmd.Process.Kill()
		keep(other.rest()...)
		other.kill()
		other = j.start(t)
	}
	sent := stream.stop()
	other.cmd.Process.Kill()
	keep(other.rest()...)
	other.kill()

	c := openFor(t, cfg)
	must(t, c.Watch([]vpc.Interface{r.tap}))
	for quiet := 0; quiet < 3; { // what is left, and what is still on its way
		s, err := c.Swap()
		must(t, err)
		must(t, c.Release())
		h := handed{s.Epoch, totals{}}
		h.Totals.add(s)
		keep(h)
		if len(s.Flows) == 0 {
			quiet++
		}
	}
	got := totals{}
	for _, h := range journal {
		for at, n := range h {
			got[at] = got[at].plus(n)
		}
	}
	wantTotals(t, totals{"eni-tap in": datagrams(sent)}, got)
	t.Logf("%d packets, %d swaps, 9 kills", sent, len(journal))
}

// Clean ends what a killed capture left: programs, maps, links, mounts.
func TestCleanAfterAKill(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	cfg := Config{RunDir: runDirOf(t)}
	other := job{cfg, []vpc.Interface{r.tap}, "nothing"}.start(t)
	if err := Clean(cfg.RunDir); !errors.Is(err, ErrBusy) {
		t.Errorf("Clean while it captures: %v, want ErrBusy", err)
	}
	c := lookAt(t, cfg)
	if len(c.programs) != 3 || len(c.links) != 3 {
		t.Fatalf("the other process has %d programs and %d links, want 3 and 3", len(c.programs), len(c.links))
	}
	other.kill()
	c.wantThere(t)
	must(t, Clean(cfg.RunDir))
	c.wantGone(t)
	if _, err := os.Stat(cfg.RunDir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the run directory is still there: %v", err)
	}
	must(t, Clean(cfg.RunDir)) // nothing to do is no error
}
