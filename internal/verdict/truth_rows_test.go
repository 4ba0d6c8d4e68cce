package verdict

import (
	"fmt"
	"net/netip"

	"weir/policy"
	"weir/vpc"
)

// The topology of the truth table. Port n of TCP and UDP, and code n of an ICMP
// echo, stand for one row: what happens to it is in the rules.
const (
	caseAllowed  = iota // everything allows it
	caseGroupOut        // the sender's group does not
	caseACLOut          // the sender's ACL does not
	caseACLIn           // the receiver's ACL does not
	caseGroupIn         // the receiver's group does not
	caseReplyOut        // the receiver's ACL refuses the reply on its way out
	caseReplyIn         // the sender's ACL refuses it on its way in
	caseForeign         // somebody else's firewall drops it
	caseReset           // somebody else's firewall rejects it
	cases
)

// basePort is added to a case for the port at the receiver, and replies go to
// clientPort plus the case.
const (
	basePort   = 1000
	clientPort = 2000
)

var (
	anyNet    = [2]netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
	addrA     = [2]netip.Addr{netip.MustParseAddr("10.9.1.10"), netip.MustParseAddr("2001:db8:9:1::10")}
	addrB     = [2]netip.Addr{netip.MustParseAddr("10.9.2.20"), netip.MustParseAddr("2001:db8:9:2::20")}
	addrH     = [2]netip.Addr{netip.MustParseAddr("10.9.3.30"), netip.MustParseAddr("2001:db8:9:3::30")}
	addrWorld = [2]netip.Addr{netip.MustParseAddr("198.51.100.7"), netip.MustParseAddr("2001:db8:ffff::7")}
	// Nobody has these, and no router knows the way.
	addrLost    = [2]netip.Addr{netip.MustParseAddr("10.9.250.1"), netip.MustParseAddr("2001:db8:9:fa::1")}
	addrVirtual = [2]netip.Addr{netip.MustParseAddr("203.0.113.9"), netip.MustParseAddr("2001:db8:fffd::9")}
)

// traffics are a case's requests, or the replies to them, of every protocol.
func traffics(n int, reply bool) []vpc.Traffic {
	port := uint16(basePort + n)
	types := [2]int{8, 128}
	if reply {
		port, types = uint16(clientPort+n), [2]int{0, 129}
	}
	return []vpc.Traffic{
		vpc.Ports(vpc.TCP, port, port), vpc.Ports(vpc.UDP, port, port),
		{Protocol: vpc.ICMP, ICMPType: types[0], ICMPCode: n},
		{Protocol: vpc.ICMPv6, ICMPType: types[1], ICMPCode: n},
	}
}

// truthTopology has two instances and the host's own card, each in a subnet of
// its own with a group and an ACL of its own.
func truthTopology(bridge string) *vpc.Topology {
	t := &vpc.Topology{VPCs: []vpc.VPC{{ID: "vpc-9", Name: "truth", AccountID: "123456789012", Region: "us-east-1", CIDRs: []netip.Prefix{netip.MustParsePrefix("10.9.0.0/16"), netip.MustParsePrefix("2001:db8:9::/56")}}}}
	for n, name := range []string{"a", "b", "host"} {
		addrs := [][2]netip.Addr{addrA, addrB, addrH}[n]
		t.Subnets = append(t.Subnets, vpc.Subnet{
			ID: "subnet-" + name, Name: name, VPCID: "vpc-9", ACLID: "acl-" + name,
			CIDRs: []netip.Prefix{netip.PrefixFrom(addrs[0], 24).Masked(), netip.PrefixFrom(addrs[1], 64).Masked()},
		})
		t.Groups = append(t.Groups, truthGroup(name))
		t.ACLs = append(t.ACLs, truthACL(name))
		i := vpc.Interface{
			ID: "eni-" + name, Name: name, AccountID: "123456789012", Region: "us-east-1", VPCID: "vpc-9", SubnetID: "subnet-" + name,
			Device: vpc.Device{Name: "t" + name}, Addresses: addrs[:], GroupIDs: []string{"sg-" + name}, Bridge: bridge,
		}
		if name == "host" {
			i.Side, i.Bridge = vpc.Own, ""
		}
		t.Interfaces = append(t.Interfaces, i)
	}
	return t
}

// truthGroup allows every case but its own ones, of any sender and receiver.
func truthGroup(name string) vpc.SecurityGroup {
	g := vpc.SecurityGroup{ID: "sg-" + name, Name: name, VPCID: "vpc-9"}
	add := func(rules []vpc.GroupRule, n int) []vpc.GroupRule {
		for _, t := range traffics(n, false) {
			for f, any := range anyNet {
				if !t.IsICMP() || (t.Protocol == vpc.ICMPv6) == (f == 1) {
					rules = append(rules, vpc.GroupRule{Traffic: t, Peer: vpc.Peer{CIDR: any}})
				}
			}
		}
		return rules
	}
	for n := range cases {
		if n != caseGroupIn {
			g.Ingress = add(g.Ingress, n)
		}
		if n != caseGroupOut {
			g.Egress = add(g.Egress, n)
		}
	}
	return g
}

// truthACL denies its cases by rules numbered as they are, and allows the rest.
func truthACL(name string) vpc.NetworkACL {
	a := vpc.NetworkACL{ID: "acl-" + name, Name: name, VPCID: "vpc-9"}
	rules := func(n int, reply bool) (rules []vpc.ACLRule) {
		for _, t := range traffics(n, reply) {
			for f, any := range anyNet {
				if !t.IsICMP() || (t.Protocol == vpc.ICMPv6) == (f == 1) {
					rules = append(rules, vpc.ACLRule{Number: 10*n + len(rules) + 1, Traffic: t, CIDR: any})
				}
			}
		}
		return rules
	}
	a.Ingress = append(rules(caseACLIn, false), rules(caseReplyIn, true)...)
	a.Egress = append(rules(caseACLOut, false), rules(caseReplyOut, true)...)
	for f, any := range anyNet {
		allow := vpc.ACLRule{Number: 100 + f, Allow: true, Traffic: vpc.AllTraffic, CIDR: any}
		a.Ingress, a.Egress = append(a.Ingress, allow), append(a.Egress, allow)
	}
	return a
}

// request is a case's first packet of a protocol.
func request(protocol uint8, n int, src, dst netip.Addr) packet {
	p := packet{Packet: policy.Packet{Src: src, Dst: dst, Protocol: protocol}}
	switch protocol {
	case vpc.TCP:
		p.Flags, p.Seq = syn, 1000
		p.SrcPort, p.DstPort = uint16(clientPort+n), uint16(basePort+n)
	case vpc.UDP:
		p.SrcPort, p.DstPort = uint16(clientPort+n), uint16(basePort+n)
	case vpc.ICMP:
		p.ICMPType, p.ICMPCode, p.ICMPID = 8, uint8(n), 77
		if p.is6() {
			p.Protocol, p.ICMPType = vpc.ICMPv6, 128
		}
	}
	return p
}

// response is the reply to a request.
func response(p packet) packet {
	q := answer(p)
	if p.Protocol == vpc.TCP {
		q.Flags, q.Seq, q.Ack = syn|ack, 5000, p.Seq+1
	}
	return q
}

// record is one that is expected.
type record struct {
	at        string // interface
	direction policy.Direction
	accepted  bool
	packet    packet
	packets   int
	bytes     int    // of all of them
	rule      string // words of the rule begin like this; "" is none
	reason    string
	port0     bool // later fragments
}

// protocolName is for titles.
func protocolName(p uint8) string {
	return map[uint8]string{vpc.TCP: "TCP", vpc.UDP: "UDP", vpc.ICMP: "ICMP"}[p]
}

// ipBytes is what one frame has of IP.
func (p *packet) ipBytes() int {
	n := 0
	for _, f := range p.frames(0, make([]byte, 6), make([]byte, 6)) {
		n += len(f) - 14
	}
	return n
}

func acceptAt(at string, d policy.Direction, p packet) record {
	return record{at: at, direction: d, accepted: true, packet: p, packets: 1, bytes: p.ipBytes()}
}

func rejectAt(at string, d policy.Direction, p packet, rule string) record {
	return record{at: at, direction: d, packet: p, packets: 1, bytes: p.ipBytes(), rule: rule, reason: "NETFILTER_DROP"}
}

func groupRule(name string, d policy.Direction) string {
	return fmt.Sprintf("security group %s (sg-%s): no %v rule", name, name, d)
}

// aclRule is the rule of a case: each case has ten numbers.
func aclRule(name string, d policy.Direction, n int) string {
	return fmt.Sprintf("network ACL %s (acl-%s) %v rule %d", name, name, d, n)
}
