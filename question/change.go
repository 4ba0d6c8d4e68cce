package question

import (
	"fmt"
	"slices"
)

// changes are what somebody may change so that the traffic passes: by the policy
// of today, if it is known, for every place that would refuse it, since a packet
// that is refused early never shows who else would refuse it.
func (c *inquiry) changes(f *Finding) []string {
	var out []string
	switch f.Kind {
	case RefusedByFirewall:
		return []string{"the rules of that firewall, on the host of that interface: nft list ruleset"}
	case RefusedByAWS, NeverRecorded, NoFlow, Answered, Reset, NotAnswered:
		return nil
	}
	v := c.now
	if v == nil {
		v = c.then
	}
	gates := c.gates(v)
	then := ""
	if c.route != "" {
		out, then = append(out, c.route), "then, too: "
	}
	for _, g := range gates {
		for _, change := range g.verdict.Changes() {
			if words := then + change.Words; !slices.Contains(out, words) {
				out = append(out, words)
			}
		}
	}
	refused := f.Kind == RefusedByGroup || f.Kind == RefusedByACL || f.Kind == ReplyRefusedByACL || f.Kind == Refused || f.Kind == ReplyRefused
	switch {
	case !refused || len(out) > 0:
		return out
	case len(gates) > 0 && !v.same(c.then):
		return []string{"nothing any more: " + v.words() + " lets it pass"}
	case len(gates) == 0 && f.Kind == ReplyRefusedByACL:
		return []string{c.replyRule()}
	}
	return nil
}

// replyRule is the change for a stateless ACL that nobody described.
func (c *inquiry) replyRule() string {
	ports := ""
	if c.q.hasPorts() {
		ports = " ports 1024-65535"
	}
	for _, h := range c.path {
		if h.way != Reply || h.last == nil {
			continue
		}
		dir, far := "outbound", "to "+c.q.Src.Addr().String()
		switch c.direction(h.last) {
		case "ingress":
			dir, far = "inbound", "from "+c.q.Dst.Addr().String()
		case "":
			dir, far = "inbound or outbound", "between "+c.q.Dst.Addr().String()+" and "+c.q.Src.Addr().String()
		}
		return fmt.Sprintf("an %s rule in the network ACL of the subnet of %s that allows the reply, %s%s", dir, c.label(h.id), far, ports)
	}
	return ""
}
