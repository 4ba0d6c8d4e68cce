package nft

import (
	"flag"
	"net/netip"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/vpc"
)

var update = flag.Bool("update", false, "write the golden files anew")

func cidr(s string) netip.Prefix { return netip.MustParsePrefix(s) }

func from(t vpc.Traffic, cidrs ...string) (rules []vpc.GroupRule) {
	for _, c := range cidrs {
		rules = append(rules, vpc.GroupRule{Traffic: t, Peer: vpc.Peer{CIDR: cidr(c)}})
	}
	return rules
}

func group(t vpc.Traffic, id string) []vpc.GroupRule {
	return []vpc.GroupRule{{Traffic: t, Peer: vpc.Peer{GroupID: id}}}
}

func prefixList(t vpc.Traffic, id string) []vpc.GroupRule {
	return []vpc.GroupRule{{Traffic: t, Peer: vpc.Peer{PrefixListID: id}}}
}

func concat(lists ...[]vpc.GroupRule) (all []vpc.GroupRule) {
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

func tcp(from, to uint16) vpc.Traffic { return vpc.Ports(vpc.TCP, from, to) }

// shop is web, app and db servers as people have them: the app server is a
// virtual machine at a bridge, the bastion is the host itself.
func shop() *vpc.Topology {
	eni := func(name, subnet, v4, v6 string, groups ...string) vpc.Interface {
		return vpc.Interface{
			ID: "eni-" + name, Name: name, VPCID: "vpc-shop", SubnetID: subnet, GroupIDs: groups,
			Device: vpc.Device{Name: "v" + name}, Addresses: []netip.Addr{netip.MustParseAddr(v4), netip.MustParseAddr(v6)},
		}
	}
	app, bastion := eni("app", "subnet-private", "10.0.2.10", "2001:db8:0:2::10", "sg-app"), eni("bastion", "subnet-public", "10.0.1.20", "2001:db8:0:1::20", "sg-bastion")
	app.Bridge = "virbr0"
	app.Prefixes = []netip.Prefix{cidr("10.0.2.64/28")}
	bastion.Side, bastion.Device.Name = vpc.Own, "eth0"
	ping := vpc.Traffic{Protocol: vpc.ICMP, ICMPType: 8, ICMPCode: -1}
	out := vpc.AllEgress("sg-bastion")
	return &vpc.Topology{
		VPCs: []vpc.VPC{{ID: "vpc-shop", Name: "shop", CIDRs: []netip.Prefix{cidr("10.0.0.0/16"), cidr("2001:db8::/56")}}},
		Subnets: []vpc.Subnet{
			{ID: "subnet-public", Name: "public", VPCID: "vpc-shop", ACLID: "acl-public", CIDRs: []netip.Prefix{cidr("10.0.1.0/24"), cidr("2001:db8:0:1::/64")}},
			{ID: "subnet-private", Name: "private", VPCID: "vpc-shop", ACLID: "acl-private", CIDRs: []netip.Prefix{cidr("10.0.2.0/24"), cidr("2001:db8:0:2::/64")}},
		},
		Interfaces: []vpc.Interface{
			eni("web1", "subnet-public", "10.0.1.10", "2001:db8:0:1::10", "sg-web"),
			eni("web2", "subnet-public", "10.0.1.11", "2001:db8:0:1::11", "sg-web"),
			app, eni("db", "subnet-private", "10.0.2.20", "2001:db8:0:2::20", "sg-db"), bastion,
		},
		Groups: []vpc.SecurityGroup{
			{
				ID: "sg-web", Name: "web", VPCID: "vpc-shop",
				Ingress: concat(from(tcp(80, 80), "0.0.0.0/0", "::/0"), from(tcp(443, 443), "0.0.0.0/0", "::/0"), from(ping, "0.0.0.0/0"), group(tcp(22, 22), "sg-bastion")),
				Egress:  concat(group(tcp(8080, 8090), "sg-app"), from(vpc.Ports(vpc.UDP, 53, 53), "10.0.0.2/32")),
			},
			{
				ID: "sg-app", Name: "app", VPCID: "vpc-shop",
				Ingress: concat(group(tcp(8080, 8090), "sg-web"), group(vpc.AllTraffic, "sg-app"), group(tcp(22, 22), "sg-bastion")),
				Egress:  concat(group(tcp(5432, 5432), "sg-db"), from(tcp(443, 443), "0.0.0.0/0")),
			},
			{ID: "sg-db", Name: "db", VPCID: "vpc-shop", Ingress: concat(group(tcp(5432, 5432), "sg-app"), group(tcp(22, 22), "sg-bastion"))},
			{ID: "sg-bastion", Name: "bastion", VPCID: "vpc-shop", Ingress: prefixList(tcp(22, 22), "pl-office"), Egress: out},
		},
		ACLs: []vpc.NetworkACL{
			{
				ID: "acl-public", Name: "public", VPCID: "vpc-shop",
				Ingress: []vpc.ACLRule{
					{Number: 90, Traffic: tcp(22, 22), CIDR: cidr("203.0.113.128/25")},
					{Number: 100, Allow: true, Traffic: vpc.AllTraffic, CIDR: cidr("0.0.0.0/0")},
					{Number: 101, Allow: true, Traffic: vpc.AllTraffic, CIDR: cidr("::/0")},
				},
				Egress: vpc.DefaultACL("vpc-shop", "acl-public").Egress,
			},
			{
				ID: "acl-private", Name: "private", VPCID: "vpc-shop",
				Ingress: []vpc.ACLRule{
					{Number: 100, Allow: true, Traffic: vpc.AllTraffic, CIDR: cidr("10.0.0.0/16")},
					{Number: 110, Allow: true, Traffic: vpc.AllTraffic, CIDR: cidr("2001:db8::/56")},
					{Number: 120, Allow: true, Traffic: tcp(1024, 65535), CIDR: cidr("0.0.0.0/0")},
				},
				Egress: []vpc.ACLRule{
					{Number: 100, Allow: true, Traffic: tcp(443, 443), CIDR: cidr("0.0.0.0/0")},
					{Number: 110, Allow: true, Traffic: tcp(1024, 65535), CIDR: cidr("10.0.0.0/16")},
					{Number: 120, Allow: true, Traffic: tcp(1024, 65535), CIDR: cidr("2001:db8::/56")},
				},
			},
		},
		PrefixLists: []vpc.PrefixList{{ID: "pl-office", Name: "office", Entries: []netip.Prefix{cidr("198.51.100.0/25"), cidr("198.51.100.200/32"), cidr("2001:db8:ff::/48")}}},
	}
}

// The text is for people: whoever changes what it looks like reads this file.
func TestTextOfAShop(t *testing.T) {
	rulesets := render(t, shop())
	if len(rulesets) != 1 || rulesets[0].Interfaces != 5 || len(rulesets[0].Bridges) != 1 {
		t.Fatalf("got %d rulesets: %+v", len(rulesets), rulesets)
	}
	const path = "testdata/shop.nft"
	if *update {
		if err := os.WriteFile(path, []byte(rulesets[0].Text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), rulesets[0].Text); diff != "" {
		t.Errorf("%s (-want +got; -update writes it anew):\n%s", path, diff)
	}
}
