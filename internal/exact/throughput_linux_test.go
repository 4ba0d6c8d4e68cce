package exact

import (
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"weir/capture/ebpf"
)

// BenchmarkThroughput forwards as much as this machine can from one instance to
// another through a router, with nobody counting, with Weir, and with other
// flow meters where they are installed. The senders never stop; who counts
// alternates every second or so, so that what else the machine does falls on all
// alike. A ratio is the median over the rounds of one meter's rate against the
// round's rate with nobody.
//
// A packet passes two watched doors: it enters from one instance and leaves to
// the other. The sender has one CPU, and the whole way of a packet to the
// receiver's socket is walked there; the receiver and whoever reads counts have
// the other. Otherwise the scheduler decides the figures.
func BenchmarkThroughput(b *testing.B) {
	const rounds = 15
	for _, load := range []struct {
		name  string
		flows []stream
		unit  string
		value func(packets, bytes uint64) float64
	}{
		{
			"tcp",
			[]stream{{Kind: "tcp", To: "10.9.2.2", Port: 5001, Size: 1 << 20, PPS: 1e9}},
			"Gbit/s",
			func(_, bytes uint64) float64 { return float64(bytes) * 8 / 1e9 },
		},
		{"udp-64B", []stream{{Kind: "flood", To: "10.9.2.2", Port: 5002, Size: 22, PPS: 1e9}}, "kpps", func(packets, _ uint64) float64 { return float64(packets) / 1e3 }},
	} {
		b.Run(load.name, func(b *testing.B) {
			r := newRig(b, "weir-t", "r", "a", "b")
			forwarding(r)
			script{TCP: []int{5001}, UDP: []int{5002}, CPU: "1"}.start(b, r.ns["b"])
			_, stopSending := script{Flows: load.flows, Seconds: 1e6, CPU: "0"}.start(b, r.ns["a"])
			rates, ratios := map[string][]float64{}, map[string][]float64{}
			for b.Loop() {
				for round := range rounds {
					one := map[string]float64{}
					for i := range meters() {
						m := meters()[(i+round)%len(meters())] // each follows each
						stop := m.start(b, r)
						one[m.name] = measure(r, load.value)
						stop()
					}
					for name, rate := range one {
						rates[name] = append(rates[name], rate)
						ratios[name] = append(ratios[name], rate/one["nobody"])
					}
				}
			}
			stopSending()
			for _, m := range meters() {
				b.ReportMetric(median(rates[m.name]), m.name+"-"+load.unit)
				if m.name != "nobody" {
					b.ReportMetric(median(ratios[m.name]), m.name+"-ratio")
				}
			}
		})
	}
}

// meter is somebody who counts while packets are forwarded.
type meter struct {
	name  string
	start func(testing.TB, *rig) (stop func())
}

func meters() []meter {
	list := []meter{
		{"nobody", func(testing.TB, *rig) func() { return func() {} }},
		{"weir", weirMeter},
	}
	for _, m := range []struct {
		name string
		args []string
	}{
		{"softflowd", []string{"-d", "-i", "ra"}},
		{"pmacctd", []string{"-i", "ra", "-P", "memory", "-c", "src_host,dst_host,src_port,dst_port,proto", "-p"}},
	} {
		if _, err := exec.LookPath(m.name); err == nil {
			list = append(list, meter{m.name, func(tb testing.TB, r *rig) func() { return program(tb, r, m.name, m.args) }})
		}
	}
	return list
}

// weirMeter counts at both interfaces and swaps every second, ten times as often
// as it does by default.
func weirMeter(tb testing.TB, r *rig) func() {
	c, err := ebpf.Open(ebpf.Config{RunDir: filepath.Join(tb.TempDir(), "run")})
	r.must(err)
	r.must(c.Watch(r.interfaces))
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			s, err := c.Swap()
			if err != nil {
				tb.Error(err)
				return
			}
			for _, i := range s.Interfaces {
				if i.Loss.Packets() > 0 {
					tb.Errorf("lost %+v at %s", i.Loss, i.ID)
				}
			}
			if err := c.Release(); err != nil {
				tb.Error(err)
				return
			}
		}
	})
	return func() {
		close(stop)
		wg.Wait()
		r.must(c.Close(false))
	}
}

// program runs another flow meter in the router.
func program(tb testing.TB, r *rig, name string, args []string) func() {
	if name == "pmacctd" {
		args = append(args, filepath.Join(tb.TempDir(), "pmacctd.pipe"))
	}
	if name == "softflowd" {
		dir := tb.TempDir()
		args = append(args, "-p", filepath.Join(dir, "pid"), "-c", filepath.Join(dir, "ctl"))
	}
	cmd := exec.Command(name, args...)
	r.must(r.ns["r"].Start(cmd))
	time.Sleep(300 * time.Millisecond) // until it has opened its device
	return func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed: its status says so
	}
}

// forwarding is the routed setting without rules.
func forwarding(r *rig) {
	a := end{"a", "eth0", []string{"10.9.1.2/24"}}
	ra := end{"r", "ra", []string{"10.9.1.1/24"}}
	b := end{"b", "eth0", []string{"10.9.2.2/24"}}
	rb := end{"r", "rb", []string{"10.9.2.1/24"}}
	r.plainVeth(ra, a)
	r.plainVeth(rb, b)
	r.route("a", "0.0.0.0/0", "10.9.1.1")
	r.route("b", "0.0.0.0/0", "10.9.2.1")
	r.watch("r", "ra", "eni-a", 0, "10.9.1.2")
	r.watch("r", "rb", "eni-b", 0, "10.9.2.2")
	for _, f := range r.neighbours {
		f()
	}
}

// measure reads what leaves the router for a moment, after another one in which
// things settle: the kernel frees the maps of whoever counted before.
func measure(r *rig, value func(packets, bytes uint64) float64) float64 {
	time.Sleep(500 * time.Millisecond)
	begin := time.Now()
	p0, b0 := r.sent("r", "rb")
	time.Sleep(600 * time.Millisecond)
	p1, b1 := r.sent("r", "rb")
	return value(p1-p0, b1-b0) / time.Since(begin).Seconds()
}

func (r *rig) sent(ns, dev string) (packets, bytes uint64) {
	r.t.Helper()
	r.in(ns, func() error {
		l, err := netlink.LinkByName(dev)
		if err != nil {
			return err
		}
		s := l.Attrs().Statistics
		packets, bytes = s.TxPackets, s.TxBytes
		return nil
	})
	return packets, bytes
}

func median(v []float64) float64 {
	s := slices.Clone(v)
	slices.Sort(s)
	return s[len(s)/2]
}
