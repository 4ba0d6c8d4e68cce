package verdict

import (
	"weir/policy"
	"weir/vpc"
)

// instances are the rows of two instances behind a router, or on one bridge.
func (x *truth) instances() {
	x.only = []string{"eni-a", "eni-b"}
	in, out := policy.Ingress, policy.Egress
	ways(func(protocol uint8, v int, way string) {
		ask := func(n int) packet { return request(protocol, n, addrA[v], addrB[v]) }
		both := func(n int) []record {
			return []record{acceptAt("a", out, ask(n)), acceptAt("b", in, ask(n))}
		}
		q := ask(caseAllowed)
		x.row(way+": everything allows it, and the reply", append(both(caseAllowed),
			acceptAt("b", out, response(q)), acceptAt("a", in, response(q))), func() {
			x.from("a", "b", q)
			x.from("b", "a", response(q))
		})
		x.row(way+": A's security group refuses", []record{rejectAt("a", out, ask(caseGroupOut), groupRule("a", out))},
			func() { x.from("a", "b", ask(caseGroupOut)) })
		x.row(way+": A's network ACL refuses", []record{rejectAt("a", out, ask(caseACLOut), aclRule("a", out, caseACLOut))},
			func() { x.from("a", "b", ask(caseACLOut)) })
		x.row(way+": B's network ACL refuses", []record{
			acceptAt("a", out, ask(caseACLIn)), rejectAt("b", in, ask(caseACLIn), aclRule("b", in, caseACLIn)),
		}, func() { x.from("a", "b", ask(caseACLIn)) })
		x.row(way+": B's security group refuses", []record{
			acceptAt("a", out, ask(caseGroupIn)), rejectAt("b", in, ask(caseGroupIn), groupRule("b", in)),
		}, func() { x.from("a", "b", ask(caseGroupIn)) })
		x.row(way+": the reply is refused by B's network ACL", append(both(caseReplyOut),
			rejectAt("b", out, response(ask(caseReplyOut)), aclRule("b", out, caseReplyOut))), func() {
			x.from("a", "b", ask(caseReplyOut))
			x.from("b", "a", response(ask(caseReplyOut)))
		})
		x.row(way+": the reply is refused by A's network ACL", append(both(caseReplyIn),
			acceptAt("b", out, response(ask(caseReplyIn))), rejectAt("a", in, response(ask(caseReplyIn)), aclRule("a", in, caseReplyIn))), func() {
			x.from("a", "b", ask(caseReplyIn))
			x.from("b", "a", response(ask(caseReplyIn)))
		})
		stray := response(request(protocol, caseForeign, addrA[v], addrB[v]))
		x.row(way+": a reply of no known connection", []record{rejectAt("b", out, stray, groupRule("b", out))},
			func() { x.from("b", "a", stray) })
		lost := ask(caseAllowed)
		lost.Dst = addrLost[v]
		x.row(way+": lost for another reason", []record{acceptAt("a", out, lost)}, func() { x.from("a", "nobody", lost) })
		x.row(way+": somebody else's firewall drops it", []record{
			acceptAt("a", out, ask(caseForeign)), rejectAt("b", in, ask(caseForeign), ""),
		}, func() { x.from("a", "b", ask(caseForeign)) })
		toHost := request(protocol, caseForeign, addrA[v], addrH[v])
		verdict := rejectAt("a", out, toHost, "")
		if x.name == "bridged" {
			// What goes up a bridge has the bridge as its device, and the capture
			// does not look for the sender's address: it stays an ACCEPT.
			verdict = acceptAt("a", out, toHost)
		}
		x.row(way+": somebody else's firewall drops it, bound for nobody we know", []record{verdict},
			func() { x.from("a", "router", toHost) })
		x.translated(protocol, v, way)
		fromHost := request(protocol, caseAllowed, addrH[v], addrA[v])
		x.row(way+": the host itself sends", []record{acceptAt("a", in, fromHost)}, func() { x.local(fromHost) })
		refused := request(protocol, caseGroupIn, addrH[v], addrA[v])
		x.row(way+": the host itself sends, A's security group refuses", []record{rejectAt("a", in, refused, groupRule("a", in))},
			func() { x.local(refused) })
	})
	for v, family := range []string{"IPv4", "IPv6"} {
		x.reset(v, "TCP "+family)
		x.datagrams(v, "UDP "+family)
		x.expired(v, "UDP "+family)
	}
}

// reset is a rejection that answers for B.
func (x *truth) reset(v int, way string) {
	q := request(vpc.TCP, caseReset, addrA[v], addrB[v])
	r := response(q)
	r.Flags = rst | ack
	x.row(way+": somebody else's firewall rejects it with a reset", []record{
		acceptAt("a", policy.Egress, q), rejectAt("b", policy.Ingress, q, ""), acceptAt("a", policy.Ingress, r),
	}, func() { x.from("a", "b", q) })
}

// translated is traffic whose tuple is another one at each end.
func (x *truth) translated(protocol uint8, v int, way string) {
	in, out := policy.Ingress, policy.Egress
	virtual := request(protocol, caseAllowed, addrA[v], addrVirtual[v])
	virtual.SrcPort, virtual.ICMPID = virtual.SrcPort+50, 78
	real := virtual
	real.Dst = addrB[v]
	x.row(way+": to a translated address, and the reply", []record{
		acceptAt("a", out, virtual), acceptAt("b", in, real), acceptAt("b", out, response(real)), acceptAt("a", in, response(virtual)),
	}, func() {
		x.from("a", "router", virtual)
		x.from("b", "router", response(real))
	})
	virtual = request(protocol, caseGroupIn, addrA[v], addrVirtual[v])
	virtual.SrcPort, virtual.ICMPID = virtual.SrcPort+50, 79
	real = virtual
	real.Dst = addrB[v]
	x.row(way+": to a translated address, B's security group refuses", []record{
		acceptAt("a", out, virtual), rejectAt("b", in, real, groupRule("b", in)),
	}, func() { x.from("a", "router", virtual) })
}

// datagrams are in fragments, or have another sender on arrival.
func (x *truth) datagrams(v int, way string) {
	in, out := policy.Ingress, policy.Egress
	ask := func(n int) packet {
		p := request(vpc.UDP, n, addrA[v], addrB[v])
		p.SrcPort, p.Fragmented = p.SrcPort+20, true
		return p
	}
	join := func(a, b []record) []record { return append(a, b...) }
	x.row(way+" in three fragments: everything allows it",
		join(inPieces(acceptAt("a", out, ask(caseAllowed))), inPieces(acceptAt("b", in, ask(caseAllowed)))),
		func() { x.from("a", "b", ask(caseAllowed)) })
	x.row(way+" in three fragments: A's security group refuses",
		inPieces(rejectAt("a", out, ask(caseGroupOut), groupRule("a", out))), func() { x.from("a", "b", ask(caseGroupOut)) })
	x.row(way+" in three fragments: B's network ACL refuses",
		join(inPieces(acceptAt("a", out, ask(caseACLIn))), inPieces(rejectAt("b", in, ask(caseACLIn), aclRule("b", in, caseACLIn)))),
		func() { x.from("a", "b", ask(caseACLIn)) })
	for n, title := range map[int]string{caseAllowed: "everything allows it", caseGroupIn: "B's security group refuses"} {
		q := request(vpc.UDP, n, addrA[v], addrB[v])
		q.SrcPort = 2099
		masked := q
		masked.Src = addrH[v]
		want := []record{acceptAt("a", out, q), acceptAt("b", in, masked)}
		if n == caseGroupIn {
			want[1] = rejectAt("b", in, masked, groupRule("b", in))
		}
		x.row(way+" with a translated sender: "+title, want, func() { x.from("a", "router", q) })
	}
}

// expired is a packet of a known connection whose hops ran out; the router says
// so, and that belongs to the connection.
func (x *truth) expired(v int, way string) {
	in, out := policy.Ingress, policy.Egress
	q := request(vpc.UDP, caseAllowed, addrA[v], addrB[v])
	q.SrcPort += 30
	sent := acceptAt("a", out, q)
	sent.packets, sent.bytes = 2, 2*sent.bytes
	last := q
	last.Hops = 1
	says := packet{Packet: policy.Packet{Src: addrH[v], Dst: addrA[v], Protocol: vpc.ICMP}}
	size := 28 + q.ipBytes()
	if v == 1 {
		says.Protocol, size = vpc.ICMPv6, 48+q.ipBytes()
	}
	told := acceptAt("a", in, says)
	told.bytes = size
	x.row(way+": lost, its hops ran out on the way, and the router says so", []record{
		sent, acceptAt("b", in, q), acceptAt("b", out, response(q)), acceptAt("a", in, response(q)), told,
	}, func() {
		x.from("a", "router", q)
		x.from("b", "router", response(q))
		x.from("a", "router", last)
	})
}
