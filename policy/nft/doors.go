package nft

import (
	"fmt"
	"strings"

	"weir/policy"
)

// Priorities of the base chains, by stage.
var (
	enteringPriority = [2]int{-150, -149} // after conntrack (-200), before destination NAT (-100)
	leavingPriority  = [2]int{150, 151}   // after source NAT (100)
)

// write writes the table: its sets, maps and base chains, then the others.
func (t *table) write(b *strings.Builder) {
	family := "inet"
	if t.bridge {
		family = "bridge"
	}
	fmt.Fprintf(b, "table %s %s {", family, t.name)
	b.WriteString(t.sets.String())
	if t.bridge {
		t.writePortMarks(b)
		t.writeJudged(b)
	}
	for _, door := range []policy.Door{policy.Entering, policy.Leaving} {
		for stage := range 2 {
			t.writeDoor(b, door, stage)
		}
	}
	if !t.bridge && len(t.r.bridges) > 0 {
		t.writePassage(b)
	}
	for _, c := range t.chains {
		b.WriteString(c.String())
	}
	b.WriteString("}\n")
}

// writeDoor writes a base chain and the map that leads from it to the
// interfaces' chains, so that its cost does not grow with their number.
func (t *table) writeDoor(b *strings.Builder, door policy.Door, stage int) {
	name := fmt.Sprintf("%s_%d", doorName(door), stage+1)
	devices := t.doors[door][stage]
	assemble := !t.bridge && !t.tracks && door == policy.Entering && stage == 0
	if len(devices) == 0 && !assemble {
		return
	}
	if len(devices) > 0 {
		writeMap(b, name+"_devices", "ifname", "verdict", devices)
	}
	if !t.bridge && door == policy.Entering && len(t.r.bridges) > 0 {
		if len(t.ports[stage]) > 0 {
			writeMap(b, name+"_ports", "mark", "verdict", t.ports[stage])
		}
		t.writeFromBridge(b, stage)
	}
	hook, key, priority := "prerouting", "iifname", enteringPriority[stage]
	if door == policy.Leaving {
		hook, key, priority = "postrouting", "oifname", leavingPriority[stage]
	}
	fmt.Fprintf(b, "\n\tchain %s {\n\t\ttype filter hook %s priority %d; policy accept;\n", name, hook, priority)
	if assemble {
		// Asking for the state brings connection tracking into the namespace,
		// and that puts fragments together: later ones have no ports to judge.
		b.WriteString("\t\tct state invalid continue # fragments are put together for whoever asks\n")
	}
	if t.bridge {
		key = "meta protocol { ip, ip6 } " + key // ARP is not judged
		fmt.Fprintf(b, "\t\tmeta mark & %#x == %#x jump routed\n", passageMask|passageRouted, passageMagic|passageRouted)
	}
	if len(devices) > 0 {
		fmt.Fprintf(b, "\t\t%s vmap @%s_devices\n", key, name)
	}
	b.WriteString("\t}\n")
}

// writeMap writes a map. Its elements end with a comma and a comment.
func writeMap(b *strings.Builder, name, key, value string, elements []string) {
	fmt.Fprintf(b, "\n\tmap %s {\n\t\ttype %s : %s\n\t\telements = {\n\t\t\t%s\n\t\t}\n\t}\n", name, key, value, strings.Join(elements, "\n\t\t\t"))
}

// doorName is part of chains' names.
func doorName(d policy.Door) string {
	if d == policy.Leaving {
		return "leaving"
	}
	return "entering"
}
