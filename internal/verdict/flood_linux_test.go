package verdict

import (
	"fmt"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	cilium "github.com/cilium/ebpf" //nolint:depguard // reads the kernel's own account of the programs
	"github.com/cilium/ebpf/asm"    //nolint:depguard // a program that does nothing
	"github.com/cilium/ebpf/link"   //nolint:depguard // attaches it
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"weir/capture/ebpf"
	"weir/policy"
	"weir/vpc"
)

// flood is a packet that is sent many times, by what becomes of it.
type flood struct {
	name     string
	watched  []string // the interfaces that are counted at
	packet   packet
	programs []string // those that run for each
}

// floods are packets through the groups of large.
func floods() []flood {
	accepted := packet{Packet: policy.Packet{Src: netip.MustParseAddr("10.7.0.10"), Dst: netip.MustParseAddr("10.7.1.10"), Protocol: vpc.UDP, SrcPort: 4000, DstPort: 5000}}
	entering, leaving := accepted, accepted
	entering.DstPort = 6000 // no group of the sender allows it
	leaving.DstPort = 150   // a group of the sender allows it to the receiver's group, which does not
	both := []string{"eni-0", "eni-1"}
	return []flood{
		{"accepted", both, accepted, []string{"weir_entering", "weir_leaving"}},
		{"refused where it enters", both, entering, []string{"weir_entering", "weir_refused"}},
		{"refused where it leaves", both, leaving, []string{"weir_entering", "weir_refused"}},
	}
}

// bystanders are packets that are none of the capture's: the drop tracepoint is
// of the whole host.
func bystanders() []flood {
	refused := floods()[1].packet
	nobody := refused
	nobody.DstPort = 4999 // allowed, and nobody listens
	return []flood{
		{"refused, not watched", []string{"eni-1"}, refused, []string{"weir_refused"}},
		{"dropped otherwise", nil, nobody, []string{"weir_refused"}},
	}
}

// BenchmarkFlood is what it costs to count a packet that is refused beside one
// that passes, among the rules of a thousand interfaces: by the processor time
// of its whole way with the capture and without, and by the kernel's own clock
// of the programs. Medians of rounds in changing order.
func BenchmarkFlood(b *testing.B) {
	needRoot(b)
	r := benchRig(b)
	_ = unix.Close(r.socket) // a witness of each packet would cost more than the packet
	r.must(r.farm.Do(func() (err error) {
		r.socket, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		return err
	}))
	receiver := r.receiver("eni-1", 5000)
	r.load(large{interfaces: 1000, groups: 500})
	b.Run("processor", func(b *testing.B) { r.processor(b, receiver) })
	b.Run("clock", func(b *testing.B) { r.kernelClock(b, receiver) })
}

// processor prints what a packet's way takes, with the capture and without: the
// least of four bursts in each round.
func (r *rig) processor(b *testing.B, receiver int) {
	runtime.LockOSThread() // whose processor time it is
	defer runtime.UnlockOSThread()
	figures := map[string][3][]float64{} // without, with, the difference
	for round := 0; b.Loop(); round++ {
		var took [2]map[string]float64
		for turn := range 2 {
			with := (round + turn) % 2
			stop := func() {}
			if with == 1 {
				_, stop = r.count("eni-0", "eni-1")
			}
			took[with] = map[string]float64{}
			for _, f := range turned(floods(), round) {
				least := math.Inf(1) // whoever else uses the machine only ever adds
				for range 4 {
					least = min(least, r.burst("eni-0", "eni-1", f.packet))
					drain(receiver)
				}
				took[with][f.name] = least
			}
			stop()
		}
		for _, f := range floods() {
			g, without, with := figures[f.name], took[0][f.name], took[1][f.name]
			figures[f.name] = [3][]float64{append(g[0], without), append(g[1], with), append(g[2], with-without)}
		}
	}
	for _, f := range floods() {
		g := figures[f.name]
		fmt.Printf("  %-24s %6.0f ns a packet without counting, %6.0f with; counting adds %4.0f (half of the rounds: %.0f to %.0f)\n",
			f.name, median(g[0]), median(g[1]), median(g[2]), quantile(g[2], 1, 4), quantile(g[2], 3, 4))
	}
}

// kernelClock prints how long the programs run for a packet. Starting and
// stopping the clock is in it, once for each program: a program that does
// nothing shows how much.
func (r *rig) kernelClock(b *testing.B, receiver int) {
	stats, err := cilium.EnableStats(uint32(unix.BPF_STATS_RUN_TIME))
	r.must(err)
	defer stats.Close()
	idle, stop := r.idle()
	defer stop()
	kinds := append(floods(), bystanders()...)
	figures := map[string][]float64{}
	note := func(what string, ns float64) { figures[what] = append(figures[what], ns) }
	for round := 0; b.Loop(); round++ {
		for _, f := range turned(kinds, round) {
			programs, stop := r.count(f.watched...)
			r.burst("eni-0", "eni-1", f.packet)
			drain(receiver)
			before, idleBefore := map[string]cilium.ProgramStats{}, r.stats(idle)
			for name, p := range programs {
				before[name] = r.stats(p)
			}
			r.burst("eni-0", "eni-1", f.packet)
			sum := 0.0
			for _, name := range f.programs {
				ns := float64(r.stats(programs[name]).Runtime-before[name].Runtime) / burstPackets
				note(f.name+name, ns)
				sum += ns
			}
			note(f.name, sum)
			if now := r.stats(idle); now.RunCount-idleBefore.RunCount >= burstPackets {
				note("idle", float64(now.Runtime-idleBefore.Runtime)/float64(now.RunCount-idleBefore.RunCount))
			}
			drain(receiver)
			stop()
		}
	}
	for _, f := range kinds {
		fmt.Printf("  %-24s %6.0f ns a packet in the programs by the kernel's own clock", f.name, median(figures[f.name]))
		for _, name := range f.programs {
			fmt.Printf(", %s %.0f", name, median(figures[f.name+name]))
		}
		fmt.Println()
	}
	fmt.Printf("  %-24s %6.0f ns a run\n", "a program that is empty", median(figures["idle"]))
}

func (r *rig) stats(p *cilium.Program) cilium.ProgramStats {
	r.t.Helper()
	stats, err := p.Stats()
	r.must(err)
	return *stats
}

// idle is a program at the drop tracepoint that does nothing.
func (r *rig) idle() (_ *cilium.Program, stop func()) {
	r.t.Helper()
	p, err := cilium.NewProgram(&cilium.ProgramSpec{
		Type: cilium.Tracing, AttachType: cilium.AttachTraceRawTp, AttachTo: "kfree_skb", License: "Dual BSD/GPL",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()},
	})
	r.must(err)
	l, err := link.AttachTracing(link.TracingOptions{Program: p})
	r.must(err)
	return p, func() { _, _ = l.Close(), p.Close() }
}

// count captures at some interfaces until it is stopped. The programs are
// those of this capture: others may run on the same machine.
func (r *rig) count(ids ...string) (programs map[string]*cilium.Program, stop func()) {
	r.t.Helper()
	var old cilium.ProgramID
	for id, err := cilium.ProgramGetNextID(0); err == nil; id, err = cilium.ProgramGetNextID(id) {
		old = id
	}
	dir, err := os.MkdirTemp("", "weir-flood")
	r.must(err)
	c, err := ebpf.Open(ebpf.Config{RunDir: filepath.Join(dir, "run"), MaxFlows: 1 << 12})
	r.must(err)
	watched := []vpc.Interface{}
	for _, id := range ids {
		watched = append(watched, *r.ends[id].Interface)
	}
	r.must(c.Watch(watched))
	programs = map[string]*cilium.Program{}
	for id, err := cilium.ProgramGetNextID(old); err == nil; id, err = cilium.ProgramGetNextID(id) {
		p, err := cilium.NewProgramFromID(id)
		if err != nil {
			continue // it is gone
		}
		info, err := p.Info()
		if err != nil || programs[info.Name] != nil {
			_ = p.Close()
			continue
		}
		programs[info.Name] = p
	}
	return programs, func() {
		for _, p := range programs {
			_ = p.Close()
		}
		r.must(c.Close(false))
		_ = os.RemoveAll(dir)
	}
}

// receiver is a socket at an interface's far end that takes what is sent to a
// port, so that an accepted packet ends as accepted packets do.
func (r *rig) receiver(id string, port int) int {
	r.t.Helper()
	var socket int
	r.must(r.farm.Do(func() error {
		l, err := netlink.LinkByIndex(r.ends[id].index)
		if err != nil {
			return err
		}
		for _, a := range r.ends[id].Addresses {
			if err := netlink.AddrAdd(l, &netlink.Addr{IPNet: ipNet(netip.PrefixFrom(a, a.BitLen()))}); err != nil {
				return err
			}
		}
		if socket, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0); err != nil {
			return err
		}
		if err := unix.SetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20); err != nil {
			return err
		}
		return unix.Bind(socket, &unix.SockaddrInet4{Port: port})
	}))
	r.t.Cleanup(func() { _ = unix.Close(socket) })
	return socket
}

// drain reads what a socket has and reports how much.
func drain(socket int) (packets int) {
	var buf [64]byte
	for {
		if _, err := unix.Read(socket, buf[:]); err != nil {
			return packets
		}
		packets++
	}
}

// turned is a list that begins at another element.
func turned[T any](list []T, by int) []T {
	by %= len(list)
	return append(slices.Clone(list[by:]), list[:by]...)
}

// quantile is the value below which part of the whole lies.
func quantile(v []float64, part, whole int) float64 {
	v = slices.Clone(v)
	slices.Sort(v)
	return v[len(v)*part/whole]
}
