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

// crowd is one instance with so many rules that maps stand for them.
func crowd() *vpc.Topology {
	udp := vpc.Ports(vpc.UDP, 53, 53)
	in := concat(
		from(tcp(80, 80), "0.0.0.0/0", "::/0"), from(tcp(443, 443), "0.0.0.0/0", "::/0"), from(tcp(8000, 8010), "0.0.0.0/0"),
		from(tcp(8443, 8443), "0.0.0.0/0"), from(tcp(9000, 9010), "0.0.0.0/0"), from(tcp(9005, 9020), "0.0.0.0/0"), // more than a few ports
		from(tcp(22, 22), "192.0.2.1/32", "192.0.2.2/32", "192.0.2.3/32", "2001:db8::1/128"),
		from(tcp(8000, 9000), "192.0.2.3/32"), from(udp, "192.0.2.3/32"), // several for one
		from(vpc.AllTraffic, "192.0.2.4/32"),
		group(tcp(5432, 5432), "sg-crowd"),                                      // members are among the others
		prefixList(tcp(22, 22), "pl-few"), prefixList(tcp(443, 444), "pl-many"), // and many are a set
		from(tcp(22, 22), "10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16", "10.4.0.0/16", "10.5.0.0/16", "10.6.0.0/16"),
		from(tcp(25, 25), "10.6.0.0/24"), // few of its size
		from(tcp(25, 25), "2001:db8::/32", "2001:db8:1::/48", "2001:db8:1:2::/64", "2001:db8:2::/47", "2001:db8:4::/46"), // of all sizes
		from(tcp(110, 110), "2001:db8:1:2::/64", "2001:db8:1:2::/65", "2001:db8:1:2::1/128", "ffff::/16"),
	)
	many := vpc.PrefixList{ID: "pl-many"}
	for n := range short + 1 {
		many.Entries = append(many.Entries, netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 16, byte(2 * n), 0}), 24))
	}
	block := []vpc.ACLRule{{Number: 1, Traffic: vpc.AllTraffic, CIDR: cidr("203.0.113.1/32")}}
	for n, host := range []string{"203.0.113.2/32", "203.0.113.3/32", "203.0.113.4/32", "203.0.113.5/32", "203.0.113.6/32", "203.0.113.4/32"} {
		block = append(block, vpc.ACLRule{Number: 10 + n, Allow: n == 2, Traffic: tcp(22, uint16(22+n%2)), CIDR: cidr(host)})
	}
	block = append(block, vpc.ACLRule{Number: 100, Allow: true, Traffic: vpc.AllTraffic, CIDR: cidr("0.0.0.0/0")})
	return &vpc.Topology{
		VPCs:    []vpc.VPC{{ID: "vpc-1", CIDRs: []netip.Prefix{cidr("10.0.0.0/16")}}},
		Subnets: []vpc.Subnet{{ID: "subnet-1", VPCID: "vpc-1", ACLID: "acl-1", CIDRs: []netip.Prefix{cidr("10.0.1.0/24")}}},
		Interfaces: []vpc.Interface{
			{ID: "eni-1", Name: "one", VPCID: "vpc-1", SubnetID: "subnet-1", GroupIDs: []string{"sg-crowd"}, Device: vpc.Device{Name: "v1"}, Addresses: []netip.Addr{netip.MustParseAddr("10.0.1.10")}},
		},
		Groups:      []vpc.SecurityGroup{{ID: "sg-crowd", Name: "crowd", VPCID: "vpc-1", Ingress: in, Egress: vpc.AllEgress("sg-crowd")}},
		ACLs:        []vpc.NetworkACL{{ID: "acl-1", Name: "block", VPCID: "vpc-1", Ingress: block, Egress: vpc.DefaultACL("vpc-1", "acl-1").Egress}},
		PrefixLists: []vpc.PrefixList{{ID: "pl-few", Entries: []netip.Prefix{cidr("192.0.2.64/31"), cidr("198.51.100.0/24")}}, many},
	}
}

// The text is for people: whoever changes what it looks like reads these files.
func TestText(t *testing.T) {
	for name, topology := range map[string]*vpc.Topology{"shop": shop(), "crowd": crowd()} {
		t.Run(name, func(t *testing.T) {
			rulesets := render(t, topology)
			if len(rulesets) != 1 || rulesets[0].Interfaces != len(topology.Interfaces) {
				t.Fatalf("got %d rulesets: %+v", len(rulesets), rulesets)
			}
			path := "testdata/" + name + ".nft"
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
		})
	}
}
