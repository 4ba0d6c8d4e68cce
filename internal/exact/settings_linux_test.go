package exact

import (
	"fmt"
	"net/netip"
	"strings"

	"weir/flowlog"
	"weir/policy"
	"weir/vpc"
)

// The rules of all settings. nft sees a 4,000 byte datagram whole; on the wire
// it is three packets, each with a header of its own.
const (
	pieces     = 3
	overhead4  = 2 * 20     // two more IPv4 headers
	overhead6  = 2*40 + 3*8 // two more IPv6 headers, three fragment headers
	fragmented = 4000       // bytes of payload
)

// rule is one refusing line: the match, with a mark if it is one of ours, and a
// named counter that becomes a witness.
func (r *rig) rule(ns, counter, match, verdict string, door policy.Door, ours bool, s side, frag, v6 bool) string {
	ref := refusal{side: s, ns: ns, counter: counter, pieces: 1}
	if frag {
		ref.pieces, ref.overhead = pieces, overhead4
		if v6 {
			ref.overhead = overhead6
		}
	}
	r.refusals = append(r.refusals, ref)
	mark := ""
	if ours {
		r.rules++
		mark = fmt.Sprintf("meta mark set %#x ", uint32(policy.NewMark(door, r.rules)))
	}
	return fmt.Sprintf("%s %scounter name %s %s", match, mark, counter, verdict)
}

// match is how a door finds its packets, by family.
type match struct{ v4, v6 string }

func both(where string) match {
	return match{where + " meta nfproto ipv4", where + " meta nfproto ipv6"}
}

// ports writes the refusals of one door: single packets and fragments, both
// families, and TCP connections.
func (r *rig) ports(ns, name string, m match, door policy.Door, s side, base int) []string {
	var lines []string
	for _, f := range []struct {
		name, match string
		v6          bool
	}{{"v4", m.v4, false}, {"v6", m.v6, true}} {
		lines = append(lines,
			r.rule(ns, name+"_udp_"+f.name, fmt.Sprintf("%s udp dport %d", f.match, base), "drop", door, true, s, false, f.v6),
			r.rule(ns, name+"_frag_"+f.name, fmt.Sprintf("%s udp dport %d", f.match, base+1), "drop", door, true, s, true, f.v6),
			r.rule(ns, name+"_tcp_"+f.name, fmt.Sprintf("%s tcp dport %d", f.match, base+2), "drop", door, true, s, false, f.v6),
		)
	}
	return lines
}

// table writes a whole nft script with its named counters.
func (r *rig) table(ns string, chains map[string][]string) string {
	var b strings.Builder
	b.WriteString("table inet doors {\n")
	for _, ref := range r.refusals {
		if ref.ns == ns {
			fmt.Fprintf(&b, "counter %s { }\n", ref.counter)
		}
	}
	hooks := map[string]string{
		"entering": "type filter hook prerouting priority -150",
		"leaving":  "type filter hook postrouting priority 150",
		"forward":  "type filter hook forward priority 0", // somebody else's firewall
		"input":    "type filter hook input priority 0",
		"output":   "type filter hook output priority 0",
		"dnat":     "type nat hook prerouting priority -100",
		"snat":     "type nat hook postrouting priority 100",
	}
	// Naming ct puts conntrack, and with it defragmentation, into both families.
	chains["entering"] = append([]string{"ct state untracked accept"}, chains["entering"]...)
	for name, lines := range chains {
		fmt.Fprintf(&b, "chain at_%s { %s; policy accept;\n %s\n}\n", name, hooks[name], strings.Join(lines, "\n"))
	}
	b.WriteString("}\n")
	return b.String()
}

func (r *rig) watch(ns, dev, id string, s vpc.Side, addrs ...string) {
	i := vpc.Interface{ID: id, Device: vpc.Device{Namespace: r.ns[ns].Path(), Name: dev}, Side: s}
	for _, a := range addrs {
		i.Addresses = append(i.Addresses, netip.MustParseAddr(a))
	}
	r.interfaces = append(r.interfaces, i)
}

// far adds the wires of an interface whose instance is at the other end.
func (r *rig) far(id, ns, dev, hostNS, hostDev string) {
	r.wires = append(r.wires,
		wire{side: side{id, flowlog.Egress}, ns: ns, dev: dev, refused: true},
		wire{side: side{id, flowlog.Ingress}, ns: hostNS, dev: hostDev})
}

// own adds the wires of a host's own card and of what is at its other end.
func (r *rig) own(id, ns, dev, peerNS, peerDev string) {
	r.wires = append(r.wires,
		wire{side: side{id, flowlog.Egress}, ns: ns, dev: dev},
		wire{side: side{id, flowlog.Ingress}, ns: peerNS, dev: peerDev, refused: true})
}

// allowed is what one sender sends to one address and every rule lets through.
func allowed(to string) []stream {
	return []stream{
		{Kind: "tcp", To: to, Port: 5001, Size: 262144, PPS: 150}, // ~40 MB/s, in GSO super-packets
		{Kind: "conn", To: to, Port: 5001, Size: 100, PPS: 50},
		{Kind: "udp", To: to, Port: 5002, Size: 64, PPS: 2000},
		{Kind: "udp", To: to, Port: 5003, Size: fragmented, PPS: 200},
		{Kind: "ping", To: to, Size: 56, PPS: 100},
		{Kind: "ping", To: to, Size: fragmented, PPS: 20},
	}
}

func refusedAt(to string, base int) []stream {
	return []stream{
		{Kind: "udp", To: to, Port: base, Size: 64, PPS: 500},
		{Kind: "udp", To: to, Port: base + 1, Size: fragmented, PPS: 200},
		{Kind: "tcp", To: to, Port: base + 2, Size: 1, PPS: 20},
	}
}

// run is who sends what: by namespace.
type run map[string][]stream

// routed: two instances behind veths of a router.
func routed(r *rig) run {
	a := end{"a", "eth0", []string{"10.9.1.2/24", "fd00:9:1::2/64"}}
	ra := end{"r", "ra", []string{"10.9.1.1/24", "fd00:9:1::1/64"}}
	b := end{"b", "eth0", []string{"10.9.2.2/24", "fd00:9:2::2/64"}}
	rb := end{"r", "rb", []string{"10.9.2.1/24", "fd00:9:2::1/64"}}
	r.veth(ra, a)
	r.veth(rb, b)
	r.route("a", "0.0.0.0/0", "10.9.1.1")
	r.route("a", "::/0", "fd00:9:1::1")
	r.route("b", "0.0.0.0/0", "10.9.2.1")
	r.route("b", "::/0", "fd00:9:2::1")
	r.watch("r", "ra", "eni-a", vpc.Far, "10.9.1.2", "fd00:9:1::2")
	r.watch("r", "rb", "eni-b", vpc.Far, "10.9.2.2", "fd00:9:2::2")
	r.far("eni-a", "a", "eth0", "r", "ra")
	r.far("eni-b", "b", "eth0", "r", "rb")

	aOut, bIn := side{"eni-a", flowlog.Egress}, side{"eni-b", flowlog.Ingress}
	entering := r.ports("r", "a_out", both("iifname ra"), policy.Entering, aOut, 7000)
	entering = append(entering,
		r.rule("r", "a_reset", "iifname ra meta nfproto ipv4 tcp dport 7006", "reject with tcp reset", policy.Entering, true, aOut, false, false))
	leaving := r.ports("r", "b_in", both("oifname rb"), policy.Leaving, bIn, 7010)
	chains := map[string][]string{
		"entering": entering,
		"leaving":  leaving,
		// Somebody else's firewall: bound for b, so b's REJECT.
		"forward": {r.rule("r", "foreign_b", "udp dport 7020", "drop", 0, false, bIn, false, false)},
		// Bound for no interface of ours after destination NAT: a's REJECT, with
		// the address that a sent to.
		"input": {
			r.rule("r", "foreign_a", "udp dport 7021", "drop", 0, false, aOut, false, false),
			r.rule("r", "foreign_a_frag", "udp dport 7022", "drop", 0, false, aOut, true, false),
		},
		"dnat": {
			"ip daddr 10.9.9.9 tcp dport 80 dnat ip to 10.9.2.2:5001",
			"ip daddr 10.9.9.9 udp dport 7031 dnat ip to 10.9.1.1:7021",
			"ip daddr 10.9.9.9 udp dport 7032 dnat ip to 10.9.1.1:7022",
		},
	}
	r.nft("r", r.table("r", chains))

	send := run{}
	for _, to := range []string{"10.9.2.2", "fd00:9:2::2"} {
		send["a"] = append(send["a"], allowed(to)...)
		send["a"] = append(send["a"], refusedAt(to, 7000)...)
		send["a"] = append(send["a"], refusedAt(to, 7010)...)
	}
	send["b"] = append(send["b"], allowed("10.9.1.2")...)
	send["b"] = append(send["b"], allowed("fd00:9:1::2")...)
	send["a"] = append(send["a"],
		stream{Kind: "tcp", To: "10.9.2.2", Port: 7006, Size: 1, PPS: 50},
		stream{Kind: "udp", To: "10.9.2.2", Port: 7020, Size: 64, PPS: 300},
		stream{Kind: "tcp", To: "10.9.9.9", Port: 80, Size: 65536, PPS: 100},
		stream{Kind: "udp", To: "10.9.9.9", Port: 7031, Size: 64, PPS: 300},
		stream{Kind: "udp", To: "10.9.9.9", Port: 7032, Size: fragmented, PPS: 100},
	)
	return send
}

// bridged: two containers at ports of a bridge, as Docker and libvirt have
// them, with a published port and a masqueraded uplink that is a card of the
// host's own.
func bridged(r *rig) run {
	a := end{"a", "eth0", []string{"10.9.1.2/24", "fd00:9:1::2/64"}}
	b := end{"b", "eth0", []string{"10.9.1.3/24", "fd00:9:1::3/64"}}
	pa, pb := end{"r", "pa", nil}, end{"r", "pb", nil}
	up := end{"r", "up", []string{"10.9.2.1/24", "fd00:9:2::1/64"}}
	c := end{"c", "eth0", []string{"10.9.2.2/24", "fd00:9:2::2/64"}}
	r.veth(pa, a)
	r.veth(pb, b)
	r.veth(up, c)
	r.bridge("r", "br0", []string{"10.9.1.1/24", "fd00:9:1::1/64"}, a, b)
	r.route("a", "0.0.0.0/0", "10.9.1.1")
	r.route("a", "::/0", "fd00:9:1::1")
	r.route("b", "0.0.0.0/0", "10.9.1.1")
	r.route("b", "::/0", "fd00:9:1::1")
	r.route("c", "::/0", "fd00:9:2::1")
	r.watch("r", "pa", "eni-a", vpc.Far, "10.9.1.2", "fd00:9:1::2")
	r.watch("r", "pb", "eni-b", vpc.Far, "10.9.1.3", "fd00:9:1::3")
	r.watch("r", "up", "eni-up", vpc.Own, "10.9.2.1", "fd00:9:2::1")
	r.far("eni-a", "a", "eth0", "r", "pa")
	r.far("eni-b", "b", "eth0", "r", "pb")
	r.own("eni-up", "r", "up", "c", "eth0")

	aOut, bIn := side{"eni-a", flowlog.Egress}, side{"eni-b", flowlog.Ingress}
	upIn, upOut := side{"eni-up", flowlog.Ingress}, side{"eni-up", flowlog.Egress}
	// With br_netfilter a switched packet has the bridge as its iifname: the
	// instance is known by its address.
	entering := r.ports("r", "a_out", match{"iifname br0 ip saddr 10.9.1.2", "iifname br0 ip6 saddr fd00:9:1::2"}, policy.Entering, aOut, 7000)
	entering = append(entering, r.ports("r", "up_in", both("iifname up"), policy.Entering, upIn, 7030)...)
	leaving := r.ports("r", "b_in", match{"ip daddr 10.9.1.3", "ip6 daddr fd00:9:1::3"}, policy.Leaving, bIn, 7010)
	leaving = append(leaving, r.ports("r", "up_out", both("oifname up"), policy.Leaving, upOut, 7040)...)
	chains := map[string][]string{
		"entering": entering,
		"leaving":  leaving,
		"forward":  {r.rule("r", "foreign_b", "ip daddr 10.9.1.3 udp dport 7020", "drop", 0, false, bIn, false, false)},
		"dnat":     {"ip daddr 10.9.2.1 tcp dport 80 dnat ip to 10.9.1.3:5001", "ip daddr 10.9.2.1 udp dport 7010-7012 dnat ip to 10.9.1.3"},
		"snat":     {"ip saddr 10.9.1.0/24 oifname up masquerade"},
	}
	r.nft("r", r.table("r", chains))

	send := run{}
	for _, to := range []string{"10.9.1.3", "fd00:9:1::3"} { // switched
		send["a"] = append(send["a"], allowed(to)...)
		send["a"] = append(send["a"], refusedAt(to, 7000)...)
		send["a"] = append(send["a"], refusedAt(to, 7010)...)
	}
	for _, to := range []string{"10.9.2.2", "fd00:9:2::2"} { // routed, IPv4 masqueraded
		send["a"] = append(send["a"], refusedAt(to, 7000)...)
		send["a"] = append(send["a"], refusedAt(to, 7040)...)
		send["b"] = append(send["b"], allowed(to)...)
	}
	send["a"] = append(send["a"], stream{Kind: "udp", To: "10.9.1.3", Port: 7020, Size: 64, PPS: 300})
	send["c"] = append(send["c"],
		stream{Kind: "tcp", To: "10.9.2.1", Port: 80, Size: 65536, PPS: 100}, // published
		stream{Kind: "udp", To: "10.9.2.1", Port: 7010, Size: 64, PPS: 300},
		stream{Kind: "udp", To: "10.9.2.1", Port: 7011, Size: fragmented, PPS: 100},
	)
	send["c"] = append(send["c"], refusedAt("10.9.2.1", 7030)...)
	send["c"] = append(send["c"], refusedAt("fd00:9:1::2", 7030)...)
	return send
}

// host: a host and its own card, with local services at both ends.
func host(r *rig) run {
	h := end{"h", "eth0", []string{"10.9.1.2/24", "fd00:9:1::2/64"}}
	p := end{"p", "eth0", []string{"10.9.1.1/24", "fd00:9:1::1/64"}}
	r.veth(h, p)
	r.watch("h", "eth0", "eni-h", vpc.Own, "10.9.1.2", "fd00:9:1::2")
	r.own("eni-h", "h", "eth0", "p", "eth0")

	in, out := side{"eni-h", flowlog.Ingress}, side{"eni-h", flowlog.Egress}
	chains := map[string][]string{
		"entering": append(r.ports("h", "in", both("iifname eth0"), policy.Entering, in, 7000),
			r.rule("h", "in_reset", "iifname eth0 meta nfproto ipv4 tcp dport 7006", "reject with tcp reset", policy.Entering, true, in, false, false)),
		"leaving": r.ports("h", "out", both("oifname eth0"), policy.Leaving, out, 7010),
		"input": {
			r.rule("h", "foreign_in", "udp dport 7020", "drop", 0, false, in, false, false),
			r.rule("h", "foreign_in_frag", "meta nfproto ipv4 udp dport 7022", "drop", 0, false, in, true, false),
			r.rule("h", "foreign_dnat", "udp dport 7025", "drop", 0, false, in, false, false),
		},
		"output": {r.rule("h", "foreign_out", "udp dport 7021", "drop", 0, false, out, false, false)},
		"dnat":   {"tcp dport 80 redirect to :5001", "udp dport 7024 redirect to :7025"},
	}
	r.nft("h", r.table("h", chains))

	send := run{}
	for _, to := range []string{"10.9.1.2", "fd00:9:1::2"} {
		send["p"] = append(send["p"], allowed(to)...)
		send["p"] = append(send["p"], refusedAt(to, 7000)...)
		send["p"] = append(send["p"],
			stream{Kind: "udp", To: to, Port: 7020, Size: 64, PPS: 300},
			stream{Kind: "udp", To: to, Port: 7024, Size: 64, PPS: 300},
			stream{Kind: "tcp", To: to, Port: 80, Size: 65536, PPS: 100})
	}
	send["p"] = append(send["p"],
		stream{Kind: "tcp", To: "10.9.1.2", Port: 7006, Size: 1, PPS: 50},
		stream{Kind: "udp", To: "10.9.1.2", Port: 7022, Size: fragmented, PPS: 100})
	for _, to := range []string{"10.9.1.1", "fd00:9:1::1"} {
		send["h"] = append(send["h"], allowed(to)...)
		send["h"] = append(send["h"], refusedAt(to, 7010)...)
		send["h"] = append(send["h"], stream{Kind: "udp", To: to, Port: 7021, Size: 64, PPS: 300})
	}
	return send
}
