package policy_test

import (
	"net/netip"
	"testing"

	"weir/policy"
	"weir/vpc"
)

func mustPrefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

func from(cidr string) vpc.Peer       { return vpc.Peer{CIDR: mustPrefix(cidr)} }
func group(id string) vpc.Peer        { return vpc.Peer{GroupID: id} }
func list(id string) vpc.Peer         { return vpc.Peer{PrefixListID: id} }
func tcp(from, to uint16) vpc.Traffic { return vpc.Ports(vpc.TCP, from, to) }
func udp(from, to uint16) vpc.Traffic { return vpc.Ports(vpc.UDP, from, to) }

func icmp(protocol, icmpType, code int) vpc.Traffic {
	return vpc.Traffic{Protocol: protocol, ICMPType: icmpType, ICMPCode: code}
}

func number(protocol int) vpc.Traffic {
	return vpc.Traffic{Protocol: protocol, ICMPType: -1, ICMPCode: -1}
}

func rule(t vpc.Traffic, p vpc.Peer) vpc.GroupRule { return vpc.GroupRule{Traffic: t, Peer: p} }

func line(n int, allow bool, t vpc.Traffic, cidr string) vpc.ACLRule {
	return vpc.ACLRule{Number: n, Allow: allow, Traffic: t, CIDR: mustPrefix(cidr)}
}

const (
	allow = true
	deny  = false
)

// shop is a VPC as people have them: web servers in a public subnet, databases
// in a private one, a bastion, an office.
//
//	public  10.0.1.0/24  2001:db8:0:1::/64   web1 .10 (web, base)   web2 .11 (web, base)   bastion .20 (base)   open .30 (no groups)
//	private 10.0.2.0/24  2001:db8:0:2::/64   db1 .10 (db)           db2 .11 (db), prefix 10.0.2.64/28
//	beyond                                   lone 192.0.2.1 (db), its subnet unknown
func shop() *vpc.Topology {
	anywhere, anywhere6 := from("0.0.0.0/0"), from("::/0")
	return &vpc.Topology{
		VPCs: []vpc.VPC{{ID: "vpc-1", Name: "shop", CIDRs: []netip.Prefix{mustPrefix("10.0.0.0/16"), mustPrefix("2001:db8::/56")}}},
		Subnets: []vpc.Subnet{
			{ID: "subnet-1", Name: "public", VPCID: "vpc-1", ACLID: "acl-1", CIDRs: []netip.Prefix{mustPrefix("10.0.1.0/24"), mustPrefix("2001:db8:0:1::/64")}},
			{ID: "subnet-2", Name: "private", VPCID: "vpc-1", ACLID: "acl-2", CIDRs: []netip.Prefix{mustPrefix("10.0.2.0/24"), mustPrefix("2001:db8:0:2::/64")}},
		},
		Interfaces: []vpc.Interface{
			eni("eni-web1", "web1", "subnet-1", "10.0.1.10", "2001:db8:0:1::10", "sg-web", "sg-base"),
			eni("eni-web2", "web2", "subnet-1", "10.0.1.11", "2001:db8:0:1::11", "sg-base", "sg-web"),
			eni("eni-bastion", "bastion", "subnet-1", "10.0.1.20", "2001:db8:0:1::20", "sg-base"),
			eni("eni-open", "open", "subnet-1", "10.0.1.30", "2001:db8:0:1::30"),
			eni("eni-db1", "db1", "subnet-2", "10.0.2.10", "2001:db8:0:2::10", "sg-db"),
			withPrefix(eni("eni-db2", "db2", "subnet-2", "10.0.2.11", "2001:db8:0:2::11", "sg-db"), "10.0.2.64/28"),
			eni("eni-lone", "lone", "subnet-unknown", "192.0.2.1", "2001:db8:9::1", "sg-db"),
		},
		Groups: []vpc.SecurityGroup{
			{
				ID: "sg-web", Name: "web", VPCID: "vpc-1",
				Ingress: []vpc.GroupRule{
					rule(tcp(443, 443), anywhere), rule(tcp(443, 443), anywhere6), rule(tcp(8000, 8010), from("198.51.100.0/25")),
					rule(icmp(vpc.ICMP, 8, -1), anywhere), rule(icmp(vpc.ICMPv6, 128, 0), anywhere6),
				},
				Egress: []vpc.GroupRule{rule(tcp(5432, 5432), group("sg-db")), rule(udp(53, 53), anywhere)},
			},
			{
				ID: "sg-base", Name: "base", VPCID: "vpc-1",
				Ingress: []vpc.GroupRule{rule(tcp(22, 22), list("pl-office")), rule(vpc.AllTraffic, group("sg-base"))},
				Egress:  []vpc.GroupRule{rule(tcp(443, 443), anywhere), rule(tcp(22, 22), from("10.0.0.0/16"))},
			},
			{
				ID: "sg-db", Name: "db", VPCID: "vpc-1",
				Ingress: []vpc.GroupRule{
					rule(tcp(5432, 5432), group("sg-web")), rule(tcp(7000, 7100), group("sg-db")),
					rule(number(47), from("10.0.1.0/24")), rule(icmp(vpc.ICMP, 3, 4), anywhere),
				},
			},
		},
		ACLs: []vpc.NetworkACL{
			{
				ID: "acl-1", Name: "public", VPCID: "vpc-1",
				Ingress: []vpc.ACLRule{
					line(90, deny, tcp(22, 22), "203.0.113.0/28"),
					line(100, allow, vpc.AllTraffic, "0.0.0.0/0"), line(101, allow, vpc.AllTraffic, "::/0"),
				},
				Egress: []vpc.ACLRule{line(100, allow, vpc.AllTraffic, "0.0.0.0/0"), line(101, allow, vpc.AllTraffic, "::/0")},
			},
			{
				ID: "acl-2", Name: "private", VPCID: "vpc-1",
				Ingress: []vpc.ACLRule{
					line(100, allow, tcp(5432, 5432), "10.0.0.0/16"), line(110, deny, number(47), "10.0.1.20/32"),
					line(120, allow, number(47), "10.0.1.0/24"), line(130, allow, icmp(vpc.ICMP, 3, -1), "0.0.0.0/0"),
					line(140, allow, tcp(7000, 7100), "0.0.0.0/0"), line(150, allow, tcp(5432, 5432), "2001:db8::/56"),
				},
				// The mistake that everybody makes once: replies go to the ports of
				// the clients, not to 5432.
				Egress: []vpc.ACLRule{line(100, allow, tcp(5432, 5432), "10.0.0.0/16"), line(200, allow, tcp(1024, 65535), "10.0.1.11/32")},
			},
		},
		PrefixLists: []vpc.PrefixList{{ID: "pl-office", Name: "office", Entries: []netip.Prefix{mustPrefix("203.0.113.0/26"), mustPrefix("2001:db8:ff::/48")}}},
	}
}

func eni(id, name, subnet, v4, v6 string, groups ...string) vpc.Interface {
	return vpc.Interface{
		ID: id, Name: name, VPCID: "vpc-1", SubnetID: subnet, GroupIDs: groups,
		Addresses: []netip.Addr{netip.MustParseAddr(v4), netip.MustParseAddr(v6)},
	}
}

func withPrefix(i vpc.Interface, cidr string) vpc.Interface {
	i.Prefixes = []netip.Prefix{mustPrefix(cidr)}
	return i
}

func compile(tb testing.TB, t *vpc.Topology) *policy.Policy {
	tb.Helper()
	p, err := policy.Compile(t, new(policy.MemoryIDs))
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// packet makes one from "tcp 10.0.0.1:1 10.0.0.2:2", "icmp 8/0 10.0.0.1 10.0.0.2"
// or "47 10.0.0.1 10.0.0.2".
func packet(tb testing.TB, words ...string) policy.Packet {
	tb.Helper()
	k, err := parsePacket(words)
	if err != nil {
		tb.Fatalf("%q: %v", words, err)
	}
	return k
}
