package lab

import (
	"net/netip"
	"regexp"
	"testing"

	"weir/lab/traffic"
	"weir/policy"
	"weir/vpc"
)

// compile makes the policy of a topology, with ids that nobody keeps.
func compile(t *testing.T, topology *vpc.Topology) *policy.Policy {
	t.Helper()
	p, err := policy.Compile(topology, &policy.MemoryIDs{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var idInWords = regexp.MustCompile(` \((sg|acl|pl)-[0-9a-f]+\)`)

// plainWords are a rule's words without ids.
func plainWords(words string) string { return idInWords.ReplaceAllString(words, "") }

// clientPort is one that Linux gives to clients.
const clientPort = 40000

// judge says which rule refuses a packet between two addresses of the lab, at
// whichever of their interfaces; "" when none does. What goes through the NAT
// instance is judged there as well.
func (p *plan) judge(pol *policy.Policy, k policy.Packet, s policy.State) string {
	at := func(in *instance, d policy.Direction) string {
		if v := pol.Evaluate(in.ID, d, k, s); !v.Allowed {
			return plainWords(v.Rule.Words)
		}
		return ""
	}
	src, dst := p.owner(k.Src), p.owner(k.Dst)
	if src != nil {
		if words := at(src, policy.Egress); words != "" {
			return words
		}
	}
	if dst != nil {
		return at(dst, policy.Ingress)
	}
	if src != nil && !src.public.IsValid() && k.Src.Is4() {
		return at(p.nat, policy.Ingress)
	}
	return ""
}

func (p *plan) owner(a netip.Addr) *instance {
	for _, in := range p.instances {
		if in.addr.v4 == a || in.addr.v6 == a {
			return in
		}
	}
	return nil
}

// exchange judges a request and its reply.
func (p *plan) exchange(pol *policy.Policy, k policy.Packet) (request, reply string) {
	back := policy.Packet{Src: k.Dst, Dst: k.Src, Protocol: k.Protocol, SrcPort: k.DstPort, DstPort: k.SrcPort}
	switch k.Protocol {
	case vpc.ICMP:
		k.ICMPType, back.ICMPType = 8, 0
	case vpc.ICMPv6:
		k.ICMPType, back.ICMPType = 128, 129
	}
	return p.judge(pol, k, policy.New), p.judge(pol, back, policy.Tracked)
}

// packet is what a client's task sends, with public addresses translated.
func (p *plan) packet(place string, task traffic.Task) policy.Packet {
	k := policy.Packet{Src: task.From, Dst: task.Addr.Addr(), Protocol: vpc.TCP, SrcPort: clientPort, DstPort: task.Addr.Port()}
	for _, in := range p.instances {
		if in.public == k.Dst {
			k.Dst = in.addr.v4
		}
		if in.Name == place && !k.Src.IsValid() {
			k.Src = in.addr.v4
			if k.Dst.Is6() {
				k.Src = in.addr.v6
			}
		}
	}
	switch task.Kind {
	case traffic.DNSClient:
		k.Protocol = vpc.UDP
	case traffic.Ping:
		k.SrcPort, k.DstPort, k.Protocol = 0, 0, vpc.ICMP
		if k.Dst.Is6() {
			k.Protocol = vpc.ICMPv6
		}
	}
	return k
}

// Every client gets what it wants by the policy's word: an answer, or silence.
func TestPolicyAgreesWithRoles(t *testing.T) {
	p := testPlan(t, Config{})
	pol := compile(t, p.topology)
	for place, role := range p.roles(testConfig(t)) {
		for _, task := range role.Tasks {
			if task.Every == 0 || task.Kind == traffic.Scan {
				continue // a server; one that expects nothing
			}
			k := p.packet(place, task)
			request, reply := p.exchange(pol, k)
			if refused := request + reply; (refused != "") != (task.Want == traffic.Silent) {
				t.Errorf("%s, %s (%v): refused by %q, wants %q", place, task.Name, k, refused, task.Want)
			}
		}
	}
}

// The policy in words: who is refused, and by which rule.
func TestRefusals(t *testing.T) {
	p := testPlan(t, Config{})
	pol := compile(t, p.topology)
	for _, tt := range []struct {
		name           string
		src, dst       netip.Addr
		port           uint16
		request, reply string
	}{
		{"mistake 1, over IPv6", p.app.addr.v6, p.db.addr.v6, dbPort, "", "network ACL db egress rule *: no other rule matches it"},
		{"the same over IPv4 works", p.app.addr.v4, p.db.addr.v4, dbPort, "", ""},
		{"mistake 2", p.bastion.addr.v4, p.web.addr.v4, healthPort, "security group web: no ingress rule allows it", ""},
		{"the port of mistake 2", p.bastion.addr.v4, p.web.addr.v4, appPort, "", ""},
		{"web straight to the db", p.web.addr.v4, p.db.addr.v4, dbPort, "network ACL db ingress rule *: no other rule matches it", "network ACL db egress rule *: no other rule matches it"},
		{"bastion into the app", p.bastion.addr.v4, p.app.addr.v4, appPort, "security group app: no ingress rule allows it", ""},
		{"db to the internet", p.db.addr.v4, mirror.v4, httpsPort, "security group db: no egress rule allows it", ""},
		{"a cracker at the bastion", crackers[0], p.bastion.addr.v4, sshPort, "security group bastion: no ingress rule allows it", ""},
		{"a cracker at web", crackers[0], p.web.addr.v4, sshPort, "security group web: no ingress rule allows it", ""},
		{"the cracker of last week", crackers[3], p.web.addr.v4, sshPort, "network ACL public ingress rule 10: deny all traffic from 198.51.100.74/32", ""},
		{"the scanner at some port", scanner, p.web.addr.v4, 500, "network ACL public ingress rule *: no other rule matches it", ""},
		{"the scanner at nat", scanner, p.nat.addr.v4, sshPort, "security group nat: no ingress rule allows it", ""},
		{"a visitor at app", visitor6, p.app.addr.v6, appPort, "network ACL app ingress rule *: no other rule matches it", ""},
	} {
		request, reply := p.exchange(pol, policy.Packet{Src: tt.src, Dst: tt.dst, Protocol: vpc.TCP, SrcPort: clientPort, DstPort: tt.port})
		if request != tt.request || reply != tt.reply {
			t.Errorf("%s: request %q, reply %q; want %q, %q", tt.name, request, reply, tt.request, tt.reply)
		}
	}
}

// A mistake hurts what its Mistake says: the request comes in and the reply does
// not get out, or the request does not come in.
func TestMistakes(t *testing.T) {
	p := testPlan(t, Config{})
	pol := compile(t, p.topology)
	var got []bool
	for _, m := range p.mistakes() {
		request, reply := p.exchange(pol, policy.Packet{Src: m.Src, Dst: m.Dst, Protocol: vpc.TCP, SrcPort: clientPort, DstPort: m.Port})
		got = append(got, request != "")
		if request+reply == "" || p.owner(m.Dst).ID != m.InterfaceID {
			t.Errorf("%s: request %q, reply %q, at %s", m.Name, request, reply, m.InterfaceID)
		}
	}
	if len(got) != 2 || got[0] || !got[1] {
		t.Errorf("requests refused: %v, want that of the second only", got)
	}
}
