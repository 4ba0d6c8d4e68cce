package vpctest

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"

	"weir/vpc"
)

// Size is how much there is of each. Zero means the default.
type Size struct {
	VPCs        int // 1
	Subnets     int // 6, of all VPCs together
	Interfaces  int // 30
	Groups      int // 12
	ACLs        int // 5, beside the default one of each VPC
	PrefixLists int // 4
	GroupRules  int // 6: the most that a group has in one direction
	ACLRules    int // 8: the most that an ACL has in one direction
}

func (s Size) withDefaults() Size {
	for _, f := range []struct {
		value *int
		or    int
	}{{&s.VPCs, 1}, {&s.Subnets, 6}, {&s.Interfaces, 30}, {&s.Groups, 12}, {&s.ACLs, 5}, {&s.PrefixLists, 4}, {&s.GroupRules, 6}, {&s.ACLRules, 8}} {
		if *f.value == 0 {
			*f.value = f.or
		}
	}
	s.Subnets = max(s.Subnets, s.VPCs)
	return s
}

// Most interfaces of a subnet: their addresses lie in its first /24 and /120.
const mostInSubnet = 200

// New is Random with a seed.
func New(seed uint64, size Size) *vpc.Topology {
	return Random(rand.New(rand.NewPCG(seed, 0)), size)
}

// Random makes a topology that passes Check without an error:
//
//   - VPC n has 10.n.0.0/16 and 2001:db8:n::/56; subnet m of it 10.n.m.0/24 and
//     2001:db8:n:m::/64; subnets have ACLs of their own or the default one;
//   - interfaces are far ones at devices v0, v1, … with an address or two of
//     each family, some with a prefix, one to four groups, some with none;
//   - groups refer to networks, prefix lists, other groups and themselves.
//
// It panics when a VPC would need more than 256 subnets, or a subnet more than
// 200 interfaces.
func Random(r *rand.Rand, size Size) *vpc.Topology {
	g := generator{r: r, size: size.withDefaults(), t: &vpc.Topology{}, tiers: r.IntN(2) == 0}
	g.vpcs()
	g.prefixLists()
	g.acls()
	g.subnets()
	g.groups()
	g.interfaces()
	g.rules()
	return g.t
}

// generator makes one topology.
type generator struct {
	r    *rand.Rand
	size Size
	t    *vpc.Topology

	tiers bool // most interfaces have groups that only their like have
}

// chance is true once in n times.
func (g *generator) chance(n int) bool { return g.r.IntN(n) == 0 }

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

// name and id of the n-th of a kind.
func name(kind string, n int) string { return fmt.Sprintf("%s%d", kind, n) }
func id(kind string, n int) string   { return vpc.DeriveID(kind, "random", name(kind, n)) }

func (g *generator) vpcs() {
	for n := range g.size.VPCs {
		v := vpc.VPC{
			ID: id(vpc.KindVPC, n), Name: name("vpc", n), AccountID: "123456789012", Region: "us-east-1",
			CIDRs: []netip.Prefix{net4(n, 0, 16), net6(n, 0, 56)},
		}
		g.t.VPCs = append(g.t.VPCs, v)
		acl := vpc.DeriveID(vpc.KindACL, v.ID, vpc.DefaultName)
		g.t.ACLs = append(g.t.ACLs, vpc.DefaultACL(v.ID, acl))
		group := vpc.DeriveID(vpc.KindGroup, v.ID, vpc.DefaultName)
		g.t.Groups = append(g.t.Groups, vpc.DefaultGroup(v.ID, group))
	}
}

func net4(n, m, bits int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(n), byte(m), 0}), bits)
}

func net6(n, m, bits int) netip.Prefix {
	a := [16]byte{0x20, 0x01, 0x0d, 0xb8, byte(n >> 8), byte(n), 0, byte(m)}
	return netip.PrefixFrom(netip.AddrFrom16(a), bits)
}

// host is the n-th address of a network's first 256.
func host(p netip.Prefix, n int) netip.Addr {
	b := p.Addr().AsSlice()
	b[len(b)-1] = byte(n)
	a, _ := netip.AddrFromSlice(b)
	return a
}

// outside are networks that no VPC has; traffic comes from and goes to them.
var outside = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/0"),
	netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("198.51.100.64/26"),
	netip.MustParsePrefix("203.0.113.0/25"),
	netip.MustParsePrefix("203.0.113.7/32"),
	netip.MustParsePrefix("::/0"),
	netip.MustParsePrefix("2001:db8:ffff::/48"),
	netip.MustParsePrefix("2001:db8:ffff::/121"),
	netip.MustParsePrefix("2001:db8:ffff::7/128"),
}

// Outside are the networks outside of every VPC that rules name.
func Outside() []netip.Prefix { return slices.Clone(outside) }

// network is one that rules may name: outside, a VPC's, a subnet's, a part of a
// subnet or an interface's.
func (g *generator) network() netip.Prefix {
	switch s := pick(g.r, g.t.Subnets); g.r.IntN(6) {
	case 0, 1:
		return pick(g.r, outside)
	case 2:
		return pick(g.r, pick(g.r, g.t.VPCs).CIDRs)
	case 3:
		return pick(g.r, s.CIDRs)
	case 4:
		c := pick(g.r, s.CIDRs)
		bits := c.Addr().BitLen() - g.r.IntN(7)
		return netip.PrefixFrom(host(c, g.r.IntN(64)), bits).Masked()
	default:
		if len(g.t.Interfaces) == 0 {
			return pick(g.r, s.CIDRs)
		}
		a := pick(g.r, pick(g.r, g.t.Interfaces).Addresses)
		return netip.PrefixFrom(a, a.BitLen())
	}
}

// alike makes networks of which most have one size: a subnet's or an interface's.
func (g *generator) alike() func() netip.Prefix {
	family, hosts := g.r.IntN(2), g.chance(2)
	return func() netip.Prefix {
		switch {
		case g.chance(12):
			return g.network()
		case hosts && len(g.t.Interfaces) > 0:
			for _, a := range pick(g.r, g.t.Interfaces).Addresses {
				if a.Is6() == (family == 1) {
					return netip.PrefixFrom(a, a.BitLen())
				}
			}
		}
		return pick(g.r, g.t.Subnets).CIDRs[family]
	}
}

func (g *generator) prefixLists() {
	for n := range g.size.PrefixLists {
		l := vpc.PrefixList{ID: id(vpc.KindPrefixList, n), Name: name("list", n)}
		for _, at := range g.r.Perm(len(outside))[:1+g.r.IntN(4)] {
			l.Entries = append(l.Entries, outside[at])
		}
		if g.chance(2) {
			l.Entries = append(l.Entries, net4(0, g.r.IntN(4), 23).Masked())
		}
		if g.chance(2) {
			l.Entries = append(l.Entries, net6(0, g.r.IntN(4), 63).Masked())
		}
		g.t.PrefixLists = append(g.t.PrefixLists, l)
	}
}

func (g *generator) acls() {
	for n := range g.size.ACLs {
		v := g.t.VPCs[n%len(g.t.VPCs)]
		g.t.ACLs = append(g.t.ACLs, vpc.NetworkACL{ID: id(vpc.KindACL, n), Name: name("acl", n), VPCID: v.ID})
	}
}

func (g *generator) subnets() {
	for n := range g.size.Subnets {
		of, m := n%len(g.t.VPCs), n/len(g.t.VPCs)
		if m > 255 {
			panic("vpctest: more than 256 subnets in a VPC")
		}
		v := g.t.VPCs[of]
		var acls []string
		for _, a := range g.t.ACLs {
			if a.VPCID == v.ID {
				acls = append(acls, a.ID)
			}
		}
		// One after the other, so that few subnets use many ACLs.
		acl := acls[(m+1)%len(acls)]
		if g.chance(4) {
			acl = pick(g.r, acls)
		}
		g.t.Subnets = append(g.t.Subnets, vpc.Subnet{
			ID: id(vpc.KindSubnet, n), Name: name("subnet", n), VPCID: v.ID, ZoneID: fmt.Sprintf("use1-az%d", 1+m%3),
			CIDRs: []netip.Prefix{net4(of, m, 24), net6(of, m, 64)}, ACLID: acl,
		})
	}
}

func (g *generator) groups() {
	for n := range g.size.Groups {
		v := g.t.VPCs[n%len(g.t.VPCs)]
		g.t.Groups = append(g.t.Groups, vpc.SecurityGroup{ID: id(vpc.KindGroup, n), Name: name("group", n), VPCID: v.ID})
	}
}

func (g *generator) interfaces() {
	for n := range g.size.Interfaces {
		s := g.t.Subnets[n%len(g.t.Subnets)]
		k := n / len(g.t.Subnets) // in its subnet
		if k >= mostInSubnet {
			panic(fmt.Sprintf("vpctest: more than %d interfaces in a subnet", mostInSubnet))
		}
		in := vpc.Interface{
			ID: id(vpc.KindInterface, n), Name: name("v", n), AccountID: "123456789012", Region: "us-east-1",
			ZoneID: s.ZoneID, VPCID: s.VPCID, SubnetID: s.ID, InstanceID: id(vpc.KindInstance, n),
			Device: vpc.Device{Name: name("v", n)}, Side: vpc.Far,
			MAC:      fmt.Sprintf("02:00:5e:%02x:%02x:%02x", n>>16, n>>8&0xff, n&0xff),
			GroupIDs: g.interfaceGroups(s.VPCID),
		}
		for family, c := range s.CIDRs {
			in.Addresses = append(in.Addresses, host(c, 4+k))
			if k < 40 && g.chance(4) { // a secondary address, behind all primary ones
				in.Addresses = append(in.Addresses, host(c, 208+k))
			}
			if family == 1 && g.chance(5) { // of its own /80, as on AWS
				b := c.Addr().As16()
				b[9] = byte(1 + k)
				in.Prefixes = append(in.Prefixes, netip.PrefixFrom(netip.AddrFrom16(b), 80))
			}
		}
		g.t.Interfaces = append(g.t.Interfaces, in)
	}
}

// interfaceGroups is none once in twelve times: such an interface refuses
// nothing by groups. In half of the topologies most interfaces have the groups of
// their tier, which others do not have.
func (g *generator) interfaceGroups(vpcID string) []string {
	var all []string
	for i := range g.t.Groups {
		if g.t.Groups[i].VPCID == vpcID {
			all = append(all, g.t.Groups[i].ID)
		}
	}
	const size = 2 // groups of a tier
	switch {
	case g.chance(12):
		return nil
	case g.tiers && len(all) >= size && !g.chance(8):
		at := size * g.r.IntN(len(all)/size)
		return slices.Clone(all[at : at+size])
	}
	g.r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:min(len(all), 1+g.r.IntN(4))]
}

func (g *generator) rules() {
	for i := range g.t.Groups {
		group := &g.t.Groups[i]
		if group.Name == vpc.DefaultName {
			continue
		}
		group.Ingress = g.groupRules(group, true)
		group.Egress = g.groupRules(group, false)
		if g.chance(3) {
			group.Egress = vpc.AllEgress(group.ID)
		}
	}
	for i := range g.t.ACLs {
		if acl := &g.t.ACLs[i]; acl.Name != vpc.DefaultName {
			acl.Ingress, acl.Egress = g.aclRules(), g.aclRules()
		}
	}
}

func (g *generator) groupRules(group *vpc.SecurityGroup, ingress bool) []vpc.GroupRule {
	var rules []vpc.GroupRule
	have := map[string]bool{}
	next := func() (vpc.Traffic, vpc.Peer) { return g.traffic(), g.peer(group) }
	switch one, many := g.peer(group), g.alike(); g.r.IntN(5) {
	case 0: // one may use many ports
		next = func() (vpc.Traffic, vpc.Peer) { return g.port(), one }
	case 1, 2: // many that are alike may use a port each, and some more
		next = func() (vpc.Traffic, vpc.Peer) {
			if g.chance(6) {
				return g.traffic(), vpc.Peer{CIDR: many()}
			}
			return g.port(), vpc.Peer{CIDR: many()}
		}
	}
	for range 1 + g.r.IntN(g.size.GroupRules) {
		t, p := next()
		if p.CIDR.IsValid() {
			t = fit(t, p.CIDR)
		}
		if p.PrefixListID != "" && t.IsICMP() {
			t = vpc.AllTraffic // a list may have networks of one family only
		}
		id := vpc.GroupRuleID(group.ID, ingress, t, p)
		if have[id] {
			continue
		}
		have[id] = true
		rules = append(rules, vpc.GroupRule{ID: id, Traffic: t, Peer: p})
	}
	return rules
}

func (g *generator) peer(group *vpc.SecurityGroup) vpc.Peer {
	switch g.r.IntN(8) {
	case 0:
		return vpc.Peer{GroupID: group.ID}
	case 1, 2:
		return vpc.Peer{GroupID: pick(g.r, g.t.Groups).ID}
	case 3:
		if len(g.t.PrefixLists) > 0 {
			return vpc.Peer{PrefixListID: pick(g.r, g.t.PrefixLists).ID}
		}
	}
	return vpc.Peer{CIDR: g.network()}
}

func (g *generator) aclRules() []vpc.ACLRule {
	numbers := g.r.Perm(300)[:1+g.r.IntN(g.size.ACLRules)]
	slices.Sort(numbers)
	var rules []vpc.ACLRule
	network, traffic := g.network, g.traffic
	if g.chance(2) { // what people block or allow one by one
		network = g.alike()
		if g.chance(2) {
			traffic = g.port
		}
	}
	for _, n := range numbers {
		cidr := network()
		rules = append(rules, vpc.ACLRule{Number: 1 + n, Allow: !g.chance(3), CIDR: cidr, Traffic: fit(traffic(), cidr)})
	}
	// Most ACLs let the rest through: else next to nothing would get anywhere.
	if !g.chance(4) {
		rules = append(rules,
			vpc.ACLRule{Number: 900, Allow: true, CIDR: outside[0], Traffic: vpc.AllTraffic},
			vpc.ACLRule{Number: 901, Allow: true, CIDR: netip.MustParsePrefix("::/0"), Traffic: vpc.AllTraffic})
	}
	return rules
}

// fit changes ICMP to the one of the network's family.
func fit(t vpc.Traffic, p netip.Prefix) vpc.Traffic {
	if t.IsICMP() {
		t.Protocol = vpc.ICMP
		if p.Addr().Is6() {
			t.Protocol = vpc.ICMPv6
		}
	}
	return t
}

// ports are those that rules and packets should use, so that they meet.
var ports = []uint16{0, 22, 53, 80, 443, 1023, 1024, 3306, 5432, 8080, 32768, 49152, 65535}

// Ports are the ports at which rules begin and end.
func Ports() []uint16 { return slices.Clone(ports) }

// protocols that are neither TCP, UDP nor ICMP: GRE, ESP, SCTP.
var others = []int{47, 50, 132}

// Protocols are the protocols of rules that are neither TCP, UDP nor ICMP.
func Protocols() []int { return slices.Clone(others) }

func (g *generator) traffic() vpc.Traffic {
	switch g.r.IntN(10) {
	case 0, 1:
		return vpc.AllTraffic
	case 2, 3, 4:
		return g.ports(vpc.TCP)
	case 5, 6:
		return g.ports(vpc.UDP)
	case 7, 8:
		t := vpc.Traffic{Protocol: pick(g.r, []int{vpc.ICMP, vpc.ICMPv6}), ICMPType: -1, ICMPCode: -1}
		if g.chance(2) {
			t.ICMPType = pick(g.r, []int{0, 3, 8, 11, 128, 129, 1})
			if g.chance(2) {
				t.ICMPCode = g.r.IntN(3)
			}
		}
		return t
	default:
		t := vpc.AllTraffic
		t.Protocol = pick(g.r, others)
		return t
	}
}

// port is one port of TCP or UDP.
func (g *generator) port() vpc.Traffic {
	at := pick(g.r, ports)
	return vpc.Ports(pick(g.r, []int{vpc.TCP, vpc.TCP, vpc.UDP}), at, at)
}

func (g *generator) ports(protocol int) vpc.Traffic {
	a := g.r.IntN(len(ports))
	switch g.r.IntN(4) {
	case 0:
		return vpc.AllPorts(protocol)
	case 1:
		return vpc.Ports(protocol, ports[a], ports[a+g.r.IntN(len(ports)-a)])
	default:
		return vpc.Ports(protocol, ports[a], ports[a])
	}
}
