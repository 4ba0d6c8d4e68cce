package exact

import (
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"weir/netns"
	"weir/vpc"
)

// rig is a set of namespaces with what is watched in them and what witnesses it.
type rig struct {
	t          testing.TB
	prefix     string
	ns         map[string]*netns.Namespace
	interfaces []vpc.Interface
	wires      []wire
	refusals   []refusal
	neighbours []func() // set when all devices have their addresses
	rules      uint32   // ids handed out
}

// wire is a device whose pfifo counts what goes over an interface's wire.
type wire struct {
	side     side
	ns, dev  string
	refused  bool // what is refused is on this wire too
	packets0 uint64
	bytes0   uint64
	lost     *losses // before the test; nil until the first look
}

// side is one direction of one interface.
type side struct {
	id  string
	dir string
}

// refusal is a named nft counter at a refusing rule. nft counts a datagram that
// conntrack has put together once; fragments says how it stood on the wire.
type refusal struct {
	side     side
	ns       string
	counter  string
	pieces   uint64 // packets on the wire for each one that nft counts
	overhead uint64 // and bytes of headers that nft does not see
}

func needRoot(t testing.TB) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: it makes network namespaces and loads eBPF programs")
	}
	if _, err := exec.LookPath("nft"); err != nil {
		t.Skip("needs nft (Debian: nftables): it witnesses refusals")
	}
}

func newRig(t testing.TB, prefix string, names ...string) *rig {
	t.Helper()
	needRoot(t)
	prefix += fmt.Sprintf("-%d", os.Getpid()%100000)
	r := &rig{t: t, prefix: prefix, ns: map[string]*netns.Namespace{}}
	for _, n := range names {
		name := prefix + "-" + n
		_ = netns.Delete(name) // of a run that was killed
		ns, err := netns.Create(name)
		r.must(err)
		r.ns[n] = ns
		t.Cleanup(func() {
			_ = ns.Close()
			if err := netns.Delete(name); err != nil {
				t.Error(err)
			}
		})
		r.sysctl(n, "net/ipv4/ip_forward", "1")
		r.sysctl(n, "net/ipv6/conf/all/forwarding", "1")
		r.sysctl(n, "net/ipv4/conf/all/rp_filter", "0")
		r.sysctl(n, "net/ipv6/conf/default/accept_dad", "0")
		// Local senders answer by ICMP at most so often; more would be dropped
		// before it is sent, which is no fault but makes runs differ.
		r.sysctl(n, "net/ipv4/icmp_ratelimit", "0")
	}
	return r
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) in(ns string, f func() error) {
	r.t.Helper()
	r.must(r.ns[ns].Do(f))
}

func (r *rig) sysctl(ns, key, value string) {
	r.t.Helper()
	r.in(ns, func() error { return os.WriteFile("/proc/sys/"+key, []byte(value), 0o644) })
}

// end is one end of a veth pair: "namespace", "device", its addresses with prefix.
type end struct {
	ns, dev string
	addrs   []string
}

// veth joins two namespaces. Each end has a pfifo, the witness of what it
// sends, and each knows the other's hardware address: ARP is not IP and would
// be in the pfifo alone.
func (r *rig) veth(a, b end) {
	r.t.Helper()
	r.plainVeth(a, b)
	for _, e := range []end{a, b} {
		r.in(e.ns, func() error {
			l, err := netlink.LinkByName(e.dev)
			if err != nil {
				return err
			}
			return netlink.QdiscReplace(&netlink.GenericQdisc{
				QdiscAttrs: netlink.QdiscAttrs{LinkIndex: l.Attrs().Index, Parent: netlink.HANDLE_ROOT},
				QdiscType:  "pfifo",
			})
		})
	}
}

// plainVeth is veth without the witnesses.
func (r *rig) plainVeth(a, b end) {
	r.t.Helper()
	r.in(a.ns, func() error {
		return netlink.LinkAdd(&netlink.Veth{
			LinkAttrs:     netlink.LinkAttrs{Name: a.dev, TxQLen: 10000},
			PeerName:      b.dev,
			PeerNamespace: netlink.NsFd(r.ns[b.ns].FD()),
		})
	})
	for _, e := range []end{a, b} {
		r.in(e.ns, func() error {
			l, err := netlink.LinkByName(e.dev)
			if err != nil {
				return err
			}
			if err := addAddrs(l, e.addrs); err != nil {
				return err
			}
			return netlink.LinkSetUp(l)
		})
	}
	r.neighbours = append(r.neighbours, func() { r.neighbour(a, b); r.neighbour(b, a) })
}

// bridge makes a bridge of the far ends' peers, which are named p and the
// namespace, and lets the instances and it know each other.
func (r *rig) bridge(ns, dev string, addrs []string, instances ...end) {
	r.t.Helper()
	r.sysctl(ns, "net/bridge/bridge-nf-call-iptables", "1")
	r.sysctl(ns, "net/bridge/bridge-nf-call-ip6tables", "1")
	r.in(ns, func() error {
		br := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: dev}}
		if err := netlink.LinkAdd(br); err != nil {
			return err
		}
		for _, i := range instances {
			port, err := netlink.LinkByName("p" + i.ns)
			if err != nil {
				return err
			}
			if err := netlink.LinkSetMaster(port, br); err != nil {
				return err
			}
		}
		if err := addAddrs(br, addrs); err != nil {
			return err
		}
		return netlink.LinkSetUp(br)
	})
	r.neighbours = append(r.neighbours, func() {
		for _, i := range instances {
			r.neighbourAt(i.ns, i.dev, end{ns, dev, addrs})
			r.neighbourAt(ns, dev, i)
			for _, other := range instances {
				if other.ns != i.ns {
					r.neighbourAt(i.ns, i.dev, other)
				}
			}
		}
	})
}

func addAddrs(l netlink.Link, addrs []string) error {
	for _, s := range addrs {
		a, err := netlink.ParseAddr(s)
		if err != nil {
			return err
		}
		a.Flags = unix.IFA_F_NODAD
		if err := netlink.AddrAdd(l, a); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}

// neighbour tells from the hardware address of the other end.
func (r *rig) neighbour(from, to end) { r.neighbourAt(from.ns, from.dev, to) }

func (r *rig) neighbourAt(ns, dev string, to end) {
	r.t.Helper()
	var mac net.HardwareAddr
	r.in(to.ns, func() error {
		l, err := netlink.LinkByName(to.dev)
		if err == nil {
			mac = l.Attrs().HardwareAddr
		}
		return err
	})
	r.in(ns, func() error {
		l, err := netlink.LinkByName(dev)
		if err != nil {
			return err
		}
		for _, s := range to.addrs {
			err := netlink.NeighSet(&netlink.Neigh{
				LinkIndex: l.Attrs().Index, State: netlink.NUD_PERMANENT,
				IP: netip.MustParsePrefix(s).Addr().AsSlice(), HardwareAddr: mac,
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func (r *rig) route(ns, dst, via string) {
	r.t.Helper()
	r.in(ns, func() error {
		p := netip.MustParsePrefix(dst)
		return netlink.RouteAdd(&netlink.Route{
			Dst: &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())},
			Gw:  netip.MustParseAddr(via).AsSlice(),
		})
	})
}

func (r *rig) nft(ns, script string) {
	r.t.Helper()
	cmd := exec.Command("nft", "-f", "-")
	cmd.Stdin = strings.NewReader(script)
	r.must(r.ns[ns].Run(cmd))
}

// losses is what a wire has lost since it was made.
type losses struct{ queue, sent, received uint64 }

// wirePackets reads a pfifo: packets after segmentation, and their IP bytes.
// A device that lost packets makes the comparison meaningless.
func (r *rig) wirePackets(w *wire) (packets, bytes uint64) {
	r.t.Helper()
	r.in(w.ns, func() error {
		l, err := netlink.LinkByName(w.dev)
		if err != nil {
			return err
		}
		qs, err := netlink.QdiscList(l)
		if err != nil {
			return err
		}
		for _, q := range qs {
			if q.Type() != "pfifo" {
				continue
			}
			s := q.Attrs().Statistics
			lost := losses{uint64(s.Queue.Drops), l.Attrs().Statistics.TxDropped, l.Attrs().Statistics.RxDropped}
			if w.lost == nil { // a device may speak up before its other end is there
				w.lost = &lost
			}
			if lost != *w.lost {
				return fmt.Errorf("the rig lost packets at %s: %+v, before the test %+v", w.dev, lost, *w.lost)
			}
			packets = uint64(s.Basic.Packets)
			bytes = s.Basic.Bytes - 14*packets
			return nil
		}
		return fmt.Errorf("no pfifo at %s", w.dev)
	})
	return packets, bytes
}

// counters reads the named nft counters of a namespace.
func (r *rig) counters(ns string) map[string][2]uint64 {
	r.t.Helper()
	var out strings.Builder
	cmd := exec.Command("nft", "-j", "list", "counters")
	cmd.Stdout = &out
	r.must(r.ns[ns].Start(cmd))
	r.must(cmd.Wait())
	var doc struct {
		Nftables []struct {
			Counter *struct {
				Name           string
				Packets, Bytes uint64
			}
		}
	}
	r.must(json.Unmarshal([]byte(out.String()), &doc))
	m := map[string][2]uint64{}
	for _, e := range doc.Nftables {
		if e.Counter != nil {
			m[e.Counter.Name] = [2]uint64{e.Counter.Packets, e.Counter.Bytes}
		}
	}
	return m
}
