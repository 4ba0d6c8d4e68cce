package question

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"weir/flowlog"
	"weir/query"
)

// SQL is put together here and nowhere else. What goes into it are names of the
// field table, numbers, and texts through quote: addresses in their own forms
// and ids of interfaces. No word of a question's is among them.

// quote makes a text a string of SQL.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func quoteAll(texts []string) string {
	quoted := make([]string, len(texts))
	for i, t := range texts {
		quoted[i] = quote(t)
	}
	return strings.Join(quoted, ", ")
}

// spellings are the texts that a record may have for an address: IPv6 has more
// than one, and readers of text keep what stands there.
func spellings(addrs []netip.Addr) []string {
	var out []string
	for _, a := range addrs {
		out = append(out, a.String())
		if a.Is6() {
			var groups []string
			for g := range strings.SplitSeq(a.StringExpanded(), ":") {
				short := strings.TrimLeft(g, "0")
				if short == "" {
					short = "0"
				}
				groups = append(groups, short)
			}
			out = append(out, a.StringExpanded(), strings.Join(groups, ":"))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func among(column string, addrs []netip.Addr) string {
	if len(addrs) == 0 {
		return "false"
	}
	return "lower(" + column + ") in (" + quoteAll(spellings(addrs)) + ")"
}

// is is the condition that an end is in the place "src" or "dst" of a record:
// by the packet's address or the interface's, whichever the record holds.
func (e *End) is(place string) string {
	return "(" + among(place+"addr", e.Addrs) + " or " + among("pkt_"+place+"addr", e.Addrs) +
		" or (coalesce(pkt_" + place + "addr, '-') = '-' and " + among(place+"addr", e.Stand) + "))"
}

func portIs(column string, port int) string {
	if port == AnyPort {
		return "true"
	}
	return column + " = " + strconv.Itoa(port)
}

// wayIs is the condition that a record is of the question's traffic, one way.
func (q *Question) wayIs(w Way) string {
	src, dst, srcPort, dstPort := &q.Src, &q.Dst, q.SrcPort, q.Port
	if w == Reply {
		src, dst, srcPort, dstPort = dst, src, dstPort, srcPort
	}
	conditions := []string{"protocol = " + strconv.Itoa(int(q.Protocol)), src.is("src"), dst.is("dst")}
	if q.hasPorts() {
		conditions = append(conditions, portIs("srcport", srcPort), portIs("dstport", dstPort))
	}
	return strings.Join(append(conditions, q.overlaps()), " and ")
}

// overlaps leaves out of a record's window, which is wide, what began too late.
func (q *Question) overlaps() string {
	if q.Record == nil {
		return "true"
	}
	return "coalesce(start, 0) <= " + strconv.FormatInt(q.To.Add(inexact).Unix(), 10)
}

// maxFlows bounds what one question looks at; it is far more than anybody reads.
const maxFlows = 1000

// clientPort is the port of the end that asks.
func clientPort(w Way) string {
	if w == Reply || w == BeyondReply {
		return "dstport"
	}
	return "srcport"
}

// flowsSQL asks for the flows of some ways. The inner query is one row per
// client port, which is a connection as far as records tell, so that the flags
// of one are not taken for another's.
func flowsSQL(ways []Way, condition func(Way) string) string {
	var way, port strings.Builder
	for _, w := range ways {
		fmt.Fprintf(&way, " when %s then %s", condition(w), quote(string(w)))
		fmt.Fprintf(&port, " when %s then %s", quote(string(w)), clientPort(w))
	}
	const same = `way, interface_id, flow_direction, action, srcaddr, dstaddr, pkt_srcaddr, pkt_dstaddr,
	weir_rule_id, weir_rule, weir_drop_reason, reject_reason`
	return `with seen as (select *, case` + way.String() + ` end as way from ` + query.View + `),
ports as (
	select ` + same + `, case way` + port.String() + ` end as port, count(*) as records,
		sum(packets) as packets, sum(bytes) as bytes, min(start) as first, max("end") as last,
		bit_or(tcp_flags) as flags
	from seen where way is not null group by all
)
select ` + same + `, ` + whole("sum(records)") + ` as records, ` + whole("sum(packets)") + ` as packets, ` + whole("sum(bytes)") + ` as bytes,
	min(first) as first, max(last) as last, min(port) as port, count(port) as ports,
	bit_or(flags) as flags, count(flags) as flagged,
	count(*) filter (where flags & 16 <> 0) as synacks,
	count(*) filter (where flags & 4 <> 0) as resets,
	count(*) filter (where flags & 4 <> 0 and flags & 16 = 0) as closed
from ports group by all order by all limit ` + strconv.Itoa(maxFlows)
}

// whole keeps a sum within 64 bits.
func whole(sum string) string {
	return "cast(least(coalesce(" + sum + ", 0), 9223372036854775807) as bigint)"
}

// wayFlowsSQL asks for the question's traffic, both ways.
func (q *Question) wayFlowsSQL() string { return flowsSQL([]Way{Request, Reply}, q.wayIs) }

// beyondSQL asks for what interfaces sent on under their own address: own says
// which address is whose.
func (q *Question) beyondSQL(own map[string]netip.Addr) string {
	ids := make([]string, 0, len(own))
	for id := range own {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return flowsSQL([]Way{Beyond, BeyondReply}, func(w Way) string {
		near, far, port := "src", "dst", "dstport"
		if w == BeyondReply {
			near, far, port = "dst", "src", "srcport"
		}
		var at []string
		for _, id := range ids {
			at = append(at, "(interface_id = "+quote(id)+" and "+among(near+"addr", []netip.Addr{own[id]})+")")
		}
		// What is addressed to the gateway itself shows the packet's other end in pkt-.
		return "protocol = " + strconv.Itoa(int(q.Protocol)) + " and (" + strings.Join(at, " or ") + ") and " +
			among(far+"addr", q.Dst.Addrs) + " and " + portIs(port, q.portOrAny()) + " and " + q.overlaps()
	})
}

// portOrAny is AnyPort for protocols without ports.
func (q *Question) portOrAny() int {
	if q.hasPorts() {
		return q.Port
	}
	return AnyPort
}

// helpful are the fields that decide more when records hold them.
var helpful = []string{
	"interface-id", "action", "log-status", "tcp-flags", "flow-direction", "pkt-srcaddr", "pkt-dstaddr", "weir-rule-id", "weir-rule",
}

// sightingsSQL asks for every interface what the window holds of it.
func (q *Question) sightingsSQL() string {
	var has strings.Builder
	for _, name := range helpful {
		f, ok := flowlog.FieldByName(name)
		if !ok {
			continue // a test holds that there is none
		}
		fmt.Fprintf(&has, ",\n\tcount(%s) as has_%s", f.Column(), f.Column())
	}
	src, dst := among("srcaddr", q.both(&q.Src)), among("dstaddr", q.both(&q.Dst))
	srcBack, dstBack := among("dstaddr", q.both(&q.Src)), among("srcaddr", q.both(&q.Dst))
	owns := func(out, in string) string {
		return `count(*) filter (where (flow_direction = 'egress' and ` + out + `) or (flow_direction = 'ingress' and ` + in + `)),
	count(*) filter (where ` + out + ` or ` + in + `),
	count(distinct case when ` + out + ` then dstaddr when ` + in + ` then srcaddr end)`
	}
	return `select coalesce(interface_id, '-') as id, count(*) as records,
	count(*) filter (where log_status = 'NODATA'), count(*) filter (where log_status = 'SKIPDATA'),
	count(*) filter (where action = 'ACCEPT'), count(*) filter (where action = 'REJECT'),
	min(start), max("end"), count(*) filter (where coalesce(srcaddr, '-') <> '-'),
	` + owns(src, srcBack) + `,
	` + owns(dstBack, dst) + has.String() + `
from ` + query.View + ` group by 1 order by 1`
}

// both is every address that a record may have for an end.
func (q *Question) both(e *End) []netip.Addr { return append(slices.Clip(e.Addrs), e.Stand...) }
