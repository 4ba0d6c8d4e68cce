package vpc

import (
	"net/netip"
	"slices"
)

// Index answers questions about a topology without walking it. It is built once,
// points into the topology, and is safe for concurrent use.
type Index struct {
	vpcs        map[string]*VPC
	subnets     map[string]*Subnet
	interfaces  map[string]*Interface
	groups      map[string]*SecurityGroup
	acls        map[string]*NetworkACL
	prefixLists map[string]*PrefixList
	routeTables map[string]*RouteTable

	devices  map[Device]*Interface
	members  map[string][]*Interface // by group
	inSubnet map[string][]*Interface

	owners map[string]*networks[*Interface] // by VPC
	places map[string]*networks[*Subnet]    // by VPC
}

// Index builds the index. Of things with the same id or address the first is
// found; a topology that passes Check has none.
func (t *Topology) Index() *Index {
	x := &Index{
		vpcs:        byID(t.VPCs, func(v *VPC) string { return v.ID }),
		subnets:     byID(t.Subnets, func(s *Subnet) string { return s.ID }),
		interfaces:  byID(t.Interfaces, func(i *Interface) string { return i.ID }),
		groups:      byID(t.Groups, func(g *SecurityGroup) string { return g.ID }),
		acls:        byID(t.ACLs, func(a *NetworkACL) string { return a.ID }),
		prefixLists: byID(t.PrefixLists, func(p *PrefixList) string { return p.ID }),
		routeTables: byID(t.RouteTables, func(r *RouteTable) string { return r.ID }),
		devices:     map[Device]*Interface{},
		members:     map[string][]*Interface{},
		inSubnet:    map[string][]*Interface{},
		owners:      map[string]*networks[*Interface]{},
		places:      map[string]*networks[*Subnet]{},
	}
	for i := range t.Interfaces {
		x.addInterface(&t.Interfaces[i])
	}
	for i := range t.Subnets {
		s := &t.Subnets[i]
		for _, c := range s.CIDRs {
			of(x.places, s.VPCID).add(c, s)
		}
	}
	return x
}

func (x *Index) addInterface(in *Interface) {
	if in.Device.Name != "" && x.devices[in.Device] == nil {
		x.devices[in.Device] = in
	}
	for _, g := range in.GroupIDs {
		list := x.members[g]
		if len(list) == 0 || list[len(list)-1] != in { // a group named twice
			x.members[g] = append(list, in)
		}
	}
	x.inSubnet[in.SubnetID] = append(x.inSubnet[in.SubnetID], in)
	owned := of(x.owners, in.VPCID)
	for _, a := range in.Addresses {
		owned.add(netip.PrefixFrom(a, a.BitLen()), in)
	}
	for _, p := range in.Prefixes {
		owned.add(p, in)
	}
}

func byID[T any](list []T, id func(*T) string) map[string]*T {
	m := make(map[string]*T, len(list))
	for i := range list {
		if _, twice := m[id(&list[i])]; !twice {
			m[id(&list[i])] = &list[i]
		}
	}
	return m
}

func of[T any](m map[string]*networks[T], vpcID string) *networks[T] {
	n := m[vpcID]
	if n == nil {
		n = &networks[T]{of: map[netip.Prefix]T{}}
		m[vpcID] = n
	}
	return n
}

// networks finds the longest network that holds an address: one look per length
// in use, and there are few.
type networks[T any] struct {
	of      map[netip.Prefix]T
	lengths [2][]int // IPv4, IPv6; descending
}

func (n *networks[T]) add(p netip.Prefix, v T) {
	if !p.IsValid() {
		return
	}
	p = p.Masked()
	if _, twice := n.of[p]; twice {
		return
	}
	n.of[p] = v
	lengths := &n.lengths[familyOf(p.Addr())]
	if at, found := slices.BinarySearchFunc(*lengths, p.Bits(), func(have, want int) int { return want - have }); !found {
		*lengths = slices.Insert(*lengths, at, p.Bits())
	}
}

func (n *networks[T]) find(a netip.Addr) (v T, ok bool) {
	if n == nil || !a.IsValid() {
		return v, false
	}
	for _, bits := range n.lengths[familyOf(a)] {
		p, _ := a.Prefix(bits) // the length was a valid one of this family
		if v, ok = n.of[p]; ok {
			return v, true
		}
	}
	return v, false
}

func familyOf(a netip.Addr) int {
	if a.Is6() {
		return 1
	}
	return 0
}

// VPC is the VPC with the id, or nil. So are the others.
func (x *Index) VPC(id string) *VPC { return x.vpcs[id] }

// Subnet is the subnet with the id, or nil.
func (x *Index) Subnet(id string) *Subnet { return x.subnets[id] }

// Interface is the interface with the id, or nil.
func (x *Index) Interface(id string) *Interface { return x.interfaces[id] }

// Group is the security group with the id, or nil.
func (x *Index) Group(id string) *SecurityGroup { return x.groups[id] }

// ACL is the network ACL with the id, or nil.
func (x *Index) ACL(id string) *NetworkACL { return x.acls[id] }

// PrefixList is the prefix list with the id, or nil.
func (x *Index) PrefixList(id string) *PrefixList { return x.prefixLists[id] }

// RouteTable is the route table with the id, or nil.
func (x *Index) RouteTable(id string) *RouteTable { return x.routeTables[id] }

// Device is the interface that a device carries, or nil.
func (x *Index) Device(d Device) *Interface { return x.devices[d] }

// Members are the interfaces of a group, in the topology's order. The caller
// must not change them.
func (x *Index) Members(groupID string) []*Interface { return x.members[groupID] }

// InSubnet are the interfaces of a subnet, in the topology's order. The caller
// must not change them.
func (x *Index) InSubnet(subnetID string) []*Interface { return x.inSubnet[subnetID] }

// Owner is the interface of a VPC that has the address, its own or of a prefix
// delegated to it, or nil.
func (x *Index) Owner(vpcID string, a netip.Addr) *Interface {
	in, _ := x.owners[vpcID].find(a)
	return in
}

// SubnetOf is the subnet of a VPC that the address lies in, or nil.
func (x *Index) SubnetOf(vpcID string, a netip.Addr) *Subnet {
	s, _ := x.places[vpcID].find(a)
	return s
}
