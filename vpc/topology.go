package vpc

import "net/netip"

// Topology is everything that is declared or was found, at one time. A Topology
// is never changed: a new one takes its place. The zero value is empty.
type Topology struct {
	VPCs        []VPC
	Subnets     []Subnet
	Interfaces  []Interface
	Groups      []SecurityGroup
	ACLs        []NetworkACL
	PrefixLists []PrefixList
	RouteTables []RouteTable
}

// Tags are keys and values that people gave.
type Tags map[string]string

// VPC is a virtual private cloud.
type VPC struct {
	ID        string // vpc-…
	Name      string
	AccountID string // 12 digits
	Region    string
	CIDRs     []netip.Prefix // both families, several; none overlaps another
	Tags      Tags
}

// Subnet is a part of a VPC's addresses in one zone.
type Subnet struct {
	ID           string // subnet-…
	Name         string
	VPCID        string
	ZoneID       string // availability zone id: use1-az1
	CIDRs        []netip.Prefix
	ACLID        string // never empty once a topology is complete
	RouteTableID string // may be empty
	Tags         Tags
}

// SecurityGroup is a stateful list of what may pass an interface. What no rule
// of any of an interface's groups allows is refused; replies always pass.
type SecurityGroup struct {
	ID      string // sg-…
	Name    string
	VPCID   string
	Ingress []GroupRule // order means nothing
	Egress  []GroupRule
	Tags    Tags
}

// GroupRule allows traffic with a peer.
type GroupRule struct {
	ID          string // sgr-…
	Traffic     Traffic
	Peer        Peer
	Description string
}

// Peer is the other end of a group's rule: exactly one of the fields is set.
type Peer struct {
	CIDR         netip.Prefix // masked; its family is the rule's
	PrefixListID string
	GroupID      string // the interfaces of this group, by their private addresses
}

// NetworkACL is a stateless list for a subnet: the matching rule with the lowest
// number decides, and what matches none is refused (the rule "*"). It sees what
// crosses the subnet's border only.
type NetworkACL struct {
	ID      string // acl-…
	Name    string
	VPCID   string
	Ingress []ACLRule // ascending by number
	Egress  []ACLRule
	Tags    Tags
}

// ACLRule is a numbered rule of an ACL.
type ACLRule struct {
	Number  int // 1 to 32766
	Allow   bool
	Traffic Traffic
	CIDR    netip.Prefix // masked; its family is the rule's
}

// Traffic is what a rule is about, apart from addresses.
type Traffic struct {
	Protocol int // IANA number; -1 is all of them, and then there is nothing more to say
	// From and To bound the destination ports of TCP and UDP, inclusive.
	From, To uint16
	// ICMPType and ICMPCode are -1 for any. Of ICMP (1) and ICMPv6 (58) only.
	ICMPType, ICMPCode int
}

// AllTraffic is every protocol.
var AllTraffic = Traffic{Protocol: -1, ICMPType: -1, ICMPCode: -1}

// HasPorts reports whether the protocol's rules have ports.
func (t Traffic) HasPorts() bool { return t.Protocol == 6 || t.Protocol == 17 }

// IsICMP reports whether the protocol's rules have types and codes.
func (t Traffic) IsICMP() bool { return t.Protocol == 1 || t.Protocol == 58 }

// PrefixList is a named list of networks.
type PrefixList struct {
	ID      string // pl-…
	Name    string
	Entries []netip.Prefix // of both families
	Tags    Tags
}

// RouteTable tells where a subnet's traffic goes.
type RouteTable struct {
	ID     string // rtb-…
	Name   string
	VPCID  string
	Routes []Route
	Tags   Tags
}

// Route is one line of a route table. The longest destination that matches wins.
type Route struct {
	Destination netip.Prefix
	Target      string // "local", or the id of what is next: igw-…, nat-…, eni-…, tgw-…, pcx-…, vgw-…
}
