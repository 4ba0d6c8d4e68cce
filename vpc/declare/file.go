package declare

import (
	"net/netip"
	"path"
	"strings"

	"weir/vpc"
)

// Options are what a file leaves open.
type Options struct {
	// AccountID and Region are those of VPCs for which the file names none.
	AccountID string
	Region    string
	// Side tells the side of a device of this host for which the file names
	// none; false when it does not know the device. Nil knows none: the side is
	// far then.
	Side func(vpc.Device) (vpc.Side, bool)
}

// Parse reads a file's topology: [ParseFile] for those to whom a file without vpcs
// is of no use, which is an error then. With an error among the problems the
// topology is what could be understood, to be shown and not to be used; it is nil
// when the file is no YAML at all. Problems come by line.
func Parse(data []byte, o Options) (*vpc.Topology, Problems) {
	f, problems := parseFile(data, o, true)
	if f == nil {
		return nil, problems
	}
	return f.Topology, problems
}

// topology reads the topology's part of the file. Things come in two rounds: what
// can be referred to first, then what refers to it.
func (d *decoder) topology(n *node) *vpc.Topology {
	t := &vpc.Topology{}
	for _, v := range d.list(n, "prefix-lists") {
		d.prefixList(t, v)
	}
	scopes := make([]*scope, 0, 1)
	for _, v := range d.list(n, "vpcs") {
		if s := d.vpc(t, v); s != nil {
			scopes = append(scopes, s)
		}
	}
	for _, s := range scopes {
		s.prefixLists = newNames(len(t.PrefixLists))
		for i := range t.PrefixLists {
			s.prefixLists.add(t.PrefixLists[i].Name, t.PrefixLists[i].ID)
		}
		d.groupRules(t, s)
		d.aclRules(t, s)
		for _, v := range d.list(s.node, "subnets") {
			d.subnet(t, s, v)
		}
	}
	d.routeTargets(t)
	return t
}

// scope is a VPC that is being read: what its names refer to.
type scope struct {
	node        *node
	vpc         vpc.VPC
	groups      names
	acls        names
	routeTables names
	prefixLists names
	groupNodes  []declared
	aclNodes    []declared
}

// declared is a group or an ACL whose rules are read in the second round.
type declared struct {
	index int // in the topology
	node  *node
}

// names finds ids by name.
type names struct {
	ids map[string]string
	all []string
}

func newNames(n int) names { return names{ids: make(map[string]string, n)} }

func (n *names) add(name, id string) {
	if name == "" {
		return
	}
	if _, twice := n.ids[name]; !twice {
		n.ids[name] = id
		n.all = append(n.all, name)
	}
}

// identity reads id and name. Without an id it is derived from the name and the
// facts before it, so that a thing keeps its id as long as its name.
func (d *decoder) identity(n *node, kind, what string, facts ...string) (id, name string) {
	id, name = d.text(n, "id"), d.text(n, "name")
	if id == "" {
		if name == "" && n.get("id") == nil && n.get("name") == nil {
			d.add(n, "the id is derived from the name: vpc-…, subnet-…", "%s wants a name or an id", what)
		}
		id = vpc.DeriveID(kind, append(facts, name)...)
	}
	return id, name
}

func (d *decoder) prefixList(t *vpc.Topology, n *node) {
	if !d.object(n, "a prefix list", "id", "name", "entries", "tags") {
		return
	}
	l := vpc.PrefixList{Tags: d.tags(n)}
	l.ID, l.Name = d.identity(n, vpc.KindPrefixList, "a prefix list")
	if all, ok := d.networks(n, "entries"); ok {
		l.Entries = all
	}
	t.PrefixLists = append(t.PrefixLists, l)
	d.origin.prefixLists = append(d.origin.prefixLists, n)
}

// vpc reads a VPC and the first round of what is in it.
func (d *decoder) vpc(t *vpc.Topology, n *node) *scope {
	if !d.object(n, "a VPC", "id", "name", "account-id", "region", "cidrs", "tags",
		"security-groups", "network-acls", "route-tables", "subnets") {
		return nil
	}
	v := vpc.VPC{AccountID: d.text(n, "account-id"), Region: d.text(n, "region"), Tags: d.tags(n)}
	if v.AccountID == "" {
		v.AccountID = d.options.AccountID
	}
	if v.Region == "" {
		v.Region = d.options.Region
	}
	v.ID, v.Name = d.identity(n, vpc.KindVPC, "a VPC", v.AccountID, v.Region)
	if all, ok := d.networks(n, "cidrs"); ok {
		v.CIDRs = all // half of them would make subnets wrong that are right
	}
	t.VPCs = append(t.VPCs, v)
	d.origin.vpcs = append(d.origin.vpcs, n)

	s := &scope{node: n, vpc: v, groups: newNames(0), acls: newNames(0), routeTables: newNames(0)}
	for _, item := range d.list(n, "security-groups") {
		d.group(t, s, item)
	}
	for _, item := range d.list(n, "network-acls") {
		d.acl(t, s, item)
	}
	for _, item := range d.list(n, "route-tables") {
		d.routeTable(t, s, item)
	}
	return s
}

func (d *decoder) routeTable(t *vpc.Topology, s *scope, n *node) {
	if !d.object(n, "a route table", "id", "name", "routes", "tags") {
		return
	}
	rt := vpc.RouteTable{VPCID: s.vpc.ID, Tags: d.tags(n)}
	rt.ID, rt.Name = d.identity(n, vpc.KindRouteTable, "a route table", s.vpc.ID)
	var nodes []*node
	for _, item := range d.list(n, "routes") {
		if !d.object(item, "a route", "destination", "target") {
			continue
		}
		var r vpc.Route
		ok := false
		if v := item.get("destination"); v != nil {
			r.Destination, ok = d.network(v)
		} else {
			d.add(item, "", "the route has no destination")
		}
		if r.Target = d.text(item, "target"); item.get("target") == nil {
			d.add(item, "write local, or an id such as igw-… or nat-…", "the route has no target")
			ok = false
		}
		if ok && r.Target != "" {
			rt.Routes = append(rt.Routes, r)
			nodes = append(nodes, item)
		}
	}
	s.routeTables.add(rt.Name, rt.ID)
	t.RouteTables = append(t.RouteTables, rt)
	d.origin.routeTables = append(d.origin.routeTables, n)
	d.origin.routes = append(d.origin.routes, nodes)
}

// routeTargets lets a route name an interface by its name.
func (d *decoder) routeTargets(t *vpc.Topology) {
	interfaces := map[string]string{}
	for _, in := range t.Interfaces {
		interfaces[in.VPCID+"\x00"+in.Name] = in.ID
	}
	for i := range t.RouteTables {
		rt := &t.RouteTables[i]
		for j := range rt.Routes {
			target := &rt.Routes[j].Target
			if id, ok := interfaces[rt.VPCID+"\x00"+*target]; ok && !vpc.IsRouteTarget(*target) {
				*target = id
			}
		}
	}
}

func (d *decoder) subnet(t *vpc.Topology, s *scope, n *node) {
	if !d.object(n, "a subnet", "id", "name", "zone-id", "cidrs", "network-acl", "route-table", "interfaces", "tags") {
		return
	}
	sub := vpc.Subnet{VPCID: s.vpc.ID, ZoneID: d.text(n, "zone-id"), Tags: d.tags(n)}
	sub.ID, sub.Name = d.identity(n, vpc.KindSubnet, "a subnet", s.vpc.ID)
	if all, ok := d.networks(n, "cidrs"); ok {
		sub.CIDRs = all
	}
	if v := n.get("network-acl"); v != nil {
		sub.ACLID = d.reference(v, vpc.KindACL, "network ACL", s.acls)
	} else {
		sub.ACLID = d.defaultACL(t, s)
	}
	if v := n.get("route-table"); v != nil {
		sub.RouteTableID = d.reference(v, vpc.KindRouteTable, "route table", s.routeTables)
	}
	t.Subnets = append(t.Subnets, sub)
	d.origin.subnets = append(d.origin.subnets, n)
	for _, item := range d.list(n, "interfaces") {
		d.networkInterface(t, s, &sub, item)
	}
}

// defaultACL is the VPC's ACL for subnets that name none. It is made when the
// file has no ACL of that name.
func (d *decoder) defaultACL(t *vpc.Topology, s *scope) string {
	if id, ok := s.acls.ids[vpc.DefaultName]; ok {
		return id
	}
	acl := vpc.DefaultACL(s.vpc.ID, vpc.DeriveID(vpc.KindACL, s.vpc.ID, vpc.DefaultName))
	s.acls.add(acl.Name, acl.ID)
	t.ACLs = append(t.ACLs, acl)
	d.origin.addACL(s.node)
	return acl.ID
}

// defaultGroup is the VPC's group for interfaces that name none.
func (d *decoder) defaultGroup(t *vpc.Topology, s *scope) string {
	if id, ok := s.groups.ids[vpc.DefaultName]; ok {
		return id
	}
	g := vpc.DefaultGroup(s.vpc.ID, vpc.DeriveID(vpc.KindGroup, s.vpc.ID, vpc.DefaultName))
	s.groups.add(g.Name, g.ID)
	t.Groups = append(t.Groups, g)
	d.origin.addGroup(s.node)
	return g.ID
}

// reference finds what a name or an id means. An id is taken as it is; Check
// says when there is no such thing.
func (d *decoder) reference(v *node, kind, what string, known names) string {
	word := d.word(v)
	if id, ok := known.ids[word]; ok || word == "" {
		return id
	}
	if strings.HasPrefix(word, kind+"-") {
		return word
	}
	d.unknown(v, what, word, known.all)
	return ""
}

func (d *decoder) unknown(v *node, what, word string, known []string) {
	const mostProblems, mostNames = 200, 5000 // the search for what was meant looks at every name
	hint, near := "", ""
	if len(d.problems) < mostProblems && len(known) < mostNames {
		near = nearest(word, known)
	}
	switch {
	case near != "":
		hint = "did you mean " + near + "?"
	case len(known) > 0 && len(known) <= 12:
		hint = "the VPC has " + strings.Join(known, ", ")
	case len(known) == 0:
		hint = "the VPC has none"
	}
	d.add(v, hint, "there is no %s %q", what, shorten(word))
}

func (d *decoder) networkInterface(t *vpc.Topology, s *scope, sub *vpc.Subnet, n *node) {
	if !d.object(n, "an interface", "id", "name", "account-id", "device", "namespace", "side", "bridge",
		"mac", "addresses", "prefixes", "instance", "security-groups", "tags") {
		return
	}
	in := vpc.Interface{
		AccountID: d.text(n, "account-id"), Region: s.vpc.Region, ZoneID: sub.ZoneID, VPCID: s.vpc.ID, SubnetID: sub.ID,
		Device: vpc.Device{Namespace: namespacePath(d.text(n, "namespace")), Name: d.text(n, "device")},
		Bridge: d.text(n, "bridge"), MAC: strings.ToLower(d.text(n, "mac")), Tags: d.tags(n),
	}
	if in.AccountID == "" {
		in.AccountID = s.vpc.AccountID
	}
	d.interfaceIdentity(n, s, &in)
	if in.Device.Name == "" && (in.Bridge != "" || in.Device.Namespace != "") {
		d.add(n, "", "a namespace or a bridge says nothing without a device")
	}
	in.Side = d.side(n, in.Device)
	if v := n.get("instance"); v != nil {
		if in.InstanceID = d.word(v); in.InstanceID != "" && !strings.HasPrefix(in.InstanceID, vpc.KindInstance+"-") {
			in.InstanceID = vpc.DeriveID(vpc.KindInstance, s.vpc.ID, in.InstanceID)
		}
	}
	nodes := interfaceNodes{node: n}
	for _, v := range d.list(n, "addresses") {
		if a, ok := d.address(v); ok {
			in.Addresses = append(in.Addresses, a)
			nodes.addresses = append(nodes.addresses, v)
		}
	}
	for _, v := range d.list(n, "prefixes") {
		if p, ok := d.network(v); ok {
			in.Prefixes = append(in.Prefixes, p)
			nodes.prefixes = append(nodes.prefixes, v)
		}
	}
	if n.get("security-groups") == nil {
		in.GroupIDs = []string{d.defaultGroup(t, s)}
		nodes.groups = []*node{n}
	}
	for _, v := range d.list(n, "security-groups") {
		if id := d.reference(v, vpc.KindGroup, "security group", s.groups); id != "" {
			in.GroupIDs = append(in.GroupIDs, id)
			nodes.groups = append(nodes.groups, v)
		}
	}
	t.Interfaces = append(t.Interfaces, in)
	d.origin.interfaces = append(d.origin.interfaces, nodes)
}

// interfaceIdentity: an interface without a name is called like its device.
func (d *decoder) interfaceIdentity(n *node, s *scope, in *vpc.Interface) {
	if n.get("name") == nil && n.get("id") == nil && in.Device.Name != "" {
		in.Name = in.Device.Name
		in.ID = vpc.DeriveID(vpc.KindInterface, s.vpc.ID, in.Name)
		return
	}
	in.ID, in.Name = d.identity(n, vpc.KindInterface, "an interface", s.vpc.ID)
}

func (d *decoder) side(n *node, device vpc.Device) vpc.Side {
	switch side := d.text(n, "side"); side {
	case "far":
		return vpc.Far
	case "own":
		return vpc.Own
	case "":
	default:
		d.add(n.get("side"), "far: the instance is at the device's other end; own: the device is the host's own card", "%q is not a side", shorten(side))
	}
	if d.options.Side != nil && device.Name != "" {
		if side, ok := d.options.Side(device); ok {
			return side
		}
	}
	return vpc.Far
}

func (d *decoder) address(v *node) (netip.Addr, bool) {
	s := d.word(v)
	if s == "" {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(s)
	switch {
	case err == nil && a.Zone() == "":
		return a, true
	case strings.ContainsRune(s, '/'):
		d.add(v, "write the address without its length; prefixes are for delegated networks", "%q is a network, not an address", shorten(s))
	default:
		d.add(v, "", "%q is not an address", shorten(s))
	}
	return netip.Addr{}, false
}

// namespaceDir is where "ip netns add" puts namespaces.
const namespaceDir = "/run/netns"

// namespacePath is the path of a network namespace that is given by path or name.
func namespacePath(s string) string {
	if s == "" || strings.ContainsRune(s, '/') {
		return s
	}
	return path.Join(namespaceDir, s)
}

// namespaceName is the shortest way to write a namespace's path.
func namespaceName(p string) string {
	if dir, name := path.Split(p); dir == namespaceDir+"/" && name != "" && name != "." && name != ".." {
		return name
	}
	return p
}
