package verdict

import (
	"fmt"

	"golang.org/x/sys/unix"

	"weir/policy"
	"weir/vpc"
)

// host are the rows of the host's own card, with processes behind it.
func (x *truth) host() {
	x.only = []string{"eni-host"}
	in, out := policy.Ingress, policy.Egress
	x.listeners()
	ways(func(protocol uint8, v int, way string) {
		ask := func(n int) packet { return request(protocol, n, addrH[v], addrWorld[v]) }
		asked := func(n int) packet {
			p := request(protocol, n, addrWorld[v], addrH[v])
			p.ICMPID = 80
			return p
		}
		q := ask(caseAllowed)
		want := []record{acceptAt("host", out, q), acceptAt("host", in, response(q))}
		if protocol == vpc.TCP { // nobody waits for the reply, and the kernel says so
			want[0].packets, want[0].bytes, want[0].packet.Flags = 2, 2*want[0].bytes, syn|rst
		}
		x.row(way+": a local process sends, and the reply", want, func() {
			x.local(q)
			x.from("host", "router", response(q))
		})
		x.row(way+": a local process sends, its security group refuses", []record{rejectAt("host", out, ask(caseGroupOut), groupRule("host", out))},
			func() { x.local(ask(caseGroupOut)) })
		x.row(way+": a local process sends, its network ACL refuses", []record{rejectAt("host", out, ask(caseACLOut), aclRule("host", out, caseACLOut))},
			func() { x.local(ask(caseACLOut)) })
		x.row(way+": for a local process, its network ACL refuses", []record{rejectAt("host", in, asked(caseACLIn), aclRule("host", in, caseACLIn))},
			func() { x.from("host", "router", asked(caseACLIn)) })
		x.row(way+": for a local process, its security group refuses", []record{rejectAt("host", in, asked(caseGroupIn), groupRule("host", in))},
			func() { x.from("host", "router", asked(caseGroupIn)) })
		x.row(way+": for a local process, and its reply", []record{acceptAt("host", in, asked(caseAllowed)), acceptAt("host", out, replyOf(asked(caseAllowed)))},
			func() { x.serve(asked(caseAllowed)) })
		x.row(way+": a local process's reply is refused by its network ACL", []record{
			acceptAt("host", in, asked(caseReplyOut)), rejectAt("host", out, replyOf(asked(caseReplyOut)), aclRule("host", out, caseReplyOut)),
		}, func() { x.serve(asked(caseReplyOut)) })
		stray := response(request(protocol, caseForeign, addrH[v], addrWorld[v]))
		x.row(way+": a reply of no known connection", []record{rejectAt("host", in, stray, groupRule("host", in))},
			func() { x.from("host", "router", stray) })
		x.row(way+": somebody else's firewall drops what comes in", []record{rejectAt("host", in, asked(caseForeign), "")},
			func() { x.from("host", "router", asked(caseForeign)) })
		if protocol != vpc.ICMP {
			x.row(way+": somebody else's firewall drops what goes out", []record{rejectAt("host", out, ask(caseForeign), "")},
				func() { x.local(ask(caseForeign)) })
		}
		through := request(protocol, caseAllowed, addrA[v], addrWorld[v])
		through.SrcPort, through.ICMPID = through.SrcPort+60, 81
		masked := through
		masked.Src = addrH[v]
		x.row(way+": forwarded with the card's address", []record{acceptAt("host", out, masked)}, func() { x.from("a", "router", through) })
	})
	for v, family := range []string{"IPv4", "IPv6"} {
		q := request(vpc.TCP, caseReset, addrWorld[v], addrH[v])
		r := response(q)
		r.Flags = rst | ack
		x.row("TCP "+family+": somebody else's firewall rejects it with a reset", []record{rejectAt("host", in, q, ""), acceptAt("host", out, r)},
			func() { x.from("host", "router", q) })
		x.inFragments(v, "UDP "+family)
		x.segments(v, "UDP "+family)
	}
}

// replyOf is what the host answers: the kernel where nobody listens.
func replyOf(p packet) packet {
	q := response(p)
	if p.Protocol == vpc.TCP {
		q.Flags = rst | ack
	}
	return q
}

// serve sends a request to the host; UDP is answered by a local process.
func (x *truth) serve(p packet) {
	x.from("host", "router", p)
	if p.Protocol == vpc.UDP {
		x.local(response(p))
	}
}

// listeners take the datagrams: else the kernel would say that nobody does.
func (x *truth) listeners() {
	x.must(x.router.Do(func() error {
		for n := range cases {
			for _, port := range []int{basePort + n, clientPort + n} {
				s, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
				if err != nil {
					return err
				}
				x.t.Cleanup(func() { _ = unix.Close(s) })
				if err := unix.Bind(s, &unix.SockaddrInet6{Port: port}); err != nil {
					return err
				}
			}
		}
		return nil
	}))
}

func (x *truth) inFragments(v int, way string) {
	in := policy.Ingress
	ask := func(n int) packet {
		p := request(vpc.UDP, n, addrWorld[v], addrH[v])
		p.SrcPort, p.Fragmented = p.SrcPort+20, true
		return p
	}
	x.row(way+" in three fragments: for a local process", inPieces(acceptAt("host", in, ask(caseAllowed))),
		func() { x.from("host", "router", ask(caseAllowed)) })
	x.row(way+" in three fragments: for a local process, its security group refuses", inPieces(rejectAt("host", in, ask(caseGroupIn), groupRule("host", in))),
		func() { x.from("host", "router", ask(caseGroupIn)) })
}

// segments is ten datagrams that a local process hands to the kernel as one.
func (x *truth) segments(v int, way string) {
	const count, size = 10, 500
	for n, title := range map[int]string{caseAllowed: "everything allows it", caseGroupOut: "its security group refuses"} {
		p := request(vpc.UDP, n, addrH[v], addrWorld[v])
		p.SrcPort = uint16(3000 + n)
		r := acceptAt("host", policy.Egress, p)
		if n == caseGroupOut {
			r = rejectAt("host", policy.Egress, p, groupRule("host", policy.Egress))
		}
		r.packets, r.bytes = count, count*(size+28+20*v)
		x.row(fmt.Sprintf("%s, %d datagrams in one buffer (GSO): %s", way, count, title), []record{r}, func() {
			x.must(x.router.Do(func() error { return sendSegments(p, count, size) }))
		})
	}
}

func sendSegments(p packet, count, size int) error {
	family := unix.AF_INET
	var to, me unix.Sockaddr = &unix.SockaddrInet4{Addr: [4]byte(p.Dst.AsSlice()[:4]), Port: int(p.DstPort)}, &unix.SockaddrInet4{Port: int(p.SrcPort)}
	if p.is6() {
		family = unix.AF_INET6
		to, me = &unix.SockaddrInet6{Addr: p.Dst.As16(), Port: int(p.DstPort)}, &unix.SockaddrInet6{Port: int(p.SrcPort)}
	}
	s, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	if err := unix.Bind(s, me); err != nil {
		return err
	}
	if err := unix.SetsockoptInt(s, unix.SOL_UDP, unix.UDP_SEGMENT, size); err != nil {
		return err
	}
	if err := unix.Sendto(s, make([]byte, count*size), 0, to); err != nil && err != unix.EPERM {
		return err
	}
	return nil
}
