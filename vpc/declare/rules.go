package declare

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"weir/vpc"
)

// self is the peer that means the rule's own group.
const self = vpc.SelfName

// direction is one of a group's or an ACL's two lists.
type direction struct {
	name string // the list's key
	peer string // the key of a rule's other end
}

var directions = [2]direction{{"ingress", "from"}, {"egress", "to"}}

func (d *decoder) group(t *vpc.Topology, s *scope, n *node) {
	if !d.object(n, "a security group", "id", "name", "ingress", "egress", "tags") {
		return
	}
	g := vpc.SecurityGroup{VPCID: s.vpc.ID, Tags: d.tags(n)}
	g.ID, g.Name = d.identity(n, vpc.KindGroup, "a security group", s.vpc.ID)
	s.groups.add(g.Name, g.ID)
	s.groupNodes = append(s.groupNodes, declared{len(t.Groups), n})
	t.Groups = append(t.Groups, g)
	d.origin.addGroup(n)
}

func (d *decoder) acl(t *vpc.Topology, s *scope, n *node) {
	if !d.object(n, "a network ACL", "id", "name", "ingress", "egress", "tags") {
		return
	}
	a := vpc.NetworkACL{VPCID: s.vpc.ID, Tags: d.tags(n)}
	a.ID, a.Name = d.identity(n, vpc.KindACL, "a network ACL", s.vpc.ID)
	s.acls.add(a.Name, a.ID)
	s.aclNodes = append(s.aclNodes, declared{len(t.ACLs), n})
	t.ACLs = append(t.ACLs, a)
	d.origin.addACL(n)
}

// groupRules reads the rules of a VPC's groups. A group that says nothing about
// egress may send everything, as on AWS.
func (d *decoder) groupRules(t *vpc.Topology, s *scope) {
	for _, g := range s.groupNodes {
		group := &t.Groups[g.index]
		group.Ingress = d.groupDirection(s, g, group.ID, 0)
		if g.node.get(directions[1].name) == nil {
			group.Egress = vpc.AllEgress(group.ID)
			d.origin.groups[g.index].rules[1] = slices.Repeat([]ruleNodes{{rule: g.node}}, len(group.Egress))
			continue
		}
		group.Egress = d.groupDirection(s, g, group.ID, 1)
	}
}

func (d *decoder) groupDirection(s *scope, g declared, groupID string, way int) []vpc.GroupRule {
	var rules []vpc.GroupRule
	nodes := &d.origin.groups[g.index].rules[way]
	dir := directions[way]
	for _, n := range d.list(g.node, dir.name) {
		if !d.object(n, "a group's "+dir.name+" rule", "protocol", "ports", "icmp-type", "icmp-code", dir.peer, "description", "id") {
			continue
		}
		traffics := d.traffics(n, "protocol")
		peers := d.peers(s, n, dir.peer, groupID)
		if !d.room(n, len(traffics)*len(peers)) {
			continue
		}
		id, description := d.text(n, "id"), d.text(n, "description")
		if len(traffics)*len(peers) > 1 && id != "" {
			d.add(n.get("id"), "leave the id out, or write a rule for each", "the id is for one rule, and this makes %d", len(traffics)*len(peers))
			id = ""
		}
		for _, p := range peers {
			for _, tr := range traffics {
				rule := vpc.GroupRule{ID: id, Traffic: tr.traffic, Peer: p.peer, Description: description}
				if id == "" {
					rule.ID = vpc.GroupRuleID(groupID, way == 0, tr.traffic, p.peer)
				}
				rules = append(rules, rule)
				*nodes = append(*nodes, ruleNodes{rule: n, protocol: tr.protocol, ports: tr.ports, peer: p.node})
			}
		}
	}
	return rules
}

// room reports whether there is room for more rules.
func (d *decoder) room(n *node, more int) bool {
	d.rules += more
	if d.rules > vpc.MaxRules {
		d.rulesMax = true
	}
	return !d.rulesMax
}

// peerAt is a rule's other end and where it stands.
type peerAt struct {
	peer vpc.Peer
	node *node
}

// peers reads networks, prefix lists, groups and self.
func (d *decoder) peers(s *scope, n *node, key, groupID string) []peerAt {
	v := n.get(key)
	if v == nil {
		d.add(n, key+": a network, a prefix list, a security group or self", "the rule does not say %s", key)
		return nil
	}
	items := d.items(v)
	if len(items) == 0 && v.kind == listNode {
		d.add(v, "", "the list is empty: the rule allows nothing")
	}
	var all []peerAt
	for _, item := range items {
		if p, ok := d.peer(s, item, groupID); ok {
			all = append(all, peerAt{p, item})
		}
	}
	return all
}

func (d *decoder) peer(s *scope, v *node, groupID string) (p vpc.Peer, ok bool) {
	word := d.word(v)
	if word == "" {
		return p, false
	}
	group, isGroup := s.groups.ids[word]
	list, isList := s.prefixLists.ids[word]
	switch {
	case word == self:
		p.GroupID = groupID
	case isGroup && isList:
		d.add(v, "write the id of the one that is meant", "%q is a security group and a prefix list", word)
		return p, false
	case isGroup:
		p.GroupID = group
	case isList:
		p.PrefixListID = list
	case strings.HasPrefix(word, vpc.KindGroup+"-"):
		p.GroupID = word
	case strings.HasPrefix(word, vpc.KindPrefixList+"-"):
		p.PrefixListID = word
	case looksLikeNetwork(word):
		p.CIDR, ok = d.network(v)
		return p, ok
	default:
		d.unknown(v, "security group or prefix list", word, slices.Concat(s.groups.all, s.prefixLists.all))
		return p, false
	}
	return p, true
}

// looksLikeNetwork tells a mistyped network from a mistyped name.
func looksLikeNetwork(s string) bool {
	if strings.ContainsAny(s, "/:") {
		return true
	}
	_, err := netip.ParseAddr(s)
	return err == nil || strings.Count(s, ".") == 3
}

// aclRules reads the rules of a VPC's ACLs, in the order of their numbers.
func (d *decoder) aclRules(t *vpc.Topology, s *scope) {
	for _, a := range s.aclNodes {
		acl := &t.ACLs[a.index]
		acl.Ingress = d.aclDirection(s, a, 0)
		acl.Egress = d.aclDirection(s, a, 1)
	}
}

func (d *decoder) aclDirection(s *scope, a declared, way int) []vpc.ACLRule {
	type numbered struct {
		rule  vpc.ACLRule
		nodes ruleNodes
	}
	var all []numbered
	dir := directions[way]
	for _, n := range d.list(a.node, dir.name) {
		if !d.object(n, "an ACL's "+dir.name+" rule", "rule", "allow", "deny", "ports", "icmp-type", "icmp-code", dir.peer) {
			continue
		}
		number, ok := d.number(n, "rule")
		verdict := d.verdict(n)
		if verdict == "" || !ok {
			continue
		}
		traffics := d.traffics(n, verdict)
		networks := d.aclPeers(s, n, dir.peer)
		if !d.room(n, len(traffics)*len(networks)) {
			continue
		}
		for _, p := range networks {
			for _, tr := range traffics {
				rule := vpc.ACLRule{Number: number, Allow: verdict == "allow", Traffic: tr.traffic, CIDR: p.peer.CIDR}
				all = append(all, numbered{rule, ruleNodes{rule: n, protocol: tr.protocol, ports: tr.ports, peer: p.node}})
				number++ // a list makes rules with the numbers behind it
			}
		}
	}
	slices.SortStableFunc(all, func(x, y numbered) int { return x.rule.Number - y.rule.Number })
	var rules []vpc.ACLRule
	nodes := &d.origin.acls[a.index].rules[way]
	for i := range all {
		rules = append(rules, all[i].rule)
		*nodes = append(*nodes, all[i].nodes)
	}
	return rules
}

// verdict is the key that says what an ACL's rule does, and to which protocol.
func (d *decoder) verdict(n *node) string {
	allow, deny := n.get("allow"), n.get("deny")
	switch {
	case allow != nil && deny != nil:
		d.add(deny, "write a rule for each", "the rule allows and denies")
	case allow != nil:
		return "allow"
	case deny != nil:
		return "deny"
	default:
		d.add(n, "write allow: tcp, deny: all …", "the rule neither allows nor denies")
	}
	return ""
}

// aclPeers reads networks: AWS's ACLs know nothing else.
func (d *decoder) aclPeers(s *scope, n *node, key string) []peerAt {
	v := n.get(key)
	if v == nil {
		d.add(n, key+": a network; 0.0.0.0/0 and ::/0 are all", "the rule does not say %s", key)
		return nil
	}
	var all []peerAt
	for _, item := range d.items(v) {
		word := item.text
		_, group := s.groups.ids[word]
		_, list := s.prefixLists.ids[word]
		if item.kind == scalarNode && (group || list || word == self) {
			d.add(item, "write the network", "a network ACL knows networks only, and %q is none", word)
			continue
		}
		if p, ok := d.network(item); ok {
			all = append(all, peerAt{vpc.Peer{CIDR: p}, item})
		}
	}
	return all
}

// number is the key's decimal number.
func (d *decoder) number(n *node, key string) (int, bool) {
	v := n.get(key)
	if v == nil {
		d.add(n, "", "the rule has no number: %s", key)
		return 0, false
	}
	return d.integer(v)
}

func (d *decoder) integer(v *node) (int, bool) {
	s := d.word(v)
	if s == "" {
		return 0, false
	}
	number, err := strconv.ParseInt(s, 10, 32)
	if err != nil || strconv.FormatInt(number, 10) != s {
		d.add(v, "", "%q is not a number", shorten(s))
		return 0, false
	}
	return int(number), true
}

// trafficAt is what a rule is about and where that stands.
type trafficAt struct {
	traffic         vpc.Traffic
	protocol, ports *node
}

// traffics reads a rule's protocols and their ports or ICMP types: all
// combinations.
func (d *decoder) traffics(n *node, protocolKey string) []trafficAt {
	v := n.get(protocolKey)
	if v == nil {
		d.add(n, "protocol: tcp, udp, icmp, icmpv6, all or a number", "the rule does not say which protocol")
		return nil
	}
	ports, portsOK := d.portRanges(n)
	icmp, icmpOK := d.icmp(n)
	var all []trafficAt
	for _, item := range d.items(v) {
		word := d.word(item)
		if word == "" {
			continue
		}
		protocol, err := vpc.ParseProtocol(strings.ToLower(word))
		if err != nil {
			hint := "write tcp, udp, icmp, icmpv6, all or a number"
			if near := nearest(word, vpc.ProtocolNames()); near != "" {
				hint = "did you mean " + near + "?"
			}
			d.add(item, hint, "%q is not a protocol", shorten(word))
			continue
		}
		t := vpc.AllPorts(protocol)
		switch {
		case t.HasPorts():
			d.only(n, t, "icmp-type", "icmp-code")
			if !portsOK {
				continue
			}
			for _, r := range ports {
				all = append(all, trafficAt{vpc.Ports(protocol, r.from, r.to), item, r.node})
			}
			if len(ports) == 0 {
				all = append(all, trafficAt{t, item, nil})
			}
		default:
			t.From, t.To = 0, 0
			d.only(n, t, "ports")
			if t.IsICMP() {
				t.ICMPType, t.ICMPCode = icmp.ICMPType, icmp.ICMPCode
			} else {
				d.only(n, t, "icmp-type", "icmp-code")
			}
			if icmpOK {
				all = append(all, trafficAt{t, item, nil})
			}
		}
	}
	return all
}

// only reports keys that a protocol's rules do not have.
func (d *decoder) only(n *node, t vpc.Traffic, keys ...string) {
	for _, k := range keys {
		v := n.get(k)
		if v == nil || d.reported[v.place()] {
			continue
		}
		who := "only icmp and icmpv6 have types and codes"
		if k == "ports" {
			who = "only tcp and udp have ports"
		}
		d.add(v, who, "%s has no %s", vpc.ProtocolName(t.Protocol), k)
	}
}

// icmp reads the type and the code; any without them.
func (d *decoder) icmp(n *node) (t vpc.Traffic, ok bool) {
	t, ok = vpc.AllTraffic, true
	for _, f := range []struct {
		key   string
		value *int
	}{{"icmp-type", &t.ICMPType}, {"icmp-code", &t.ICMPCode}} {
		v := n.get(f.key)
		if v == nil || v.kind == scalarNode && v.text == "all" {
			continue
		}
		number, fine := d.integer(v)
		if fine && (number < 0 || number > 255) {
			d.add(v, "write 0 to 255, or leave the key out for any", "%d is not an %s", number, f.key)
			fine = false
		}
		if ok = ok && fine; fine {
			*f.value = number
		}
	}
	return t, ok
}

// portRange is some ports and where they stand.
type portRange struct {
	from, to uint16
	node     *node
}

// portRanges reads 443, 1024-65535, all, or a list of them.
func (d *decoder) portRanges(n *node) (all []portRange, ok bool) {
	ok = true
	for _, v := range d.list(n, "ports") {
		word := d.word(v)
		if word == "" {
			ok = false
			continue
		}
		if word == "all" {
			all = append(all, portRange{0, 65535, v})
			continue
		}
		low, high, isRange := strings.Cut(word, "-")
		if !isRange {
			high = low
		}
		from, err1 := strconv.ParseUint(strings.TrimSpace(low), 10, 16)
		to, err2 := strconv.ParseUint(strings.TrimSpace(high), 10, 16)
		if err1 != nil || err2 != nil {
			d.add(v, "write 443, 1024-65535 or [80, 443]; ports go up to 65535", "%q is no port and no range of ports", shorten(word))
			ok = false
			continue
		}
		all = append(all, portRange{uint16(from), uint16(to), v})
	}
	return all, ok
}
