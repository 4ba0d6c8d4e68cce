package nft

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"weir/policy"
)

// renderer writes the script of one namespace.
type renderer struct {
	interfaces []*policy.Interface
	bridges    []*bridge
	ports      map[*policy.Interface]int // numbers of bridge ports, from 1
	names      *names
	groups     map[string]string // names of groups that interfaces have, by id
	sets       map[string]int    // how many sets of groups have one, by id
	ip         [2]*table         // IPv4 and IPv6
	bridge     *table
	nets       map[familyOf][]netip.Prefix
}

// table is the sets, maps and chains of one family. IPv4 and IPv6 have a table
// each: in a common one (inet) every rule asks for the packet's family first,
// and each packet passes the rules about the other one.
type table struct {
	r      *renderer
	family string
	name   string
	is6    []bool            // what it judges: false IPv4, true IPv6
	bridge bool              // it judges both
	done   map[string]bool   // chains and sets that are written
	allows map[string]string // chains that allow one kind of traffic, by its condition
	sets   strings.Builder
	chains []*strings.Builder  // callers before what they call
	tail   strings.Builder     // chains that maps lead to
	doors  [2][stages][]string // by policy.Door: elements of the map of devices
	ports  [stages][]string    // elements of the map of port numbers
}

func newRenderer(name string, interfaces []*policy.Interface) (*renderer, error) {
	r := &renderer{interfaces: interfaces, ports: map[*policy.Interface]int{}, names: newNames(), groups: map[string]string{}, sets: map[string]int{}, nets: map[familyOf][]netip.Prefix{}}
	r.ip[0] = r.table("ip", name, false)
	r.ip[1] = r.table("ip6", name, true)
	r.bridge = r.table("bridge", name, false, true)
	seen := map[*policy.GroupSet]bool{}
	for _, i := range interfaces {
		if i.Groups != nil && !seen[i.Groups] {
			seen[i.Groups] = true
			for _, g := range i.Groups.Groups {
				r.groups[g.ID] = g.Name
				r.sets[g.ID]++
			}
		}
		if i.Bridge == "" {
			continue
		}
		r.ports[i] = len(r.ports) + 1
		n := slices.IndexFunc(r.bridges, func(b *bridge) bool { return b.name == i.Bridge })
		if n < 0 {
			n = len(r.bridges)
			r.bridges = append(r.bridges, &bridge{name: i.Bridge})
		}
		r.bridges[n].ports = append(r.bridges[n].ports, i)
	}
	if len(r.ports) > passagePort {
		return nil, fmt.Errorf("%d bridge ports: the passage mark has room for %d", len(r.ports), passagePort)
	}
	return r, nil
}

func (r *renderer) table(family, name string, is6 ...bool) *table {
	return &table{r: r, family: family, name: name, is6: is6, bridge: family == "bridge", done: map[string]bool{}, allows: map[string]string{}}
}

func (r *renderer) script() string {
	for _, i := range r.interfaces {
		for _, d := range []policy.Direction{policy.Egress, policy.Ingress} {
			r.direction(i, d)
		}
	}
	for _, b := range r.bridges {
		for _, t := range r.ip {
			t.throughBridge(b)
		}
	}
	var b strings.Builder
	b.WriteString(legend)
	for _, t := range r.tables() {
		b.WriteString("\n")
		t.write(&b)
	}
	return b.String()
}

// tables are those of the script.
func (r *renderer) tables() []*table {
	if len(r.bridges) == 0 {
		return r.ip[:]
	}
	return append(r.ip[:], r.bridge)
}

const legend = `# Security groups and network ACLs, as Weir renders them. To follow a packet: the
# table of its family, and there its device in the maps of the door that it passes
# (entering: from the wire, leaving: to the wire), in the order of the stages. In a
# chain the first line that matches decides: accept ends the stage, drop the
# packet. Where many lines are about networks, one look at the packet's other end
# tells what is said of it. The end of a chain goes back to the caller. The mark of
# a drop holds the rule's id.
`

// direction writes the chains of one interface and direction, and names them in
// the maps of its door.
func (r *renderer) direction(i *policy.Interface, d policy.Direction) {
	door := d.Door(i.Side)
	tables := r.ip[:]
	if i.Bridge != "" && door == policy.Leaving {
		tables = []*table{r.bridge}
	}
	for _, t := range tables {
		for n, chain := range t.stages(i, d, door) {
			switch {
			case chain == "":
			case i.Bridge != "" && door == policy.Entering:
				t.ports[n] = append(t.ports[n], fmt.Sprintf("%#x : jump %s, # %s %s", r.ports[i], chain, i.Device.Name, label(i.Name, i.ID)))
			default:
				t.doors[door][n] = append(t.doors[door][n], fmt.Sprintf("%s : jump %s, # %s", device(i.Device.Name), chain, label(i.Name, i.ID)))
			}
		}
	}
}

// chain is where a new chain is written, behind the earlier ones.
func (t *table) chain() *strings.Builder {
	b := &strings.Builder{}
	t.chains = append(t.chains, b)
	return b
}

// stages are the chains of an interface and direction. An empty one refuses
// nothing.
func (t *table) stages(i *policy.Interface, d policy.Direction, door policy.Door) (chains [stages]string) {
	acl := egressACL
	if d == policy.Ingress {
		acl = ingressACL
	}
	if i.Groups != nil && !t.groupsOpen(i.Groups, d) {
		chains[groups] = t.groupSet(i.Groups, d, door)
	}
	if i.ACL != nil && !t.open(i.ACL.Rules[d]) {
		chains[acl] = t.acl(i, d, door)
	}
	return chains
}

// throughBridge leads what enters and leaves through a bridge to its ports.
func (t *table) throughBridge(b *bridge) {
	for stage := range stages {
		if len(t.ports[stage]) > 0 {
			t.doors[policy.Entering][stage] = append(t.doors[policy.Entering][stage],
				fmt.Sprintf("%s : jump %s_from_bridge, # a bridge", device(b.name), stage.name(policy.Entering)))
		}
		if chain := t.toBridge(b, stage); chain != "" {
			t.doors[policy.Leaving][stage] = append(t.doors[policy.Leaving][stage],
				fmt.Sprintf("%s : jump %s, # a bridge", device(b.name), chain))
		}
	}
	t.through(b)
}

// toBridge is the chain that judges what is routed to a bridge, by the address
// of the port's instance; see passage.go.
func (t *table) toBridge(b *bridge, stage stage) string {
	name := t.r.names.of("to bridge "+b.name+stage.String(), "to_"+b.name+"_"+stage.String())
	var lines strings.Builder
	fmt.Fprintf(&lines, "\t\tmeta mark & %#x == %#x accept # switched, and judged at its port\n", passageMask|passageDone, passageMagic|passageDone)
	some := false
	for _, is6 := range t.is6 {
		var elements []string
		for _, i := range b.ports {
			at := routed(i, is6)
			if len(at) == 0 {
				continue
			}
			chain := t.stages(i, leavingDirection(i), policy.Leaving)[stage]
			if chain == "" {
				continue
			}
			for _, a := range at {
				elements = append(elements, fmt.Sprintf("%s : jump %s, # %s %s", a, chain, i.Device.Name, label(i.Name, i.ID)))
			}
		}
		if len(elements) == 0 {
			continue
		}
		some = true
		of := name + familySuffix(is6)
		writeMap(&t.sets, of, addressType(is6), "verdict", sized(elements), elements)
		fmt.Fprintf(&lines, "\t\t%s daddr vmap @%s\n", protocol(is6), of)
	}
	if !some {
		return ""
	}
	fmt.Fprintf(t.chain(), "\n\tchain %s { # what is routed to the bridge\n%s\t}\n", name, lines.String())
	return name
}

// routed is the addresses of one family by which packets are routed to an
// interface. Link-local ones are not, and several bridges may have the same.
// Prefixes are left to the port's own door: the capture, which has to find the
// interface of what is refused here, knows single addresses only.
func routed(i *policy.Interface, is6 bool) []netip.Addr {
	var out []netip.Addr
	for _, a := range i.Addresses {
		if a.Is6() == is6 && !a.IsLinkLocalUnicast() {
			out = append(out, a)
		}
	}
	return out
}

// leavingDirection is the direction of what leaves the host through the device.
func leavingDirection(i *policy.Interface) policy.Direction {
	if policy.Ingress.Door(i.Side) == policy.Leaving {
		return policy.Ingress
	}
	return policy.Egress
}
