package vpc_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"weir/vpc"
	"weir/vpc/vpctest"
)

// fault damages a good topology and says where and what Check must find.
type fault struct {
	name  string
	plant func(r *rand.Rand, t *vpc.Topology) vpc.Path
	cause string
}

func at[T any](r *rand.Rand, list []T) int { return r.IntN(len(list)) }

var faults = []fault{
	{"id of another kind", func(r *rand.Rand, t *vpc.Topology) vpc.Path {
		i := at(r, t.Subnets)
		for j := range t.Interfaces {
			if t.Interfaces[j].SubnetID == t.Subnets[i].ID {
				t.Interfaces[j].SubnetID = "vpc-1"
			}
		}
		t.Subnets[i].ID = "vpc-1"
		return vpc.At("subnets", i).Field("id")
	}, "begins with subnet-"},
	{"id twice", func(r *rand.Rand, t *vpc.Topology) vpc.Path {
		i := 1 + r.IntN(len(t.Interfaces)-1)
		t.Interfaces[i].ID = t.Interfaces[r.IntN(i)].ID
		return vpc.At("interfaces", i).Field("id")
	}, "is the id of another one"},
	{"name twice", func(r *rand.Rand, t *vpc.Topology) vpc.Path {
		i := 1 + r.IntN(len(t.Groups)-1)
		t.Groups[i].Name = t.Groups[r.IntN(i)].Name
		return vpc.At("security-groups", i).Field("name")
	}, "is the name of another one"},
	{"account", func(r *rand.Rand, t *vpc.Topology) vpc.Path {
		t.VPCs[0].AccountID = "12345678901"
		return vpc.At("vpcs", 0).Field("account-id")
	}, "12 digits"},
	{"VPC's network not masked", func(r *rand.Rand, t *vpc.Topology) vpc.Path {
		t.VPCs[0].CIDRs[0] = netip.MustParsePrefix("10.0.0.1/16")
		return vpc.At("vpcs", 0).Item("cidrs", 0)
	}, "beyond its length"},
	{"VPC's networks overlap", func(r *rand.Rand, t *vpc.Topology) vpc.Path {
		t.VPCs[0].CIDRs = append(t.VPCs[0].CIDRs, netip.MustParsePrefix("10.0.128.0/17"))
		return vpc.At("vpcs", 0).Item("cidrs", 2)
	}, "10.0.128.0/17 overlaps 10.0.0.0/16"},
	{"subnet outside", func(r *rand.Rand, t *vpc.Topology) vpc.Path {
		i := at(r, t.Subnets)
		t.Subnets[i].CIDRs = append(t.Subnets[i].CIDRs, netip.MustParsePrefix("192.168.0.0/24"))
		return vpc.At("subnets", i).Item("cidrs", 2)
	}, "is not inside VPC vpc0"},
	{"subnets overlap", func(r *rand.Rand, t *vpc.Topology) vpc.Path {
		i := 1 + r.IntN(len(t.Subnets)-1)
		c := t.Subnets[r.IntN(i)].CIDRs[1]
		t.Subnets[i].CIDRs = append(t.Subnets[i].CIDRs, netip.PrefixFrom(c.Addr(), 80))
		return vpc.At("subnets", i).Item("cidrs", 2)
	}, "overlaps"},
	{"subnet's ACL", func(r *rand.Rand, t *vpc.Topology) vpc.Path {
		i := at(r, t.Subnets)
		t.Subnets[i].ACLID = "acl-none"
		return vpc.At("subnets", i).Field("network-acl")
	}, `there is no network ACL "acl-none"`},
	{"subnet without ACL", func(r *rand.Rand, t *vpc.Topology) vpc.Path {
		i := at(r, t.Subnets)
		t.Subnets[i].ACLID = ""
		return vpc.At("subnets", i).Field("network-acl")
	}, "has no network ACL"},
	{"address outside its subnet", func(r *rand.Rand, t *vpc.Topology) vpc.Path {
		i := at(r, t.Interfaces)
		in := &t.Interfaces[i]
		in.Addresses = append(in.Addresses, netip.MustParseAddr("10.0.200.9"))
		return vpc.At("interfaces", i).Item("addresses", len(in.Addresses)-1)
	}, "10.0.200.9 is not inside subnet"},
	{"address twice", func(r *rand.Rand, t *vpc.Topology) vpc.Path {
		i := len(t.Subnets) + r.IntN(len(t.Interfaces)-len(t.Subnets))
		first := &t.Interfaces[i-len(t.Subnets)] // of the same subnet
		in := &t.Interfaces[i]
		in.Addresses = append(in.Addresses, first.Addresses[0])
		return vpc.At("interfaces", i).Item("addresses", len(in.Addresses)-1)
	}, "is given to interface"},
	{"prefix outside its subnet", func(r *rand.Rand, t *vpc.Topology) vpc.Path {
		i := at(r, t.Interfaces)
		in := &t.Interfaces[i]
		in.Prefixes = append(in.Prefixes, netip.MustParsePrefix("2001:db8:77::/80"))
		return vpc.At("interfaces", i).Item("prefixes", len(in.Prefixes)-1)
	}, "is not inside subnet"},
	{"device twice", func(r *rand.Rand, t *vpc.Topology) vpc.Path {
		i := 1 + r.IntN(len(t.Interfaces)-1)
		t.Interfaces[i].Device = t.Interfaces[r.IntN(i)].Device
		return vpc.At("interfaces", i).Field("device")
	}, "carries another interface"},
	{"device's name", func(r *rand.Rand, t *vpc.Topology) vpc.Path {
		i := at(r, t.Interfaces)
		t.Interfaces[i].Device.Name = "sixteen-letters-"
		return vpc.At("interfaces", i).Field("device")
	}, "is not a device's name"},
	{"MAC", func(r *rand.Rand, t *vpc.Topology) vpc.Path {
		i := at(r, t.Interfaces)
		t.Interfaces[i].MAC = "02-00-5e-10-00-01"
		return vpc.At("interfaces", i).Field("mac")
	}, "is not a MAC address"},
	{"interface's subnet", func(r *rand.Rand, t *vpc.Topology) vpc.Path {
		i := at(r, t.Interfaces)
		t.Interfaces[i].SubnetID = "subnet-none"
		return vpc.At("interfaces", i).Field("subnet")
	}, "there is no subnet"},
	{"interface's group", func(r *rand.Rand, t *vpc.Topology) vpc.Path {
		i := at(r, t.Interfaces)
		in := &t.Interfaces[i]
		in.GroupIDs = append(in.GroupIDs, "sg-none")
		return vpc.At("interfaces", i).Item("security-groups", len(in.GroupIDs)-1)
	}, "there is no security group"},
	{"group's group", addRule(vpc.AllTraffic, vpc.Peer{GroupID: "sg-none"}, "peer"), "there is no security group"},
	{"group's prefix list", addRule(vpc.AllTraffic, vpc.Peer{PrefixListID: "pl-none"}, "peer"), "there is no prefix list"},
	{"no peer", addRule(vpc.AllTraffic, vpc.Peer{}, "peer"), "has no peer"},
	{"two peers", addRule(vpc.AllTraffic, vpc.Peer{PrefixListID: "pl-1", CIDR: netip.MustParsePrefix("10.0.0.0/8")}, "peer"), "2 peers"},
	{"ICMP of the other family", addRule(vpc.Traffic{Protocol: vpc.ICMP, ICMPType: -1, ICMPCode: -1}, vpc.Peer{CIDR: netip.MustParsePrefix("2001:db8::/32")}, "peer"), "never matches"},
	{"ports of no protocol that has them", addRule(vpc.Traffic{Protocol: 47, From: 1, To: 2}, vpc.Peer{CIDR: netip.MustParsePrefix("10.9.0.0/16")}, "ports"), "has no ports"},
	{"ports the wrong way round", addRule(vpc.Ports(vpc.TCP, 81, 80), vpc.Peer{CIDR: netip.MustParsePrefix("10.9.0.0/16")}, "ports"), "ends before it begins"},
	{"ICMP type", addRule(vpc.Traffic{Protocol: vpc.ICMP, ICMPType: 256, ICMPCode: -1}, vpc.Peer{CIDR: netip.MustParsePrefix("10.9.0.0/16")}, "icmp-type"), "is not an ICMP type"},
	{"ICMP code without type", addRule(vpc.Traffic{Protocol: vpc.ICMP, ICMPType: -1, ICMPCode: 1}, vpc.Peer{CIDR: netip.MustParsePrefix("10.9.0.0/16")}, "icmp-code"), "without its type"},
	{"protocol", addRule(vpc.Traffic{Protocol: 256}, vpc.Peer{CIDR: netip.MustParsePrefix("10.9.0.0/16")}, "protocol"), "is not a protocol"},
	{"rule twice", func(r *rand.Rand, t *vpc.Topology) vpc.Path {
		i := at(r, t.Groups)
		g := &t.Groups[i]
		g.Ingress = append(g.Ingress, g.Ingress[0])
		return vpc.At("security-groups", i).Item("ingress", len(g.Ingress)-1)
	}, "another rule says the same"},
	{"ACL's rule number twice", func(r *rand.Rand, t *vpc.Topology) vpc.Path {
		i := at(r, t.ACLs)
		a := &t.ACLs[i]
		a.Egress = append(a.Egress, a.Egress[len(a.Egress)-1])
		return vpc.At("network-acls", i).Item("egress", len(a.Egress)-1).Field("rule")
	}, "is the number of another rule"},
	{"ACL's rules not in order", func(r *rand.Rand, t *vpc.Topology) vpc.Path {
		i := at(r, t.ACLs)
		a := &t.ACLs[i]
		a.Egress = append(a.Egress, vpc.ACLRule{Number: 5000, Traffic: vpc.AllTraffic, CIDR: netip.MustParsePrefix("::/0")},
			vpc.ACLRule{Number: 4000, Traffic: vpc.AllTraffic, CIDR: netip.MustParsePrefix("::/0")})
		return vpc.At("network-acls", i).Item("egress", len(a.Egress)-1).Field("rule")
	}, "in the order of their numbers"},
	{"ACL's rule number", func(r *rand.Rand, t *vpc.Topology) vpc.Path {
		i := at(r, t.ACLs)
		a := &t.ACLs[i]
		a.Ingress = append(a.Ingress, vpc.ACLRule{Number: 32767, Traffic: vpc.AllTraffic, CIDR: netip.MustParsePrefix("::/0")})
		return vpc.At("network-acls", i).Item("ingress", len(a.Ingress)-1).Field("rule")
	}, "1 to 32766"},
	{"prefix list's entry twice", func(r *rand.Rand, t *vpc.Topology) vpc.Path {
		i := at(r, t.PrefixLists)
		l := &t.PrefixLists[i]
		l.Entries = append(l.Entries, l.Entries[0])
		return vpc.At("prefix-lists", i).Item("entries", len(l.Entries)-1)
	}, "is named twice"},
	{"route's target", func(_ *rand.Rand, t *vpc.Topology) vpc.Path {
		t.RouteTables = []vpc.RouteTable{{ID: "rtb-1", VPCID: t.VPCs[0].ID, Routes: []vpc.Route{{Destination: netip.MustParsePrefix("0.0.0.0/0"), Target: "eni-none"}}}}
		return vpc.At("route-tables", 0).Item("routes", 0).Field("target")
	}, "there is no interface"},
	{"route to nowhere known", func(_ *rand.Rand, t *vpc.Topology) vpc.Path {
		t.RouteTables = []vpc.RouteTable{{ID: "rtb-1", VPCID: t.VPCs[0].ID, Routes: []vpc.Route{{Destination: netip.MustParsePrefix("0.0.0.0/0"), Target: "gateway"}}}}
		return vpc.At("route-tables", 0).Item("routes", 0).Field("target")
	}, "is not a route's target"},
}

// addRule puts a rule behind those of a group.
func addRule(traffic vpc.Traffic, peer vpc.Peer, field string) func(*rand.Rand, *vpc.Topology) vpc.Path {
	return func(r *rand.Rand, t *vpc.Topology) vpc.Path {
		i := at(r, t.Groups)
		g := &t.Groups[i]
		g.Egress = append(g.Egress, vpc.GroupRule{ID: "sgr-planted", Traffic: traffic, Peer: peer})
		return vpc.At("security-groups", i).Item("egress", len(g.Egress)-1).Field(field)
	}
}

// Every fault in every good topology is found, at its place, and nothing else is
// but what follows from it.
func TestCheckFindsPlantedFaults(t *testing.T) {
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				seed := rapid.Uint64().Draw(rt, "seed")
				top := vpctest.New(seed, vpctest.Size{})
				want := f.plant(rand.New(rand.NewPCG(seed, 1)), top).String()
				problems := top.Check()
				for _, p := range problems {
					if p.Path.String() == want && strings.Contains(p.Cause, f.cause) && !p.Warning {
						return
					}
				}
				rt.Fatalf("seed %d: no %q at %s among %v", seed, f.cause, want, problems)
			})
		})
	}
}

func TestCheckWarnsOfReservedAddresses(t *testing.T) {
	for _, a := range []string{"10.0.0.0", "10.0.0.3", "10.0.0.255", "2001:db8::1"} {
		top := vpctest.New(1, vpctest.Size{})
		top.Interfaces[0].Addresses[0] = netip.MustParseAddr(a)
		if strings.Contains(a, ":") {
			top.Interfaces[0].Addresses[0] = top.Subnets[0].CIDRs[1].Addr().Next()
		}
		problems := top.Check()
		if len(problems) != 1 || !problems[0].Warning {
			t.Errorf("%s: %v", a, problems)
		}
	}
}

func TestCheckRefusesBeyondBounds(t *testing.T) {
	top := vpctest.New(1, vpctest.Size{})
	rules := make([]vpc.GroupRule, vpc.MaxRules+1)
	top.Groups[0].Ingress = rules
	problems := top.Check()
	if len(problems) != 1 || !strings.Contains(problems[0].Cause, fmt.Sprintf("more than the bound of %d", vpc.MaxRules)) {
		t.Errorf("%d problems, the first: %v", len(problems), problems[0])
	}
}

func TestDefaultHasNoProblem(t *testing.T) {
	list := []vpc.Interface{
		{
			ID: "eni-1", Name: "eth0", AccountID: "123456789012", Region: "us-east-1", ZoneID: "us-east-1-az1", VPCID: "vpc-1", SubnetID: "subnet-1",
			Device: vpc.Device{Name: "eth0"}, Side: vpc.Own, Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("fe80::1")},
		},
		{
			ID: "eni-2", Name: "veth1", AccountID: "123456789012", Region: "us-east-1", ZoneID: "us-east-1-az1", VPCID: "vpc-1", SubnetID: "subnet-2",
			Device: vpc.Device{Name: "veth1"},
		},
	}
	top := vpc.Default(list)
	if problems := top.Check(); len(problems) > 0 {
		t.Error(problems)
	}
	x := top.Index()
	if acl := x.ACL(x.Subnet("subnet-2").ACLID); acl == nil || len(acl.Ingress) != 2 || !acl.Ingress[1].Allow {
		t.Errorf("the subnet's ACL: %+v", acl)
	}
	if len(top.VPCs) != 1 || len(top.Groups) != 0 || len(top.Interfaces[0].GroupIDs) != 0 {
		t.Errorf("%d VPCs, %d groups: nothing is to be refused", len(top.VPCs), len(top.Groups))
	}
}

func BenchmarkCheck(b *testing.B) {
	top := vpctest.New(1, vpctest.Size{Subnets: 20, Interfaces: 1000, Groups: 500, GroupRules: 60})
	b.ReportAllocs()
	for b.Loop() {
		if p := top.Check(); len(p) > 0 {
			b.Fatal(p[0])
		}
	}
}
