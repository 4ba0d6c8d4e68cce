package question

import (
	"fmt"
	"slices"
	"strings"

	"weir/vpc"
)

// unsaid is what the records do not say about this question, and what would.
func (c *inquiry) unsaid(f *Finding) []string {
	var out []string
	if c.e.Total.Records > 0 && f.Kind != NeverRecorded {
		if missing := c.missing(f); len(missing) > 0 {
			hint := fmt.Sprintf("no record of this time holds %s: a flow log with --format '… ${%s}' would say more",
				strings.Join(missing, ", "), strings.Join(missing, "} ${"))
			if strings.HasPrefix(missing[len(missing)-1], "weir-") {
				hint += " (weir-… where weir writes it)"
			}
			out = append(out, hint)
		}
	}
	switch f.Kind {
	case NeverSent, NeverArrived, ReplyNeverArrived, NotAnswered, LeftOurSight:
		if c.e.Total.Rejected == 0 {
			out = append(out, "no refusal of any interface is recorded in this time: a flow log that takes ACCEPT only would not show one")
		}
	}
	if c.e.Total.SkipData > 0 && f.Kind != RecordsLost {
		out = append(out, fmt.Sprintf("records were lost in %s of this time (SKIPDATA)", count(c.e.Total.SkipData, "window")))
	}
	if c.strange {
		out = append(out, "the topology has none of the interfaces that recorded this traffic, so it was not used: it needs their ids")
	} else if c.then == nil && c.now == nil && f.Kind != Answered && f.Kind != Reset && f.Kind != NeverRecorded {
		out = append(out, "no topology is known: --topology FILE lets weir look at security groups, network ACLs and routes")
	}
	if c.now != nil && c.now.since.IsZero() && restsOnPolicy(f) {
		out = append(out, "the given topology has no history: it is taken as in force at that time")
	}
	if c.q.isICMP() && len(c.path) > 0 {
		out = append(out, "records hold no ICMP type: it is taken for an echo")
	}
	if len(c.e.Flows) >= maxFlows {
		out = append(out, fmt.Sprintf("only the first %d groups of records were looked at: ask about a shorter time", maxFlows))
	}
	return out
}

func restsOnPolicy(f *Finding) bool {
	return f.Confidence == ByPolicy || slices.ContainsFunc(f.Because, func(b Finding) bool { return b.Confidence == ByPolicy && b.Kind != Routing })
}

// missing are the fields that no record holds and that bear on the conclusion.
func (c *inquiry) missing(f *Finding) []string {
	var out []string
	want := func(name string, when bool) {
		if when && !c.e.Total.Has[name] {
			out = append(out, name)
		}
	}
	open := f.Confidence != ByRecord
	refused := f.Kind == Refused || f.Kind == ReplyRefused || f.Kind == RefusedByGroup || f.Kind == RefusedByACL || f.Kind == ReplyRefusedByACL || f.Kind == RefusedByFirewall
	want("interface-id", true)
	want("action", true)
	want("log-status", true)
	want("tcp-flags", c.q.Protocol == vpc.TCP && (f.Kind == Answered || f.Kind == NotAnswered || f.Kind == NotDecided))
	want("flow-direction", open && len(c.path) > 0 && c.anywhere())
	// Whoever has no NAT needs neither; nobody can tell that from records.
	want("pkt-srcaddr", f.Kind == NotDecided || f.Kind == NeverArrived || f.Kind == LeftOurSight || f.Kind == NotCovered)
	want("pkt-dstaddr", f.Kind == NotDecided || f.Kind == NeverArrived || f.Kind == LeftOurSight || f.Kind == NotCovered)
	want("weir-rule-id", refused && open)
	want("weir-rule", refused && open)
	return out
}

// anywhere reports whether the end of some flow is not known.
func (c *inquiry) anywhere() bool {
	for _, h := range c.path {
		if h.role == Somewhere {
			return true
		}
	}
	return false
}
