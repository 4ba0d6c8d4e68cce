package question

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"weir/flowlog"
	"weir/policy"
	"weir/vpc"
)

// inquiry is one explanation in the making.
type inquiry struct {
	q    Question
	e    Evidence
	past Past
	// then is the version of the time of what is explained, now that of when it
	// was asked; nil when nobody knows.
	then, now *version
	path      []*hop
	turned    string // why the record asked about is taken for a reply's; empty: it is not
	route     string // the change of a route table that drops the traffic
	strange   bool   // the topology is of another network: past was dropped
}

// Explain answers a question by evidence and by what was in force; past may be
// nil. It always says something.
func Explain(q *Question, e Evidence, past Past) Explanation {
	c := &inquiry{past: past}
	c.q, c.e, c.turned = orient(*q, e.sorted())
	c.e = c.e.sorted()
	c.then, c.now = versionAt(past, q.To.Add(-1)), versionAt(past, q.Asked)
	if c.strange = !c.fits(); c.strange {
		c.past, c.then, c.now = nil, nil, nil
		c.q.Src.Interfaces, c.q.Dst.Interfaces = nil, nil
	}
	if r := q.Record; r != nil && (r.LogStatus == flowlog.NoData || r.LogStatus == flowlog.SkipData) {
		return c.noFlow(r)
	}
	c.path = c.hops()
	out := Explanation{Question: c.q.String(), From: q.From, To: q.To}
	out.Conclusion = c.conclude()
	if c.turned != "" {
		out.Conclusion.Because = append(out.Conclusion.Because, Finding{
			Kind: Elsewise, Words: "the record is of the reply: " + c.turned, Confidence: Consistent, Basis: "its ports, flags and times",
		})
	}
	out.Seen = c.seen()
	out.Changes = c.changes(&out.Conclusion)
	out.Unsaid = c.unsaid(&out.Conclusion)
	return out
}

// fits reports whether the topology can be that of the records: private addresses
// are the same in many networks, and rules of another one would explain nothing.
func (c *inquiry) fits() bool {
	if c.then == nil && c.now == nil {
		return true
	}
	named := false
	for i := range c.e.Flows {
		id := c.e.Flows[i].InterfaceID
		if id == "" {
			continue
		}
		named = true
		for _, v := range []*version{c.then, c.now} {
			if v != nil && v.index.Interface(id) != nil {
				return true
			}
		}
	}
	return !named
}

// conclude goes along the path: the first that refuses is the answer, and when
// nobody does, how far the traffic came.
func (c *inquiry) conclude() Finding {
	if h := c.asked(); h != nil {
		return c.refusal(h)
	}
	for _, h := range c.path {
		if h.refuses() && !c.stray(h) {
			return c.withEarlier(c.refusal(h))
		}
	}
	switch {
	case len(c.path) == 0:
		return c.nothing()
	case c.actionless():
		return Finding{
			Kind: NotDecided, Confidence: Undecided, Words: "Not decided: the records do not say whether the traffic was accepted or refused.",
			Basis: "the records' format has no action",
		}
	}
	return c.withEarlier(c.accepted())
}

// asked is the hop of the record that was asked about, when that was refused:
// then its refusal is the question, whatever came later.
func (c *inquiry) asked() *hop {
	r := c.q.Record
	if r == nil || r.Action != flowlog.Reject {
		return nil
	}
	way := Request
	if c.turned != "" {
		way = Reply
	}
	for _, h := range c.path {
		if h.way == way && h.id == r.InterfaceID && h.refused.records > 0 {
			return h
		}
	}
	return c.ofRecord(r, way)
}

// ofRecord makes a hop of a refused record that the bucket does not hold.
func (c *inquiry) ofRecord(r *flowlog.Record, way Way) *hop {
	f := &Flow{
		Way: way, InterfaceID: r.InterfaceID, Direction: r.Direction, Action: r.Action,
		Src: r.SrcAddr, Dst: r.DstAddr, PktSrc: r.PktSrcAddr, PktDst: r.PktDstAddr,
		Records: 1, Packets: r.Packets, Bytes: r.Bytes, First: c.q.From, Last: c.q.To.Add(-time.Second),
		RuleID: r.RuleID, Rule: r.Rule, DropReason: r.DropReason, RejectReason: r.RejectReason,
		Flags: r.TCPFlags, HasFlags: r.Has("tcp-flags"), Ports: 1, Port: max(c.q.SrcPort, 0),
		Names: r.RuleID != 0 || r.Rule != "" || r.DropReason != "",
	}
	h := &hop{way: way, role: c.role(f), id: f.InterfaceID}
	h.add(f)
	c.e.Flows = append(c.e.Flows, *f)
	c.path = append(c.path, h)
	return h
}

func (c *inquiry) actionless() bool {
	for _, h := range c.path {
		if h.accepted.records > 0 || h.refused.records > 0 {
			return false
		}
	}
	return true
}

// withEarlier adds what was refused before and is not any more, and strays.
func (c *inquiry) withEarlier(f Finding) Finding {
	defer func(v *version) { c.then = v }(c.then)
	for _, h := range c.path {
		if v := versionAt(c.past, h.refused.last); h.refuses() && c.stray(h) {
			f.Because = append(f.Because, Finding{
				Kind: Possible, Confidence: Consistent, Basis: "REJECT without SYN beside ACCEPT; " + v.words() + " allows the connection",
				Words: fmt.Sprintf("%s refused %s: late packets of a closed connection are refused like this", count(h.refused.packets, "packet"), c.place(h.last)),
			})
		}
		if !h.over() {
			continue
		}
		c.then = versionAt(c.past, h.refused.last)
		r := c.refusal(h)
		r.Kind = Earlier
		r.Words = fmt.Sprintf("until %s: %s; from %s on it was accepted there",
			stamp(h.refused.last), lowerFirst(strings.TrimSuffix(r.Words, ".")), stamp(h.accepted.first))
		f.Because = append(f.Because, r)
		if v := versionAt(c.past, h.accepted.first); v != nil && !v.same(c.then) && !v.since.IsZero() && v.since.After(h.refused.first) {
			f.Because = append(f.Because, Finding{
				Kind: Then, Words: "the policy changed in between, at " + stamp(v.since), Confidence: ByPolicy, Basis: v.words(),
			})
		}
	}
	return f
}

// stray reports whether the refusals of a hop are of packets that open no
// connection, beside others that were accepted, and nobody's rules are against
// the connection. Without a policy nobody can tell: an ACL that was changed in
// between refuses like this, too.
func (c *inquiry) stray(h *hop) bool {
	if c.q.Protocol != vpc.TCP || h.accepted.records == 0 {
		return false
	}
	for _, f := range h.flows {
		if f.Action == flowlog.Reject && (!f.HasFlags || f.Flags&flagSYN != 0 || f.RuleID > 0 || f.Rule != "" || f.RejectReason != "") {
			return false
		}
	}
	g, ok := c.gate(versionAt(c.past, h.refused.last), h.way, h.role)
	return ok && g.verdict.Allowed
}

// noFlow explains a record that stands for no flow.
func (c *inquiry) noFlow(r *flowlog.Record) Explanation {
	f := Finding{Kind: NoFlow, Confidence: ByRecord, Basis: "its log-status"}
	if r.LogStatus == flowlog.NoData {
		f.Words = fmt.Sprintf("No traffic: %s had none that is recorded in this time.", c.label(r.InterfaceID))
	} else {
		f.Words = fmt.Sprintf("Records of %s were lost in this time: how many, and of what, nobody knows.", c.label(r.InterfaceID))
	}
	return Explanation{
		Question: "the record with log-status " + r.LogStatus, From: c.q.From, To: c.q.To, Conclusion: f,
		Unsaid: []string{"the record stands for no flow; ask about one with SRC DST PORT [PROTO]"},
	}
}

// seen is the evidence, line by line.
func (c *inquiry) seen() []Seen {
	var all []Seen
	for _, h := range c.path {
		for _, f := range h.flows {
			s := Seen{
				Way: f.Way, InterfaceID: f.InterfaceID, Name: c.nameOf(f.InterfaceID), End: h.role, Direction: c.direction(f), Action: f.Action,
				Records: f.Records, Packets: f.Packets, Bytes: f.Bytes, First: f.First, Last: f.Last,
				Flags: flagWords(f), RuleID: f.RuleID, Rule: ruleWords(f),
			}
			if !c.q.hasPorts() {
				s.Flags = ""
			}
			s.Addresses = c.otherAddresses(f)
			all = append(all, s)
		}
	}
	return all
}

// otherAddresses is the record's addresses, when they are not the question's.
func (c *inquiry) otherAddresses(f *Flow) string {
	src, dst := c.q.Src.Addr(), c.q.Dst.Addr()
	if f.Way == Reply || f.Way == BeyondReply {
		src, dst = dst, src
	}
	if f.Src == src && f.Dst == dst && !f.rewrites() || !f.Src.IsValid() || !f.Dst.IsValid() {
		return ""
	}
	s := fmt.Sprintf("%s to %s", f.Src, f.Dst)
	if f.rewrites() && f.PktSrc.IsValid() && f.PktDst.IsValid() {
		s += fmt.Sprintf(", packet %s to %s", f.PktSrc, f.PktDst)
	}
	return s
}

// ruleWords is the rule that a record names, in words.
func ruleWords(f *Flow) string {
	words, err := policy.UnescapeWords(f.Rule)
	if err != nil {
		return f.Rule
	}
	return words
}

func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

func contains(prefixes []netip.Prefix, a netip.Addr) bool {
	for _, p := range prefixes {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
