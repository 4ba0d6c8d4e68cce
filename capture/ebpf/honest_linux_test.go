package ebpf

import (
	"fmt"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"weir/aggregate"
	"weir/count"
	"weir/flowlog"
	"weir/policy"
	"weir/vpc"
)

// A router between two guests with far too small maps. Both guests send many
// flows to each other, of both families, to a port that everybody lets through
// and to ports that each door refuses. pfifo qdiscs and nft counters witness.
type crowded struct {
	t          *testing.T
	router     *space
	guests     [2]*space
	senders    [2]*sender
	interfaces []vpc.Interface
	mac        [2]net.HardwareAddr // of the router, as each guest sees it
}

// The ports by what becomes of them. Each guest has its own, so that a rule
// belongs to one door of one device.
const (
	portOpen = 9
	portOut  = 1000 // + guest: refused where it enters from that guest
	portIn   = 2000 // + guest: refused where it leaves to that guest
)

func newCrowded(t *testing.T) *crowded {
	t.Helper()
	needNFT(t)
	w := &crowded{t: t, router: newSpace(t), guests: [2]*space{newSpace(t), newSpace(t)}}
	w.router.sysctl("ipv4/ip_forward", "1")
	w.router.sysctl("ipv6/conf/default/disable_ipv6", "0")
	w.router.sysctl("ipv6/conf/all/forwarding", "1")
	w.router.sysctl("ipv6/conf/all/disable_ipv6", "0")
	for i, g := range w.guests {
		dev := fmt.Sprintf("tap%d", i)
		w.router.veth(dev, g, "eth0")
		w.router.address(dev, fmt.Sprintf("10.0.%d.1/24", i), fmt.Sprintf("fd00:0:0:%d::1/64", i))
		w.router.neighbour(dev, g, fmt.Sprintf("10.0.%d.2", i), fmt.Sprintf("fd00:0:0:%d::2", i))
		w.router.pfifo(dev)
		g.pfifo("eth0")
		w.senders[i] = g.sender("eth0")
		w.mac[i] = w.router.hardware(dev)
		w.interfaces = append(w.interfaces, w.router.iface(dev, "eni-"+dev))
	}
	// Each refusal is at its door's hook and counted there. Conntrack stays out
	// of it: it would refuse to track so many flows.
	var entering, leaving, counters strings.Builder
	for i := range w.guests {
		fmt.Fprintf(&counters, "counter in_tap%d { }\ncounter out_tap%d { }\n", i, i)
		fmt.Fprintf(&entering, "iifname tap%d udp dport %d %s counter name in_tap%d drop\n", i, portOut+i, mark(policy.Entering, uint32(portOut+i)), i)
		fmt.Fprintf(&leaving, "oifname tap%d udp dport %d %s counter name out_tap%d drop\n", i, portIn+i, mark(policy.Leaving, uint32(portIn+i)), i)
	}
	w.router.nft("table inet doors {\n" + counters.String() +
		"chain at_entering { type filter hook prerouting priority -150; policy accept;\n" + entering.String() + "}\n" +
		"chain at_leaving { type filter hook postrouting priority 150; policy accept;\n" + leaving.String() + "}\n}")
	return w
}

// send sends n flows of each kind and family from both guests at once, from
// different CPUs, three packets each. It returns when all have been sent.
func (w *crowded) send(n int) error {
	var g errgroup.Group
	for from := range w.guests {
		to := 1 - from
		g.Go(func() error {
			runtime.LockOSThread() // no unlock: the thread keeps its CPU and ends
			var cpus unix.CPUSet
			cpus.Set(from % runtime.NumCPU())
			_ = unix.SchedSetaffinity(0, &cpus) // where it may not choose, so be it
			for range 3 {
				for flow := range n {
					for _, port := range []int{portOpen, portOut + from, portIn + to} {
						if err := w.senders[from].try(w.frame(from, uint16(10000+flow), uint16(port), false), w.frame(from, uint16(10000+flow), uint16(port), true)); err != nil {
							return err
						}
					}
				}
			}
			return nil
		})
	}
	return g.Wait()
}

func (w *crowded) frame(from int, sport, dport uint16, v6packet bool) []byte {
	to := 1 - from
	var f []byte
	if v6packet {
		datagram := udp(sport, dport, 4)
		datagram[7] = 1 // the router does not look at the checksum; 0 it might
		f = ether(typeIPv6, v6{src: fmt.Sprintf("fd00:0:0:%d::2", from), dst: fmt.Sprintf("fd00:0:0:%d::2", to), next: 17}.packet(datagram))
	} else {
		f = ether(typeIPv4, v4{src: fmt.Sprintf("10.0.%d.2", from), dst: fmt.Sprintf("10.0.%d.2", to), proto: 17}.packet(udp(sport, dport, 4)))
	}
	copy(f, w.mac[from])
	return f
}

// witness is what the kernel's own counters say of each interface.
type witness struct {
	wire       sum // over its wire, both ways
	refusedIn  sum // refused where it enters
	refusedOut sum // refused where it leaves
}

func (w *crowded) look() (list [2]witness) {
	w.t.Helper()
	counters := w.router.counters()
	for i := range w.guests {
		list[i].wire = w.guests[i].sent("eth0").plus(w.router.sent(fmt.Sprintf("tap%d", i)))
		list[i].refusedIn = counters[fmt.Sprintf("in_tap%d", i)]
		list[i].refusedOut = counters[fmt.Sprintf("out_tap%d", i)]
	}
	return list
}

// settled looks until nothing moves any more.
func (w *crowded) settled() (last [2]witness) {
	w.t.Helper()
	last = w.look()
	same := 0
	await(w.t, "the wires to come to rest", func() bool {
		now := w.look()
		if same++; now != last {
			same = 0
		}
		last = now
		return same >= 3
	})
	return last
}

// quiet swaps until nothing moves on the wires and nothing was counted between
// two looks: the kernel's own IPv6 packets come when they like.
func (w *crowded) quiet(swap func() *count.Swap) (last [2]witness) {
	w.t.Helper()
	await(w.t, "a moment without packets", func() bool {
		before := w.look()
		s := swap()
		last = w.look()
		return before == last && nothing(s)
	})
	return last
}

// With maps that are far too small: what was counted and what the loss ledger
// says is what was sent, by interface, and the records say so where it was.
func TestLossIsCounted(t *testing.T) {
	w := newCrowded(t)
	c := openFor(t, Config{MaxFlows: 1024})
	must(t, c.Watch(w.interfaces))
	began := w.quiet(func() *count.Swap { return swap(t, c, totals{}) })

	const interval = 10 * time.Second
	agg := aggregate.New(aggregate.Config{Interval: interval, Topology: aggregate.Always(nobody{})})
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var got [2]tally
	var skips, wantSkips []string
	// Each phase is an interval of its own; the aggregation knows only what the
	// swaps say of their time.
	for phase, flows := range []int{20, 2000, 20, 20, 1500, 20} {
		must(t, w.send(flows))
		w.settled()
		s, err := c.Swap()
		must(t, err)
		must(t, c.Release())
		s.Start, s.End = at.Add(time.Duration(phase)*interval), at.Add(time.Duration(phase+1)*interval)
		for _, i := range s.Interfaces {
			if flows > 1000 {
				wantSkips = append(wantSkips, fmt.Sprintf("%s %d", i.ID, s.Start.Unix()))
			}
		}
		addTallies(&got, s)
		for i := range s.Flows {
			wantFlow(t, &s.Flows[i])
		}
		agg.Add(s, func(r *flowlog.Record) {
			if r.LogStatus == flowlog.SkipData {
				skips = append(skips, fmt.Sprintf("%s %d", r.InterfaceID, r.Start))
			}
		})
	}
	if diff := cmp.Diff(wantSkips, skips); diff != "" {
		t.Errorf("SKIPDATA records (-want +got)\n%s", diff)
	}

	all := got[0].loss
	all.Add(got[1].loss)
	if diff := cmp.Diff(all, agg.Stats().Lost); diff != "" {
		t.Errorf("the aggregation's sum of losses (-want +got)\n%s", diff)
	}
	w.compare(began, w.quiet(func() *count.Swap {
		s := swap(t, c, totals{})
		addTallies(&got, s)
		return s
	}), &got)
}

// The same while the maps are handed over without a pause: a flow may be in one
// epoch's maps and find no room in the next one's.
func TestLossIsCountedWhileSwapping(t *testing.T) {
	w := newCrowded(t)
	c := openFor(t, Config{MaxFlows: 1024, Settle: time.Millisecond})
	must(t, c.Watch(w.interfaces))
	began := w.quiet(func() *count.Swap { return swap(t, c, totals{}) })
	sent := make(chan error, 1)
	go func() { sent <- w.send(3000) }()
	var got [2]tally
	unsettled := map[count.Key]int64{} // seen less refused, of flows that are refused where they enter
	swaps := 0
	take := func() *count.Swap {
		s := swap(t, c, totals{})
		addTallies(&got, s)
		for _, f := range s.Flows {
			if i := int(f.Key.Interface) - 1; f.Key.Door == policy.Entering && int(f.Key.DstPort) == portOut+i {
				unsettled[f.Key] += int64(f.Seen.Packets) - int64(f.Refused.Packets)
			}
		}
		swaps++
		return s
	}
	for running := true; running; {
		take()
		select {
		case err := <-sent:
			must(t, err)
			running = false
		default:
		}
	}
	w.compare(began, w.quiet(take), &got)
	for k, n := range unsettled {
		if n != 0 {
			t.Errorf("%+v: %+d packets seen and not refused", k, n)
		}
	}
	t.Logf("%d swaps, %d flows refused where they enter", swaps, len(unsettled))
}

// tally is what was captured at one interface.
type tally struct {
	seen, refused [2]sum // by door
	loss          count.Loss
}

func addTallies(to *[2]tally, s *count.Swap) {
	for _, i := range s.Interfaces {
		to[i.Index-1].loss.Add(i.Loss)
	}
	for _, f := range s.Flows {
		into := &to[f.Key.Interface-1]
		into.seen[f.Key.Door] = into.seen[f.Key.Door].plus(sum{f.Seen.Packets, f.Seen.Bytes})
		into.refused[f.Key.Door] = into.refused[f.Key.Door].plus(sum{f.Refused.Packets, f.Refused.Bytes})
	}
}

// compare wants what was captured, and what the ledger says, to be what the
// witnesses saw.
func (w *crowded) compare(began, ended [2]witness, got *[2]tally) {
	w.t.Helper()
	for i := range got {
		g, id := &got[i], w.interfaces[i].ID
		wire, full := ended[i].wire.minus(began[i].wire), sum{g.loss.FullPackets, g.loss.FullBytes}
		if all := g.seen[policy.Entering].plus(g.seen[policy.Leaving]).plus(full); all != wire {
			w.t.Errorf("%s: seen %+v, full %+v: together %+v, on the wire %+v", id, g.seen, full, all, wire)
		}
		lost := sum{g.loss.RefusedPackets, g.loss.RefusedBytes}
		if all := g.refused[policy.Leaving].plus(lost); all != ended[i].refusedOut {
			w.t.Errorf("%s: refused leaving %+v, lost %+v: together %+v, nft %+v", id, g.refused[policy.Leaving], lost, all, ended[i].refusedOut)
		}
		if in := ended[i].refusedIn; g.refused[policy.Entering].Packets >= in.Packets || full.Packets == 0 || lost.Packets == 0 {
			w.t.Errorf("%s: refused entering %+v of %+v, full %+v, lost %+v: the rig does not test it", id, g.refused[policy.Entering], in, full, lost)
		}
		if g.loss.UnreadPackets != 0 {
			w.t.Errorf("%s: %d unread", id, g.loss.UnreadPackets)
		}
		w.t.Logf("%s: on the wire %d packets, seen %d, full %d; refused leaving %d, lost %d", id, wire.Packets,
			g.seen[0].Packets+g.seen[1].Packets, full.Packets, g.refused[policy.Leaving].Packets, lost.Packets)
	}
}

// wantFlow checks one flow: what has room is counted whole and with its verdict.
func wantFlow(t *testing.T, f *count.Flow) {
	t.Helper()
	i := int(f.Key.Interface) - 1
	if f.Key.Protocol != 17 {
		return // the kernel's own, of IPv6
	}
	var want count.Flow
	full := count.Tally{Packets: 3, Bytes: 3 * 32}
	if f.Key.Is6() {
		full.Bytes = 3 * 52
	}
	switch {
	case f.Key.Door == policy.Entering && int(f.Key.DstPort) == portOut+i:
		want.Seen, want.Refused, want.Rule = full, full, uint32(portOut+i)
	case f.Key.Door == policy.Leaving && int(f.Key.DstPort) == portIn+i:
		want.Refused, want.Rule = full, uint32(portIn+i)
	default:
		want.Seen = full
	}
	got := *f
	if got.Seen.Packets != want.Seen.Packets || got.Seen.Bytes != want.Seen.Bytes ||
		got.Refused.Packets != want.Refused.Packets || got.Refused.Bytes != want.Refused.Bytes || got.Rule != want.Rule {
		t.Errorf("interface %d: got %+v, want the counts of %+v", i, got, want)
	}
}

// nobody is a topology that knows nothing.
type nobody struct{}

func (nobody) Interface(string) (*vpc.Interface, bool) { return nil, false }

func (s sum) minus(o sum) sum { return sum{s.Packets - o.Packets, s.Bytes - o.Bytes} }
