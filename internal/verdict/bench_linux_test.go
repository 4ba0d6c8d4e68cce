package verdict

import (
	"context"
	"fmt"
	"math"
	"net/netip"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"weir/policy"
	"weir/policy/nft"
	"weir/vpc"
)

// What the last rules of the last group of an interface allow, by UDP: a port for
// everybody, and one for the two that are measured.
const (
	everybody = uint16(5000)
	one       = uint16(7000)
)

// large says what is in force in a benchmark.
type large struct {
	interfaces, groups int
	defaultACL         bool // AWS's, which allows everything, instead of one of 20 rules
	is6                bool
	sizes              int  // how many sizes the networks in rules have
	single             bool // rules are about one port each, and not a hundred
	shared             bool // interfaces with other groups have each group, too
}

// benchRules is how many rules each group has in each direction.
const benchRules = 30

// at is an address of the benchmark's: 10.x and the like in IPv4, the same below
// 2001:db8::/64 in IPv6.
func (l large) at(a, b, c, d byte) netip.Addr {
	if l.is6 {
		return netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 12: a, b, c, d})
	}
	return netip.AddrFrom4([4]byte{a, b, c, d})
}

// measured are the addresses of eni-0 and eni-1.
func (l large) measured() [2]netip.Addr { return [2]netip.Addr{l.at(10, 7, 0, 10), l.at(10, 7, 1, 10)} }

// network is one with the address, bits shorter than the address alone.
func network(a netip.Addr, bits int) netip.Prefix {
	return netip.PrefixFrom(a, a.BitLen()-bits).Masked()
}

func (l large) anybody() netip.Prefix {
	if l.is6 {
		return anyNet[1]
	}
	return anyNet[0]
}

// topology is two real interfaces among many, each with groups whose last rules
// are the ones that allow, and an ACL whose last rule does.
func (l large) topology() *vpc.Topology {
	const perInterface = 2 // groups, and AWS's default is up to five
	t := &vpc.Topology{VPCs: []vpc.VPC{{ID: "vpc-7"}}}
	acls := max(2, l.interfaces/20)
	for n := range acls {
		id := fmt.Sprintf("acl-%d", n)
		a := vpc.NetworkACL{ID: id, VPCID: "vpc-7"}
		for i := range 19 {
			a.Ingress = append(a.Ingress, vpc.ACLRule{Number: 10 + i, CIDR: network(l.at(192, 0, 2, byte(i)), 0), Traffic: vpc.Ports(vpc.TCP, 22, 22)})
		}
		a.Ingress = append(a.Ingress, vpc.ACLRule{Number: 100, Allow: true, CIDR: l.anybody(), Traffic: vpc.AllPorts(vpc.UDP)})
		a.Egress = a.Ingress
		if l.defaultACL {
			a = vpc.DefaultACL("vpc-7", id)
		}
		t.ACLs = append(t.ACLs, a)
		t.Subnets = append(t.Subnets, vpc.Subnet{ID: fmt.Sprintf("subnet-%d", n), VPCID: "vpc-7", ACLID: id, CIDRs: []netip.Prefix{network(l.at(10, 7, byte(n), 0), 8)}})
	}
	for n := range l.groups {
		g := vpc.SecurityGroup{ID: fmt.Sprintf("sg-%05d", n), VPCID: "vpc-7"}
		for i := range benchRules {
			peer := vpc.Peer{CIDR: network(l.at(172, byte(16+i), byte(n), byte(i)), i%max(1, l.sizes))}
			if i%5 == 0 {
				peer = vpc.Peer{GroupID: fmt.Sprintf("sg-%05d", (n+i+perInterface)%l.groups)}
			}
			from, to := uint16(100+i), uint16(200+i)
			if l.single {
				to = from
			}
			g.Ingress = append(g.Ingress, vpc.GroupRule{Traffic: vpc.Ports(vpc.UDP, from, to), Peer: peer})
		}
		last := n%perInterface == perInterface-1 // of an interface's groups, only the last one allows
		for i, peer := range []netip.Prefix{network(l.measured()[0], 0), network(l.measured()[1], 0), l.anybody()} {
			port := everybody
			if peer.IsSingleIP() {
				port = one
			}
			if !last {
				port -= 10
			}
			g.Ingress[benchRules-3+i] = vpc.GroupRule{Traffic: vpc.Ports(vpc.UDP, port, port), Peer: vpc.Peer{CIDR: peer}}
		}
		g.Egress = g.Ingress
		t.Groups = append(t.Groups, g)
	}
	for n := range l.interfaces {
		i := vpc.Interface{
			ID: fmt.Sprintf("eni-%d", n), VPCID: "vpc-7", SubnetID: fmt.Sprintf("subnet-%d", n%acls), Device: vpc.Device{Name: fmt.Sprintf("w%d", n)},
			Addresses: []netip.Addr{l.at(10, 7, byte(n%acls), byte(10+n/acls))},
		}
		first := n * perInterface
		if l.shared && n > 1 {
			first++
		}
		for g := range perInterface {
			i.GroupIDs = append(i.GroupIDs, fmt.Sprintf("sg-%05d", (first+g)%l.groups))
		}
		t.Interfaces = append(t.Interfaces, i)
	}
	return t
}

// benchRig is a router with two real interfaces, w0 and w1.
func benchRig(b *testing.B) *rig {
	r := &rig{t: b, ends: map[string]*end{}, byIndex: map[int]*end{}}
	r.router, r.farm = space(b, "bench-router"), space(b, "bench-farm")
	for _, key := range []string{"ipv4/ip_forward", "ipv6/conf/all/forwarding", "ipv6/conf/default/addr_gen_mode"} {
		sysctl(b, r.router, key, "1")
	}
	sysctl(b, r.router, "ipv4/conf/all/rp_filter", "0")
	sysctl(b, r.farm, "ipv6/conf/default/disable_ipv6", "1")
	var err error
	r.links, err = r.router.Netlink()
	r.must(err)
	b.Cleanup(r.links.Close)
	four, six := large{interfaces: 10, groups: 10}, large{interfaces: 10, groups: 10, is6: true}
	top := four.topology()
	for n := range 2 {
		i := &top.Interfaces[n]
		i.Device.Namespace = r.router.Path()
		i.Addresses = append(i.Addresses, six.measured()[n])
		r.plug(i)
	}
	r.listen()
	return r
}

// load puts rules into force; without interfaces none at all.
func (r *rig) load(l large) {
	r.t.Helper()
	if l.interfaces == 0 {
		r.script("flush ruleset\n")
		return
	}
	top := l.topology()
	for i := range top.Interfaces {
		top.Interfaces[i].Device.Namespace = r.router.Path()
	}
	p, err := policy.Compile(top, &policy.MemoryIDs{})
	r.must(err)
	rulesets, err := nft.Render(p, nft.Options{})
	r.must(err)
	r.must(rulesets[0].Apply(context.Background()))
}

// script loads a script of the benchmark's own.
func (r *rig) script(text string) {
	r.t.Helper()
	cmd := exec.Command(nftPath(), "-f", "-")
	cmd.Stdin = strings.NewReader(text)
	r.must(r.router.Run(cmd))
}

// tracking is a script that does nothing but track connections.
const tracking = "flush ruleset\ntable inet tracking {\n\tchain c {\n\t\ttype filter hook prerouting priority -150; policy accept;\n\t\tct state invalid continue\n\t}\n}\n"

// burst sends a packet many times from one interface to the other and is the
// nanoseconds that each took: sending goes through the router and returns.
func (r *rig) burst(from, to string, p packet) float64 {
	r.t.Helper()
	const packets = burstPackets
	frame := p.frames(1, r.ends[from].routerM, r.ends[from].mac)[0]
	at := &unix.SockaddrLinklayer{Ifindex: r.ends[from].index, Protocol: htons(unix.ETH_P_ALL)}
	var begin, end unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &begin)
	for range packets {
		if err := unix.Sendto(r.socket, frame, 0, at); err != nil {
			r.t.Fatal(err)
		}
	}
	_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &end)
	return float64(end.Nano()-begin.Nano()) / packets
}

// burstPackets is how many packets burst sends.
const burstPackets = 20_000

// BenchmarkLatency is what the firewall adds to a packet's way through a
// router, both doors together, in nanoseconds of processor time: the median of
// the differences within a round, settings in changing order.
func BenchmarkLatency(b *testing.B) {
	needRoot(b)
	for _, is6 := range []bool{false, true} {
		name := "IPv4"
		if is6 {
			name = "IPv6"
		}
		b.Run(name, func(b *testing.B) { latency(b, is6) })
	}
}

func latency(b *testing.B, is6 bool) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	r := benchRig(b)
	_ = unix.Close(r.socket) // a witness of each packet would cost more than the packet
	r.must(r.farm.Do(func() (err error) {
		r.socket, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		return err
	}))
	ends := large{is6: is6}.measured()
	known := packet{Packet: policy.Packet{Src: ends[0], Dst: ends[1], Protocol: vpc.UDP, SrcPort: 4000, DstPort: everybody}}
	fresh := known
	fresh.SrcPort = 4001
	named := fresh
	named.DstPort = one
	packets := []struct {
		name string
		packet
	}{{"known connection", known}, {"new, the last rule allows everybody", fresh}, {"new, the last rule allows one address", named}}
	settings := []struct {
		name string
		load func()
	}{
		{"no rules", func() { r.load(large{}) }},
		{"tracking only", func() { r.script(tracking) }},
		{"10 interfaces", func() { r.load(large{interfaces: 10, groups: 10, is6: is6}) }},
		{"1000 interfaces", func() { r.load(large{interfaces: 1000, groups: 500, is6: is6}) }},
		{"1000, default ACL", func() { r.load(large{interfaces: 1000, groups: 500, is6: is6, defaultACL: true}) }},
		{"1000, shared groups", func() { r.load(large{interfaces: 1000, groups: 500, is6: is6, shared: true}) }},
		{"1000, single ports", func() { r.load(large{interfaces: 1000, groups: 500, is6: is6, single: true}) }},
		{"1000, 8 sizes", func() { r.load(large{interfaces: 1000, groups: 500, is6: is6, sizes: 8}) }},
	}
	took := make([][][]float64, len(settings)) // by setting, packet and round
	for n := range settings {
		took[n] = make([][]float64, len(packets))
	}
	for round := range max(5, b.N) {
		for n := range settings {
			n := (n + round) % len(settings)
			settings[n].load()
			r.burst("eni-0", "eni-1", known)
			r.burst("eni-1", "eni-0", answer(known)) // from here it is established
			for k, p := range packets {
				least := math.Inf(1) // whoever else uses the machine only ever adds
				for range 3 {
					least = min(least, r.burst("eni-0", "eni-1", p.packet))
				}
				took[n][k] = append(took[n][k], least)
			}
		}
	}
	for k, p := range packets {
		for n, s := range settings {
			added := make([]float64, len(took[n][k]))
			for round, ns := range took[n][k] {
				added[round] = ns - took[0][k][round]
			}
			fmt.Printf("  %-38s %-19s %6.0f ns a packet, %+6.0f beside no rules (half of the rounds: %.0f to %.0f)\n",
				p.name, s.name, median(took[n][k]), median(added), quantile(added, 1, 4), quantile(added, 3, 4))
		}
	}
}

func median(v []float64) float64 {
	v = slices.Clone(v)
	slices.Sort(v)
	return v[len(v)/2]
}
