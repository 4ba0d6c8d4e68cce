package ebpf

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
)

// udpPacket is an Ethernet frame with a UDP packet of 64 bytes, or of IPv6.
func udpPacket(v6 bool) []byte {
	b := make([]byte, 14, 100)
	if v6 {
		binary.BigEndian.PutUint16(b[12:], 0x86dd)
		ip := make([]byte, 40)
		ip[0], ip[5], ip[6], ip[7] = 0x60, 24, 17, 64
		copy(ip[8:], []byte{0x20, 1, 0xd, 0xb8, 15: 1})
		copy(ip[24:], []byte{0x20, 1, 0xd, 0xb8, 15: 2})
		b = append(b, ip...)
	} else {
		binary.BigEndian.PutUint16(b[12:], 0x0800)
		ip := make([]byte, 20)
		ip[0], ip[3], ip[8], ip[9] = 0x45, 44, 64, 17
		copy(ip[12:], []byte{10, 0, 0, 1, 10, 0, 0, 2})
		b = append(b, ip...)
	}
	udp := make([]byte, 24)
	binary.BigEndian.PutUint16(udp, 40000)
	binary.BigEndian.PutUint16(udp[2:], 53)
	udp[5] = 24
	return append(b, udp...)
}

func benchCapture(tb testing.TB, flows int) *Capture {
	tb.Helper()
	if os.Getuid() != 0 {
		tb.Skip("needs root: it loads eBPF programs")
	}
	c, err := Open(Config{RunDir: filepath.Join(tb.TempDir(), "run"), MaxFlows: flows})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := c.Close(false); err != nil {
			tb.Error(err)
		}
	})
	return c
}

// perPacket runs prog over one packet in slices and returns nanoseconds per run.
func perPacket(b *testing.B, prog *ebpf.Program, packet []byte, seconds float64) float64 {
	b.Helper()
	const slice = 20000
	var ns, runs float64
	for begin := time.Now(); time.Since(begin).Seconds() < seconds; {
		_, d, err := prog.Benchmark(packet, slice, nil)
		if err != nil {
			b.Fatal(err)
		}
		ns += float64(d.Nanoseconds()) * slice
		runs += slice
	}
	return ns / runs
}

// bestOf reports the least of the benchmark's rounds: what else the machine does
// only ever adds.
func bestOf(b *testing.B, prog *ebpf.Program, packet []byte, seconds float64) {
	b.Helper()
	best := math.Inf(1)
	for b.Loop() {
		best = min(best, perPacket(b, prog, packet, seconds))
	}
	b.ReportMetric(best, "ns/packet")
}

// BenchmarkProgram reports nanoseconds per packet of the entering program by
// BPF_PROG_TEST_RUN, over one flow and over many; "empty" is the test run's own
// cost, "baseline" the least that counting in a hash map takes: no parsing, no
// interface, no epochs, one map, see [bareHash]. The flows are random, which is
// the worst case for the caches.
func BenchmarkProgram(b *testing.B) {
	b.Run("empty", func(b *testing.B) {
		if os.Getuid() != 0 {
			b.Skip("needs root: it loads eBPF programs")
		}
		prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{
			Type: ebpf.SchedCLS, License: "Dual BSD/GPL",
			Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()},
		})
		if err != nil {
			b.Fatal(err)
		}
		defer prog.Close()
		bestOf(b, prog, udpPacket(false), 0.3)
	})
	for _, flows := range []int{1, 1 << 16, 1 << 20} {
		b.Run(fmt.Sprintf("baseline/flows=%d", flows), func(b *testing.B) {
			prog := bareHash(b, flows)
			perPacket(b, prog, udpPacket(false), float64(flows)*2e-6)
			bestOf(b, prog, udpPacket(false), 1)
		})
	}
	for _, family := range []string{"v4", "v6"} {
		for _, flows := range []int{1, 1 << 16, 1 << 20} {
			if family == "v6" && flows > 1 {
				continue // the spread is over IPv4 addresses
			}
			b.Run(fmt.Sprintf("%s/flows=%d", family, flows), func(b *testing.B) {
				c := benchCapture(b, max(defaultMaxFlows, 2*flows)) // as it is by default, or half full
				ns, err := inodeOf("/proc/thread-self/ns/net")
				if err != nil {
					b.Fatal(err)
				}
				// A test run has the loopback device of the namespace.
				dev := weirDevice{Netns: ns, Ifindex: 1}
				if err := c.maps[weirMapInterfaces].Put(dev, weirInterface{Index: 1, L2: 14}); err != nil {
					b.Fatal(err)
				}
				if err := c.maps[weirMapFronts].Put(frontOf(dev), weirFront{Device: dev, Index: 1, L2: 14}); err != nil {
					b.Fatal(err)
				}
				spread := uint32(flows)
				if flows == 1 {
					spread = 0
				}
				progs, err := c.load(ns, spread, weirProgWeirEntering)
				if err != nil {
					b.Fatal(err)
				}
				prog := progs[weirProgWeirEntering]
				defer prog.Close()
				packet := udpPacket(family == "v6")
				perPacket(b, prog, packet, float64(flows)*2e-6) // make the flows
				bestOf(b, prog, packet, 1)
			})
		}
	}
}

// bareHash is a program that counts a packet and its bytes by a key of 16 bytes
// with a time stamp, in one shared hash map with atomic adds: what a flow meter
// does at the least.
func bareHash(b *testing.B, flows int) *ebpf.Program {
	b.Helper()
	if os.Getuid() != 0 {
		b.Skip("needs root: it loads eBPF programs")
	}
	m, err := ebpf.NewMap(&ebpf.MapSpec{
		Type: ebpf.Hash, KeySize: 16, ValueSize: 40, MaxEntries: uint32(max(defaultMaxFlows, 2*flows)),
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = m.Close() })
	const key, value = -16, -56
	insns := asm.Instructions{
		asm.Mov.Imm(asm.R7, 0),
		asm.Mov.Imm(asm.R8, 0),
	}
	if flows > 1 {
		insns = append(insns,
			asm.FnGetPrandomU32.Call(),
			asm.Mov.Reg(asm.R7, asm.R0),
			asm.And.Imm(asm.R7, int32(flows-1)))
	}
	for off := int16(value); off < 0; off += 8 {
		insns = append(insns, asm.StoreMem(asm.R10, off, asm.R8, asm.DWord))
	}
	insns = append(insns,
		asm.StoreMem(asm.R10, key, asm.R7, asm.DWord),
		asm.LoadMapPtr(asm.R1, m.FD()),
		asm.Mov.Reg(asm.R2, asm.R10),
		asm.Add.Imm(asm.R2, key),
		asm.FnMapLookupElem.Call(),
		asm.JNE.Imm(asm.R0, 0, "found"),
		asm.LoadMapPtr(asm.R1, m.FD()),
		asm.Mov.Reg(asm.R2, asm.R10),
		asm.Add.Imm(asm.R2, key),
		asm.Mov.Reg(asm.R3, asm.R10),
		asm.Add.Imm(asm.R3, value),
		asm.Mov.Imm(asm.R4, 1), // BPF_NOEXIST
		asm.FnMapUpdateElem.Call(),
		asm.Mov.Imm(asm.R0, 0),
		asm.Return(),
		asm.Mov.Reg(asm.R6, asm.R0).WithSymbol("found"),
		asm.Mov.Imm(asm.R1, 1),
		asm.AddAtomic.Mem(asm.R6, asm.R1, asm.DWord, 0),
		asm.Mov.Imm(asm.R1, 64),
		asm.AddAtomic.Mem(asm.R6, asm.R1, asm.DWord, 8),
		asm.FnKtimeGetNs.Call(),
		asm.StoreMem(asm.R6, 16, asm.R0, asm.DWord),
		asm.Mov.Imm(asm.R0, 0),
		asm.Return(),
	)
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.SchedCLS, License: "Dual BSD/GPL", Instructions: insns})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = prog.Close() })
	return prog
}

// BenchmarkDrain reports nanoseconds per flow of reading and of clearing, and
// bytes of kernel memory per flow and map.
func BenchmarkDrain(b *testing.B) {
	for _, family := range []string{"v4", "v6"} {
		for _, flows := range []int{1 << 16, 1 << 20} {
			b.Run(fmt.Sprintf("%s/flows=%d", family, flows), func(b *testing.B) {
				c := benchCapture(b, flows)
				var swap, read, clear time.Duration
				for b.Loop() {
					fill(b, c, family, flows)
					s, err := c.Swap()
					if err != nil {
						b.Fatal(err)
					}
					swap += time.Since(s.End)
					// Reading alone, without the waits that a swap has whatever
					// it reads.
					begin := time.Now()
					if s, err = c.readEpoch(c.control.epoch()-1, s.Start, s.End); err != nil {
						b.Fatal(err)
					}
					read += time.Since(begin)
					if len(s.Flows) != flows {
						b.Fatalf("read %d flows of %d", len(s.Flows), flows)
					}
					begin = time.Now()
					if err := c.Release(); err != nil {
						b.Fatal(err)
					}
					clear += time.Since(begin)
				}
				n := float64(b.N * flows)
				b.ReportMetric(float64(read.Nanoseconds())/n, "read-ns/flow")
				b.ReportMetric(float64(clear.Nanoseconds())/n, "clear-ns/flow")
				b.ReportMetric(float64(read.Nanoseconds()+clear.Nanoseconds())/n, "drain-ns/flow")
				b.ReportMetric(float64(swap.Milliseconds())/float64(b.N), "swap-ms")
				m := c.slots[0].flows4
				if family == "v6" {
					m = c.slots[0].flows6
				}
				if info, err := m.Info(); err == nil {
					if size, ok := info.Memlock(); ok {
						b.ReportMetric(float64(size)/float64(flows), "B/flow")
					}
				}
			})
		}
	}
}

// fill puts flows into the maps that are counting now.
func fill(b *testing.B, c *Capture, family string, n int) {
	b.Helper()
	slot := &c.slots[c.control.epoch()&1]
	counts := make([]weirCounts, n)
	for i := range counts {
		counts[i].SeenPackets, counts[i].SeenBytes, counts[i].SeenFirst, counts[i].SeenLast = 1, 64, 1, 1
	}
	var err error
	if family == "v4" {
		keys := make([]weirKey4, n)
		for i := range keys {
			keys[i] = weirKey4{Src: uint32(i), Proto: 17, Iface: 1}
		}
		_, err = slot.flows4.BatchUpdate(keys, counts, nil)
	} else {
		keys := make([]weirKey6, n)
		for i := range keys {
			keys[i] = weirKey6{Src: [4]uint32{uint32(i)}, Proto: 17, Iface: 1}
		}
		_, err = slot.flows6.BatchUpdate(keys, counts, nil)
	}
	if err != nil {
		b.Fatal(err)
	}
	ledger := make([]weirLoss, possibleCPUs()) // as the programs would have it
	ledger[0].Inserted = uint64(n)
	if err := slot.losses.Put(uint32(0), ledger); err != nil {
		b.Fatal(err)
	}
}
