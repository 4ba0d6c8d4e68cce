package policy_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"

	"weir/policy"
	"weir/vpc"
)

// large is what the firewall is measured with: each interface has one to four of
// the groups, each group as many rules in each direction, a fifth of them with
// another group as peer.
func large(interfaces, groups, rules int) *vpc.Topology {
	r := rand.New(rand.NewPCG(1, 2))
	t := &vpc.Topology{VPCs: []vpc.VPC{{ID: "vpc-1", CIDRs: []netip.Prefix{mustPrefix("10.0.0.0/8")}}}}
	for n := range (interfaces + 199) / 200 {
		acl := vpc.DefaultACL("vpc-1", fmt.Sprintf("acl-%d", n))
		t.ACLs = append(t.ACLs, acl)
		t.Subnets = append(t.Subnets, vpc.Subnet{
			ID: fmt.Sprintf("subnet-%d", n), VPCID: "vpc-1", ACLID: acl.ID,
			CIDRs: []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 1, byte(n), 0}), 24)},
		})
	}
	for n := range groups {
		g := vpc.SecurityGroup{ID: fmt.Sprintf("sg-%d", n), Name: fmt.Sprintf("group%d", n), VPCID: "vpc-1"}
		for i := range rules {
			peer := vpc.Peer{CIDR: netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(1 + r.IntN(200)), byte(r.IntN(256)), 0, 0}), 16)}
			if i%5 == 0 {
				peer = group(fmt.Sprintf("sg-%d", r.IntN(groups)))
			}
			port := uint16(1 + r.IntN(20_000))
			g.Ingress = append(g.Ingress, rule(tcp(port, port), peer))
			g.Egress = append(g.Egress, rule(tcp(port, port+10), peer))
		}
		t.Groups = append(t.Groups, g)
	}
	for n := range interfaces {
		i := vpc.Interface{
			ID: fmt.Sprintf("eni-%d", n), VPCID: "vpc-1", SubnetID: fmt.Sprintf("subnet-%d", n/200),
			Addresses: []netip.Addr{netip.AddrFrom4([4]byte{10, 1, byte(n / 200), byte(10 + n%200)})},
		}
		for range 1 + r.IntN(4) {
			i.GroupIDs = append(i.GroupIDs, fmt.Sprintf("sg-%d", r.IntN(groups)))
		}
		t.Interfaces = append(t.Interfaces, i)
	}
	return t
}

func BenchmarkCompile(b *testing.B) {
	for _, size := range []struct{ interfaces, groups, rules int }{{10, 10, 60}, {1000, 500, 30}, {1000, 500, 60}} {
		b.Run(fmt.Sprintf("interfaces=%d/groups=%d/rules=%d+%d", size.interfaces, size.groups, size.rules, size.rules), func(b *testing.B) {
			b.ReportAllocs()
			t, ids := large(size.interfaces, size.groups, size.rules), new(policy.MemoryIDs)
			for b.Loop() {
				if _, err := policy.Compile(t, ids); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkEvaluate(b *testing.B) {
	t := large(1000, 500, 60)
	p := compile(b, t)
	first := t.Groups[0].Ingress[1]
	t.Interfaces[0].GroupIDs = []string{"sg-0"}
	one := compile(b, t)
	k := packet(b, "tcp", "203.0.113.9:40000", "10.1.0.10:20001")
	hit := policy.Packet{Src: first.Peer.CIDR.Addr(), Dst: k.Dst, Protocol: 6, DstPort: first.Traffic.From}
	for _, tt := range []struct {
		name string
		p    *policy.Policy
		k    policy.Packet
		s    policy.State
		want bool
	}{
		{"allowed by the second rule", one, hit, policy.New, true},
		{"refused by 60 rules", one, k, policy.New, false},
		{"refused by 60 to 240 rules", p, k, policy.New, false},
		{"reply", p, k, policy.Tracked, true},
	} {
		b.Run(tt.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if v := tt.p.Evaluate("eni-0", policy.Ingress, tt.k, tt.s); v.Allowed != tt.want {
					b.Fatal(v.Reason())
				}
			}
		})
	}
	v := p.Evaluate("eni-0", policy.Ingress, k, policy.New)
	b.Run("reason and nearest of a refusal", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = v.Reason(), v.Nearest()
		}
	})
}
