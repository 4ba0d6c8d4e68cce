package verdict

import (
	"context"
	"fmt"
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

// benchTopology is two real interfaces among many, each with groups whose last
// rule is the one that allows, and an ACL whose last rule does, or AWS's default
// one, which allows everything.
func benchTopology(interfaces, groups, rules int, defaultACL bool) *vpc.Topology {
	const perInterface = 2 // groups, and AWS's default is up to five
	t := &vpc.Topology{VPCs: []vpc.VPC{{ID: "vpc-7"}}}
	acls := max(2, interfaces/20)
	for n := range acls {
		id := fmt.Sprintf("acl-%d", n)
		a := vpc.NetworkACL{ID: id, VPCID: "vpc-7"}
		for i := range 19 {
			a.Ingress = append(a.Ingress, vpc.ACLRule{Number: 10 + i, CIDR: netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), 32), Traffic: vpc.Ports(vpc.TCP, 22, 22)})
		}
		a.Ingress = append(a.Ingress, vpc.ACLRule{Number: 100, Allow: true, CIDR: anyNet[0], Traffic: vpc.AllPorts(vpc.UDP)})
		a.Egress = a.Ingress
		if defaultACL {
			a = vpc.DefaultACL("vpc-7", id)
		}
		t.ACLs = append(t.ACLs, a)
		t.Subnets = append(t.Subnets, vpc.Subnet{ID: fmt.Sprintf("subnet-%d", n), VPCID: "vpc-7", ACLID: id, CIDRs: []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 7, byte(n), 0}), 24)}})
	}
	for n := range groups {
		g := vpc.SecurityGroup{ID: fmt.Sprintf("sg-%05d", n), VPCID: "vpc-7"}
		for i := range rules - 1 {
			peer := vpc.Peer{CIDR: netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 16, byte(n), byte(i)}), 32)}
			if i%5 == 0 {
				peer = vpc.Peer{GroupID: fmt.Sprintf("sg-%05d", (n+i+perInterface)%groups)}
			}
			g.Ingress = append(g.Ingress, vpc.GroupRule{Traffic: vpc.Ports(vpc.UDP, uint16(100+i), uint16(200+i)), Peer: peer})
		}
		last := uint16(5000) // of the groups of the two that are measured, only the last one allows
		if n%perInterface != perInterface-1 {
			last = 4999
		}
		g.Ingress = append(g.Ingress, vpc.GroupRule{Traffic: vpc.Ports(vpc.UDP, last, last), Peer: vpc.Peer{CIDR: anyNet[0]}})
		g.Egress = g.Ingress
		t.Groups = append(t.Groups, g)
	}
	for n := range interfaces {
		i := vpc.Interface{
			ID: fmt.Sprintf("eni-%d", n), VPCID: "vpc-7", SubnetID: fmt.Sprintf("subnet-%d", n%acls), Device: vpc.Device{Name: fmt.Sprintf("w%d", n)},
			Addresses: []netip.Addr{netip.AddrFrom4([4]byte{10, 7, byte(n % acls), byte(10 + n/acls)})},
		}
		for g := range perInterface {
			i.GroupIDs = append(i.GroupIDs, fmt.Sprintf("sg-%05d", (n*perInterface+g)%groups))
		}
		t.Interfaces = append(t.Interfaces, i)
	}
	return t
}

// benchRig is a router with two real interfaces, w0 and w1.
func benchRig(b *testing.B) *rig {
	top := benchTopology(10, 10, 30, false)
	r := &rig{t: b, ends: map[string]*end{}, byIndex: map[int]*end{}}
	r.router, r.farm = space(b, "bench-router"), space(b, "bench-farm")
	sysctl(b, r.router, "ipv4/ip_forward", "1")
	sysctl(b, r.router, "ipv4/conf/all/rp_filter", "0")
	sysctl(b, r.farm, "ipv6/conf/default/disable_ipv6", "1")
	var err error
	r.links, err = r.router.Netlink()
	r.must(err)
	b.Cleanup(r.links.Close)
	for n := range 2 {
		top.Interfaces[n].Device.Namespace = r.router.Path()
		r.plug(&top.Interfaces[n])
	}
	r.listen()
	return r
}

// load puts a topology of some size into force; of none, only what tracks
// connections; of less than none, nothing at all.
func (r *rig) load(interfaces, groups int, defaultACL bool) {
	r.t.Helper()
	script := "flush ruleset\n"
	switch {
	case interfaces == 0:
		script += "table inet tracking {\n\tchain c {\n\t\ttype filter hook prerouting priority -150; policy accept;\n\t\tct state invalid continue\n\t}\n}\n"
	case interfaces > 0:
		top := benchTopology(interfaces, groups, 30, defaultACL)
		for i := range top.Interfaces {
			top.Interfaces[i].Device.Namespace = r.router.Path()
		}
		p, err := policy.Compile(top, &policy.MemoryIDs{})
		r.must(err)
		rulesets, err := nft.Render(p, nft.Options{})
		r.must(err)
		r.must(rulesets[0].Apply(context.Background()))
		return
	}
	cmd := exec.Command(nftPath(), "-f", "-")
	cmd.Stdin = strings.NewReader(script)
	r.must(r.router.Run(cmd))
}

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
// router, both doors together, in nanoseconds of processor time: medians of
// rounds in changing order.
func BenchmarkLatency(b *testing.B) {
	needRoot(b)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	r := benchRig(b)
	_ = unix.Close(r.socket) // a witness of each packet would cost more than the packet
	r.must(r.farm.Do(func() (err error) {
		r.socket, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		return err
	}))
	known := packet{Packet: policy.Packet{Src: netip.MustParseAddr("10.7.0.10"), Dst: netip.MustParseAddr("10.7.1.10"), Protocol: vpc.UDP, SrcPort: 4000, DstPort: 5000}}
	fresh := known
	fresh.SrcPort = 4001
	settings := []struct {
		name               string
		interfaces, groups int
		defaultACL         bool
	}{
		{"no rules", -1, 0, false},
		{"tracking only", 0, 0, false},
		{"10 interfaces", 10, 10, false},
		{"1000 interfaces", 1000, 500, false},
		{"1000, default ACL", 1000, 500, true},
	}
	got := map[string][]float64{}
	rounds := max(5, b.N)
	for round := range rounds {
		for n := range settings {
			s := settings[(n+round)%len(settings)]
			r.load(s.interfaces, s.groups, s.defaultACL)
			r.burst("eni-0", "eni-1", known)
			r.burst("eni-1", "eni-0", answer(known)) // from here it is established
			got[s.name+", known connection"] = append(got[s.name+", known connection"], r.burst("eni-0", "eni-1", known))
			got[s.name+", new connection, last rule"] = append(got[s.name+", new connection, last rule"], r.burst("eni-0", "eni-1", fresh))
		}
	}
	for _, what := range []string{"known connection", "new connection, last rule"} {
		base := median(got["no rules, "+what])
		for _, s := range settings {
			m := median(got[s.name+", "+what])
			fmt.Printf("  %-28s %-18s %6.0f ns a packet, %+6.0f beside no rules\n", what, s.name, m, m-base)
		}
	}
}

func median(v []float64) float64 {
	v = slices.Clone(v)
	slices.Sort(v)
	return v[len(v)/2]
}
