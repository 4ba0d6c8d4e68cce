package question

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"weir/flowlog"
	"weir/query"
	"weir/vpc"
)

// AnyPort stands for every port, and for protocols that have none.
const AnyPort = -1

// Question asks what became of some traffic. Parse makes one.
type Question struct {
	Src, Dst End // of the request; all addresses are of one family
	Protocol uint8
	Port     int // the destination's, or AnyPort
	SrcPort  int // the source's, or AnyPort
	// From and To are the time asked about, [From, To).
	From, To time.Time
	Asked    time.Time // now, for whoever asks
	// Record is what was asked about, or nil. Then From and To are its own.
	Record *flowlog.Record
}

// End is one end of the traffic.
type End struct {
	// Addrs is what the traffic may have here, the likeliest first; never empty.
	Addrs []netip.Addr
	// Stand are addresses that a record has in the place of Addrs when its format
	// lacks the packet's: the primary ones of the interfaces.
	Stand []netip.Addr
	// Interfaces are the ids of those that have the addresses, as far as a
	// topology is known.
	Interfaces []string
}

// Addr is the address by which the end is called and judged.
func (e *End) Addr() netip.Addr { return e.Addrs[0] }

// hasPorts reports whether records of the protocol have ports.
func (q *Question) hasPorts() bool { return q.Protocol == vpc.TCP || q.Protocol == vpc.UDP }

func (q *Question) isICMP() bool { return q.Protocol == vpc.ICMP || q.Protocol == vpc.ICMPv6 }

// String is the question in words: "tcp from 10.0.1.10 to 10.0.2.20 port 5432".
func (q *Question) String() string {
	var b strings.Builder
	name := vpc.ProtocolName(int(q.Protocol))
	if name != "" && name[0] <= '9' {
		name = "protocol " + name
	}
	fmt.Fprintf(&b, "%s from %s", name, q.Src.Addr())
	if q.SrcPort != AnyPort && q.hasPorts() {
		fmt.Fprintf(&b, " port %d", q.SrcPort)
	}
	fmt.Fprintf(&b, " to %s", q.Dst.Addr())
	switch {
	case !q.hasPorts():
	case q.Port == AnyPort:
		b.WriteString(", any port")
	default:
		fmt.Fprintf(&b, " port %d", q.Port)
	}
	return b.String()
}

const (
	// inexact is how far start and end may be from the packets' real time.
	// Source: Amazon VPC User Guide, "Flow log records", fields start and end.
	inexact = time.Minute
	// longestInterval is how long a record may last: the longest aggregation
	// interval. Another interface's record of the same flow may end that much later.
	longestInterval = 10 * time.Minute
)

// Window is what an engine must show for this question, by the records' end.
func (q *Question) Window() query.Window {
	if q.Record == nil {
		return query.Window{From: q.From, To: q.To}
	}
	return query.Window{From: q.From.Add(-inexact), To: q.To.Add(inexact + longestInterval)}
}

// turned is the question seen from the other end.
func (q Question) turned() Question {
	q.Src, q.Dst = q.Dst, q.Src
	q.SrcPort, q.Port = q.Port, q.SrcPort
	return q
}

// packet is the request as the policy judges it; the type of ICMP is a guess,
// which no record can confirm.
func (q *Question) packet(srcPort int) probe {
	p := probe{src: q.Src.Addr(), dst: q.Dst.Addr(), protocol: q.Protocol}
	if q.hasPorts() {
		p.srcPort, p.dstPort = guessedPort, uint16(max(q.Port, 0))
		if srcPort > 0 {
			p.srcPort = uint16(srcPort)
		}
	}
	switch q.Protocol {
	case vpc.ICMP:
		p.icmpType, p.icmpReply = 8, 0
	case vpc.ICMPv6:
		p.icmpType, p.icmpReply = 128, 129
	}
	return p
}

// guessedPort stands for the client's port when no record tells it: the first
// of those that IANA keeps for clients (RFC 6335, 6).
const guessedPort = 49152

// Asks reports whether the question is about traffic. It is not when it is about
// a record that stands for no flow: then there is no evidence to gather.
func (q *Question) Asks() bool { return q.Src.known() && q.Dst.known() }
