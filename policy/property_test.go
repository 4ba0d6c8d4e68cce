package policy_test

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"weir/policy"
	"weir/vpc"
	"weir/vpc/vpctest"
)

// world is a random topology and where its edges are.
type world struct {
	*vpc.Topology
	r       *rand.Rand
	traffic []vpc.Traffic
	nets    []netip.Prefix
}

func newWorld(r *rand.Rand) *world {
	w := &world{Topology: vpctest.Random(r, vpctest.Size{Interfaces: 5 + r.IntN(30), Groups: 1 + r.IntN(12)}), r: r}
	w.nets = slices.Concat(policy.LinkScope, vpctest.Outside())
	for _, g := range w.Groups {
		for _, rule := range slices.Concat(g.Ingress, g.Egress) {
			w.traffic = append(w.traffic, rule.Traffic)
			if rule.Peer.CIDR.IsValid() {
				w.nets = append(w.nets, rule.Peer.CIDR)
			}
		}
	}
	for _, a := range w.ACLs {
		for _, rule := range slices.Concat(a.Ingress, a.Egress) {
			w.traffic, w.nets = append(w.traffic, rule.Traffic), append(w.nets, rule.CIDR)
		}
	}
	for _, l := range w.PrefixLists {
		w.nets = append(w.nets, l.Entries...)
	}
	for _, s := range w.Subnets {
		w.nets = append(w.nets, s.CIDRs...)
	}
	for _, i := range w.Interfaces {
		w.nets = append(w.nets, i.Prefixes...)
	}
	for _, e := range policy.Exemptions {
		for _, a := range e.Addresses {
			w.nets = append(w.nets, netip.PrefixFrom(a, a.BitLen()))
		}
	}
	return w
}

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

// address is one that matters: an interface's, or at the edge of a network.
func (w *world) address(is6 bool) netip.Addr {
	for {
		var a netip.Addr
		if w.r.IntN(2) == 0 {
			if i := pick(w.r, w.Interfaces); len(i.Addresses) > 0 {
				a = pick(w.r, i.Addresses)
			}
		} else {
			a = edge(w.r, pick(w.r, w.nets))
		}
		if a.IsValid() && a.Is6() == is6 {
			return a
		}
	}
}

// edge is the first or last address of a network, or the one beside it.
func edge(r *rand.Rand, p netip.Prefix) netip.Addr {
	first, b := p.Masked().Addr(), p.Addr().AsSlice()
	for i := range b {
		for bit := range 8 {
			if i*8+bit >= p.Bits() {
				b[i] |= 0x80 >> bit
			}
		}
	}
	last, _ := netip.AddrFromSlice(b)
	return pick(r, []netip.Addr{first, first.Prev(), last, last.Next(), first.Next()})
}

// packet is one that an interface sends or is sent, at the edge of some rule.
func (w *world) packet(i *vpc.Interface, d policy.Direction) policy.Packet {
	is6 := w.r.IntN(2) == 0
	own, other := w.address(is6), w.address(is6)
	if len(i.Addresses) > 0 && i.Addresses[0].Is6() == is6 {
		own = i.Addresses[0]
	}
	k := policy.Packet{Src: own, Dst: other}
	if d == policy.Ingress {
		k.Src, k.Dst = other, own
	}
	t := pick(w.r, w.traffic)
	if t.Protocol < 0 || w.r.IntN(5) == 0 {
		t = vpc.Traffic{Protocol: pick(w.r, []int{1, 2, 6, 6, 17, 17, 47, 50, 58, 255})}
	}
	k.Protocol = uint8(t.Protocol)
	switch {
	case t.HasPorts():
		k.SrcPort = pick(w.r, []uint16{67, 68, 546, 547, 443, uint16(w.r.Uint32())})
		k.DstPort = pick(w.r, []uint16{t.From - 1, t.From, t.To, t.To + 1, 67, 68, 546, 547, uint16(w.r.Uint32())})
	case t.IsICMP():
		k.ICMPType = pick(w.r, []uint8{uint8(max(t.ICMPType, 0)), uint8(t.ICMPType + 1), 0, 3, 8, 128, 129 + uint8(w.r.IntN(16))})
		k.ICMPCode = pick(w.r, []uint8{uint8(max(t.ICMPCode, 0)), 0, 1, uint8(t.ICMPCode + 1)})
	}
	return k
}

// The compiled policy and the plain reference agree, packet by packet.
func TestAgreesWithReference(t *testing.T) {
	seen := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		w := newWorld(rand.New(rand.NewPCG(seed, 1)))
		p, err := policy.Compile(w.Topology, new(policy.MemoryIDs))
		if err != nil {
			t.Fatal(err)
		}
		for range 300 {
			i := &w.Interfaces[w.r.IntN(len(w.Interfaces))]
			d, s := policy.Direction(w.r.IntN(2)), policy.State(w.r.IntN(2))
			k := w.packet(i, d)
			v := p.Evaluate(i.ID, d, k, s)
			got, want := outcome(v), reference(w.Topology, i.ID, d, k, s)
			if got != want {
				t.Fatalf("%s %v %v (%v): got %q, the reference says %q", i.ID, d, k, s, got, want)
			}
			checkWords(t, v)
			seen[kind(v)]++
		}
	})
	t.Log("packets by outcome:", seen)
	for _, k := range []string{"allow", "exempt", "security group", "network ACL", "network ACL *"} {
		if seen[k] < 100 {
			t.Errorf("only %d packets came to %q: the random packets say little", seen[k], k)
		}
	}
}

func kind(v policy.Verdict) string {
	switch {
	case v.Exempt != "":
		return "exempt"
	case v.Allowed:
		return "allow"
	case v.Rule.Number == policy.Last:
		return "network ACL *"
	}
	return v.Stage.String()
}

func checkWords(t *rapid.T, v policy.Verdict) {
	reason, nearest := v.Reason(), v.Nearest()
	switch {
	case reason == "" || strings.ContainsAny(reason+nearest, "\n"):
		t.Fatalf("reason %q, nearest %q", reason, nearest)
	case v.Allowed && (nearest != "" || v.Changes() != nil):
		t.Fatalf("allowed, but nearest %q, changes %v", nearest, v.Changes())
	case v.Allowed:
		return
	}
	words, err := policy.UnescapeWords(policy.EscapeWords(v.Rule.Words))
	if err != nil || words != v.Rule.Words {
		t.Fatalf("%q comes back as %q, %v", v.Rule.Words, words, err)
	}
}

// Who makes the changes has the packet allowed.
func TestChangesWork(t *testing.T) {
	made := 0
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		w := newWorld(rand.New(rand.NewPCG(seed, 2)))
		ids := new(policy.MemoryIDs)
		for range 10 {
			p, err := policy.Compile(w.Topology, ids)
			if err != nil {
				t.Fatal(err)
			}
			i := &w.Interfaces[w.r.IntN(len(w.Interfaces))]
			d, s := policy.Direction(w.r.IntN(2)), policy.State(w.r.IntN(2))
			k := w.packet(i, d)
			v := p.Evaluate(i.ID, d, k, s)
			changes := v.Changes()
			if v.Allowed || slices.ContainsFunc(changes, func(c policy.Change) bool { return c.Stage == policy.ACL && c.Number == 0 }) {
				continue
			}
			for _, c := range changes {
				apply(w.Topology, c)
			}
			if p, err = policy.Compile(w.Topology, ids); err != nil {
				t.Fatal(err)
			}
			if v := p.Evaluate(i.ID, d, k, s); !v.Allowed {
				t.Fatalf("%v at %s (%v) after %v: %s", k, i.ID, s, changes, v.Reason())
			}
			made++
		}
	})
	if made < 50 {
		t.Errorf("only %d changes made", made)
	}
}

func apply(t *vpc.Topology, c policy.Change) {
	if c.Stage == policy.Group {
		g := &t.Groups[slices.IndexFunc(t.Groups, func(g vpc.SecurityGroup) bool { return g.ID == c.ID })]
		rules := &g.Ingress
		if c.Direction == policy.Egress {
			rules = &g.Egress
		}
		*rules = append(*rules, vpc.GroupRule{Traffic: c.Traffic, Peer: c.Peer})
		return
	}
	a := &t.ACLs[slices.IndexFunc(t.ACLs, func(a vpc.NetworkACL) bool { return a.ID == c.ID })]
	rules := &a.Ingress
	if c.Direction == policy.Egress {
		rules = &a.Egress
	}
	*rules = append(*rules, vpc.ACLRule{Number: c.Number, Allow: true, Traffic: c.Traffic, CIDR: c.Peer.CIDR})
	slices.SortFunc(*rules, func(a, b vpc.ACLRule) int { return a.Number - b.Number })
}
