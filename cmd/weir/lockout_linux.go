package main

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"weir/policy"
	"weir/vpc"
)

// session is how somebody is connected to this host by SSH.
type session struct {
	peer   netip.AddrPort // where they come from
	local  netip.AddrPort // what they reached
	device string         // that leads to them; empty: not known
}

const sshPort = 22

// lockout is a way into this host that a policy would close.
type lockout struct {
	Interface string `json:"interface"`
	Device    string `json:"device"`
	What      string `json:"what"`  // what would be refused
	Rule      string `json:"rule"`  // by which rule
	Allow     string `json:"allow"` // what would let it pass; may be empty

	words string // of the rule alone, without a packet
}

func (l *lockout) String() string {
	s := fmt.Sprintf("%s (%s): %s is refused: %s", l.Interface, l.Device, l.What, l.Rule)
	if l.Allow != "" {
		s += "\n  to let it pass: " + l.Allow
	}
	return s
}

// lockedOut finds the ways into this host that a policy would close: of the
// session's peer, if there is one, at the device that leads there; without a
// session, SSH from anywhere at all, at each of the host's own cards. Cards that
// the policy does not filter close nothing. Only the network namespace that weir
// runs in is the host.
func lockedOut(p *policy.Policy, s *session) []lockout {
	var list []lockout
	for _, i := range p.Interfaces() {
		if i.Device.Namespace != "" || i.Device.Name == "" || !i.Filtered() {
			continue
		}
		var l *lockout
		switch {
		case s != nil && (i.Device.Name == s.device || slices.Contains(i.Addresses, s.local.Addr())):
			l = refusesSession(i, s)
		case s != nil && s.device != "" || i.Side != vpc.Own:
			continue // the session comes another way; or an instance's, not the host's
		default:
			l = refusesAll(i)
		}
		if l != nil {
			l.Interface, l.Device = called(i.Name, i.ID), i.Device.Name
			list = append(list, *l)
		}
	}
	return list
}

// refusesSession says why the session's peer could not go on or come again. A
// connection that is older than the rules is not known to connection tracking:
// its next packet is as new as a first one.
func refusesSession(i *policy.Interface, s *session) *lockout {
	in := policy.Packet{Src: s.peer.Addr(), Dst: s.local.Addr(), Protocol: vpc.TCP, SrcPort: s.peer.Port(), DstPort: s.local.Port()}
	return refuses(i, in, fmt.Sprintf("your SSH session from %s", s.peer.Addr()))
}

// ephemeral are ports that clients of every system choose from: where an ACL
// lets replies to these through, it was written for replies.
var ephemeral = []uint16{49152, 60999}

// refuses asks for a connection's first packet to the host and for the replies.
func refuses(i *policy.Interface, in policy.Packet, what string) *lockout {
	toHost, fromHost := policy.Ingress, policy.Egress
	if i.Side == vpc.Far { // the peer is the instance
		toHost, fromHost = fromHost, toHost
	}
	if v := i.Evaluate(toHost, in, policy.New); !v.Allowed {
		return &lockout{What: what, Rule: v.Reason(), Allow: allowing(v), words: v.Rule.Words}
	}
	ports := ephemeral
	if in.SrcPort != 0 {
		ports = []uint16{in.SrcPort}
	}
	for _, port := range ports {
		reply := policy.Packet{Src: in.Dst, Dst: in.Src, Protocol: in.Protocol, SrcPort: in.DstPort, DstPort: port}
		if v := i.Evaluate(fromHost, reply, policy.Tracked); !v.Allowed {
			return &lockout{What: "the reply to " + what, Rule: v.Reason(), Allow: allowing(v), words: v.Rule.Words}
		}
	}
	return nil
}

func allowing(v policy.Verdict) string {
	var words []string
	for _, c := range v.Changes() {
		words = append(words, c.String())
	}
	return strings.Join(words, "; ")
}

// refusesAll says why nobody at all could come by SSH, nil when somebody can.
func refusesAll(i *policy.Interface) *lockout {
	var first *lockout
	for _, from := range sources(i) {
		to := i.Primary(from.Is6())
		if !to.IsValid() {
			to = netip.IPv4Unspecified()
			if from.Is6() {
				to = netip.IPv6Unspecified()
			}
		}
		in := policy.Packet{Src: from, Dst: to, Protocol: vpc.TCP, DstPort: sshPort}
		if i.Evaluate(policy.Ingress, in, policy.New).Exempt != "" {
			continue // a service of the network, nobody who comes by SSH
		}
		l := refuses(i, in, "SSH (tcp 22) from anywhere at all")
		if l == nil {
			return nil
		}
		if first == nil || strings.HasPrefix(l.What, "the reply") { // the most that anybody gets
			first = l
		}
	}
	if first != nil {
		first.Rule = first.words // the packet was ours, to try
		first.Allow = fmt.Sprintf("allow tcp 22 from where you come from, in a security group of %s and in its subnet's network ACL, and the replies (tcp 1024-65535) in the ACL's egress", called(i.Name, i.ID))
	}
	return first
}

// maxSources bounds the work for a policy of very many rules about SSH. One that
// lets nobody in from the first thousands is taken for one that lets nobody in.
const maxSources = 4096

// sources are addresses of which each stands for all up to the next: no rule
// tells those apart. They are where networks of rules about SSH begin, and what
// follows where they end.
func sources(i *policy.Interface) []netip.Addr {
	all := []netip.Addr{netip.MustParseAddr("0.0.0.0"), netip.MustParseAddr("::")}
	add := func(p netip.Prefix) {
		r := p.Masked()
		all = append(all, r.Addr())
		last := r.Addr().AsSlice()
		for bit := r.Bits(); bit < len(last)*8; bit++ {
			last[bit/8] |= 0x80 >> (bit % 8)
		}
		if a, _ := netip.AddrFromSlice(last); a.Next().IsValid() {
			all = append(all, a.Next())
		}
	}
	about := func(rules []policy.Match) {
		for n := range rules {
			m := &rules[n]
			t := m.Traffic
			ssh := t.Protocol == vpc.AnyProtocol || t.Protocol == vpc.TCP && t.From <= sshPort && sshPort <= t.To
			if !ssh || len(all) > maxSources {
				continue
			}
			if m.Addresses == nil {
				add(m.Peer.CIDR)
				continue
			}
			for _, r := range m.Addresses.Ranges() {
				all = append(all, r.From)
				if next := r.To.Next(); next.IsValid() {
					all = append(all, next)
				}
			}
		}
	}
	if i.Groups != nil {
		for _, g := range i.Groups.Groups {
			about(g.Rules[policy.Ingress])
		}
	}
	if i.ACL != nil {
		about(i.ACL.Rules[policy.Ingress])
		for n := range i.ACL.Rules[policy.Egress] { // who gets replies
			add(i.ACL.Rules[policy.Egress][n].Peer.CIDR)
			if len(all) > maxSources {
				break
			}
		}
	}
	for _, p := range i.Inside {
		add(p)
	}
	return all[:min(len(all), maxSources)]
}

// lockoutError refuses an apply.
type lockoutError struct{ list []lockout }

func (e *lockoutError) Error() string { return "this policy would lock you out of this host" }

func (e *lockoutError) Detail() string {
	var b strings.Builder
	for _, l := range e.list {
		b.WriteString(l.String() + "\n")
	}
	return b.String()
}

func (e *lockoutError) Hint() string { return "--yes applies it all the same" }
