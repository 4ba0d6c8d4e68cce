package verdict

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"weir/capture/ebpf"
	"weir/netns"
	"weir/policy"
	"weir/policy/nft"
	"weir/vpc"
)

// needRoot skips what this machine or user cannot do.
func needRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: it makes network namespaces, loads a firewall and eBPF programs")
	}
	if _, err := exec.LookPath(nftPath()); err != nil {
		t.Skip("needs nft (Debian: nftables)")
	}
}

// nftPath is where nft is; Debian keeps it out of people's way.
func nftPath() string {
	if path, err := exec.LookPath("nft"); err == nil {
		return path
	}
	return "/usr/sbin/nft"
}

// rig is a router with all interfaces of a topology, and a farm that holds
// their far ends: no addresses there, nothing that answers by itself.
type rig struct {
	t            testing.TB
	topology     *vpc.Topology
	router, farm *netns.Namespace
	links        *netlink.Handle // in the router
	ends         map[string]*end // by interface id
	byIndex      map[int]*end    // by the far end's device
	socket       int             // AF_PACKET in the farm
	capture      *ebpf.Capture
	rulesets     []nft.Ruleset
	policy       *policy.Policy
}

// end is an interface with both ends of its wire.
type end struct {
	*vpc.Interface
	index        int              // the far end's device
	mac, routerM net.HardwareAddr // of the far end; of who routes for it
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// space makes a network namespace that goes away with the test.
func space(t testing.TB, name string) *netns.Namespace {
	t.Helper()
	name = fmt.Sprintf("weirverdict-%d-%s", os.Getpid(), name)
	_ = netns.Delete(name) // of a run that was killed
	ns, err := netns.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = ns.Close()
		if err := netns.Delete(name); err != nil {
			t.Error(err)
		}
	})
	return ns
}

func sysctl(t testing.TB, ns *netns.Namespace, key, value string) {
	t.Helper()
	if err := ns.Do(func() error { return os.WriteFile("/proc/sys/net/"+key, []byte(value), 0o644) }); err != nil {
		t.Fatal(err)
	}
}

// newRig builds the topology, applies its policy and begins to capture.
func newRig(t testing.TB, name string, top *vpc.Topology) *rig {
	t.Helper()
	needRoot(t)
	r := &rig{t: t, topology: top, ends: map[string]*end{}, byIndex: map[int]*end{}}
	r.router, r.farm = space(t, name+"-router"), space(t, name+"-farm")
	for _, s := range [][2]string{
		{"ipv4/ip_forward", "1"},
		{"ipv6/conf/all/forwarding", "1"},
		{"ipv4/conf/all/rp_filter", "0"},
		{"ipv4/conf/default/rp_filter", "0"},
		{"ipv4/conf/all/send_redirects", "0"},
		{"ipv4/conf/default/send_redirects", "0"},
		{"ipv6/conf/default/accept_dad", "0"},
		{"ipv6/conf/default/addr_gen_mode", "1"}, // no link-local addresses: nobody speaks by itself
		{"bridge/bridge-nf-call-iptables", "1"},
		{"bridge/bridge-nf-call-ip6tables", "1"},
	} {
		sysctl(t, r.router, s[0], s[1])
	}
	for _, s := range []string{"default", "all"} {
		sysctl(t, r.farm, "ipv6/conf/"+s+"/disable_ipv6", "1")
	}
	var err error
	r.links, err = r.router.Netlink()
	r.must(err)
	t.Cleanup(r.links.Close)
	for i := range top.Interfaces {
		top.Interfaces[i].Device.Namespace = r.router.Path()
		r.plug(&top.Interfaces[i])
	}
	r.listen()
	r.policy, err = policy.Compile(top, &policy.MemoryIDs{})
	r.must(err)
	r.rulesets, err = nft.Render(r.policy, nft.Options{})
	r.must(err)
	for i := range r.rulesets {
		r.must(r.rulesets[i].Apply(context.Background()))
	}
	r.capture, err = ebpf.Open(ebpf.Config{RunDir: filepath.Join(t.TempDir(), "run"), MaxFlows: 1 << 15, Settle: 5 * time.Millisecond})
	r.must(err)
	t.Cleanup(func() {
		if err := r.capture.Close(false); err != nil {
			t.Error(err)
		}
	})
	r.must(r.capture.Watch(top.Interfaces))
	return r
}

// plug makes an interface's wire, its port and its routes.
func (r *rig) plug(i *vpc.Interface) {
	r.t.Helper()
	far := "f" + i.Device.Name
	r.must(r.links.LinkAdd(&netlink.Veth{
		LinkAttrs: netlink.LinkAttrs{Name: i.Device.Name, TxQLen: 1000}, PeerName: far, PeerNamespace: netlink.NsFd(r.farm.FD()),
	}))
	near, err := r.links.LinkByName(i.Device.Name)
	r.must(err)
	r.must(r.links.LinkSetUp(near))
	e := &end{Interface: i, routerM: near.Attrs().HardwareAddr}
	r.must(r.farm.Do(func() error {
		l, err := netlink.LinkByName(far)
		if err != nil {
			return err
		}
		e.index, e.mac = l.Attrs().Index, l.Attrs().HardwareAddr
		return netlink.LinkSetUp(l)
	}))
	out := near
	if i.Bridge != "" {
		br := r.bridge(i.Bridge)
		r.must(r.links.LinkSetMaster(near, br))
		r.must(r.links.LinkSetLearning(near, false))
		r.must(r.links.LinkSetFlood(near, false))
		r.must(r.links.NeighSet(&netlink.Neigh{
			LinkIndex: near.Attrs().Index, Family: unix.AF_BRIDGE, State: netlink.NUD_NOARP, Flags: netlink.NTF_MASTER, HardwareAddr: e.mac,
		}))
		br = r.bridge(i.Bridge)
		e.routerM, out = br.Attrs().HardwareAddr, br
	}
	r.ends[i.ID], r.byIndex[e.index] = e, e
	if i.Side == vpc.Own {
		for _, gw := range []string{"192.0.2.254", "2001:db8:fffe::1"} {
			r.addRoute(netip.PrefixFrom(netip.MustParseAddr(gw), 0).Masked(), netip.MustParseAddr(gw), out, e.mac)
		}
		return
	}
	for _, a := range i.Addresses {
		r.addRoute(netip.PrefixFrom(a, a.BitLen()), netip.Addr{}, out, e.mac)
	}
	for _, p := range i.Prefixes { // by way of the interface's address
		for _, a := range i.Addresses {
			if a.Is6() == p.Addr().Is6() {
				r.addRoute(p, a, out, e.mac)
				break
			}
		}
	}
}

// bridge finds or makes a bridge that learns nothing. Its hardware address is
// set: else it is that of the port with the lowest one.
func (r *rig) bridge(name string) netlink.Link {
	r.t.Helper()
	if l, err := r.links.LinkByName(name); err == nil {
		return l
	}
	off := false
	br := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: name}, MulticastSnooping: &off}
	br.HardwareAddr = net.HardwareAddr{2, 0, 0x5e, 0xff, 0xff, byte(len(name) + int(name[len(name)-1]))}
	r.must(r.links.LinkAdd(br))
	r.must(r.links.LinkSetUp(br))
	return r.bridge(name)
}

// addRoute sends a network to a device, by a gateway if there is one, and tells
// the hardware address.
func (r *rig) addRoute(to netip.Prefix, via netip.Addr, out netlink.Link, mac net.HardwareAddr) {
	r.t.Helper()
	next := via
	if !via.IsValid() {
		next = to.Addr()
	}
	r.must(r.links.NeighSet(&netlink.Neigh{
		LinkIndex: out.Attrs().Index, State: netlink.NUD_PERMANENT, IP: next.AsSlice(), HardwareAddr: mac,
	}))
	route := &netlink.Route{
		LinkIndex: out.Attrs().Index,
		Dst:       ipNet(to),
	}
	if via.IsValid() {
		route.Gw, route.Flags = via.AsSlice(), int(netlink.FLAG_ONLINK)
	}
	if err := r.links.RouteAdd(route); err != nil {
		r.t.Fatalf("route to %v via %v: %v", to, via, err)
	}
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

// listen opens the witness's socket, which is also the sender's.
func (r *rig) listen() {
	r.t.Helper()
	r.must(r.farm.Do(func() (err error) {
		r.socket, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, int(htons(unix.ETH_P_ALL)))
		return err
	}))
	r.t.Cleanup(func() { _ = unix.Close(r.socket) })
	r.must(unix.SetsockoptInt(r.socket, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1))
	r.must(unix.SetsockoptInt(r.socket, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20))
	r.must(unix.SetsockoptTimeval(r.socket, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 15_000}))
}

func htons(v uint16) uint16 { return v<<8 | v>>8 }

// send sends frames from the far end.
func (r *rig) send(from *end, frames [][]byte) {
	r.t.Helper()
	for _, f := range frames {
		err := unix.Sendto(r.socket, f, 0, &unix.SockaddrLinklayer{Ifindex: from.index, Protocol: htons(unix.ETH_P_ALL)})
		for errors.Is(err, unix.EINTR) || errors.Is(err, unix.ENOBUFS) {
			err = unix.Sendto(r.socket, f, 0, &unix.SockaddrLinklayer{Ifindex: from.index, Protocol: htons(unix.ETH_P_ALL)})
		}
		r.must(err)
	}
}

// arrival is a frame at a far end.
type arrival struct {
	at     *end
	number int
	to     netip.Addr
}

// arrivals is what came since the last call, once nothing has come for a moment.
func (r *rig) arrivals() []arrival {
	r.t.Helper()
	var out []arrival
	buf := make([]byte, 4096)
	for {
		n, from, err := unix.Recvfrom(r.socket, buf, 0)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EAGAIN):
			return out
		}
		r.must(err)
		if number := numberOf(buf[:n]); number >= 0 {
			out = append(out, arrival{r.byIndex[from.(*unix.SockaddrLinklayer).Ifindex], number, destinationOf(buf[:n])})
		}
	}
}
