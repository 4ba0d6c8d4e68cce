package ebpf

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"weir/count"
)

// Both doors and every CPU count as fast as they can while the maps are handed
// over without a pause: nothing is lost and nothing is there twice. This is a
// small version of the 120 million packets of the specification (capture, C3).
func TestNothingIsLostWhileSwapping(t *testing.T) {
	const seconds, flows = 3, 4096
	m := newMachine(t, 2*flows)
	c := m.capture
	c.watched[ethernetDevice] = &watched{id: "eni-test", index: 1}

	type work struct {
		prog   *ebpf.Program
		packet []byte
	}
	progs, err := c.load(ethernetDevice.Netns, flows, weirProgWeirEntering, weirProgWeirLeaving)
	must(t, err)
	defer progs[weirProgWeirEntering].Close()
	defer progs[weirProgWeirLeaving].Close()
	work4 := work{progs[weirProgWeirEntering], udpPacket(false)} // spread over many flows
	out4 := work{progs[weirProgWeirLeaving], udpPacket(false)}
	work6 := work{m.ethernet, udpPacket(true)} // all of one flow

	var sent atomic.Uint64
	var wg sync.WaitGroup
	end := time.Now().Add(seconds * time.Second)
	for i := range max(3, runtime.NumCPU()) {
		w := []work{work4, work6, out4}[i%3]
		wg.Go(func() {
			// A signal, as the runtime sends them, cuts a test run short, which
			// is then begun anew: nobody would know how many packets there were.
			runtime.LockOSThread() // no unlock: the thread ends with its mask
			var all unix.Sigset_t
			for i := range all.Val {
				all.Val[i] = 1<<64 - 1
			}
			if err := unix.PthreadSigmask(unix.SIG_BLOCK, &all, nil); err != nil {
				t.Error(err)
				return
			}
			for time.Now().Before(end) {
				const slice = 2000
				if _, _, err := w.prog.Benchmark(w.packet, slice, nil); err != nil {
					t.Error(err)
					return
				}
				sent.Add(slice)
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()

	var got sum
	var swaps int
	for running := true; running; swaps++ {
		select {
		case <-done:
			running = false // and once more, for the rest
		default:
		}
		s, err := c.Swap()
		must(t, err)
		must(t, c.Release())
		seen := map[count.Key]bool{}
		for _, f := range s.Flows {
			if seen[f.Key] {
				t.Fatalf("swap %d has %+v twice", s.Epoch, f.Key)
			}
			seen[f.Key] = true
			got = got.plus(sum{f.Seen.Packets, f.Seen.Bytes})
		}
		for _, i := range s.Interfaces {
			if i.Loss != (count.Loss{}) {
				t.Errorf("swap %d lost %+v", s.Epoch, i.Loss)
			}
		}
	}
	n := sent.Load()
	if got.Packets != n {
		t.Errorf("%d packets sent, %d counted: %+d", n, got.Packets, int64(got.Packets-n))
	}
	t.Logf("%d packets, %d swaps", n, swaps)
}
