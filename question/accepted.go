package question

import (
	"fmt"

	"weir/vpc"
)

// accepted explains traffic that nobody refused: how far it came, and what came
// back.
func (c *inquiry) accepted() Finding {
	reached := c.find(Request, Receiver)
	left := c.find(Request, Sender, Middle)
	somewhere := c.find(Request, Somewhere)
	backAtSender := c.find(Reply, Sender)
	backAtReceiver := c.find(Reply, Receiver)
	back := c.find(Reply, Receiver, Middle, Somewhere, Sender)
	switch {
	case back != nil && reached == nil && left == nil && somewhere == nil:
		return Finding{
			Kind: NotDecided, Confidence: Undecided, Basis: "ACCEPT of the reply; the request is not recorded",
			Words: "Not decided: only packets of the reply's direction were recorded, " + c.place(back.flows[0]) + ".",
		}
	case backAtReceiver != nil && backAtSender == nil && c.find(Reply, Somewhere) == nil && c.sawAll(Sender, backAtReceiver):
		return c.replyNeverArrived(backAtReceiver)
	case back != nil:
		return c.answered(back)
	case reached != nil:
		return c.notAnswered(reached)
	case left != nil:
		return c.neverArrived(c.furthest())
	}
	if somewhere == nil {
		return Finding{
			Kind: NotDecided, Confidence: Undecided, Basis: "ACCEPT behind a gateway only",
			Words: "Not decided: neither the request nor its reply is recorded, only what a gateway sent on.",
		}
	}
	return Finding{
		Kind: NotDecided, Confidence: Undecided, Basis: "ACCEPT of the request at one interface; no topology and no flow-direction",
		Words: "Accepted " + c.place(somewhere.flows[0]) + ", and no answer is recorded; whether that interface is the sender's or the receiver's the data does not say.",
	}
}

// sawAll reports whether an end's interfaces were watched when a hop's packets
// must have been there, and nothing was lost.
func (c *inquiry) sawAll(r Role, h *hop) bool {
	ids, s := c.watched(r)
	return len(ids) > 0 && s.Records > 0 && s.SkipData == 0 && !s.refusalsOnly() && !s.First.After(h.accepted.last.Add(inexact)) && !s.Last.Before(h.accepted.first.Add(-inexact))
}

// answered is traffic with packets both ways; then the flags tell more.
func (c *inquiry) answered(back *hop) Finding {
	var all, client Flow // the replies' flags, and the requests'
	for _, h := range c.path {
		for _, f := range h.flows {
			switch {
			case h.way == Reply && f.HasFlags && f.Action != "":
				all.HasFlags, all.Flags = true, all.Flags|f.Flags
				all.SynAcks, all.Resets, all.Closed = max(all.SynAcks, f.SynAcks), max(all.Resets, f.Resets), max(all.Closed, f.Closed)
			case h.way == Request && f.HasFlags:
				client.Resets = max(client.Resets, f.Resets)
			}
		}
	}
	out := Finding{Kind: Answered, Confidence: ByRecord, Basis: "ACCEPT of request and reply"}
	if c.q.Protocol != vpc.TCP || !all.HasFlags {
		out.Words = "Accepted and answered: the network let both ways pass; look at the application."
		if c.q.Protocol != vpc.TCP {
			out.Words = "Accepted and answered: the network let both ways pass."
		}
		return out
	}
	who := c.label(back.id)
	if back.role != Receiver {
		who = c.q.Dst.Addr().String()
	}
	out.Basis += "; tcp-flags of the reply"
	switch {
	case all.Closed > 0 && all.SynAcks == 0:
		out.Kind = Reset
		out.Basis += ": RST and no SYN-ACK"
		out.Words = fmt.Sprintf("Accepted both ways, but %s answered with a reset: nothing listens%s, or what listens refuses.", who, portWords(&c.q))
		out.Because = append(out.Because, Finding{
			Kind: Possible, Confidence: Consistent, Basis: "records do not say which program sent a reset",
			Words: "a firewall inside the instance that answers with resets looks the same",
		})
	case all.Closed > 0:
		out.Kind = Reset
		out.Words = fmt.Sprintf("Accepted both ways; %s answered %s and reset %s: look at the application.", who, count(all.SynAcks, "connection"), count(all.Closed, "other"))
		out.Basis += ": SYN-ACK, and RST without SYN-ACK, at different client ports"
	case all.Resets > 0:
		out.Kind = Reset
		out.Words = fmt.Sprintf("Accepted and connected, then reset by %s: look at the application.", who)
		out.Basis += ": SYN-ACK and RST"
	case all.SynAcks > 0:
		out.Words = "Accepted and answered: the connection was made; the network let both ways pass."
		out.Basis += ": SYN-ACK"
	default:
		out.Words = "Accepted and answered: the network let both ways pass, and no reset was seen."
		out.Basis += ": neither SYN-ACK nor RST; the connection is older than the time asked about"
	}
	if client.Resets > 0 {
		out.Because = append(out.Because, Finding{
			Kind: Elsewise, Confidence: ByRecord, Basis: "tcp-flags of the request: RST",
			Words: fmt.Sprintf("the client reset %s itself", count(client.Resets, "connection")),
		})
	}
	return out
}

func portWords(q *Question) string {
	if q.Port == AnyPort || !q.hasPorts() {
		return ""
	}
	return fmt.Sprintf(" at port %d", q.Port)
}

// notAnswered is a request that the receiver's interface let in.
func (c *inquiry) notAnswered(h *hop) Finding {
	who := c.label(h.id)
	_, s := c.watched(Receiver)
	if s.SkipData > 0 {
		return Finding{
			Kind: RecordsLost, Confidence: Undecided, Basis: fmt.Sprintf("ACCEPT at the receiver; %s with SKIPDATA there", count(s.SkipData, "window")),
			Words: fmt.Sprintf("It arrived at %s; an answer may be among the records that were lost there.", who),
		}
	}
	out := Finding{
		Kind: NotAnswered, Confidence: ByRecord, Basis: "ACCEPT at the receiver; no record of a reply, refused or not",
		Words: fmt.Sprintf("It arrived at %s and was let in, and nothing came back: the instance did not answer.", who),
	}
	switch {
	case c.q.Protocol == vpc.UDP:
		out.Words += " With UDP none is owed."
	case c.q.Protocol == vpc.TCP && hasSYN(h):
		out.Basis += "; SYN without SYN-ACK"
		out.Because = append(out.Because, Finding{
			Kind: Possible, Confidence: Consistent, Basis: "SYN without SYN-ACK or RST",
			Words: "a firewall inside the instance, a full backlog, or an instance that is down or answers by another interface",
		})
	}
	return out
}

func hasSYN(h *hop) bool {
	for _, f := range h.flows {
		if f.HasFlags && f.Flags&flagSYN != 0 {
			return true
		}
	}
	return false
}

// furthest is the last hop that the request passed.
func (c *inquiry) furthest() *hop {
	var last *hop
	for _, h := range c.path {
		if (h.way == Request || h.way == Beyond) && h.accepted.records > 0 {
			last = h
		}
	}
	return last
}

// neverArrived is a request that left and is not recorded at the receiver.
func (c *inquiry) neverArrived(h *hop) Finding {
	passed := fmt.Sprintf("It left %s", c.label(h.id))
	if h.role != Sender {
		passed = fmt.Sprintf("It passed %s", c.label(h.id))
	}
	ids, s := c.watched(Receiver)
	switch {
	case len(ids) == 0:
		return c.leftOurSight(passed, h)
	case s.Records == 0:
		return Finding{
			Kind: NotCovered, Confidence: Undecided, Basis: "ACCEPT on the way; no record at all of the receiver's interface in this time",
			Words: fmt.Sprintf("%s; whether it arrived is not recorded: there is no record at all of %s, so no flow log covers it or nothing is delivered yet.", passed, c.labels(ids)),
		}
	case s.SkipData > 0:
		return Finding{
			Kind: RecordsLost, Confidence: Undecided, Basis: fmt.Sprintf("ACCEPT on the way; %s with SKIPDATA at the receiver", count(s.SkipData, "window")),
			Words: fmt.Sprintf("%s; whether it arrived is not decided: records of %s were lost in %s.", passed, c.labels(ids), count(s.SkipData, "window")),
		}
	case s.refusalsOnly():
		return c.refusalsOnly(passed+"; whether it arrived is not decided", ids)
	case !c.sawAll(Receiver, h):
		return Finding{
			Kind: NotDelivered, Confidence: Undecided, Basis: "ACCEPT on the way; the receiver's records are of another time",
			Words: fmt.Sprintf("%s; whether it arrived is not decided: the records of %s are from %s.", passed, c.labels(ids), span(s.First, s.Last)),
		}
	}
	return Finding{
		Kind: NeverArrived, Confidence: ByRecord,
		Basis:   fmt.Sprintf("ACCEPT on the way; %s of the receiver's interface, none of this traffic, none lost", count(s.Records, "record")),
		Words:   fmt.Sprintf("Never arrived: %s and never reached %s. Look at the routing.", lowerFirst(passed), c.labels(ids)),
		Because: append(c.routing(Sender), c.lost()),
	}
}

// refusalsOnly is that a flow log may have left out what was accepted.
func (c *inquiry) refusalsOnly(what string, ids []string) Finding {
	return Finding{
		Kind: NotDecided, Confidence: Undecided, Basis: "REJECT and no ACCEPT of that interface in this time",
		Words: fmt.Sprintf("%s: of %s only refusals are recorded, as by a flow log that takes REJECT only.", what, c.labels(ids)),
	}
}

func (c *inquiry) lost() Finding {
	return Finding{
		Kind: Possible, Confidence: Undecided, Basis: "flow logs do not say why a packet vanishes between two interfaces",
		Words: "or lost on the way: time to live, a packet too big, a host that is down",
	}
}

func (c *inquiry) leftOurSight(passed string, h *hop) Finding {
	out := Finding{
		Kind: LeftOurSight, Confidence: ByRecord, Basis: "ACCEPT; no record of a reply, and none at an interface of the destination",
		Words: fmt.Sprintf("%s and nothing came back; %s is no interface that these flow logs record.", passed, c.q.Dst.Addr()),
	}
	if h.way == Beyond {
		out.Basis += "; behind the gateway its address stands for everybody's"
	}
	out.Because = c.routing(Sender)
	return out
}

// replyNeverArrived is a reply that left the receiver and is not recorded at the sender.
func (c *inquiry) replyNeverArrived(h *hop) Finding {
	ids, s := c.watched(Sender)
	return Finding{
		Kind: ReplyNeverArrived, Confidence: ByRecord,
		Basis:   fmt.Sprintf("ACCEPT of request and reply at the receiver; %s of the sender's interface, none of the reply, none lost", count(s.Records, "record")),
		Words:   fmt.Sprintf("The reply never arrived: it left %s and never reached %s. Look at the routing back.", c.label(h.id), c.labels(ids)),
		Because: append(c.routing(Receiver), c.lost()),
	}
}
