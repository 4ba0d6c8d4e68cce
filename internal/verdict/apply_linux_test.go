package verdict

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"weir/capture/ebpf"
	"weir/count"
	"weir/netns"
	"weir/policy"
	"weir/policy/nft"
	"weir/vpc"
)

// wires is two hosts with processes, behind a router.
type wires struct {
	t            testing.TB
	router, a, b *netns.Namespace
}

func newWires(t testing.TB) *wires {
	t.Helper()
	needRoot(t)
	w := &wires{t: t, router: space(t, "wires-router"), a: space(t, "wires-a"), b: space(t, "wires-b")}
	sysctl(t, w.router, "ipv4/ip_forward", "1")
	for n, ns := range []*netns.Namespace{w.a, w.b} {
		device, gateway := []string{"va", "vb"}[n], fmt.Sprintf("10.8.%d.1", n+1)
		w.must(w.router.Do(func() error {
			err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: device, TxQLen: 10000}, PeerName: "eth0", PeerNamespace: netlink.NsFd(ns.FD())})
			if err != nil {
				return err
			}
			return address(device, gateway+"/24")
		}))
		w.must(ns.Do(func() error {
			if err := address("eth0", fmt.Sprintf("10.8.%d.2/24", n+1)); err != nil {
				return err
			}
			return netlink.RouteAdd(&netlink.Route{Gw: net.ParseIP(gateway), Dst: ipNet(netip.MustParsePrefix("0.0.0.0/0"))})
		}))
	}
	return w
}

func (w *wires) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// address gives a device an address and brings it up.
func address(device, prefix string) error {
	l, err := netlink.LinkByName(device)
	if err != nil {
		return err
	}
	a, err := netlink.ParseAddr(prefix)
	if err != nil {
		return err
	}
	if err := netlink.AddrAdd(l, a); err != nil {
		return err
	}
	return netlink.LinkSetUp(l)
}

// topology is a to b, with a rule that is another one in every version.
func (w *wires) topology(version int) *vpc.Topology {
	everywhere := vpc.Peer{CIDR: netip.MustParsePrefix("0.0.0.0/0")}
	changing := vpc.GroupRule{Traffic: vpc.Ports(vpc.TCP, uint16(20000+version), uint16(20000+version)), Peer: everywhere}
	allowed := []vpc.GroupRule{
		{Traffic: vpc.Ports(vpc.TCP, 5001, 5001), Peer: everywhere}, {Traffic: vpc.Ports(vpc.UDP, 5002, 5002), Peer: everywhere}, changing,
	}
	t := &vpc.Topology{VPCs: []vpc.VPC{{ID: "vpc-8"}}, ACLs: []vpc.NetworkACL{vpc.DefaultACL("vpc-8", "acl-8")}}
	for n, name := range []string{"a", "b"} {
		t.Subnets = append(t.Subnets, vpc.Subnet{ID: "subnet-" + name, VPCID: "vpc-8", ACLID: "acl-8", CIDRs: []netip.Prefix{netip.MustParsePrefix(fmt.Sprintf("10.8.%d.0/24", n+1))}})
		g := vpc.SecurityGroup{ID: "sg-" + name, Name: name, VPCID: "vpc-8"}
		if name == "a" {
			g.Egress = slices.Clone(allowed)
		} else {
			g.Ingress = slices.Clone(allowed)
		}
		t.Groups = append(t.Groups, g)
		t.Interfaces = append(t.Interfaces, vpc.Interface{
			ID: "eni-" + name, Name: name, VPCID: "vpc-8", SubnetID: "subnet-" + name, GroupIDs: []string{"sg-" + name},
			Device:    vpc.Device{Namespace: w.router.Path(), Name: "v" + name},
			Addresses: []netip.Addr{netip.MustParseAddr(fmt.Sprintf("10.8.%d.2", n+1))},
		})
	}
	return t
}

// A policy takes the place of another one without a packet lost of a connection
// that both allow, and what is refused meanwhile names a rule in force.
func TestApplyUnderTraffic(t *testing.T) {
	w := newWires(t)
	applies := number(t, "WEIR_APPLIES", 50)
	ids := &policy.MemoryIDs{}
	apply := func(version int) *policy.Policy {
		p, err := policy.Compile(w.topology(version), ids)
		w.must(err)
		rulesets, err := nft.Render(p, nft.Options{})
		w.must(err)
		w.must(rulesets[0].Apply(context.Background()))
		return p
	}
	before := apply(0)
	capture, err := ebpf.Open(ebpf.Config{RunDir: filepath.Join(t.TempDir(), "run"), MaxFlows: 1 << 12, Settle: 5 * time.Millisecond})
	w.must(err)
	t.Cleanup(func() { w.must(capture.Close(false)) })
	w.must(capture.Watch(w.topology(0).Interfaces))

	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	stream := w.stream(ctx)
	ping := w.ping(ctx)
	refused := w.refused(ctx)
	rules := 0
	passed := map[policy.Door]uint64{}
	for version := 1; version <= applies; version++ {
		after := apply(version)
		swap := w.swap(capture, passed)
		for _, f := range swap.Flows {
			if f.Refused.Packets == 0 {
				continue
			}
			rules++
			if f.Key.DstPort != refusedPort {
				t.Errorf("version %d: refused: %+v", version, f)
			}
			_, old := before.Rule(f.Rule)
			_, now := after.Rule(f.Rule)
			if !old && !now {
				t.Errorf("version %d: rule %d is of no version in force", version, f.Rule)
			}
		}
		before = after
	}
	stop()
	bytes, retransmitted := stream()
	sent, answered := ping()
	w.swap(capture, passed)
	lost := int64(passed[policy.Entering]) - int64(passed[policy.Leaving])
	fmt.Printf("%d re-applies: %d packets of established connections entered the router, %d of them did not leave it; TCP %d MB, %d segments sent again; UDP %d asked, %d lost; %d refused packets, %d records of them, each by a rule in force\n",
		applies, passed[policy.Entering], lost, bytes>>20, retransmitted, sent, sent-answered, refused(), rules)
	if lost != 0 || sent != answered || bytes == 0 || sent == 0 || rules == 0 {
		t.Error("packets were lost, or nothing was tried")
	}
}

// swap adds up what was let through, by door: what enters the router is to leave
// it. (TCP also sends again what only took long, on a busy machine.)
func (w *wires) swap(c *ebpf.Capture, passed map[policy.Door]uint64) *count.Swap {
	w.t.Helper()
	s, err := c.Swap()
	w.must(err)
	w.must(c.Release())
	for _, f := range s.Flows {
		if f.Key.DstPort != refusedPort && (f.Key.Protocol == vpc.TCP || f.Key.Protocol == vpc.UDP) {
			passed[f.Key.Door] += f.Seen.Packets
		}
	}
	return s
}

const refusedPort = 9

// stream sends as TCP does, slowly enough that no queue overflows, until ctx
// ends; then it says how much, and what was sent twice.
func (w *wires) stream(ctx context.Context) func() (bytes int64, retransmitted uint32) {
	var l net.Listener
	w.must(w.b.Do(func() (err error) {
		l, err = net.Listen("tcp4", "10.8.2.2:5001")
		return err
	}))
	got := make(chan int64, 1)
	go func() {
		defer l.Close()
		c, err := l.Accept()
		if err != nil {
			got <- 0
			return
		}
		defer c.Close()
		n, _ := io.Copy(io.Discard, c)
		got <- n
	}()
	var c net.Conn
	w.must(w.a.Do(func() (err error) {
		c, err = net.Dial("tcp4", "10.8.2.2:5001")
		return err
	}))
	again := make(chan uint32, 1)
	go func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			<-tick.C
			if _, err := c.Write(make([]byte, 16<<10)); err != nil {
				break
			}
		}
		raw, err := c.(*net.TCPConn).SyscallConn()
		if err == nil {
			_ = raw.Control(func(fd uintptr) {
				if info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
					again <- info.Total_retrans
				}
			})
		}
		_ = c.Close()
	}()
	return func() (int64, uint32) { return <-got, <-again }
}

// ping sends a datagram every millisecond and counts those that were answered.
func (w *wires) ping(ctx context.Context) func() (sent, answered int) {
	echo, ask := w.udp(w.b, "10.8.2.2:5002"), w.udp(w.a, "10.8.1.2:5002")
	go func() {
		b := make([]byte, 64)
		for {
			n, from, err := echo.ReadFrom(b)
			if err != nil {
				return
			}
			_, _ = echo.WriteTo(b[:n], from)
		}
	}()
	var answers atomic.Int64
	go func() {
		for b := make([]byte, 64); ; answers.Add(1) {
			if _, _, err := ask.ReadFrom(b); err != nil {
				return
			}
		}
	}()
	done := make(chan int, 1)
	go func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		n := 0
		for ; ctx.Err() == nil; n++ {
			<-tick.C
			_, _ = ask.WriteTo([]byte("hello"), &net.UDPAddr{IP: net.ParseIP("10.8.2.2"), Port: 5002})
		}
		done <- n
	}()
	return func() (int, int) {
		n := <-done
		for end := time.Now().Add(2 * time.Second); answers.Load() < int64(n) && time.Now().Before(end); {
			time.Sleep(time.Millisecond) // the last ones are on their way
		}
		_, _ = ask.Close(), echo.Close()
		return n, int(answers.Load())
	}
}

// refused sends what no version allows.
func (w *wires) refused(ctx context.Context) func() int {
	c := w.udp(w.a, "10.8.1.2:5003")
	done := make(chan int, 1)
	go func() {
		defer c.Close()
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		n := 0
		for ; ctx.Err() == nil; n++ {
			<-tick.C
			_, _ = c.WriteTo([]byte("no"), &net.UDPAddr{IP: net.ParseIP("10.8.2.2"), Port: refusedPort})
		}
		done <- n
	}()
	return func() int { return <-done }
}

func (w *wires) udp(ns *netns.Namespace, at string) (c net.PacketConn) {
	w.must(ns.Do(func() (err error) {
		c, err = net.ListenPacket("udp4", at)
		return err
	}))
	return c
}
