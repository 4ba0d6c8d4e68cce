package vpctest

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestRandomHasNoProblem(t *testing.T) {
	for seed := range uint64(300) {
		size := Size{}
		if seed%3 == 1 {
			size = Size{VPCs: 3, Subnets: 14, Interfaces: 100, Groups: 40, GroupRules: 30}
		}
		for _, p := range New(seed, size).Check() {
			t.Errorf("seed %d: %v", seed, p)
		}
	}
}

func TestRandomHasWhatTestsNeed(t *testing.T) {
	var self, others, lists, six, denies, acls int
	for seed := range uint64(20) {
		top := New(seed, Size{})
		if n := len(top.Interfaces); n < 30 {
			t.Fatalf("%d interfaces", n)
		}
		used := map[string]bool{}
		for _, s := range top.Subnets {
			used[s.ACLID] = true
		}
		acls += len(used)
		for _, g := range top.Groups {
			for _, r := range append(g.Ingress, g.Egress...) {
				switch {
				case r.Peer.GroupID == g.ID:
					self++
				case r.Peer.GroupID != "":
					others++
				case r.Peer.PrefixListID != "":
					lists++
				case r.Peer.CIDR.Addr().Is6():
					six++
				}
			}
		}
		for _, a := range top.ACLs {
			for _, r := range append(a.Ingress, a.Egress...) {
				if !r.Allow {
					denies++
				}
			}
		}
	}
	if self < 20 || others < 100 || lists < 50 || six < 100 || denies < 100 || acls < 20*4 {
		t.Errorf("self %d, groups %d, lists %d, IPv6 %d, denies %d, ACLs in use %d", self, others, lists, six, denies, acls)
	}
}

func TestSameSeedSameTopology(t *testing.T) {
	a, b := New(7, Size{}), New(7, Size{})
	if diff := cmp.Diff(a, b, cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})); diff != "" {
		t.Error(diff)
	}
}

func TestLargeTopology(t *testing.T) {
	top := New(1, Size{Subnets: 20, Interfaces: 1000, Groups: 500, GroupRules: 60})
	if p := top.Check(); len(p) > 0 {
		t.Fatal(p[0])
	}
}
