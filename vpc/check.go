package vpc

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"unicode/utf8"
)

// Bounds of a topology. They are far above AWS's quotas and keep reading,
// checking and rendering within seconds.
const (
	MaxRules         = 100_000 // of all groups and ACLs together, those that AWS gives by default not counted
	MaxInterfaces    = 20_000
	MaxSubnets       = 20_000
	MaxPrefixEntries = 100_000 // of all prefix lists together
	MaxCIDRs         = 64      // of one VPC or subnet
	MaxACLRuleNumber = 32766   // AWS's; 32767 is the rule "*"
)

// Check lists everything that is wrong with the topology, or nothing. Errors
// mean that it must not be used; see [Errors]. A topology beyond a bound is
// refused with that alone.
func (t *Topology) Check() []Problem {
	c := checker{t: t, x: t.Index(), ids: map[string]Path{}, families: map[string][2]bool{}}
	if !c.bounds() {
		return c.problems
	}
	c.vpcs()
	c.prefixLists() // before the rules that look into them
	c.subnets()
	c.groups()
	c.acls()
	c.routeTables()
	c.interfaces()
	return c.problems
}

// checker collects the problems of one topology.
type checker struct {
	t        *Topology
	x        *Index
	ids      map[string]Path    // where an id was given first
	families map[string][2]bool // of which a prefix list has networks, IPv4 and IPv6
	problems []Problem
}

func (c *checker) add(p Path, hint, format string, args ...any) {
	c.problems = append(c.problems, Problem{Path: p, Cause: fmt.Sprintf(format, args...), Hint: hint})
}

// clash adds a problem between a thing and an earlier one.
func (c *checker) clash(at, other Path, hint, format string, args ...any) {
	c.problems = append(c.problems, Problem{Path: at, Other: other, Cause: fmt.Sprintf(format, args...), Hint: hint})
}

func (c *checker) warn(p Path, hint, format string, args ...any) {
	c.problems = append(c.problems, Problem{Path: p, Cause: fmt.Sprintf(format, args...), Hint: hint, Warning: true})
}

func (c *checker) bounds() bool {
	rules, entries := 0, 0
	for i := range c.t.Groups {
		rules += len(c.t.Groups[i].Ingress)
		if !isAllEgress(c.t.Groups[i].Egress) {
			rules += len(c.t.Groups[i].Egress)
		}
	}
	for i := range c.t.ACLs {
		if n := len(c.t.ACLs[i].Ingress) + len(c.t.ACLs[i].Egress); n > 4 || c.t.ACLs[i].Name != DefaultName {
			rules += n
		}
	}
	for i := range c.t.PrefixLists {
		entries += len(c.t.PrefixLists[i].Entries)
	}
	for _, b := range []struct {
		what      string
		have, max int
	}{
		{"rules of groups and ACLs", rules, MaxRules},
		{"interfaces", len(c.t.Interfaces), MaxInterfaces},
		{"subnets", len(c.t.Subnets), MaxSubnets},
		{"entries of prefix lists", entries, MaxPrefixEntries},
	} {
		if b.have > b.max {
			c.add(nil, "", "%d %s, more than the bound of %d", b.have, b.what, b.max)
		}
	}
	for i := range c.t.VPCs {
		c.cidrs(At("vpcs", i), c.t.VPCs[i].CIDRs)
	}
	for i := range c.t.Subnets {
		c.cidrs(At("subnets", i), c.t.Subnets[i].CIDRs)
	}
	return len(c.problems) == 0
}

func (c *checker) cidrs(at Path, list []netip.Prefix) {
	if len(list) > MaxCIDRs {
		c.add(at.Field("cidrs"), "", "%d networks, more than the bound of %d", len(list), MaxCIDRs)
	}
}

// identity checks the form of an id, and that nobody else has it or the name. No
// name at all is fine. Two of one name, whose ids were derived from it, have that
// one problem.
func (c *checker) identity(at Path, kind, id string, named names, scope, name string) {
	key := scope + "\x00" + name
	first, twice := named[key]
	switch {
	case name == "":
		twice = false
	case twice:
		c.clash(at.Field("name"), first, "others refer to it by its name: choose another one", "%q is the name of another one", name)
	default:
		named[key] = at
	}
	if !twice {
		c.id(at, kind, id)
	}
	c.name(at.Field("name"), kind, name)
}

// SelfName is what a group's rule calls the group it is in. No group has the name.
const SelfName = "self"

// name refuses names that could be taken for something else where they are
// referred to.
func (c *checker) name(at Path, kind, name string) {
	c.text(at, name)
	peer := kind == KindGroup || kind == KindPrefixList
	_, noNetwork := netip.ParsePrefix(name)
	_, noAddress := netip.ParseAddr(name)
	switch {
	case peer && (noNetwork == nil || noAddress == nil):
		c.add(at, "choose another name", "%q could be a network where a rule refers to it", name)
	case peer && name == SelfName:
		c.add(at, "choose another name", "in a rule self means the rule's own group")
	case strings.HasPrefix(name, kind+"-"), peer && (strings.HasPrefix(name, KindGroup+"-") || strings.HasPrefix(name, KindPrefixList+"-")):
		c.add(at, "write it behind id, or choose another name", "%.60q looks like an id", name)
	}
}

// MaxText bounds names, tags and descriptions, in bytes. AWS: 255 letters.
const MaxText = 1024

// text wants one line of letters.
func (c *checker) text(at Path, s string) {
	if len(s) > MaxText {
		c.add(at, "", "the text is longer than %d bytes", MaxText)
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == utf8.RuneError }) {
		c.add(at, "", "%.60q has a line's end or a control character", s)
	}
}

func (c *checker) tags(at Path, tags Tags) {
	for k, v := range tags {
		c.text(at.Field("tags"), k)
		c.text(at.Field("tags"), v)
	}
}

// names is where a name was given first, by scope and name.
type names map[string]Path

func (c *checker) id(at Path, kind, id string) {
	if err := CheckID(kind, id); err != nil {
		c.add(at.Field("id"), "", "%v", err)
		return
	}
	if first, twice := c.ids[id]; twice {
		c.clash(at.Field("id"), first, "give each its own id, or none", "%s is the id of another one", id)
		return
	}
	c.ids[id] = at
}

// inVPC checks that the VPC a thing names exists.
func (c *checker) inVPC(at Path, id string) *VPC {
	v := c.x.VPC(id)
	if v == nil {
		c.add(at.Field("vpc"), "", "there is no VPC %q", id)
	}
	return v
}

func (c *checker) account(at Path, id string) {
	if len(id) != 12 || strings.Trim(id, "0123456789") != "" {
		c.add(at.Field("account-id"), "write it in quotes, so that leading zeros stay", "%q is not an account id: 12 digits", id)
	}
}

// word checks what becomes a field of a record: it must be one word.
func (c *checker) word(at Path, what, s string) {
	if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '/' || r == '_' }) {
		c.add(at, "", "%q is not a %s: one word of letters, digits and hyphens", s, what)
	}
}

func (c *checker) vpcs() {
	seen := names{}
	for i := range c.t.VPCs {
		v, at := &c.t.VPCs[i], At("vpcs", i)
		c.identity(at, KindVPC, v.ID, seen, "", v.Name)
		c.tags(at, v.Tags)
		c.account(at, v.AccountID)
		c.word(at.Field("region"), "region", v.Region)
		if v.Region == "" {
			c.add(at.Field("region"), "", "the region is missing")
		}
		var spans []span
		for j, p := range v.CIDRs {
			if c.network(at.Item("cidrs", j), p) {
				spans = append(spans, span{p, at.Item("cidrs", j), label("VPC", v.Name, v.ID), v.ID})
			}
		}
		c.overlaps(spans, "")
	}
}

// network checks a network by itself.
func (c *checker) network(at Path, p netip.Prefix) bool {
	switch {
	case !p.IsValid():
		c.add(at, "write it as 10.0.0.0/16 or 2001:db8::/56", "not a network")
	case p.Addr().Is4In6():
		c.add(at, "write "+p.Addr().Unmap().String(), "%v is an IPv4 address in IPv6's clothes", p)
	case p != p.Masked():
		c.add(at, fmt.Sprintf("write %v", p.Masked()), "%v has bits beyond its length", p)
	default:
		return true
	}
	return false
}

// span is a network that must not overlap another one.
type span struct {
	net   netip.Prefix
	at    Path
	name  string // for people, "subnet app"
	owner string // spans of one owner may overlap when the caller wants so
}

// overlaps reports each span that lies in an earlier or wider one. Spans of the
// same owner are passed over if it is shared.
func (c *checker) overlaps(spans []span, shared string) {
	order := make([]int, len(spans))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		p, q := spans[a].net, spans[b].net
		if n := p.Addr().Compare(q.Addr()); n != 0 {
			return n
		}
		return p.Bits() - q.Bits()
	})
	var open []span // each holds the next
	for _, i := range order {
		s := spans[i]
		for len(open) > 0 && !open[len(open)-1].net.Contains(s.net.Addr()) {
			open = open[:len(open)-1]
		}
		for _, o := range slices.Backward(open) {
			if shared != "" && o.owner == s.owner {
				continue
			}
			c.overlap(o, s)
			break
		}
		if len(open) == 0 || open[len(open)-1].net != s.net {
			open = append(open, s) // so there are never more than lengths of a network
		}
	}
}

func (c *checker) overlap(wide, narrow span) {
	one := func(s span) string {
		if s.net.IsSingleIP() {
			return s.net.Addr().String()
		}
		return s.net.String()
	}
	if wide.net == narrow.net {
		c.clash(narrow.at, wide.at, "", "%s is given to %s already", one(narrow), wide.name)
		return
	}
	c.clash(narrow.at, wide.at, "", "%s overlaps %s of %s", one(narrow), one(wide), wide.name)
}

// label is what people call a thing.
func label(kind, name, id string) string {
	if name == "" {
		return kind + " " + id
	}
	return kind + " " + name
}

func (c *checker) subnets() {
	seen := names{}
	spans := map[string][]span{} // by VPC
	for i := range c.t.Subnets {
		s, at := &c.t.Subnets[i], At("subnets", i)
		c.identity(at, KindSubnet, s.ID, seen, s.VPCID, s.Name)
		c.tags(at, s.Tags)
		v := c.inVPC(at, s.VPCID)
		c.word(at.Field("zone-id"), "zone id", s.ZoneID)
		c.subnetParts(at, s)
		for j, p := range s.CIDRs {
			at := at.Item("cidrs", j)
			if !c.network(at, p) {
				continue
			}
			if v != nil && len(v.CIDRs) > 0 && !within(v.CIDRs, p) {
				c.add(at, "a VPC may have several cidrs", "%v is not inside %s (%s)", p, label("VPC", v.Name, v.ID), list(v.CIDRs))
			}
			spans[s.VPCID] = append(spans[s.VPCID], span{p, at, label("subnet", s.Name, s.ID), s.ID})
		}
	}
	for i := range c.t.VPCs {
		c.overlaps(spans[c.t.VPCs[i].ID], "")
	}
}

// subnetParts checks what a subnet refers to.
func (c *checker) subnetParts(at Path, s *Subnet) {
	switch acl := c.x.ACL(s.ACLID); {
	case s.ACLID == "":
		c.add(at.Field("network-acl"), "", "the subnet has no network ACL")
	case acl == nil:
		c.add(at.Field("network-acl"), "", "there is no network ACL %q", s.ACLID)
	case acl.VPCID != s.VPCID:
		c.add(at.Field("network-acl"), "", "%s is of another VPC", label("network ACL", acl.Name, acl.ID))
	}
	switch rt := c.x.RouteTable(s.RouteTableID); {
	case s.RouteTableID == "":
	case rt == nil:
		c.add(at.Field("route-table"), "", "there is no route table %q", s.RouteTableID)
	case rt.VPCID != s.VPCID:
		c.add(at.Field("route-table"), "", "%s is of another VPC", label("route table", rt.Name, rt.ID))
	}
}

// within reports whether one of the networks holds p entirely.
func within(networks []netip.Prefix, p netip.Prefix) bool {
	return slices.ContainsFunc(networks, func(n netip.Prefix) bool {
		return n.IsValid() && n.Bits() <= p.Bits() && n.Contains(p.Addr())
	})
}

// list is networks for people.
func list(networks []netip.Prefix) string {
	var all []string
	for i, n := range networks {
		if i == 8 {
			all = append(all, "…")
			break
		}
		all = append(all, n.String())
	}
	return strings.Join(all, ", ")
}

func (c *checker) prefixLists() {
	seen := names{}
	for i := range c.t.PrefixLists {
		l, at := &c.t.PrefixLists[i], At("prefix-lists", i)
		c.identity(at, KindPrefixList, l.ID, seen, "", l.Name)
		c.tags(at, l.Tags)
		have := make(map[netip.Prefix]int, len(l.Entries))
		var has [2]bool
		for j, p := range l.Entries {
			at := at.Item("entries", j)
			if !c.network(at, p) {
				continue
			}
			has[familyOf(p.Addr())] = true
			if first, twice := have[p]; twice {
				c.clash(at, At("prefix-lists", i).Item("entries", first), "", "%v is named twice", p)
				continue
			}
			have[p] = j
		}
		c.families[l.ID] = has
	}
}

func (c *checker) routeTables() {
	seen := names{}
	for i := range c.t.RouteTables {
		rt, at := &c.t.RouteTables[i], At("route-tables", i)
		c.identity(at, KindRouteTable, rt.ID, seen, rt.VPCID, rt.Name)
		c.tags(at, rt.Tags)
		c.inVPC(at, rt.VPCID)
		have := map[netip.Prefix]bool{}
		for j, r := range rt.Routes {
			at := at.Item("routes", j)
			if c.network(at.Field("destination"), r.Destination) && have[r.Destination] {
				c.add(at.Field("destination"), "", "there is a route to %v already", r.Destination)
			}
			have[r.Destination] = true
			c.target(at.Field("target"), r.Target)
		}
	}
}

// targets are what a route may lead to, by the kind of the id.
var targets = []string{"igw", "eigw", "nat", KindInterface, KindInstance, "tgw", "pcx", "vgw", "lgw", "vpce", "cagw"}

// IsRouteTarget reports whether a word is of a route target's form.
func IsRouteTarget(s string) bool {
	kind, _, hyphen := strings.Cut(s, "-")
	return s == "local" || s == "blackhole" || hyphen && slices.Contains(targets, kind)
}

func (c *checker) target(at Path, target string) {
	kind, _, hyphen := strings.Cut(target, "-")
	if !IsRouteTarget(target) {
		c.add(at, "write local, an interface, or an id that begins with igw-, eigw-, nat-, eni-, tgw-, pcx-, vgw- …", "%.40q is not a route's target", target)
		return
	}
	if !hyphen {
		return
	}
	if err := CheckID(kind, target); err != nil {
		c.add(at, "", "%v", err)
		return
	}
	if kind == KindInterface && c.x.Interface(target) == nil {
		c.add(at, "", "there is no interface %q", target)
	}
}
