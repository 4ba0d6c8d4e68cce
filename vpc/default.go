package vpc

import (
	"net/netip"
	"slices"
)

// DefaultName is the name of the group and the ACL that a VPC's interfaces and
// subnets have when none is named. AWS reserves it for that.
const DefaultName = "default"

var (
	anyIPv4 = netip.MustParsePrefix("0.0.0.0/0")
	anyIPv6 = netip.MustParsePrefix("::/0")
)

// DefaultGroup is the group that AWS gives a VPC: what its interfaces send each
// other may enter, and everything may leave.
func DefaultGroup(vpcID, id string) SecurityGroup {
	self := Peer{GroupID: id}
	return SecurityGroup{
		ID: id, Name: DefaultName, VPCID: vpcID,
		Ingress: []GroupRule{{ID: GroupRuleID(id, true, AllTraffic, self), Traffic: AllTraffic, Peer: self}},
		Egress:  AllEgress(id),
	}
}

// AllEgress are the egress rules that AWS gives every new group: everything may
// leave, in both families.
func AllEgress(groupID string) []GroupRule {
	rules := make([]GroupRule, 2)
	for i, all := range []netip.Prefix{anyIPv4, anyIPv6} {
		peer := Peer{CIDR: all}
		rules[i] = GroupRule{ID: GroupRuleID(groupID, false, AllTraffic, peer), Traffic: AllTraffic, Peer: peer}
	}
	return rules
}

// isAllEgress holds for the rules that AWS gives every new group.
func isAllEgress(rules []GroupRule) bool {
	return len(rules) == 2 &&
		rules[0].Traffic == AllTraffic && rules[0].Peer == Peer{CIDR: anyIPv4} &&
		rules[1].Traffic == AllTraffic && rules[1].Peer == Peer{CIDR: anyIPv6}
}

// GroupRuleID derives the id of a group's rule from what it says: a rule keeps
// its id when others come and go around it.
func GroupRuleID(groupID string, ingress bool, t Traffic, p Peer) string {
	direction := "egress"
	if ingress {
		direction = "ingress"
	}
	return DeriveID(KindGroupRule, groupID, direction, t.key(), p.key())
}

// DefaultACL is the ACL that AWS gives a VPC: rule 100 allows all IPv4, rule 101
// all IPv6, both ways.
func DefaultACL(vpcID, id string) NetworkACL {
	rules := func() []ACLRule {
		return []ACLRule{
			{Number: 100, Allow: true, Traffic: AllTraffic, CIDR: anyIPv4},
			{Number: 101, Allow: true, Traffic: AllTraffic, CIDR: anyIPv6},
		}
	}
	return NetworkACL{ID: id, Name: DefaultName, VPCID: vpcID, Ingress: rules(), Egress: rules()}
}

// Default is the topology of interfaces that nobody described: the VPCs and
// subnets that they name, whose addresses are not known, with ACLs that allow
// everything and no groups. Nothing is refused in it.
func Default(interfaces []Interface) *Topology {
	t := &Topology{Interfaces: slices.Clone(interfaces)}
	vpcs, subnets := map[string]bool{}, map[string]bool{}
	for i := range t.Interfaces {
		in := &t.Interfaces[i]
		acl := DeriveID(KindACL, in.VPCID, DefaultName)
		if !vpcs[in.VPCID] {
			vpcs[in.VPCID] = true
			t.VPCs = append(t.VPCs, VPC{ID: in.VPCID, Name: DefaultName, AccountID: in.AccountID, Region: in.Region})
			t.ACLs = append(t.ACLs, DefaultACL(in.VPCID, acl))
		}
		if !subnets[in.SubnetID] {
			subnets[in.SubnetID] = true
			t.Subnets = append(t.Subnets, Subnet{ID: in.SubnetID, VPCID: in.VPCID, ZoneID: in.ZoneID, ACLID: acl})
		}
	}
	return t
}
