package question

import (
	"fmt"
	"strconv"
	"strings"

	"weir/policy"
	"weir/vpc"
)

// refusal explains the refusals of a hop.
func (c *inquiry) refusal(h *hop) Finding {
	f := h.last
	c.then = versionAt(c.past, f.Last)
	out := c.refuser(h, f)
	what := "Refused"
	switch {
	case h.way == Reply && c.find(Request, Sender, Somewhere, Middle, Receiver) != nil:
		what = "The request was accepted, its reply refused"
	case h.way == Reply:
		what = "The reply was refused"
	}
	out.Words = what + " " + c.place(f) + out.Words + "."
	out.Because = append(out.Because, c.nearest(h, f)...)
	out.Because = append(out.Because, c.around(h, f)...)
	out.Because = append(out.Because, c.today(h)...)
	return out
}

// refuser says by whose word a flow was refused; its words continue the
// conclusion's.
func (c *inquiry) refuser(h *hop, f *Flow) Finding {
	switch {
	case f.RejectReason == "BPA":
		return Finding{Kind: RefusedByAWS, Words: ", by VPC Block Public Access", Confidence: ByRecord, Basis: "reject-reason BPA"}
	case f.RejectReason == "EC":
		return Finding{Kind: RefusedByAWS, Words: ", by VPC encryption controls", Confidence: ByRecord, Basis: "reject-reason EC"}
	case f.RuleID > 0 || f.Rule != "":
		return c.byRule(h, f)
	case f.Names:
		return foreign(ByRecord, "REJECT without a rule, in a format that names Weir's rules"+dropWords(f))
	}
	if out, ok := c.byPolicy(h); ok {
		return out
	}
	if c.e.Total.Has["weir-rule-id"] {
		return foreign(Consistent, "REJECT without a rule, while other records of this time name theirs")
	}
	if h.way == Reply {
		out := Finding{
			Kind: ReplyRefused, Confidence: Undecided, Words: "; by whom the records do not say",
			Basis: "REJECT of the reply; no request is recorded",
		}
		if c.find(Request, Sender, Somewhere, Middle, Receiver) != nil {
			out = Finding{
				Kind: ReplyRefusedByACL, Confidence: Consistent, Words: ": a network ACL does that, which is stateless; a security group lets replies pass",
				Basis: "request ACCEPT and reply REJECT; no rule is named",
			}
		}
		return out
	}
	return Finding{
		Kind: Refused, Confidence: Undecided, Words: "; the records do not say by whom: a security group, a network ACL or another firewall",
		Basis: "REJECT of the request; no rule is named, and no policy of that time is known",
	}
}

func foreign(confidence Confidence, basis string) Finding {
	return Finding{Kind: RefusedByFirewall, Words: ", by a firewall that Weir did not write", Confidence: confidence, Basis: basis}
}

func dropWords(f *Flow) string {
	if f.DropReason == "" {
		return ""
	}
	return "; drop reason " + f.DropReason
}

// byRule is a refusal whose record names the rule.
func (c *inquiry) byRule(h *hop, f *Flow) Finding {
	words, from := ruleWords(f), "weir-rule"
	if words == "" && c.past != nil {
		words, _ = c.past.Rule(uint32(min(f.RuleID, policy.MarkRuleMask)))
		from = "the rules that ever were in force"
	}
	basis := "weir-rule"
	if f.RuleID > 0 {
		basis = "weir-rule-id " + strconv.FormatInt(f.RuleID, 10)
	}
	out := Finding{Kind: Refused, Confidence: ByRecord, Basis: basis, Words: ", by rule " + strconv.FormatInt(f.RuleID, 10)}
	switch {
	case strings.HasPrefix(words, policy.Group.String()): // "security groups …", too
		out.Kind, out.Words = RefusedByGroup, ", by "+words
	case strings.HasPrefix(words, policy.ACL.String()):
		out.Kind, out.Words = aclKind(h), ", by "+words
	case words != "":
		out.Words += ", " + words
	default:
		out.Words += ", of which nobody knows the words any more"
		return out
	}
	if f.RuleID > 0 {
		out.Basis += ", in words by " + from
	}
	return out
}

func aclKind(h *hop) Kind {
	if h.way == Reply {
		return ReplyRefusedByACL
	}
	return RefusedByACL
}

// byPolicy is what the policy of that time says about a refusal whose record
// names no rule.
func (c *inquiry) byPolicy(h *hop) (Finding, bool) {
	g, ok := c.gate(c.then, h.way, h.role)
	if !ok {
		return Finding{}, false
	}
	v, whose := g.verdict, c.then.words()
	if v.Allowed {
		out := Finding{Kind: Refused, Confidence: Undecided, Basis: "REJECT; " + whose + " says: " + v.Reason()}
		if h.way == Reply {
			out.Kind = ReplyRefused
		}
		out.Words = ", though " + whose + " lets it pass: another firewall, a packet of a connection no longer known, or other rules were in force"
		return out, true
	}
	out := Finding{Kind: RefusedByGroup, Confidence: ByPolicy, Basis: "the records say REJECT, " + whose + " says who", Words: ", by " + v.Reason()}
	if v.Stage == policy.ACL {
		out.Kind = aclKind(h)
	}
	if c.q.isICMP() { // the type was guessed
		out.Confidence = Consistent
		out.Basis += ", for an ICMP echo; records hold no type"
	}
	return out, true
}

// nearest says what came closest to allowing, and whether the policy of that
// time agrees with the record.
func (c *inquiry) nearest(h *hop, f *Flow) []Finding {
	g, ok := c.gate(c.then, h.way, h.role)
	if !ok {
		return nil
	}
	v, basis := g.verdict, c.then.words()
	switch named := ruleWords(f); {
	case v.Allowed && (f.RuleID > 0 || f.Rule != ""):
		return []Finding{{Kind: Then, Confidence: ByPolicy, Basis: basis, Words: "other rules were in force then: by this policy it passes: " + v.Reason()}}
	case v.Allowed:
		return nil // refuser says so
	case named != "" && named != v.Rule.Words && !c.q.isICMP():
		return []Finding{{Kind: Then, Confidence: ByPolicy, Basis: basis, Words: "by this policy another rule refuses it: " + v.Reason()}}
	}
	if near := v.Nearest(); near != "" {
		return []Finding{{Kind: Nearest, Words: "nearest rule: " + near, Confidence: ByPolicy, Basis: basis}}
	}
	return nil
}

// around is what happened to the same traffic elsewhere, and to other packets
// of it here.
func (c *inquiry) around(h *hop, f *Flow) (out []Finding) {
	for _, o := range c.path {
		if o == h {
			break
		}
		if o.way == h.way && o.accepted.records > 0 {
			out = append(out, Finding{
				Kind: Elsewise, Confidence: ByRecord, Basis: "ACCEPT there",
				Words: fmt.Sprintf("it had passed %s: %s", c.label(o.id), count(o.accepted.packets, "packet")),
			})
		}
	}
	if h.accepted.records == 0 || h.over() {
		return out
	}
	words := fmt.Sprintf("others of this traffic were accepted there, %s between %s", count(h.accepted.packets, "packet"), span(h.accepted.first, h.accepted.last))
	if c.q.Protocol == vpc.TCP && f.HasFlags && f.Flags&flagSYN == 0 {
		return append(out, Finding{
			Kind: Possible, Confidence: Consistent, Basis: "ACCEPT and REJECT at one interface; no SYN among the refused",
			Words: words + "; what was refused opened no connection: late packets of a closed one are refused like this",
		})
	}
	return append(out, Finding{Kind: Elsewise, Confidence: ByRecord, Basis: "ACCEPT and REJECT at one interface", Words: words})
}

// today says what the policy of today does, when it is another one.
func (c *inquiry) today(h *hop) []Finding {
	if c.now == nil || c.now.same(c.then) {
		return nil
	}
	g, ok := c.gate(c.now, h.way, h.role)
	if !ok {
		return nil
	}
	words := "today it would pass here: "
	if !g.verdict.Allowed {
		words = "today it would be refused here: "
	}
	return []Finding{{Kind: Today, Confidence: ByPolicy, Basis: c.now.words(), Words: words + g.verdict.Reason()}}
}
