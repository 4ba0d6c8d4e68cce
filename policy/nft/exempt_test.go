package nft

import (
	"testing"

	"weir/policy"
	"weir/vpc"
)

func TestMayBeExempt(t *testing.T) {
	icmpv6 := func(kind int) vpc.Traffic { return vpc.Traffic{Protocol: vpc.ICMPv6, ICMPType: kind, ICMPCode: -1} }
	for _, tt := range []struct {
		name    string
		traffic vpc.Traffic
		cidr    string
		want    bool
	}{
		{"TCP of somebody else", tcp(22, 22), "203.0.113.0/24", false},
		{"TCP of anybody: metadata", tcp(22, 22), "0.0.0.0/0", true},
		{"TCP of the metadata service", tcp(80, 80), "169.254.169.254/32", true},
		{"TCP of its IPv6 address", tcp(80, 80), "fd00:ec2::254/128", true},
		{"everything of a network: DHCP", vpc.AllTraffic, "203.0.113.0/24", true},
		{"UDP with DHCP's port", vpc.Ports(vpc.UDP, 60, 67), "203.0.113.0/24", true},
		{"UDP without it", vpc.Ports(vpc.UDP, 69, 65535), "203.0.113.0/24", false},
		{"IPv6: another DHCP", vpc.Ports(vpc.UDP, 67, 68), "2001:db8::/32", false},
		{"IPv6: its DHCP", vpc.Ports(vpc.UDP, 546, 546), "2001:db8::/32", true},
		{"neighbour discovery", icmpv6(135), "2001:db8::/32", true},
		{"ICMPv6 of any type", icmpv6(-1), "2001:db8::/32", true},
		{"ICMPv6, echo", icmpv6(128), "2001:db8::/32", false},
		{"ICMPv6 over IPv4", icmpv6(135), "203.0.113.0/24", false},
	} {
		m := policy.Match{Traffic: tt.traffic, Peer: vpc.Peer{CIDR: cidr(tt.cidr)}}
		if got := mayBeExempt(&m); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}
