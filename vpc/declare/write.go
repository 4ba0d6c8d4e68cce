package declare

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"unicode/utf8"

	"weir/vpc"
)

// Append writes a topology as a file that Parse reads back as the same one, and
// returns the longer dst. Ids and defaults are written out, so that the file
// means the same wherever it is read. Equal topologies give equal bytes.
func Append(dst []byte, t *vpc.Topology) []byte {
	w := writer{out: dst, t: t}
	if len(t.PrefixLists) > 0 {
		w.line(0, "prefix-lists:")
		for i := range t.PrefixLists {
			w.prefixList(&t.PrefixLists[i])
		}
	}
	if len(t.VPCs) == 0 {
		w.line(0, "vpcs: []")
		return w.out
	}
	w.line(0, "vpcs:")
	for i := range t.VPCs {
		w.vpc(&t.VPCs[i])
	}
	return w.out
}

type writer struct {
	out []byte
	t   *vpc.Topology
	// called is what the VPC that is being written calls things, by id.
	called map[string]string
	// item is true when the next line begins a list's item.
	item bool
}

// line writes a line, two spaces to a level. The first line of an item has its
// hyphen in the place of the last two.
func (w *writer) line(level int, format string, args ...any) {
	indent := strings.Repeat("  ", level)
	if w.item {
		indent = strings.Repeat("  ", level-1) + "- "
		w.item = false
	}
	w.out = append(w.out, indent...)
	w.out = fmt.Appendf(w.out, format, args...)
	w.out = append(w.out, '\n')
}

// word writes a key and its word; without one, nothing.
func (w *writer) word(level int, key, value string) {
	if value != "" {
		w.line(level, "%s: %s", key, quote(value))
	}
}

// begin writes the first lines of an item.
func (w *writer) begin(level int, id, name string) {
	w.item = true
	w.word(level, "name", name)
	w.word(level, "id", id)
}

func (w *writer) words(level int, key string, list []string) {
	if len(list) > 0 {
		w.line(level, "%s: [%s]", key, strings.Join(list, ", "))
	}
}

func (w *writer) networks(level int, key string, list []netip.Prefix) {
	w.words(level, key, texts(list))
}

// texts are the quoted texts of addresses or networks.
func texts[T fmt.Stringer](list []T) []string {
	all := make([]string, len(list))
	for i, v := range list {
		all[i] = quote(v.String())
	}
	return all
}

func (w *writer) tags(level int, tags vpc.Tags) {
	var all []string
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		key := quote(k)
		if strings.ContainsAny(key, ":/.") && isBare(k) {
			key = "'" + k + "'" // not every reader takes a colon inside a key
		}
		all = append(all, key+": "+quote(tags[k]))
	}
	if len(all) > 0 {
		w.line(level, "tags: {%s}", strings.Join(all, ", "))
	}
}

func (w *writer) prefixList(l *vpc.PrefixList) {
	w.begin(2, l.ID, l.Name)
	w.networks(2, "entries", l.Entries)
	w.tags(2, l.Tags)
}

// name chooses what references in a VPC say: the name, where nothing else has
// it, or the id.
func (w *writer) name(v *vpc.VPC) {
	w.called = map[string]string{}
	give := func(ids map[string]string, name, id string) {
		if _, twice := ids[name]; twice {
			id = ""
		}
		ids[name] = id
	}
	peers, acls, tables := map[string]string{}, map[string]string{}, map[string]string{}
	for i := range w.t.Groups {
		if g := &w.t.Groups[i]; g.VPCID == v.ID {
			give(peers, g.Name, g.ID)
		}
	}
	for i := range w.t.PrefixLists {
		give(peers, w.t.PrefixLists[i].Name, w.t.PrefixLists[i].ID)
	}
	for i := range w.t.ACLs {
		if a := &w.t.ACLs[i]; a.VPCID == v.ID {
			give(acls, a.Name, a.ID)
		}
	}
	for i := range w.t.RouteTables {
		if rt := &w.t.RouteTables[i]; rt.VPCID == v.ID {
			give(tables, rt.Name, rt.ID)
		}
	}
	for _, ids := range []map[string]string{peers, acls, tables} {
		for name, id := range ids {
			if name != "" && id != "" {
				w.called[id] = name
			}
		}
	}
}

// reference is what a file says for an id.
func (w *writer) reference(id string) string {
	if name, ok := w.called[id]; ok {
		return name
	}
	return id
}

func (w *writer) vpc(v *vpc.VPC) {
	w.name(v)
	w.begin(2, v.ID, v.Name)
	if v.AccountID != "" {
		w.line(2, "account-id: %q", v.AccountID) // readers that know numbers would take it for one
	}
	w.word(2, "region", v.Region)
	w.networks(2, "cidrs", v.CIDRs)
	w.tags(2, v.Tags)
	w.section("security-groups", len(w.t.Groups), func(i int) bool { return w.t.Groups[i].VPCID == v.ID }, func(i int) { w.group(&w.t.Groups[i]) })
	w.section("network-acls", len(w.t.ACLs), func(i int) bool { return w.t.ACLs[i].VPCID == v.ID }, func(i int) { w.acl(&w.t.ACLs[i]) })
	w.section("route-tables", len(w.t.RouteTables), func(i int) bool { return w.t.RouteTables[i].VPCID == v.ID }, func(i int) { w.routeTable(&w.t.RouteTables[i]) })
	w.section("subnets", len(w.t.Subnets), func(i int) bool { return w.t.Subnets[i].VPCID == v.ID }, func(i int) { w.subnet(v, &w.t.Subnets[i]) })
}

// section writes those of a VPC's things that are in it.
func (w *writer) section(key string, n int, in func(int) bool, write func(int)) {
	first := true
	for i := range n {
		if !in(i) {
			continue
		}
		if first {
			w.line(2, "%s:", key)
			first = false
		}
		write(i)
	}
}

func (w *writer) group(g *vpc.SecurityGroup) {
	w.begin(4, g.ID, g.Name)
	w.tags(4, g.Tags)
	w.groupRules(g, 0, g.Ingress)
	w.groupRules(g, 1, g.Egress)
}

func (w *writer) groupRules(g *vpc.SecurityGroup, way int, rules []vpc.GroupRule) {
	dir := directions[way]
	if len(rules) == 0 {
		w.line(4, "%s: []", dir.name) // left out, egress would be everything
		return
	}
	w.line(4, "%s:", dir.name)
	for i := range rules {
		r := &rules[i]
		parts := traffic("protocol", r.Traffic)
		parts = append(parts, dir.peer+": "+quote(w.peer(g, r.Peer)))
		if r.ID != vpc.GroupRuleID(g.ID, way == 0, r.Traffic, r.Peer) {
			parts = append(parts, "id: "+quote(r.ID))
		}
		if r.Description != "" {
			parts = append(parts, "description: "+quote(r.Description))
		}
		w.line(5, "- {%s}", strings.Join(parts, ", "))
	}
}

func (w *writer) peer(g *vpc.SecurityGroup, p vpc.Peer) string {
	switch {
	case p.CIDR.IsValid():
		return p.CIDR.String()
	case p.GroupID == g.ID:
		return self
	default:
		return w.reference(p.GroupID + p.PrefixListID)
	}
}

// traffic is what a rule is about, as keys and values.
func traffic(protocolKey string, t vpc.Traffic) []string {
	parts := []string{protocolKey + ": " + vpc.ProtocolName(t.Protocol)}
	switch {
	case t.HasPorts() && (t.From != 0 || t.To != 65535):
		parts = append(parts, "ports: "+t.PortRange())
	case t.IsICMP():
		if t.ICMPType >= 0 {
			parts = append(parts, fmt.Sprintf("icmp-type: %d", t.ICMPType))
		}
		if t.ICMPCode >= 0 {
			parts = append(parts, fmt.Sprintf("icmp-code: %d", t.ICMPCode))
		}
	}
	return parts
}

func (w *writer) acl(a *vpc.NetworkACL) {
	w.begin(4, a.ID, a.Name)
	w.tags(4, a.Tags)
	for way, rules := range [][]vpc.ACLRule{a.Ingress, a.Egress} {
		if len(rules) == 0 {
			continue
		}
		w.line(4, "%s:", directions[way].name)
		for _, r := range rules {
			verdict := "deny"
			if r.Allow {
				verdict = "allow"
			}
			parts := append([]string{fmt.Sprintf("rule: %d", r.Number)}, traffic(verdict, r.Traffic)...)
			parts = append(parts, directions[way].peer+": "+quote(r.CIDR.String()))
			w.line(5, "- {%s}", strings.Join(parts, ", "))
		}
	}
}

func (w *writer) routeTable(rt *vpc.RouteTable) {
	w.begin(4, rt.ID, rt.Name)
	w.tags(4, rt.Tags)
	if len(rt.Routes) > 0 {
		w.line(4, "routes:")
	}
	for _, r := range rt.Routes {
		w.line(5, "- {destination: %s, target: %s}", quote(r.Destination.String()), quote(r.Target))
	}
}

func (w *writer) subnet(v *vpc.VPC, s *vpc.Subnet) {
	w.begin(4, s.ID, s.Name)
	w.word(4, "zone-id", s.ZoneID)
	w.networks(4, "cidrs", s.CIDRs)
	w.word(4, "network-acl", w.reference(s.ACLID))
	w.word(4, "route-table", w.reference(s.RouteTableID))
	w.tags(4, s.Tags)
	first := true
	for i := range w.t.Interfaces {
		if in := &w.t.Interfaces[i]; in.SubnetID == s.ID {
			if first {
				w.line(4, "interfaces:")
				first = false
			}
			w.networkInterface(v, in)
		}
	}
}

func (w *writer) networkInterface(v *vpc.VPC, in *vpc.Interface) {
	w.begin(6, in.ID, in.Name)
	if in.AccountID != v.AccountID {
		w.line(6, "account-id: %q", in.AccountID)
	}
	w.word(6, "device", in.Device.Name)
	w.word(6, "namespace", namespaceName(in.Device.Namespace))
	w.word(6, "side", in.Side.String())
	w.word(6, "bridge", in.Bridge)
	if in.MAC != "" {
		w.line(6, "mac: %q", in.MAC) // 02:00… is a number to some readers
	}
	w.words(6, "addresses", texts(in.Addresses))
	w.networks(6, "prefixes", in.Prefixes)
	w.word(6, "instance", in.InstanceID)
	groups := make([]string, len(in.GroupIDs))
	for i, id := range in.GroupIDs {
		groups[i] = quote(w.reference(id))
	}
	w.line(6, "security-groups: [%s]", strings.Join(groups, ", ")) // left out, it would be the default group
	w.tags(6, in.Tags)
}

// quote writes a word so that it is read back as that word.
func quote(s string) string {
	switch {
	case isBare(s):
		return s
	case strings.ContainsFunc(s, isOdd) || !utf8.ValidString(s):
		return escape(s)
	default:
		return "'" + strings.ReplaceAll(s, "'", "''") + "'"
	}
}

// isBare holds for words that mean themselves without quotes, to every reader.
func isBare(s string) bool {
	if s == "" || strings.Contains(s, "::") && (s[0] == ':' || s[len(s)-1] == ':') {
		return false
	}
	switch strings.ToLower(s) {
	case "null", "true", "false", "yes", "no", "on", "off", "y", "n":
		return false
	}
	if c := s[0]; (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c == ' ' || c != '/' && c != ':' && c != '.' && !isKeyByte(c) {
			return false
		}
	}
	return s[len(s)-1] != ':'
}

// escape is a double-quoted text.
func escape(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case isOdd(r):
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
