package declare

import "weir/vpc"

// origins tells where each part of a topology stands in the file. Its lists run
// beside the topology's.
type origins struct {
	vpcs, subnets, prefixLists, routeTables []*node
	routes                                  [][]*node // by route table
	interfaces                              []interfaceNodes
	groups, acls                            []ruleList
}

// interfaceNodes keep lists of which an item may have been left out.
type interfaceNodes struct {
	node                        *node
	addresses, prefixes, groups []*node
}

// ruleList is a group or an ACL with its rules, ingress and egress.
type ruleList struct {
	node  *node
	rules [2][]ruleNodes
}

// ruleNodes are the parts of one rule; those not written are nil.
type ruleNodes struct{ rule, protocol, ports, peer *node }

func (o *origins) addGroup(n *node) { o.groups = append(o.groups, ruleList{node: n}) }
func (o *origins) addACL(n *node)   { o.acls = append(o.acls, ruleList{node: n}) }

// check adds what Check finds, at its lines. What is said of a place already is
// not said again: a word that could not be understood has no right value.
func (d *decoder) check(t *vpc.Topology) {
	for _, p := range t.Check() {
		made := Problem{Cause: p.Cause, Hint: p.Hint, Warning: p.Warning}
		if n, field := d.origin.locate(p.Path); n != nil {
			at := n.place()
			made.Path = n.path()
			if field != "" {
				if made.Path != "" {
					made.Path += "."
				}
				made.Path += field
			}
			if d.reported[at] {
				continue
			}
			made.Line, made.Column = int(at.line), int(at.column)
		}
		if n, _ := d.origin.locate(p.Other); n != nil {
			made.Other = int(n.line)
		}
		d.problems = append(d.problems, made)
	}
}

// locate finds the node that a path leads to. When it leads to a field that the
// file does not have, it is the nearest thing around it and the field's name.
func (o *origins) locate(p vpc.Path) (n *node, field string) {
	if len(p) == 0 {
		return nil, ""
	}
	i, rest := p[0].Index, p[1:]
	switch p[0].Name {
	case "vpcs":
		n = o.vpcs[i]
	case "subnets":
		n = o.subnets[i]
	case "prefix-lists":
		n = o.prefixLists[i]
	case "interfaces":
		n = o.interfaces[i].node
		if len(rest) > 0 {
			if item := o.interfaces[i].item(rest[0]); item != nil {
				return item, ""
			}
		}
	case "route-tables":
		n = o.routeTables[i]
		if len(rest) > 0 && rest[0].Name == "routes" {
			n, rest = o.routes[i][rest[0].Index], rest[1:]
		}
	case "security-groups":
		return o.groups[i].locate(rest)
	case "network-acls":
		return o.acls[i].locate(rest)
	}
	return descend(n, rest)
}

func (in *interfaceNodes) item(s vpc.Step) *node {
	var list []*node
	switch s.Name {
	case "addresses":
		list = in.addresses
	case "prefixes":
		list = in.prefixes
	case "security-groups":
		list = in.groups
	}
	if s.Index < 0 || s.Index >= len(list) {
		return nil
	}
	return list[s.Index]
}

func (l *ruleList) locate(rest vpc.Path) (*node, string) {
	if len(rest) == 0 || rest[0].Index < 0 {
		return descend(l.node, rest)
	}
	way := 0
	if rest[0].Name == directions[1].name {
		way = 1
	}
	rules := l.rules[way]
	if rest[0].Index >= len(rules) {
		return l.node, "" // a rule that the file does not have, such as the default ACL's
	}
	r := rules[rest[0].Index]
	if len(rest) == 1 {
		return r.rule, ""
	}
	var n *node
	switch rest[1].Name {
	case "protocol":
		n = r.protocol
	case "ports":
		n = r.ports
	case "peer", "cidr":
		n = r.peer
	}
	if n != nil {
		return n, ""
	}
	return descend(r.rule, rest[1:])
}

// descend follows a path's fields, as far as the file has them.
func descend(n *node, rest vpc.Path) (*node, string) {
	for _, s := range rest {
		next := n.get(s.Name)
		if next == nil {
			return n, s.Name
		}
		n = next
		if s.Index >= 0 && n.kind == listNode && s.Index < len(n.items) {
			n = n.items[s.Index]
		}
	}
	return n, ""
}
