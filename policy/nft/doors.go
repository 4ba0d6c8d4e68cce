package nft

import (
	"fmt"
	"strings"

	"weir/policy"
)

// stage is one of the base chains of a door, each with its own hook: "accept"
// ends a base chain, and the next one goes on.
type stage int

// The stages, in the order in which both doors have them: into an instance the
// ACL comes before the groups, out of it behind them.
const (
	ingressACL stage = iota
	groups
	egressACL
	stages // how many
)

func (s stage) String() string { return [stages]string{"ingress_acl", "groups", "egress_acl"}[s] }

// name is the base chain's.
func (s stage) name(d policy.Door) string { return doorName(d) + "_" + s.String() }

// Priorities of the first stages; those of the others follow.
const (
	enteringPriority = -151 // after conntrack (-200), before destination NAT (-100)
	leavingPriority  = 149  // after source NAT (100)
)

// write writes the table: its sets, maps and base chains, then the others.
func (t *table) write(b *strings.Builder) {
	fmt.Fprintf(b, "table %s %s {", t.family, t.name)
	b.WriteString(t.sets.String())
	if t.bridge {
		t.writePortMarks(b)
		t.writeJudged(b)
	}
	for _, door := range []policy.Door{policy.Entering, policy.Leaving} {
		for stage := range stages {
			t.writeDoor(b, door, stage)
		}
	}
	if !t.bridge && len(t.r.bridges) > 0 {
		t.writePassage(b)
	}
	for _, c := range t.chains {
		b.WriteString(c.String())
	}
	b.WriteString(t.tail.String())
	b.WriteString("}\n")
}

// writeDoor writes a base chain and the map that leads from it to the
// interfaces' chains, so that its cost does not grow with their number.
func (t *table) writeDoor(b *strings.Builder, door policy.Door, stage stage) {
	name := stage.name(door)
	devices := t.doors[door][stage]
	assemble := door == policy.Entering && stage == groups && !t.tracks()
	if len(devices) == 0 && !assemble {
		return
	}
	if len(devices) > 0 {
		writeMap(b, name+"_devices", "ifname", "verdict", sized(devices), devices)
	}
	if door == policy.Entering && len(t.ports[stage]) > 0 {
		t.writeFromBridge(b, stage)
	}
	hook, key, priority := "prerouting", "iifname", enteringPriority
	if door == policy.Leaving {
		hook, key, priority = "postrouting", "oifname", leavingPriority
	}
	fmt.Fprintf(b, "\n\tchain %s {\n\t\ttype filter hook %s priority %d; policy accept;\n", name, hook, priority+int(stage))
	if assemble {
		// Asking for the state brings connection tracking into the namespace,
		// and that puts fragments together: later ones have no ports to judge.
		b.WriteString("\t\tct state invalid continue # fragments are put together for whoever asks\n")
	}
	if t.bridge {
		key = "meta protocol { ip, ip6 } " + key // ARP is not judged
		fmt.Fprintf(b, "\t\tmeta mark & %#x == %#x jump routed\n", passageMask|passageRouted, passageMagic|passageRouted)
	}
	if stage == groups && len(devices) > 0 {
		fmt.Fprintf(b, "\t\t%s accept # before all else: most packets are of a known connection\n", t.tracked())
	}
	if len(devices) > 0 {
		fmt.Fprintf(b, "\t\t%s vmap @%s_devices\n", key, name)
	}
	b.WriteString("\t}\n")
}

// tracks reports whether something asks for the state of connections, or the
// table cannot.
func (t *table) tracks() bool {
	return t.bridge || len(t.r.bridges) > 0 || len(t.doors[policy.Entering][groups])+len(t.doors[policy.Leaving][groups]) > 0
}

// writeMap writes a map of a kind, sized or intervals.
func writeMap(b *strings.Builder, name, key, value, kind string, elements []string) {
	writeElements(b, "map "+name, key+" : "+value, kind, elements)
}

// writeElements writes a map or set with a line for each element, which ends with
// a comma and perhaps a comment.
func writeElements(b *strings.Builder, head, of, kind string, elements []string) {
	fmt.Fprintf(b, "\n\t%s {\n\t\ttype %s\n\t\t%s\n\t\telements = {\n\t\t\t%s\n\t\t}\n\t}\n", head, of, kind, strings.Join(elements, "\n\t\t\t"))
}

// sized is the kind of a map or set of single values. When it knows how many
// there are the kernel takes a hash table that is faster and smaller.
func sized(elements []string) string { return fmt.Sprint("size ", len(elements)) }

// intervals is the kind of one with networks or ranges: a tree.
const intervals = "flags interval"

// doorName is part of chains' names.
func doorName(d policy.Door) string {
	if d == policy.Leaving {
		return "leaving"
	}
	return "entering"
}
