package nft

import (
	"fmt"
	"strings"

	"weir/policy"
)

// The passage mark: what a packet carries while it passes a bridge with ports
// of ours. The bridge family has no connection tracking, and the families ip and
// ip6 see the bridge and not its port: the mark brings the one what the other
// knows. No packet leaves a port or a card with it. Below, ip stands for both.
//
//	31      28 27      26     25                16 15          0
//	┌─────────┬───────┬──────┬────┬────────────────┬────────────┐
//	│ 1 0 1 0 │tracked│routed│done│       0        │   port     │
//	└─────────┴───────┴──────┴────┴────────────────┴────────────┘
//
//	switched  bridge -300: port ▸ ip -152: tracked ▸ -151: judged by port ▸ -148: port off
//	          ▸ bridge 149: judged by device ▸ 152: done ▸ ip 152: off
//	routed in bridge -300 … ip -148 as above ▸ ip 152: off
//	routed to a bridge    ip 149: judged by address ▸ 152: routed, port
//	          ▸ bridge 149: passes, if that is the port ▸ 152: off
//
// What is routed to a bridge is judged in ip postrouting, where the device is
// the bridge and the port is told by the destination address. The bridge's own
// hook is too late for it: there conntrack has confirmed the connection, so that
// a refused packet would open the way for an answer, and datagrams are in pieces
// again, of which only the first has ports.
//
// An address that the topology does not know, or one of a delegated prefix, is
// judged at the port all the same: with the state that conntrack had, and later
// pieces pass, because without the first nobody can put them together.
const (
	passageMagic   = 0xA0000000
	passageMask    = 0xF0000000
	passageTracked = 0x08000000
	passageRouted  = 0x04000000
	passageDone    = 0x02000000
	passageFlags   = 0xFF000000 // all of the above
	passagePort    = 0x0000FFFF
	otherPort      = 0 // came in through a port that nothing filters
)

// bridge is a bridge with ports of ours.
type bridge struct {
	name  string
	ports []*policy.Interface
}

// writeFromBridge writes a stage's map and chain for packets from all bridges.
func (t *table) writeFromBridge(b *strings.Builder, stage stage) {
	name := stage.name(policy.Entering)
	writeMap(b, name+"_ports", "mark", "verdict", sized(t.ports[stage]), t.ports[stage])
	fmt.Fprintf(b, "\n\tchain %s_from_bridge { # the mark holds the port's number, see the bridge's table\n\t\tmeta mark & %#x vmap @%s_ports\n\t}\n", name, passagePort, name)
}

// writePassage writes the chains that complete the mark before the doors and
// tidy it up behind them.
func (t *table) writePassage(b *strings.Builder) {
	var quoted []string
	for _, bridge := range t.r.bridges {
		quoted = append(quoted, device(bridge.name))
	}
	fmt.Fprintf(b, `
	chain from_bridge { # with the port in the mark, see the bridge's table, or of another port
		type filter hook prerouting priority %d; policy accept;
		iifname != %s accept
		meta mark & %#x != %#x meta mark set %#x
		ct state established,related meta mark set meta mark | %#x
	}

	chain entered { # the port is not asked for any more
		type filter hook prerouting priority %d; policy accept;
		iifname %s meta mark set meta mark & %#x
	}

	chain left { # the mark goes, or says what the bridge has to know
		type filter hook postrouting priority %d; policy accept;
		meta mark & %#x == %#x meta mark set 0 accept # switched, and judged at its port
`, enteringPriority-1, braces(quoted), passageMask, passageMagic, passageMagic|otherPort, passageTracked,
		enteringPriority+int(stages), braces(quoted), passageFlags,
		leavingPriority+int(stages), passageMask|passageDone, passageMagic|passageDone)
	for n, bridge := range t.r.bridges {
		fmt.Fprintf(b, "\t\toifname %s goto %s\n", quoted[n], t.r.names.of("through "+bridge.name, "through_"+bridge.name))
	}
	fmt.Fprintf(b, "\t\tmeta mark & %#x == %#x meta mark set 0\n\t}\n", passageMask, passageMagic)
}

// through writes the chain that tells a bridge what it has to know of a packet
// that is routed to it: for which port it was judged, or else its state.
func (t *table) through(b *bridge) {
	name := t.r.names.of("through "+b.name, "through_"+b.name)
	c := t.chain()
	fmt.Fprintf(c, "\n\tchain %s { # routed to the bridge\n\t\tmeta mark set %#x\n\t\tct state established,related meta mark set %#x\n",
		name, passageMagic|passageRouted, passageMagic|passageRouted|passageTracked)
	for _, is6 := range t.is6 {
		var elements []string
		for _, i := range b.ports {
			for _, a := range routed(i, is6) {
				elements = append(elements, fmt.Sprintf("%s : %#x, # %s %s", a, passageMagic|passageRouted|t.r.ports[i], i.Device.Name, label(i.Name, i.ID)))
			}
		}
		if len(elements) > 0 {
			of := name + familySuffix(is6)
			writeMap(&t.sets, of, addressType(is6), "mark", sized(elements), elements)
			fmt.Fprintf(c, "\t\tmeta mark set %s daddr map @%s\n", protocol(is6), of)
		}
	}
	c.WriteString("\t}\n")
}

// writeJudged writes the set and the chain of the bridge family that let pass
// what was judged before it was routed to the bridge.
func (t *table) writeJudged(b *strings.Builder) {
	var elements []string
	for _, i := range t.r.interfaces {
		if n := t.r.ports[i]; n > 0 && len(routed(i, false))+len(routed(i, true)) > 0 {
			elements = append(elements, fmt.Sprintf("%#x . %s", passageMagic|passageRouted|n, device(i.Device.Name)))
		}
	}
	if len(elements) > 0 {
		fmt.Fprintf(b, "\n\tset judged { # ports, as the mark has them\n\t\ttype mark . ifname\n\t\telements = { %s }\n\t}\n", wrap(elements))
	}
	b.WriteString("\n\tchain routed {\n")
	if len(elements) > 0 {
		b.WriteString("\t\tmeta mark . oifname @judged accept\n")
	}
	b.WriteString("\t\tip frag-off & 0x1fff != 0 accept # later pieces of a datagram\n\t\tfrag frag-off != 0 accept\n\t}\n")
}

// writePortMarks writes the chains of the bridge family that mark what comes in
// through a port with its number, before the families ip and ip6 see it, and tidy up.
func (t *table) writePortMarks(b *strings.Builder) {
	b.WriteString("\n\tmap ports {\n\t\ttype ifname : mark\n\t\telements = {\n")
	for _, i := range t.r.interfaces {
		if n := t.r.ports[i]; n > 0 {
			fmt.Fprintf(b, "\t\t\t%s : %#x, # %s\n", device(i.Device.Name), passageMagic|n, label(i.Name, i.ID))
		}
	}
	fmt.Fprintf(b, `		}
	}

	chain mark_ports {
		type filter hook prerouting priority -300; policy accept;
		meta protocol { ip, ip6 } meta mark set iifname map @ports
	}

	chain left {
		type filter hook postrouting priority %d; policy accept;
		meta mark & %#x == %#x meta mark set 0 accept # routed
		meta mark & %#x == %#x meta mark set meta mark | %#x
	}
`, leavingPriority+int(stages), passageMask|passageRouted, passageMagic|passageRouted, passageMask, passageMagic, passageDone)
}
