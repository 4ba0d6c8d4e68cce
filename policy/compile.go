package policy

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"weir/vpc"
)

// Policy is what the groups and ACLs of one topology do. It never changes and is
// safe for concurrent use; so is everything it hands out, which nobody may change.
type Policy struct {
	index       *vpc.Index
	interfaces  map[string]*Interface
	inOrder     []*Interface
	sets        []*GroupSet
	acls        []*NetworkACL
	members     map[string]*Addresses // by group
	prefixLists map[string]*Addresses
	refusing    []*Rule // ascending by id
	byID        map[uint32]*Rule
}

// Interface is what filters one network interface.
type Interface struct {
	*vpc.Interface
	Groups *GroupSet      // nil: it has no groups, and none refuse anything
	ACL    *NetworkACL    // nil: its subnet is not known, and no ACL refuses anything
	Inside []netip.Prefix // the subnet's networks: their traffic does not meet the ACL

	policy *Policy
}

// GroupSet is the security groups that some interfaces have in common. What no
// rule of any of them allows is refused.
type GroupSet struct {
	Groups  []*SecurityGroup // ascending by id, none twice
	Refusal [2]*Rule         // by Direction
}

// SecurityGroup is a compiled group.
type SecurityGroup struct {
	*vpc.SecurityGroup
	Rules [2][]Match // by Direction, in the topology's order; all allow

	digests [2]string
}

// NetworkACL is a compiled ACL.
type NetworkACL struct {
	*vpc.NetworkACL
	Rules [2][]Match // by Direction, ascending by number: the first that matches decides
	Rest  [2]*Rule   // "*": refuses what matches none
}

// Compile makes the policy of a topology that passed its check. Each rule that
// can refuse something at one of the interfaces gets its id; ids are asked for
// in the order of the keys, so that equal topologies get equal ids of empty
// RuleIDs. It fails, rather than let traffic pass, when something is named that
// is not there.
func Compile(t *vpc.Topology, ids RuleIDs) (*Policy, error) {
	c := compiler{
		Policy: &Policy{
			index:       t.Index(),
			interfaces:  make(map[string]*Interface, len(t.Interfaces)),
			members:     make(map[string]*Addresses, len(t.Groups)),
			prefixLists: make(map[string]*Addresses, len(t.PrefixLists)),
			byID:        map[uint32]*Rule{},
		},
		groups:      make(map[string]*SecurityGroup, len(t.Groups)),
		setsByKey:   map[string]*GroupSet{},
		aclsByID:    map[string]*NetworkACL{},
		listDigests: make(map[string]string, len(t.PrefixLists)),
	}
	c.addressSets(t)
	for i := range t.Groups {
		c.group(&t.Groups[i])
	}
	for i := range t.Interfaces {
		c.addInterface(&t.Interfaces[i])
	}
	if len(c.problems) > 0 {
		return nil, fmt.Errorf("policy: %w", errors.Join(c.problems...))
	}
	if err := c.number(ids); err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	return c.Policy, nil
}

// compiler is a Policy in the making.
type compiler struct {
	*Policy
	groups      map[string]*SecurityGroup
	setsByKey   map[string]*GroupSet
	aclsByID    map[string]*NetworkACL
	listDigests map[string]string // of prefix lists' entries
	problems    []error
	text        []byte
}

func (c *compiler) fail(format string, args ...any) {
	c.problems = append(c.problems, fmt.Errorf(format, args...))
}

func (c *compiler) addressSets(t *vpc.Topology) {
	for i := range t.Groups {
		g := &t.Groups[i]
		if c.members[g.ID] != nil {
			c.fail("security group %s is there twice", g.ID)
		}
		var addrs []netip.Addr
		var prefixes []netip.Prefix
		for _, in := range c.index.Members(g.ID) {
			addrs = append(addrs, in.Addresses...)
			prefixes = append(prefixes, in.Prefixes...)
		}
		set := newAddresses(addrs, prefixes)
		c.members[g.ID] = &set
	}
	for i := range t.PrefixLists {
		l := &t.PrefixLists[i]
		if c.prefixLists[l.ID] != nil {
			c.fail("prefix list %s is there twice", l.ID)
		}
		set := newAddresses(nil, l.Entries)
		c.prefixLists[l.ID] = &set
		entries := make([]string, len(l.Entries))
		for j, p := range l.Entries {
			entries[j] = p.Masked().String()
		}
		c.listDigests[l.ID] = digestUnordered(entries)
	}
}

func (c *compiler) group(g *vpc.SecurityGroup) {
	out := &SecurityGroup{SecurityGroup: g}
	who := "security group " + label(g.Name, g.ID)
	for d, declared := range [2][]vpc.GroupRule{Ingress: g.Ingress, Egress: g.Egress} {
		d := Direction(d)
		rules, texts := make([]Rule, len(declared)), make([]string, len(declared))
		out.Rules[d] = make([]Match, len(declared))
		words := who + " " + d.String() + ": allow "
		ids := []string{g.ID}
		for i := range declared {
			r := &declared[i]
			addresses, peer := c.peer(g.ID, r.Peer)
			c.text = append(appendTraffic(append(c.text[:0], "allow "...), r.Traffic), ' ')
			texts[i] = string(append(c.text, peer...))
			rules[i] = Rule{
				Stage: Group, Direction: d, Allow: true, IDs: ids,
				Key:   "group " + g.ID + " " + d.String() + " " + texts[i],
				Words: words + trafficWords(r.Traffic) + " " + toward(d) + " " + c.peerWords(r.Peer),
			}
			out.Rules[d][i] = Match{Traffic: r.Traffic, Peer: r.Peer, Addresses: addresses, Rule: &rules[i]}
		}
		out.digests[d] = digestUnordered(texts)
	}
	c.groups[g.ID] = out
}

// peer resolves a peer and gives its canonical text.
func (c *compiler) peer(of string, p vpc.Peer) (set *Addresses, key string) {
	switch {
	case p.GroupID != "":
		if set = c.members[p.GroupID]; set == nil {
			c.fail("a rule of %s names %s, which is not there", of, p.GroupID)
		}
		return set, p.GroupID
	case p.PrefixListID != "":
		if set = c.prefixLists[p.PrefixListID]; set == nil {
			c.fail("a rule of %s names %s, which is not there", of, p.PrefixListID)
		}
		return set, p.PrefixListID + "=" + c.listDigests[p.PrefixListID]
	case !p.CIDR.IsValid():
		c.fail("a rule of %s has no peer", of)
	}
	return nil, p.CIDR.String()
}

func (c *compiler) addInterface(in *vpc.Interface) {
	if c.interfaces[in.ID] != nil {
		c.fail("interface %s is there twice", in.ID)
		return
	}
	out := &Interface{Interface: in, Groups: c.groupSet(in), policy: c.Policy}
	if s := c.index.Subnet(in.SubnetID); s != nil {
		out.Inside, out.ACL = s.CIDRs, c.acl(s)
	}
	c.interfaces[in.ID] = out
	c.inOrder = append(c.inOrder, out)
}

func (c *compiler) groupSet(in *vpc.Interface) *GroupSet {
	if len(in.GroupIDs) == 0 {
		return nil
	}
	ids := slices.Clone(in.GroupIDs)
	slices.Sort(ids)
	ids = slices.Compact(ids)
	key := strings.Join(ids, ",")
	if s := c.setsByKey[key]; s != nil {
		return s
	}
	s := &GroupSet{Groups: make([]*SecurityGroup, 0, len(ids))}
	for _, id := range ids {
		g := c.groups[id]
		if g == nil {
			c.fail("interface %s has the security group %s, which is not there", in.ID, id)
			return nil
		}
		s.Groups = append(s.Groups, g)
	}
	digests, words := make([]string, len(ids)), groupsWords(s.Groups)
	for _, d := range []Direction{Ingress, Egress} {
		for i, g := range s.Groups {
			digests[i] = g.digests[d]
		}
		s.Refusal[d] = &Rule{
			Stage: Group, Direction: d, IDs: ids,
			Key:   "groups " + key + " " + d.String() + " " + digest(digests),
			Words: words + ": no " + d.String() + " rule allows it",
		}
		c.refusing = append(c.refusing, s.Refusal[d])
	}
	c.setsByKey[key] = s
	c.sets = append(c.sets, s)
	return s
}

func (c *compiler) acl(s *vpc.Subnet) *NetworkACL {
	if a := c.aclsByID[s.ACLID]; a != nil {
		return a
	}
	a := c.index.ACL(s.ACLID)
	if a == nil {
		c.fail("subnet %s has the network ACL %q, which is not there", s.ID, s.ACLID)
		return nil
	}
	out := &NetworkACL{NetworkACL: a}
	for d, declared := range [2][]vpc.ACLRule{Ingress: a.Ingress, Egress: a.Egress} {
		c.aclRules(out, Direction(d), declared)
	}
	c.aclsByID[a.ID] = out
	c.acls = append(c.acls, out)
	return out
}

func (c *compiler) aclRules(a *NetworkACL, d Direction, declared []vpc.ACLRule) {
	words, key, ids := aclWords(a.NetworkACL)+" "+d.String()+" rule ", "acl "+a.ID+" "+d.String()+" ", []string{a.ID}
	rules, texts := make([]Rule, len(declared)), make([]string, len(declared))
	a.Rules[d] = make([]Match, len(declared))
	for i := range declared {
		r := &declared[i]
		if i > 0 && r.Number <= declared[i-1].Number {
			c.fail("network ACL %s: %s rule %d stands behind %d", a.ID, d, r.Number, declared[i-1].Number)
		}
		verb := "deny "
		if r.Allow {
			verb = "allow "
		}
		number, cidr := strconv.Itoa(r.Number), r.CIDR.String()
		c.text = append(appendTraffic(append(c.text[:0], verb...), r.Traffic), ' ')
		texts[i] = number + " " + string(append(c.text, cidr...))
		rules[i] = Rule{
			Stage: ACL, Direction: d, Allow: r.Allow, IDs: ids, Number: r.Number,
			Key:   key + texts[i],
			Words: words + number + ": " + verb + trafficWords(r.Traffic) + " " + toward(d) + " " + cidr,
		}
		a.Rules[d][i] = Match{Traffic: r.Traffic, Peer: vpc.Peer{CIDR: r.CIDR}, Rule: &rules[i]}
		if !r.Allow {
			c.refusing = append(c.refusing, &rules[i])
		}
	}
	a.Rest[d] = &Rule{
		Stage: ACL, Direction: d, IDs: ids, Number: Last,
		Key:   key + "* " + digest(texts),
		Words: words + "*: no other rule matches it",
	}
	c.refusing = append(c.refusing, a.Rest[d])
}

// number gives every refusing rule its id.
func (c *compiler) number(ids RuleIDs) error {
	slices.SortFunc(c.refusing, func(a, b *Rule) int { return strings.Compare(a.Key, b.Key) })
	for _, r := range c.refusing {
		id, err := ids.ID(r.Key)
		if err != nil {
			return fmt.Errorf("id of %s: %w", r.Words, err)
		}
		if id == 0 || id > MarkRuleMask {
			return fmt.Errorf("id %d of %s is not in 1 to %d", id, r.Words, MarkRuleMask)
		}
		if o := c.byID[id]; o != nil {
			return fmt.Errorf("id %d is given to two rules: %s; %s", id, o.Words, r.Words)
		}
		r.ID = id
		c.byID[id] = r
	}
	slices.SortFunc(c.refusing, func(a, b *Rule) int { return int(a.ID) - int(b.ID) })
	return nil
}

// Rules are the rules that can refuse something, ascending by id.
func (p *Policy) Rules() []Rule {
	rules := make([]Rule, len(p.refusing))
	for i, r := range p.refusing {
		rules[i] = *r
	}
	return rules
}

// Rule is the refusing rule with the id.
func (p *Policy) Rule(id uint32) (Rule, bool) {
	if r := p.byID[id]; r != nil {
		return *r, true
	}
	return Rule{}, false
}

// Interface is what filters the interface with the id, or nil.
func (p *Policy) Interface(id string) *Interface { return p.interfaces[id] }

// Interfaces are all of them, in the topology's order.
func (p *Policy) Interfaces() []*Interface { return p.inOrder }

// GroupSets are the sets that interfaces have, in the order of the first one
// that has it.
func (p *Policy) GroupSets() []*GroupSet { return p.sets }

// ACLs are those of the interfaces' subnets, in the order of the first interface.
func (p *Policy) ACLs() []*NetworkACL { return p.acls }

// Members are the addresses of a group's interfaces and the prefixes delegated
// to them, or nil when there is no such group.
func (p *Policy) Members(groupID string) *Addresses { return p.members[groupID] }

// PrefixList is the entries of a prefix list, or nil when there is none with the id.
func (p *Policy) PrefixList(id string) *Addresses { return p.prefixLists[id] }
