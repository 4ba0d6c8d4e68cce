package nft

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"weir/policy"
)

// DefaultTable is the name of the tables: one of family ip, one of ip6 and, where
// there are bridge ports, one of bridge.
const DefaultTable = "weir"

// Options say how to render.
type Options struct {
	Table string // name of the tables; empty is DefaultTable
}

// Ruleset is the script of one network namespace.
type Ruleset struct {
	Namespace string // path; empty is the one Weir runs in
	Table     string
	// Text declares the tables, for people too. It is the same for equal policies.
	Text string
	// Bridges are those whose ports it judges: they need br_netfilter.
	Bridges    []string
	Interfaces int // that it judges

	ports map[string]string // devices that it judges, to their bridges; "" for none
	nft   string            // the program; "" looks for it
}

// Digest names what a ruleset says: equal rulesets have equal digests.
func (r *Ruleset) Digest() string {
	sum := sha256.Sum256([]byte(r.Text))
	return hex.EncodeToString(sum[:8])
}

// Render makes a ruleset of each namespace with an interface that something
// filters, ascending by namespace. An interface without a device is not on this
// host, and left out.
func Render(p *policy.Policy, o Options) ([]Ruleset, error) {
	if o.Table == "" {
		o.Table = DefaultTable
	}
	if clean(o.Table) != o.Table || !isLetter(o.Table[0]) {
		return nil, fmt.Errorf("table name %q: letters, digits and underscores, beginning with a letter", o.Table)
	}
	byNamespace := map[string][]*policy.Interface{}
	for _, i := range p.Interfaces() {
		if i.Device.Name == "" || !i.Filtered() {
			continue
		}
		for _, name := range []string{i.Device.Name, i.Bridge} {
			if err := checkDevice(name); err != nil {
				return nil, fmt.Errorf("interface %s: %w", i.ID, err)
			}
		}
		byNamespace[i.Device.Namespace] = append(byNamespace[i.Device.Namespace], i)
	}
	var rulesets []Ruleset
	for namespace, interfaces := range byNamespace {
		r, err := newRenderer(o.Table, interfaces)
		if err != nil {
			return nil, err
		}
		s := Ruleset{Namespace: namespace, Table: o.Table, Text: r.script(), Interfaces: len(interfaces), ports: map[string]string{}}
		for _, b := range r.bridges {
			s.Bridges = append(s.Bridges, b.name)
		}
		for _, i := range interfaces {
			s.ports[i.Device.Name] = i.Bridge
		}
		rulesets = append(rulesets, s)
	}
	slices.SortFunc(rulesets, func(a, b Ruleset) int { return strings.Compare(a.Namespace, b.Namespace) })
	return rulesets, nil
}

// maxDevice is IFNAMSIZ without the zero at the end.
const maxDevice = 15

// checkDevice refuses names that nft cannot say: it has no escapes. The empty
// one is no bridge.
func checkDevice(name string) error {
	if len(name) > maxDevice {
		return fmt.Errorf("the device name %q is longer than %d bytes", name, maxDevice)
	}
	if strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '"' }) {
		return fmt.Errorf("the device name %q has a character that the firewall cannot name: ip link set … name …", name)
	}
	return nil
}
