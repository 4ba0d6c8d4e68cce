package nft

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"weir/policy"
	"weir/vpc"
)

// large is what the firewall is measured with: each interface has one to four
// groups, each group as many rules in each direction, a fifth of them with
// another group as peer, a fifth about IPv6; an ACL of 20 rules for each subnet.
func large(interfaces, groups, rules, acls int) *vpc.Topology {
	r := rand.New(rand.NewPCG(1, 2))
	t := &vpc.Topology{VPCs: []vpc.VPC{{ID: "vpc-1"}}}
	network := func() netip.Prefix {
		if r.IntN(5) == 0 {
			return netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, byte(r.IntN(256)), byte(r.IntN(256))}), 48)
		}
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(11 + r.IntN(200)), byte(r.IntN(256)), 0, 0}), 16)
	}
	for n := range acls {
		a := vpc.NetworkACL{ID: fmt.Sprintf("acl-%d", n), Name: fmt.Sprintf("acl%d", n), VPCID: "vpc-1"}
		for i := range 18 {
			rule := vpc.ACLRule{Number: 10 * (i + 1), Allow: i%2 == 0, CIDR: network(), Traffic: vpc.Ports(vpc.TCP, uint16(1000*i), uint16(1000*i+10))}
			a.Ingress, a.Egress = append(a.Ingress, rule), append(a.Egress, rule)
		}
		for i, all := range []string{"0.0.0.0/0", "::/0"} {
			rule := vpc.ACLRule{Number: 1000 + i, Allow: true, CIDR: netip.MustParsePrefix(all), Traffic: vpc.AllTraffic}
			a.Ingress, a.Egress = append(a.Ingress, rule), append(a.Egress, rule)
		}
		t.ACLs = append(t.ACLs, a)
		t.Subnets = append(t.Subnets, vpc.Subnet{
			ID: fmt.Sprintf("subnet-%d", n), VPCID: "vpc-1", ACLID: a.ID,
			CIDRs: []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 1, byte(n), 0}), 24)},
		})
	}
	for n := range groups {
		g := vpc.SecurityGroup{ID: fmt.Sprintf("sg-%d", n), Name: fmt.Sprintf("group%d", n), VPCID: "vpc-1"}
		for i := range rules {
			peer := vpc.Peer{CIDR: network()}
			if i%5 == 0 {
				peer = vpc.Peer{GroupID: fmt.Sprintf("sg-%d", r.IntN(groups))}
			}
			port := uint16(1 + r.IntN(20_000))
			g.Ingress = append(g.Ingress, vpc.GroupRule{Traffic: vpc.Ports(vpc.TCP, port, port), Peer: peer})
			g.Egress = append(g.Egress, vpc.GroupRule{Traffic: vpc.Ports(vpc.TCP, port, port+10), Peer: peer})
		}
		t.Groups = append(t.Groups, g)
	}
	for n := range interfaces {
		i := vpc.Interface{
			ID: fmt.Sprintf("eni-%d", n), VPCID: "vpc-1", SubnetID: fmt.Sprintf("subnet-%d", n%acls), Device: vpc.Device{Name: fmt.Sprintf("v%d", n)},
			Addresses: []netip.Addr{netip.AddrFrom4([4]byte{10, 1, byte(n % acls), byte(10 + n/acls)})},
		}
		for range 1 + r.IntN(4) {
			i.GroupIDs = append(i.GroupIDs, fmt.Sprintf("sg-%d", r.IntN(groups)))
		}
		t.Interfaces = append(t.Interfaces, i)
	}
	return t
}

// BenchmarkApply is from a compiled policy to one in force that replaces
// another: what changes of a topology cost.
func BenchmarkApply(b *testing.B) {
	ns := namespace(b, "bench")
	for _, size := range []struct{ interfaces, groups, rules, acls int }{{10, 10, 30, 5}, {1000, 500, 30, 50}} {
		b.Run(fmt.Sprintf("interfaces=%d/groups=%d/rules=%d+%d", size.interfaces, size.groups, size.rules, size.rules), func(b *testing.B) {
			p, err := policy.Compile(large(size.interfaces, size.groups, size.rules, size.acls), &policy.MemoryIDs{})
			if err != nil {
				b.Fatal(err)
			}
			before := slab(b)
			var rendering, applying time.Duration
			var text string
			for b.Loop() {
				begin := time.Now()
				rulesets, err := Render(p, Options{})
				if err != nil {
					b.Fatal(err)
				}
				r := &rulesets[0]
				r.Namespace = ns.Path()
				rendering += time.Since(begin)
				begin = time.Now()
				if err := r.Apply(context.Background()); err != nil {
					b.Fatal(err)
				}
				applying += time.Since(begin)
				text = r.Text
			}
			b.ReportMetric(float64(rendering.Milliseconds())/float64(b.N), "render-ms")
			b.ReportMetric(float64(applying.Milliseconds())/float64(b.N), "apply-ms")
			b.ReportMetric(float64(strings.Count(text, "\n")), "lines")
			b.ReportMetric(float64(max(slab(b)-before, 0))/1024, "kernel-MB")
		})
	}
}

// slab is the kernel's own memory, KiB.
func slab(tb testing.TB) int {
	tb.Helper()
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		tb.Fatal(err)
	}
	sum := 0
	for line := range strings.SplitSeq(string(text), "\n") {
		f := strings.Fields(line)
		if len(f) > 1 && (f[0] == "Slab:" || f[0] == "VmallocUsed:" || f[0] == "Percpu:") {
			n, _ := strconv.Atoi(f[1])
			sum += n
		}
	}
	return sum
}

// BenchmarkRender is the part of BenchmarkApply that needs no root.
func BenchmarkRender(b *testing.B) {
	p, err := policy.Compile(large(1000, 500, 30, 50), &policy.MemoryIDs{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Render(p, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
