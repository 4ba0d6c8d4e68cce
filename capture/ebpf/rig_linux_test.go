package ebpf

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"weir/count"
	"weir/netns"
	"weir/policy"
	"weir/vpc"
)

func needRoot(tb testing.TB) {
	tb.Helper()
	if os.Getuid() != 0 {
		tb.Skip("needs root: it makes network namespaces and loads eBPF programs")
	}
}

func needNFT(tb testing.TB) {
	tb.Helper()
	needRoot(tb)
	if _, err := exec.LookPath("nft"); err != nil {
		tb.Skip("needs nft (Debian: nftables): it refuses packets")
	}
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// space is a fresh network namespace in which nothing talks of its own accord.
type space struct {
	*netns.Namespace
	t testing.TB
}

var spaces atomic.Uint32 // makes the names of one process differ

func newSpace(t testing.TB) *space {
	t.Helper()
	needRoot(t)
	ns, err := netns.Create(fmt.Sprintf("weir-ce-%d-%d", os.Getpid(), spaces.Add(1)))
	must(t, err)
	s := &space{ns, t}
	t.Cleanup(s.remove)
	for key, value := range map[string]string{
		"ipv6/conf/default/disable_ipv6":         "1",
		"ipv4/conf/all/rp_filter":                "0",
		"ipv6/conf/default/accept_dad":           "0",
		"ipv6/conf/default/router_solicitations": "0",
	} {
		s.sysctl(key, value)
	}
	return s
}

// remove deletes the namespace; doing so twice does no harm.
func (s *space) remove() {
	_ = s.Close()
	if err := netns.Delete(s.Name()); err != nil {
		s.t.Error(err)
	}
}

func (s *space) do(f func() error) {
	s.t.Helper()
	must(s.t, s.Do(f))
}

func (s *space) sysctl(key, value string) {
	s.t.Helper()
	s.do(func() error { return os.WriteFile("/proc/sys/net/"+key, []byte(value), 0o644) })
}

func (s *space) nft(script string) {
	s.t.Helper()
	cmd := exec.Command("nft", "-f", "-")
	cmd.Stdin = strings.NewReader(script)
	must(s.t, s.Run(cmd))
}

// veth makes device dev here with its peer in another namespace, both up.
func (s *space) veth(dev string, peer *space, peerDev string) {
	s.t.Helper()
	s.do(func() error {
		return netlink.LinkAdd(&netlink.Veth{
			LinkAttrs: netlink.LinkAttrs{Name: dev, TxQLen: 10000},
			PeerName:  peerDev, PeerNamespace: netlink.NsFd(peer.FD()),
		})
	})
	s.up(dev)
	peer.up(peerDev)
}

func (s *space) up(dev string) {
	s.t.Helper()
	s.do(func() error {
		l, err := netlink.LinkByName(dev)
		if err != nil {
			return err
		}
		return netlink.LinkSetUp(l)
	})
}

func (s *space) delete(dev string) {
	s.t.Helper()
	s.do(func() error {
		l, err := netlink.LinkByName(dev)
		if err != nil {
			return err
		}
		return netlink.LinkDel(l)
	})
}

func (s *space) ifindex(dev string) (index int) {
	s.t.Helper()
	s.do(func() error {
		l, err := netlink.LinkByName(dev)
		if err != nil {
			return err
		}
		index = l.Attrs().Index
		return nil
	})
	return index
}

// iface is the interface behind a device of this namespace.
func (s *space) iface(dev, id string, addrs ...string) vpc.Interface {
	i := vpc.Interface{ID: id, Side: vpc.Far, Device: vpc.Device{Namespace: s.Path(), Name: dev}}
	for _, a := range addrs {
		i.Addresses = append(i.Addresses, netip.MustParseAddr(a))
	}
	return i
}

// sender puts frames on a device as they are.
type sender struct {
	t  testing.TB
	fd int
}

func (s *space) sender(dev string) *sender {
	s.t.Helper()
	out := &sender{t: s.t}
	index := s.ifindex(dev)
	s.do(func() (err error) {
		out.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		return unix.Bind(out.fd, &unix.SockaddrLinklayer{Ifindex: index})
	})
	s.t.Cleanup(func() { _ = unix.Close(out.fd) })
	return out
}

func (s *sender) send(frames ...[]byte) {
	s.t.Helper()
	must(s.t, s.try(frames...))
}

// try is send for other goroutines than the test's.
func (s *sender) try(frames ...[]byte) error {
	for _, f := range frames {
		if _, err := unix.Write(s.fd, f); err != nil {
			return fmt.Errorf("send %d bytes: %w", len(f), err)
		}
	}
	return nil
}

// sendN sends one frame n times.
func (s *sender) sendN(n int, frame []byte) {
	s.t.Helper()
	for range n {
		s.send(frame)
	}
}

// stream sends datagrams of a number of flows in turn until it is stopped.
type stream struct {
	end  chan struct{}
	done chan struct{}
	sent int
	err  error
	t    testing.TB
}

func (s *sender) stream(flows int) *stream {
	st := &stream{end: make(chan struct{}), done: make(chan struct{}), t: s.t}
	frames := make([][]byte, flows)
	for i := range frames {
		frames[i] = datagram(uint16(i))
	}
	go func() {
		defer close(st.done)
		pace := time.NewTicker(time.Millisecond) // leaves the processor to others
		defer pace.Stop()
		for {
			select {
			case <-st.end:
				return
			case <-pace.C:
			}
			for range 20 {
				if st.err = s.try(frames[st.sent%flows]); st.err != nil {
					return
				}
				st.sent++
			}
		}
	}()
	s.t.Cleanup(func() { st.stop() })
	return st
}

// stop ends the stream and says how many packets were sent.
func (s *stream) stop() int {
	s.t.Helper()
	select {
	case <-s.end:
	default:
		close(s.end)
	}
	<-s.done
	must(s.t, s.err)
	return s.sent
}

// datagram is a frame of one UDP packet of 44 bytes that no host takes.
func datagram(sport uint16) []byte {
	return ether(typeIPv4, v4{proto: 17}.packet(udp(sport, 9, 16)))
}

const datagramBytes = 44

// open opens a capture that the test closes. What a test leaves that fails
// before is cleaned with the run directory.
func open(t testing.TB, cfg Config) *Capture {
	t.Helper()
	needRoot(t)
	if cfg.RunDir == "" {
		cfg.RunDir = runDirOf(t)
	}
	if cfg.MaxFlows == 0 {
		cfg.MaxFlows = 1 << 12 // the usual size takes the kernel longer to clear than most tests take
	}
	c, err := Open(cfg)
	must(t, err)
	t.Cleanup(c.dir.unlock)
	return c
}

// openFor is open, with the end left to the test's.
func openFor(t testing.TB, cfg Config) *Capture {
	t.Helper()
	c := open(t, cfg)
	t.Cleanup(func() {
		if err := c.Close(false); err != nil {
			t.Error(err)
		}
	})
	return c
}

// runDirOf is a run directory that is cleaned whatever happens.
func runDirOf(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "run")
	t.Cleanup(func() {
		if err := Clean(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// sum is packets and bytes.
type sum struct{ Packets, Bytes uint64 }

func (s sum) plus(o sum) sum { return sum{s.Packets + o.Packets, s.Bytes + o.Bytes} }

func datagrams(n int) sum { return sum{uint64(n), uint64(n) * datagramBytes} }

// totals are what was seen and refused, by interface id and door.
type totals map[string]sum

func (t totals) add(s *count.Swap) {
	ids := map[uint16]string{}
	for _, i := range s.Interfaces {
		ids[i.Index] = i.ID
		if lost := (sum{i.Loss.Packets(), i.Loss.Bytes()}); lost != (sum{}) {
			t[i.ID+" lost"] = t[i.ID+" lost"].plus(lost)
		}
	}
	for i := range s.Flows {
		f := &s.Flows[i]
		at := fmt.Sprintf("%s %s", ids[f.Key.Interface], [...]string{"in", "out"}[f.Key.Door])
		if f.Seen.Packets > 0 {
			t[at] = t[at].plus(sum{f.Seen.Packets, f.Seen.Bytes})
		}
		if f.Refused.Packets > 0 {
			t[at+" refused"] = t[at+" refused"].plus(sum{f.Refused.Packets, f.Refused.Bytes})
		}
	}
}

func (t totals) packets() (n uint64) {
	for _, s := range t {
		n += s.Packets
	}
	return n
}

// swap hands over once and says that it is safe.
func swap(t testing.TB, c *Capture, into totals) *count.Swap {
	t.Helper()
	s, err := c.Swap()
	must(t, err)
	must(t, c.Release())
	into.add(s)
	return s
}

// collect swaps until the totals hold at least n packets, and once more: a
// packet that was sent may still be in a queue of the kernel's.
func collect(t testing.TB, c *Capture, into totals, n int) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); into.packets() < uint64(n) && time.Now().Before(end); {
		swap(t, c, into)
	}
	swap(t, c, into)
}

// await waits until f holds, or fails with what it says.
func await(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !f(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited 10 s for %s", what)
		}
	}
}

func mark(door policy.Door, rule uint32) string {
	return fmt.Sprintf("meta mark set %#x", uint32(policy.NewMark(door, rule)))
}
