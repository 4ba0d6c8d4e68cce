package vpc_test

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"weir/vpc"
	"weir/vpc/vpctest"
)

// owner is Index.Owner, slowly.
func owner(t *vpc.Topology, vpcID string, a netip.Addr) string {
	for _, in := range t.Interfaces {
		if in.VPCID == vpcID && slices.Contains(in.Addresses, a) {
			return in.ID
		}
	}
	for _, in := range t.Interfaces {
		if in.VPCID == vpcID && slices.ContainsFunc(in.Prefixes, func(p netip.Prefix) bool { return p.Contains(a) }) {
			return in.ID
		}
	}
	return ""
}

func TestIndexAgreesWithAWalk(t *testing.T) {
	for seed := range uint64(20) {
		top := vpctest.New(seed, vpctest.Size{VPCs: 2})
		x := top.Index()
		r := rand.New(rand.NewPCG(seed, 2))
		var asked []netip.Addr
		for _, in := range top.Interfaces {
			asked = append(asked, in.Addresses...)
			for _, p := range in.Prefixes {
				asked = append(asked, p.Addr().Next())
			}
			if x.Interface(in.ID).Name != in.Name || x.Device(in.Device).ID != in.ID {
				t.Fatalf("seed %d: %s is another one", seed, in.ID)
			}
		}
		for range 50 {
			asked = append(asked, netip.AddrFrom4([4]byte{10, byte(r.IntN(3)), byte(r.IntN(8)), byte(r.IntN(256))}))
		}
		for _, a := range asked {
			for _, v := range top.VPCs {
				got := ""
				if in := x.Owner(v.ID, a); in != nil {
					got = in.ID
				}
				if want := owner(top, v.ID, a); got != want {
					t.Errorf("seed %d: %v in %s is %q's, want %q", seed, a, v.ID, got, want)
				}
				for _, s := range top.Subnets {
					in := s.VPCID == v.ID && slices.ContainsFunc(s.CIDRs, func(p netip.Prefix) bool { return p.Contains(a) })
					if found := x.SubnetOf(v.ID, a); in != (found != nil && found.ID == s.ID) {
						t.Errorf("seed %d: %v in subnet %s: %v", seed, a, s.Name, found)
					}
				}
			}
		}
		for _, g := range top.Groups {
			var want []string
			for _, in := range top.Interfaces {
				if slices.Contains(in.GroupIDs, g.ID) {
					want = append(want, in.ID)
				}
			}
			var got []string
			for _, in := range x.Members(g.ID) {
				got = append(got, in.ID)
			}
			if !slices.Equal(got, want) {
				t.Errorf("seed %d: members of %s: %v, want %v", seed, g.Name, got, want)
			}
		}
	}
}

func TestDeriveID(t *testing.T) {
	if got, want := vpc.DeriveID("eni", "lab", "web"), vpc.DeriveID("eni", "lab", "web"); got != want || len(got) != len("eni-0123456789abcdef0") {
		t.Errorf("%s and %s", got, want)
	}
	if vpc.DeriveID("eni", "a", "bc") == vpc.DeriveID("eni", "ab", "c") {
		t.Error("names run together")
	}
	for id, good := range map[string]bool{
		"vpc-xxxxxxxx": true, "vpc-0123456789abcdef0": true, "vpc-lab-1": true,
		"vpc-": false, "vpc": false, "subnet-1": false, "vpc-A": false, "vpc--a": false, "vpc-a-": false, "vpc-a b": false, "": false,
	} {
		if err := vpc.CheckID(vpc.KindVPC, id); (err == nil) != good {
			t.Errorf("%q: %v", id, err)
		}
	}
}

func TestTrafficWords(t *testing.T) {
	for want, in := range map[string]vpc.Traffic{
		"all": vpc.AllTraffic, "tcp": vpc.AllPorts(vpc.TCP), "tcp 443": vpc.Ports(vpc.TCP, 443, 443), "udp 1024-65535": vpc.Ports(vpc.UDP, 1024, 65535),
		"protocol 47": {Protocol: 47}, "icmp type 3 code 4": {Protocol: vpc.ICMP, ICMPType: 3, ICMPCode: 4}, "icmpv6": {Protocol: vpc.ICMPv6, ICMPType: -1, ICMPCode: -1},
	} {
		if got := in.String(); got != want {
			t.Errorf("%+v is %q, want %q", in, got, want)
		}
	}
}

func BenchmarkIndex(b *testing.B) {
	top := vpctest.New(1, vpctest.Size{Subnets: 20, Interfaces: 1000, Groups: 500, GroupRules: 60})
	b.ReportAllocs()
	for b.Loop() {
		if top.Index().Interface(top.Interfaces[0].ID) == nil {
			b.Fatal("not found")
		}
	}
}
