package verdict

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"

	"weir/policy"
	"weir/vpc"
	"weir/vpc/vpctest"
)

// world is a random topology with the three kinds of interfaces: far ones,
// ports of two bridges, and the host's own card as the way out.
func world(r *rand.Rand) *vpc.Topology {
	size := vpctest.Size{Interfaces: 31}
	if r.IntN(2) == 0 { // so many rules that the firewall has maps for them
		size.GroupRules, size.ACLRules = 25, 20
	}
	t := vpctest.Random(r, size)
	for i := range t.Interfaces {
		in := &t.Interfaces[i]
		switch {
		case i == 0:
			in.Side, in.Prefixes = vpc.Own, nil
			if len(in.GroupIDs) == 0 {
				in.GroupIDs = []string{t.Groups[1].ID}
			}
		case i%3 == 1:
			in.Bridge = "vbr0"
		case i%9 == 2:
			in.Bridge = "vbr1"
		}
	}
	return t
}

// hop is one step of a conversation: a packet from an interface, and how.
type hop struct {
	packet
	from     *vpc.Interface
	switched bool // addressed to the other port's hardware address
	reply    bool // goes from the other end
}

// conversation is packets to be sent one after the other.
type conversation []hop

// speaker makes random conversations.
type speaker struct {
	r     *rand.Rand
	top   *vpc.Topology
	index *routes
	own   *vpc.Interface // what is routed nowhere else goes there
}

func newSpeaker(r *rand.Rand, t *vpc.Topology) *speaker {
	return &speaker{r: r, top: t, index: newRoutes(t), own: &t.Interfaces[0]}
}

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

// within is a random address of a network, one of its first 256.
func (s *speaker) within(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().AsSlice()
	n := s.r.IntN(256)
	if host := len(b)*8 - p.Bits(); host < 8 {
		n &= 1<<host - 1
	}
	b[len(b)-1] |= byte(n)
	a, _ := netip.AddrFromSlice(b)
	return a
}

// outside is an address that no interface has: of a network that rules name, of
// a service that nothing filters, or any.
func (s *speaker) outside(is6 bool) netip.Addr {
	for {
		var a netip.Addr
		switch s.r.IntN(12) {
		case 0:
			e := pick(s.r, policy.Exemptions)
			if len(e.Addresses) == 0 {
				continue
			}
			a = pick(s.r, e.Addresses)
		case 1:
			a = pick(s.r, []netip.Addr{netip.MustParseAddr("8.8.8.8"), netip.MustParseAddr("2620:fe::fe")})
		default:
			a = s.within(pick(s.r, vpctest.Outside()))
		}
		// Bits 0 and the like are no addresses of anybody.
		if a.Is6() == is6 && a.IsGlobalUnicast() || a.Is6() == is6 && a.IsLinkLocalUnicast() && a.Is4() {
			return a
		}
	}
}

// address is one of an interface's: its own, secondary, of its prefix.
func (s *speaker) address(i *vpc.Interface, is6 bool) netip.Addr {
	var all []netip.Addr
	for _, a := range i.Addresses {
		if a.Is6() == is6 {
			all = append(all, a)
		}
	}
	for _, p := range i.Prefixes {
		if p.Addr().Is6() == is6 {
			all = append(all, s.within(p))
		}
	}
	return pick(s.r, all)
}

// pair chooses who speaks to whom.
func (s *speaker) pair(is6 bool) (from, to *vpc.Interface, src, dst netip.Addr) {
	side := func() (*vpc.Interface, netip.Addr) {
		i := &s.top.Interfaces[s.r.IntN(len(s.top.Interfaces))]
		if i == s.own || s.r.IntN(6) == 0 {
			return s.own, s.outside(is6)
		}
		return i, s.address(i, is6)
	}
	for {
		from, src = side()
		to, dst = side()
		if from == to {
			continue
		}
		if s.r.IntN(20) == 0 && from != s.own { // a source that is not its own
			src = s.outside(is6)
		}
		if src != dst {
			return from, to, src, dst
		}
	}
}

// aim is about what a rule of the receiver's or the sender's groups or ACL says:
// else most packets meet none.
func (s *speaker) aim() (from *vpc.Interface, p packet, ok bool) {
	i := pick(s.r, s.top.Interfaces[1:])
	receiver := s.r.IntN(3) > 0
	var rules []vpc.GroupRule
	if s.r.IntN(3) == 0 {
		rules = s.aclRules(&i, receiver)
	} else if len(i.GroupIDs) > 0 {
		id := pick(s.r, i.GroupIDs)
		g := s.top.Groups[slices.IndexFunc(s.top.Groups, func(g vpc.SecurityGroup) bool { return g.ID == id })]
		if rules = g.Egress; receiver {
			rules = g.Ingress
		}
	}
	if len(rules) == 0 {
		return nil, p, false
	}
	rule := pick(s.r, rules)
	peer, is6, ok := s.peer(rule.Peer)
	if !ok {
		return nil, p, false
	}
	mine := s.address(&i, is6)
	p.Src, p.Dst = peer, mine
	if !receiver {
		p.Src, p.Dst = mine, peer
	}
	from = s.route(p.Src)
	if from == s.route(p.Dst) {
		return nil, p, false
	}
	t := rule.Traffic
	p.Protocol = uint8(t.Protocol)
	if t.Protocol == vpc.AnyProtocol {
		p.Protocol = vpc.UDP
	}
	if p.Protocol == vpc.TCP || p.Protocol == vpc.UDP {
		p.SrcPort, p.DstPort = uint16(1024+s.r.IntN(60000)), pick(s.r, []uint16{t.From, t.To})
	}
	if t.IsICMP() {
		p.ICMPType, p.ICMPCode, p.ICMPID = uint8(max(t.ICMPType, 0)), uint8(max(t.ICMPCode, 0)), uint16(s.r.Uint32())
	}
	if s.r.IntN(3) == 0 {
		s.miss(&p)
	}
	return from, p, true
}

// aclRules are those of the ACL of an interface's subnet, without their verdicts.
func (s *speaker) aclRules(i *vpc.Interface, ingress bool) (rules []vpc.GroupRule) {
	subnet := s.top.Subnets[slices.IndexFunc(s.top.Subnets, func(n vpc.Subnet) bool { return n.ID == i.SubnetID })]
	acl := s.top.ACLs[slices.IndexFunc(s.top.ACLs, func(a vpc.NetworkACL) bool { return a.ID == subnet.ACLID })]
	declared := acl.Egress
	if ingress {
		declared = acl.Ingress
	}
	for _, r := range declared {
		rules = append(rules, vpc.GroupRule{Traffic: r.Traffic, Peer: vpc.Peer{CIDR: r.CIDR}})
	}
	return rules
}

// miss makes a packet one that the rule just does not allow, as it may be.
func (s *speaker) miss(p *packet) {
	by := uint16(1)
	if s.r.IntN(2) == 0 {
		by = 0xffff // minus one
	}
	switch p.Protocol {
	case vpc.ICMP, vpc.ICMPv6:
		if s.r.IntN(2) == 0 {
			p.ICMPType += uint8(by)
		} else {
			p.ICMPCode = uint8(1 + s.r.IntN(2))
		}
	case vpc.TCP, vpc.UDP:
		if p.DstPort += by; p.DstPort == 0 { // the capture has later fragments there
			p.DstPort = 2
		}
	}
}

// peer is an address that a rule's peer has, sometimes the next one.
func (s *speaker) peer(p vpc.Peer) (a netip.Addr, is6, ok bool) {
	switch {
	case p.GroupID != "":
		var members []*vpc.Interface
		for n := range s.top.Interfaces[1:] {
			if i := &s.top.Interfaces[1+n]; slices.Contains(i.GroupIDs, p.GroupID) {
				members = append(members, i)
			}
		}
		if len(members) == 0 {
			return a, false, false
		}
		is6 = s.r.IntN(2) == 0
		return s.address(pick(s.r, members), is6), is6, true
	case p.PrefixListID != "":
		l := s.top.PrefixLists[slices.IndexFunc(s.top.PrefixLists, func(l vpc.PrefixList) bool { return l.ID == p.PrefixListID })]
		p.CIDR = pick(s.r, l.Entries)
	}
	if outside := last(p.CIDR).Next(); p.CIDR.Bits() > 0 && s.r.IntN(5) == 0 && outside.IsGlobalUnicast() {
		return outside, outside.Is6(), true
	}
	if p.CIDR.Bits() == 0 {
		return s.outside(p.CIDR.Addr().Is6()), p.CIDR.Addr().Is6(), true
	}
	return s.within(p.CIDR), p.CIDR.Addr().Is6(), true
}

func (s *speaker) port() uint16 {
	if s.r.IntN(4) == 0 {
		return uint16(1 + s.r.IntN(65535))
	}
	return pick(s.r, vpctest.Ports()[1:])
}

// speak is a random conversation.
func (s *speaker) speak() conversation {
	from, first, ok := s.aim()
	if !ok || s.r.IntN(2) == 0 {
		var src, dst netip.Addr
		from, _, src, dst = s.pair(s.r.IntN(2) == 0)
		first = packet{Packet: policy.Packet{Src: src, Dst: dst}}
		return s.carry(from, s.anything(first))
	}
	var c conversation
	switch first.Protocol {
	case vpc.TCP:
		c = s.tcp(first)
	case vpc.UDP:
		first.Fragmented = s.r.IntN(3) == 0
		c = forthAndBack(first, 1+s.r.IntN(3))
	case vpc.ICMP, vpc.ICMPv6, 132:
		c = conversation{{packet: first}}
	default:
		c = forthAndBack(first, 1+s.r.IntN(3))
	}
	return s.carry(from, c)
}

// anything is a conversation of any kind between the packet's ends.
func (s *speaker) anything(first packet) (c conversation) {
	switch s.r.IntN(20) {
	case 0, 1, 2, 3, 4, 5:
		c = s.tcp(first)
	case 6, 7, 8, 9:
		first.Protocol, first.SrcPort, first.DstPort = vpc.UDP, uint16(1024+s.r.IntN(60000)), s.port()
		c = forthAndBack(first, 1+s.r.IntN(4))
	case 10, 11:
		first.Protocol, first.SrcPort, first.DstPort, first.Fragmented = vpc.UDP, uint16(1024+s.r.IntN(60000)), s.port(), true
		c = forthAndBack(first, 1+s.r.IntN(3))
	case 12, 13:
		c = s.ping(first)
	case 14, 15:
		first.Protocol = pick(s.r, []uint8{vpc.ICMP, vpc.ICMPv6})
		first.ICMPType = pick(s.r, []uint8{0, 3, 8, 11, 13, 14, 128, 129, 1, 2, 200, 130, 135, 136, 143})
		first.ICMPCode = uint8(s.r.IntN(3))
		first.ICMPID = uint16(s.r.Uint32())
		c = conversation{{packet: first}}
	case 16, 17:
		first.Protocol = uint8(pick(s.r, []int{47, 50, 132, 4, 99}))
		n := 3
		if first.Protocol == 132 {
			n = 1
		}
		c = forthAndBack(first, 1+s.r.IntN(n))
	case 18:
		ports := pick(s.r, [][2]uint16{{67, 68}, {68, 67}, {546, 547}, {547, 546}, {67, 67}})
		first.Protocol, first.SrcPort, first.DstPort = vpc.UDP, ports[0], ports[1]
		c = conversation{{packet: first}}
	default:
		first.Protocol, first.SrcPort, first.DstPort = vpc.UDP, uint16(1024+s.r.IntN(60000)), s.port()
		c = forthAndBack(first, 1+s.r.IntN(2))
		c = append(c, s.about(first))
	}
	return c
}

// carry says how the packets get there.
func (s *speaker) carry(from *vpc.Interface, c conversation) conversation {
	for i := range c {
		h := &c[i]
		h.from = from
		if h.reply {
			h.from = s.route(c[0].Dst)
		}
		to := s.route(h.Dst)
		h.switched = h.from.Bridge != "" && to.Bridge == h.from.Bridge && s.r.IntN(2) == 0
	}
	return c
}

// answer is the packet the other way.
func answer(p packet) packet {
	k := tuple{p.Packet}.reversed()
	p.Packet = k.Packet
	p.Seq, p.Ack = p.Ack, p.Seq
	return p
}

func forthAndBack(p packet, n int) conversation {
	var c conversation
	for i := range n {
		if i%2 == 0 {
			c = append(c, hop{packet: p})
		} else {
			c = append(c, hop{packet: answer(p), reply: true})
		}
	}
	return c
}

// tcp is connections as they are, begin in the middle, or do not come about.
func (s *speaker) tcp(p packet) conversation {
	if p.Protocol != vpc.TCP {
		p.Protocol, p.SrcPort, p.DstPort = vpc.TCP, uint16(1024+s.r.IntN(60000)), s.port()
	}
	step := func(flags uint8, reply bool, seq, acked uint32) hop {
		q := p
		if reply {
			q = answer(p)
		}
		q.Flags, q.Seq, q.Ack = flags, seq, acked
		return hop{packet: q, reply: reply}
	}
	const mine, yours = 1000, 5000
	whole := conversation{
		step(syn, false, mine, 0), step(syn|ack, true, yours, mine+1), step(ack, false, mine+1, yours+1),
		step(psh|ack, false, mine+1, yours+1), step(psh|ack, true, yours+1, mine+9), step(rst|ack, false, mine+9, yours+9),
	}
	switch s.r.IntN(6) {
	case 0: // nobody there
		return conversation{whole[0], step(rst|ack, true, 0, mine+1)}
	case 1: // picked up in the middle
		return whole[3:5]
	case 2: // of no known connection
		return conversation{step(pick(s.r, []uint8{syn | ack, rst, rst | ack}), false, mine, yours)}
	case 3: // twice
		return conversation{whole[0], whole[0], whole[1]}
	case 4: // and what was on its way cannot be delivered
		c := slices.Clone(whole[:3])
		return append(c, s.about(c[0].packet))
	}
	return whole
}

func (s *speaker) ping(p packet) conversation {
	p.Protocol, p.ICMPType, p.ICMPID = vpc.ICMP, 8, uint16(s.r.Uint32())
	if p.is6() {
		p.Protocol, p.ICMPType = vpc.ICMPv6, 128
	}
	c := forthAndBack(p, 1+s.r.IntN(4))
	if s.r.IntN(5) == 0 { // an answer that nobody asked for
		q := answer(p)
		q.Src, q.Dst = p.Src, p.Dst
		c = conversation{{packet: q}}
	}
	return c
}

// about is an ICMP error about a packet, from where it was going.
func (s *speaker) about(p packet) hop {
	q := packet{Packet: policy.Packet{Src: p.Dst, Dst: p.Src, Protocol: vpc.ICMP, ICMPType: 3, ICMPCode: uint8(s.r.IntN(3))}, About: &p}
	if p.is6() {
		q.Protocol, q.ICMPType = vpc.ICMPv6, 1
	}
	return hop{packet: q, reply: true}
}

// routes are the router's: the interface that an address is behind.
type routes struct {
	hosts    map[netip.Addr]*vpc.Interface
	prefixes map[netip.Prefix]*vpc.Interface
}

func newRoutes(t *vpc.Topology) *routes {
	x := &routes{map[netip.Addr]*vpc.Interface{}, map[netip.Prefix]*vpc.Interface{}}
	for n := range t.Interfaces {
		i := &t.Interfaces[n]
		if i.Side == vpc.Own {
			continue
		}
		for _, a := range i.Addresses {
			x.hosts[a] = i
		}
		for _, p := range i.Prefixes {
			x.prefixes[p] = i
		}
	}
	return x
}

func (s *speaker) route(a netip.Addr) *vpc.Interface {
	if i := s.index.hosts[a]; i != nil {
		return i
	}
	for p, i := range s.index.prefixes {
		if p.Contains(a) {
			return i
		}
	}
	return s.own
}

func (h *hop) String() string {
	how := "routed"
	if h.switched {
		how = "switched"
	}
	return fmt.Sprintf("%s, %s, sent by %s", &h.packet, how, kindOf(h.from))
}

// kindOf names an interface and how it is attached.
func kindOf(i *vpc.Interface) string {
	switch {
	case i == nil:
		return "nobody"
	case i.Bridge != "":
		return fmt.Sprintf("%s (%s, port of %s)", i.Device.Name, i.ID, i.Bridge)
	}
	return fmt.Sprintf("%s (%s, %v)", i.Device.Name, i.ID, i.Side)
}

// last is a network's last address.
func last(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for bit := p.Bits(); bit < len(b)*8; bit++ {
		b[bit/8] |= 0x80 >> (bit % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}
