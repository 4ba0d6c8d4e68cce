package policy_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"weir/aggregate"
	"weir/flowlog"
	"weir/policy"
	"weir/vpc"
)

// outcome is a verdict in short: "allow", "exempt DHCP", "acl-2 egress *",
// "acl-2 ingress 110", "sg-base,sg-web ingress".
func outcome(v policy.Verdict) string {
	switch {
	case v.Exempt != "" && v.Allowed:
		return "exempt " + v.Exempt
	case v.Allowed && v.Rule == nil:
		return "allow"
	case v.Allowed || v.Rule == nil || v.Rule.Allow || v.Rule.Stage != v.Stage || v.Rule.ID == 0:
		return fmt.Sprintf("contradiction: %+v", v)
	}
	what := strings.Join(v.Rule.IDs, ",") + " " + v.Rule.Direction.String()
	switch {
	case v.Stage == policy.ACL && v.Rule.Number == policy.Last:
		what += " *"
	case v.Stage == policy.ACL:
		what += fmt.Sprintf(" %d", v.Rule.Number)
	}
	return what
}

const (
	in  = policy.Ingress
	out = policy.Egress
)

func TestEvaluate(t *testing.T) {
	p := compile(t, shop())
	const webIn, webOut, dbIn, dbOut = "sg-base,sg-web ingress", "sg-base,sg-web egress", "sg-db ingress", "sg-db egress"
	for _, tt := range []struct {
		name, at string
		d        policy.Direction
		packet   string
		s        policy.State
		want     string
	}{
		// Groups: union, ports, protocols, families.
		{"a port that a group allows", "eni-web1", in, "tcp 198.51.100.200:50000 10.0.1.10:443", policy.New, "allow"},
		{"the port below", "eni-web1", in, "tcp 198.51.100.200:50000 10.0.1.10:442", policy.New, webIn},
		{"the port above", "eni-web1", in, "tcp 198.51.100.200:50000 10.0.1.10:444", policy.New, webIn},
		{"the source port says nothing", "eni-web1", in, "tcp 198.51.100.200:443 10.0.1.10:444", policy.New, webIn},
		{"first port of a range", "eni-web1", in, "tcp 198.51.100.127:1 10.0.1.10:8000", policy.New, "allow"},
		{"last port of a range", "eni-web1", in, "tcp 198.51.100.0:1 10.0.1.10:8010", policy.New, "allow"},
		{"behind the range", "eni-web1", in, "tcp 198.51.100.0:1 10.0.1.10:8011", policy.New, webIn},
		{"behind the network", "eni-web1", in, "tcp 198.51.100.128:1 10.0.1.10:8000", policy.New, webIn},
		{"another protocol with that port", "eni-web1", in, "udp 198.51.100.200:50000 10.0.1.10:443", policy.New, webIn},
		{"IPv6 has a rule of its own", "eni-web1", in, "tcp [2001:db8:9::9]:50000 [2001:db8:0:1::10]:443", policy.New, "allow"},
		{"0.0.0.0/0 is IPv4 only", "eni-web1", out, "tcp [2001:db8:0:1::10]:50000 [2001:db8:9::9]:443", policy.New, webOut},
		{"the second group allows", "eni-web1", out, "tcp 10.0.1.10:50000 192.0.2.9:443", policy.New, "allow"},
		{"the first group allows", "eni-web1", out, "udp 10.0.1.10:50000 192.0.2.9:53", policy.New, "allow"},
		{"no group allows", "eni-web1", out, "udp 10.0.1.10:50000 192.0.2.9:54", policy.New, webOut},
		{"the order of the groups says nothing", "eni-web2", out, "udp 10.0.1.11:50000 192.0.2.9:54", policy.New, webOut},
		{"egress looks at the destination", "eni-web1", out, "tcp 10.0.1.10:50000 10.0.2.200:22", policy.New, "allow"},
		{"egress outside of the network", "eni-web1", out, "tcp 10.0.1.10:50000 10.1.0.0:22", policy.New, webOut},
		{"a group without egress rules", "eni-db1", out, "tcp 10.0.2.10:50000 10.0.1.11:5432", policy.New, dbOut},
		{"all traffic: a protocol without ports", "eni-web1", in, "47 10.0.1.20 10.0.1.10", policy.New, "allow"},
		{"a protocol without ports", "eni-db1", in, "47 10.0.1.19 10.0.2.10", policy.New, "allow"},
		{"another one", "eni-db1", in, "50 10.0.1.19 10.0.2.10", policy.New, "acl-2 ingress *"},

		// ICMP and ICMPv6.
		{"type with any code", "eni-web1", in, "icmp 8/3 192.0.2.9 10.0.1.10", policy.New, "allow"},
		{"another type", "eni-web1", in, "icmp 9/0 192.0.2.9 10.0.1.10", policy.New, webIn},
		{"type and code", "eni-db1", in, "icmp 3/4 192.0.2.9 10.0.2.10", policy.New, "allow"},
		{"another code", "eni-db1", in, "icmp 3/3 192.0.2.9 10.0.2.10", policy.New, dbIn},
		{"ICMPv6 type and code", "eni-web1", in, "icmpv6 128/0 2001:db8:9::9 2001:db8:0:1::10", policy.New, "allow"},
		{"ICMPv6, another code", "eni-web1", in, "icmpv6 128/1 2001:db8:9::9 2001:db8:0:1::10", policy.New, webIn},
		{"a ping's reply that nobody asked for", "eni-web1", in, "icmp 0/0 192.0.2.9 10.0.1.10", policy.New, webIn},

		// Peers: groups, self, prefix lists.
		{"a member of the group", "eni-db1", in, "tcp 10.0.1.10:50000 10.0.2.10:5432", policy.New, "allow"},
		{"the member's IPv6 address", "eni-db1", in, "tcp [2001:db8:0:1::11]:50000 [2001:db8:0:2::10]:5432", policy.New, "allow"},
		{"no member", "eni-db1", in, "tcp 10.0.1.20:50000 10.0.2.10:5432", policy.New, dbIn},
		{"nobody's address beside a member's", "eni-db1", in, "tcp 10.0.1.12:50000 10.0.2.10:5432", policy.New, dbIn},
		{"a member of the group as destination", "eni-web1", out, "tcp 10.0.1.10:50000 10.0.2.11:5432", policy.New, "allow"},
		{"an address of a member's prefix", "eni-web1", out, "tcp 10.0.1.10:50000 10.0.2.79:5432", policy.New, "allow"},
		{"behind the member's prefix", "eni-web1", out, "tcp 10.0.1.10:50000 10.0.2.80:5432", policy.New, webOut},
		{"a member in another network", "eni-web1", out, "tcp 10.0.1.10:50000 192.0.2.1:5432", policy.New, "allow"},
		{"the group itself", "eni-db1", in, "tcp 10.0.2.11:50000 10.0.2.10:7000", policy.New, "allow"},
		{"the group itself, not to others", "eni-db1", in, "tcp 10.0.2.12:50000 10.0.2.10:7000", policy.New, dbIn},
		{"an entry of the prefix list", "eni-bastion", in, "tcp 203.0.113.63:50000 10.0.1.20:22", policy.New, "allow"},
		{"its other family", "eni-bastion", in, "tcp [2001:db8:ff::1]:50000 [2001:db8:0:1::20]:22", policy.New, "allow"},
		{"behind the entry", "eni-bastion", in, "tcp 203.0.113.64:50000 10.0.1.20:22", policy.New, "sg-base ingress"},

		// Groups know connections, whatever their rules say.
		{"a reply", "eni-web1", out, "tcp 10.0.1.10:443 198.51.100.200:50000", policy.Tracked, "allow"},
		{"the same without a connection", "eni-web1", out, "tcp 10.0.1.10:443 198.51.100.200:50000", policy.New, webOut},
		{"a related ICMP error", "eni-web1", in, "icmp 3/3 192.0.2.9 10.0.1.10", policy.Tracked, "allow"},
		{"no groups refuse nothing", "eni-open", in, "tcp 192.0.2.9:1 10.0.1.30:1", policy.New, "allow"},
		{"no groups, but an ACL", "eni-open", in, "tcp 203.0.113.15:1 10.0.1.30:22", policy.New, "acl-1 ingress 90"},

		// ACLs: the order of numbers, no state, the subnet's border.
		{"the lowest number decides", "eni-bastion", in, "tcp 203.0.113.0:50000 10.0.1.20:22", policy.New, "acl-1 ingress 90"},
		{"beside it the next one", "eni-bastion", in, "tcp 203.0.113.16:50000 10.0.1.20:22", policy.New, "allow"},
		{"a deny before an allow", "eni-db1", in, "47 10.0.1.20 10.0.2.10", policy.New, "acl-2 ingress 110"},
		{"ingress: ACL before groups", "eni-db1", in, "tcp 192.0.2.9:1 10.0.2.10:5432", policy.New, "acl-2 ingress *"},
		{"egress: groups before ACL", "eni-db1", out, "udp 10.0.2.10:1 192.0.2.9:1", policy.New, dbOut},
		{"a reply to an ephemeral port", "eni-db1", out, "tcp 10.0.2.10:5432 10.0.1.11:50000", policy.Tracked, "allow"},
		{"a reply that the ACL forgot", "eni-db1", out, "tcp 10.0.2.10:5432 10.0.1.10:50000", policy.Tracked, "acl-2 egress *"},
		{"a reply below the ephemeral ports", "eni-db1", out, "tcp 10.0.2.10:5432 10.0.1.11:1023", policy.Tracked, "acl-2 egress *"},
		{"a request's port is its destination's", "eni-db1", out, "tcp 10.0.2.10:50000 10.0.1.10:5432", policy.Tracked, "allow"},
		{"a known connection still meets deny rules", "eni-bastion", in, "tcp 203.0.113.0:50000 10.0.1.20:22", policy.Tracked, "acl-1 ingress 90"},
		{"ICMP in an ACL", "eni-db1", in, "icmp 4/0 192.0.2.9 10.0.2.10", policy.Tracked, "acl-2 ingress *"},
		{"inside the subnet no ACL", "eni-db1", out, "tcp 10.0.2.10:5432 10.0.2.200:50000", policy.Tracked, "allow"},
		{"inside the subnet no ACL, IPv6", "eni-db1", out, "tcp [2001:db8:0:2::10]:1 [2001:db8:0:2::ff]:1", policy.Tracked, "allow"},
		{"inside the subnet groups all the same", "eni-db1", in, "tcp 10.0.2.200:50000 10.0.2.10:5432", policy.New, dbIn},
		{"another subnet of the VPC is outside", "eni-db1", out, "tcp 10.0.2.10:5432 10.0.1.200:50000", policy.Tracked, "acl-2 egress *"},
		{"the neighbour subnet's edge", "eni-db1", out, "tcp 10.0.2.10:5432 10.0.3.0:50000", policy.Tracked, "acl-2 egress *"},
		{"a link-local neighbour is inside", "eni-db1", in, "tcp [fe80::1]:1 [fe80::2]:1", policy.Tracked, "allow"},
		{"so is a multicast group of the link", "eni-db1", out, "udp 10.0.2.10:5353 224.0.0.251:5353", policy.Tracked, "allow"},
		{"and everybody on the link", "eni-db1", out, "udp 10.0.2.10:1 255.255.255.255:1", policy.Tracked, "allow"},
		{"a routed multicast group is not", "eni-db1", out, "udp 10.0.2.10:1 224.0.1.1:1", policy.Tracked, "acl-2 egress *"},
		{"groups see the link", "eni-db1", out, "udp 10.0.2.10:5353 224.0.0.251:5353", policy.New, dbOut},
		{"an unknown subnet has no ACL", "eni-lone", out, "tcp 192.0.2.1:5432 8.8.8.8:1", policy.Tracked, "allow"},
		{"an unknown subnet, but groups", "eni-lone", out, "tcp 192.0.2.1:5432 8.8.8.8:1", policy.New, dbOut},

		// What is never filtered.
		{"neighbour solicitation", "eni-db1", out, "icmpv6 135/0 2001:db8:0:2::10 ff02::1:ff00:1", policy.New, "exempt neighbour discovery"},
		{"router advertisement", "eni-db1", in, "icmpv6 134/0 fe80::1 ff02::1", policy.New, "exempt neighbour discovery"},
		{"listener report", "eni-db1", out, "icmpv6 143/0 fe80::2 ff02::16", policy.New, "exempt multicast listener discovery"},
		{"listener query", "eni-db1", in, "icmpv6 130/0 fe80::1 ff02::1", policy.New, "exempt multicast listener discovery"},
		{"echo is none of them", "eni-db1", out, "icmpv6 128/0 2001:db8:0:2::10 ff02::1", policy.New, dbOut},
		{"type 135 of ICMP is none of them", "eni-db1", out, "icmp 135/0 10.0.2.10 192.0.2.9", policy.New, dbOut},
		{"DHCP request", "eni-db1", out, "udp 0.0.0.0:68 255.255.255.255:67", policy.New, "exempt DHCP"},
		{"DHCP answer", "eni-db1", in, "udp 10.0.2.1:67 10.0.2.10:68", policy.New, "exempt DHCP"},
		{"DHCPv6 request", "eni-db1", out, "udp [fe80::2]:546 [ff02::1:2]:547", policy.New, "exempt DHCP"},
		{"DHCPv6 answer", "eni-db1", in, "udp [fe80::1]:547 [fe80::2]:546", policy.New, "exempt DHCP"},
		{"one port of DHCP is not enough", "eni-db1", out, "udp 10.0.2.10:1068 192.0.2.9:67", policy.New, dbOut},
		{"DHCP's ports of TCP", "eni-db1", out, "tcp 10.0.2.10:68 192.0.2.9:67", policy.New, dbOut},
		{"DHCP's ports over IPv6", "eni-db1", out, "udp [fe80::2]:68 [ff02::1:2]:67", policy.New, dbOut},
		{"metadata", "eni-db1", out, "tcp 10.0.2.10:50000 169.254.169.254:80", policy.New, "exempt instance metadata"},
		{"metadata's answer", "eni-db1", in, "tcp 169.254.169.254:80 10.0.2.10:50000", policy.Tracked, "exempt instance metadata"},
		{"metadata, IPv6", "eni-db1", out, "tcp [2001:db8:0:2::10]:50000 [fd00:ec2::254]:80", policy.New, "exempt instance metadata"},
		{"time", "eni-db1", out, "udp 10.0.2.10:123 169.254.169.123:123", policy.New, "exempt time service"},
		{"time, IPv6", "eni-db1", out, "udp [2001:db8:0:2::10]:123 [fd00:ec2::123]:123", policy.New, "exempt time service"},
		{"resolver", "eni-db1", out, "udp 10.0.2.10:50000 169.254.169.253:53", policy.New, "exempt DNS resolver"},
		{"tasks", "eni-db1", out, "tcp 10.0.2.10:50000 169.254.170.2:80", policy.New, "exempt task metadata"},
		{"licenses", "eni-db1", out, "tcp 10.0.2.10:50000 169.254.169.250:1688", policy.New, "exempt license activation"},
		{"the own address is not the other end", "eni-db1", out, "tcp 169.254.169.254:80 192.0.2.9:80", policy.New, dbOut},
		{"the VPC's base address plus two is a machine", "eni-db1", out, "udp 10.0.2.10:50000 10.0.0.2:53", policy.New, dbOut},

		// Forms of addresses, unknown interfaces.
		{"a mapped address", "eni-web1", in, "tcp [::ffff:198.51.100.1]:1 [::ffff:10.0.1.10]:8000", policy.New, "allow"},
		{"a mapped destination", "eni-web1", out, "tcp [::ffff:10.0.1.10]:1 [::ffff:10.0.2.10]:22", policy.New, "allow"},
		{"a zone", "eni-db1", out, "tcp [fe80::2%eth0]:5432 [fe80::1%eth0]:1", policy.Tracked, "allow"},
		{"a zone of the source", "eni-db1", in, "tcp [fe80::1%eth0]:1 [fe80::2%eth0]:1", policy.Tracked, "allow"},
		{"an interface that is not there", "eni-none", in, "tcp 192.0.2.9:1 10.0.1.10:1", policy.New, "allow"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k := packet(t, strings.Fields(tt.packet)...)
			v := p.Evaluate(tt.at, tt.d, k, tt.s)
			if got := outcome(v); got != tt.want {
				t.Errorf("got %q, want %q\n%s\n%s", got, tt.want, v.Reason(), v.Nearest())
			}
		})
	}
}

func TestAllowingNamesTheRules(t *testing.T) {
	p := compile(t, shop())
	v := p.Evaluate("eni-web1", in, packet(t, "tcp", "198.51.100.200:50000", "10.0.1.10:443"), policy.New)
	if r := v.Allowing[policy.ACL]; r == nil || r.Number != 100 || !r.Allow {
		t.Errorf("of the ACL: %+v", r)
	}
	if r := v.Allowing[policy.Group]; r == nil || r.Words != "security group web (sg-web) ingress: allow tcp 443 from 0.0.0.0/0" {
		t.Errorf("of the groups: %+v", r)
	}
}

// The flow logs' words, and the doors as aggregate reads them.
func TestDirection(t *testing.T) {
	if in.String() != flowlog.Ingress || out.String() != flowlog.Egress {
		t.Errorf("%q and %q, want %q and %q", in, out, flowlog.Ingress, flowlog.Egress)
	}
	for _, d := range []policy.Direction{in, out} {
		for _, s := range []vpc.Side{vpc.Far, vpc.Own} {
			if got := aggregate.Direction(s, d.Door(s)); got != d.String() {
				t.Errorf("%v at side %v is judged at door %d, which is %s", d, s, d.Door(s), got)
			}
		}
	}
}

func TestEvaluateDoesNotAllocate(t *testing.T) {
	p := compile(t, shop())
	for _, words := range []string{"tcp 198.51.100.200:50000 10.0.1.10:443", "tcp 198.51.100.200:50000 10.0.1.10:444", "icmpv6 135/0 fe80::1 ff02::1"} {
		k := packet(t, strings.Fields(words)...)
		if n := testing.AllocsPerRun(100, func() { p.Evaluate("eni-web1", in, k, policy.New) }); n != 0 {
			t.Errorf("%s: Evaluate allocates %v times, want 0", words, n)
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		spoil func(t *vpc.Topology)
		want  string
	}{
		"a group that is not there":            {func(t *vpc.Topology) { t.Interfaces[0].GroupIDs = []string{"sg-gone"} }, "interface eni-web1 has the security group sg-gone, which is not there"},
		"a group's peer that is not there":     {func(t *vpc.Topology) { t.Groups[0].Egress[0].Peer = group("sg-gone") }, "a rule of sg-web names sg-gone, which is not there"},
		"a prefix list that is not there":      {func(t *vpc.Topology) { t.PrefixLists = nil }, "a rule of sg-base names pl-office, which is not there"},
		"a rule without a peer":                {func(t *vpc.Topology) { t.Groups[0].Egress[0].Peer = vpc.Peer{} }, "a rule of sg-web has no peer"},
		"an ACL that is not there":             {func(t *vpc.Topology) { t.Subnets[1].ACLID = "acl-gone" }, `subnet subnet-2 has the network ACL "acl-gone", which is not there`},
		"a subnet without an ACL":              {func(t *vpc.Topology) { t.Subnets[1].ACLID = "" }, `subnet subnet-2 has the network ACL "", which is not there`},
		"an interface twice":                   {func(t *vpc.Topology) { t.Interfaces[1].ID = "eni-web1" }, "interface eni-web1 is there twice"},
		"a group twice":                        {func(t *vpc.Topology) { t.Groups[1].ID = "sg-web" }, "security group sg-web is there twice"},
		"a prefix list twice":                  {func(t *vpc.Topology) { t.PrefixLists = append(t.PrefixLists, t.PrefixLists[0]) }, "prefix list pl-office is there twice"},
		"rules of an ACL out of order":         {func(t *vpc.Topology) { t.ACLs[1].Ingress[1].Number = 90 }, "network ACL acl-2: ingress rule 90 stands behind 100"},
		"rules of an ACL with the same number": {func(t *vpc.Topology) { t.ACLs[1].Ingress[1].Number = 100 }, "network ACL acl-2: ingress rule 100 stands behind 100"},
	} {
		t.Run(name, func(t *testing.T) {
			s := shop()
			tt.spoil(s)
			_, err := policy.Compile(s, new(policy.MemoryIDs))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestAddresses(t *testing.T) {
	s := shop()
	s.PrefixLists[0].Entries = []netip.Prefix{
		mustPrefix("10.0.1.0/24"), mustPrefix("10.0.0.0/24"), mustPrefix("10.0.1.128/25"), mustPrefix("10.0.3.0/24"),
		mustPrefix("2001:db8::/32"), mustPrefix("255.255.255.255/32"), mustPrefix("::/128"),
	}
	p := compile(t, s)
	var got []string
	for _, r := range p.PrefixList("pl-office").Ranges() {
		got = append(got, r.From.String()+"-"+r.To.String())
	}
	want := "10.0.0.0-10.0.1.255 10.0.3.0-10.0.3.255 255.255.255.255-255.255.255.255 ::-:: 2001:db8::-2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"
	if strings.Join(got, " ") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, " "), want)
	}
	for addr, want := range map[string]bool{"10.0.1.0": true, "9.255.255.255": false, "10.0.2.0": false, "10.0.3.255": true, "10.0.4.0": false, "::1": false, "2001:db9::": false} {
		if got := p.PrefixList("pl-office").Contains(netip.MustParseAddr(addr)); got != want {
			t.Errorf("contains %s: %v, want %v", addr, got, want)
		}
	}
	if p.Members("sg-none") != nil || p.PrefixList("pl-none") != nil {
		t.Error("sets of what is not there")
	}
}
