package question

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// nothing explains that no record of the traffic is there. What could have kept
// a record from being made or read comes before what the traffic may have done.
func (c *inquiry) nothing() Finding {
	if f, ok := c.unrecorded(); ok {
		return f
	}
	if c.e.Total.Records == 0 {
		return c.noRecords()
	}
	srcIDs, src := c.watched(Sender)
	dstIDs, dst := c.watched(Receiver)
	var out Finding
	switch {
	case len(srcIDs) == 0 && len(dstIDs) == 0:
		out = Finding{
			Kind: NotCovered, Confidence: Undecided, Basis: count(c.e.Total.Records, "record") + " of this time, none of this traffic",
			Words: fmt.Sprintf("Nothing recorded, and not decided why: neither %s nor %s is known as an interface that these flow logs record.",
				c.q.Src.Addr(), c.q.Dst.Addr()),
		}
	case len(srcIDs) > 0 && src.Records > 0:
		out = c.neverSent(srcIDs, src)
	case len(dstIDs) > 0 && dst.Records > 0:
		out = c.neverCame(dstIDs, dst, srcIDs)
	default:
		ids := slices.Concat(srcIDs, dstIDs)
		out = Finding{
			Kind: NotCovered, Confidence: Undecided, Basis: count(c.e.Total.Records, "record") + " of this time, of other interfaces",
			Words: fmt.Sprintf("Never recorded: there is no record at all of %s in this time, so no flow log covers it.", c.labels(ids)),
		}
	}
	out.Because = append(out.Because, c.late()...)
	if out.Kind == NeverArrived || out.Kind == NeverSent {
		out.Because = append(out.Because, c.wouldBe()...)
	}
	return out
}

// neverSent: the sender's interface was recorded and the traffic is not there.
func (c *inquiry) neverSent(ids []string, s Sighting) Finding {
	if s.SkipData > 0 {
		return c.recordsLost(ids, s)
	}
	if s.refusalsOnly() {
		return c.refusalsOnly("Nothing recorded, and not decided why", ids)
	}
	out := Finding{
		Kind: NeverSent, Confidence: ByRecord,
		Basis: fmt.Sprintf("%s of the sender's interface, %s, none of this traffic, none lost", count(s.Records, "record"), span(s.First, s.Last)),
		Words: fmt.Sprintf("Never sent: nothing of it left %s, accepted or refused.", c.labels(ids)),
	}
	return c.within(out, "left "+c.labels(ids), s)
}

// neverCame: only the receiver's interface was recorded.
func (c *inquiry) neverCame(ids []string, s Sighting, srcIDs []string) Finding {
	if s.SkipData > 0 {
		return c.recordsLost(ids, s)
	}
	if s.refusalsOnly() {
		return c.refusalsOnly("Nothing recorded, and not decided why", ids)
	}
	out := Finding{
		Kind: NeverArrived, Confidence: ByRecord,
		Basis: fmt.Sprintf("%s of the receiver's interface, %s, none of this traffic, none lost", count(s.Records, "record"), span(s.First, s.Last)),
		Words: fmt.Sprintf("Never arrived: nothing of it reached %s, neither accepted nor refused. Look at the routing, or whether it was sent.", c.labels(ids)),
	}
	if len(srcIDs) > 0 {
		out.Because = append(out.Because, Finding{
			Kind: Gap, Confidence: ByRecord, Basis: "no record of the sender's interface",
			Words: fmt.Sprintf("whether it left %s is not recorded: no flow log covers it", c.labels(srcIDs)),
		})
		out.Because = append(out.Because, c.routing(Sender)...)
	} else {
		out.Because = append(out.Because, c.routing(Receiver)...)
	}
	return c.within(out, "reached "+c.labels(ids), s)
}

// within takes back what goes beyond the time of an interface's records.
func (c *inquiry) within(f Finding, did string, s Sighting) Finding {
	late, early := s.First.After(c.q.From.Add(longestInterval)), s.Last.Before(c.q.To.Add(-longestInterval))
	switch {
	case early && len(c.late()) > 0:
		f.Kind, f.Confidence = NotDelivered, Undecided
		f.Words = fmt.Sprintf("Not decided yet: nothing of it %s up to %s, and no later record of it is there.", did, stamp(s.Last))
	case late || early:
		f.Words = strings.TrimSuffix(f.Words, ".") + fmt.Sprintf("; only %s is recorded.", span(s.First, s.Last))
	}
	return f
}

func (c *inquiry) recordsLost(ids []string, s Sighting) Finding {
	return Finding{
		Kind: RecordsLost, Confidence: Undecided, Basis: fmt.Sprintf("%s with SKIPDATA among %s", count(s.SkipData, "window"), count(s.Records, "record")),
		Words: fmt.Sprintf("Nothing recorded, and not decided why: records of %s were lost in %s.", c.labels(ids), count(s.SkipData, "window")),
	}
}

// noRecords: the window is empty.
func (c *inquiry) noRecords() Finding {
	b := c.e.Bucket
	out := Finding{Kind: NoRecords, Confidence: Undecided, Basis: fmt.Sprintf("no record of this time in %s", count(int64(b.Objects), "object"))}
	switch {
	case b.All == 0:
		out.Words = "Not decided: the bucket holds no flow logs."
		out.Basis = "the bucket's objects"
	case !b.Newest.IsZero() && !c.q.From.Before(b.Newest):
		out.Words = fmt.Sprintf("Not decided: the bucket's newest flow logs end at %s, before the time asked about.", stamp(b.Newest))
		out.Basis = "the names of the bucket's objects"
	case !b.Oldest.IsZero() && !b.Oldest.Before(c.q.To):
		out.Words = fmt.Sprintf("Not decided: the bucket's oldest flow logs begin at %s, after the time asked about.", stamp(b.Oldest))
		out.Basis = "the names of the bucket's objects"
	default:
		out.Words = "Not decided: there is not one record of this time, of any interface."
	}
	out.Because = c.late()
	return out
}

// deliveryDelay is how long a record may need to its bucket: the longest interval, and
// about ten minutes from its end (Amazon VPC User Guide, "Flow logs basics").
const deliveryDelay = 2 * longestInterval

// late says that records of the time may still be on their way.
func (c *inquiry) late() []Finding {
	if c.q.To.Add(deliveryDelay).Before(c.q.Asked) {
		return nil
	}
	newest, what := c.e.Total.Last, "the newest record ended at "
	if newest.IsZero() {
		newest, what = c.e.Bucket.Newest, "the newest object ends at "
	}
	words := fmt.Sprintf("records come up to %d minutes after their packets: the latest may not be there yet", int(deliveryDelay/time.Minute))
	if !newest.IsZero() {
		words += "; " + what + stamp(newest)
	}
	return []Finding{{Kind: Gap, Confidence: ByRecord, Basis: "the time asked about ends at " + stamp(c.q.To), Words: words}}
}

// wouldBe says what the policy would do with the traffic.
func (c *inquiry) wouldBe() []Finding {
	gates := c.gates(c.then)
	if len(gates) == 0 {
		return nil
	}
	for _, g := range gates {
		if !g.verdict.Allowed {
			return []Finding{{
				Kind: Then, Confidence: ByPolicy, Basis: c.then.words(),
				Words: fmt.Sprintf("had it come to %s, it would have been refused: %s", c.label(g.id), g.verdict.Reason()),
			}}
		}
	}
	return []Finding{{Kind: Then, Confidence: ByPolicy, Basis: c.then.words(), Words: "security groups and network ACLs would have let it pass, and the reply too, as far as they are known"}}
}

func (c *inquiry) labels(ids []string) string {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = c.label(id)
	}
	return strings.Join(names, " or ")
}
