package question

import (
	"fmt"
	"net/netip"
	"slices"

	"weir/vpc"
)

// unrecordedAddresses are services whose traffic AWS's flow logs leave out.
// Source: Amazon VPC User Guide, "Flow log limitations". Some of what no firewall
// filters (policy.Exemptions) is recorded all the same, and is not in it.
var unrecordedAddresses = []struct {
	words string
	addrs []netip.Addr
}{
	{"the instance metadata service", []netip.Addr{netip.MustParseAddr("169.254.169.254"), netip.MustParseAddr("fd00:ec2::254")}},
	{"the time service", []netip.Addr{netip.MustParseAddr("169.254.169.123"), netip.MustParseAddr("fd00:ec2::123")}},
	{"the VPC's DNS resolver", []netip.Addr{netip.MustParseAddr("169.254.169.253"), netip.MustParseAddr("fd00:ec2::253")}},
	{"Windows license activation", []netip.Addr{netip.MustParseAddr("169.254.169.250"), netip.MustParseAddr("169.254.169.251")}},
}

// unrecorded says that AWS's flow logs leave the traffic out, whatever happens to
// it. Weir's own may hold it: then there is a record, and nobody comes here.
func (c *inquiry) unrecorded() (Finding, bool) {
	what, unfiltered := c.leftOut(), true
	if what == "" {
		what, unfiltered = c.reserved(), false
	}
	if what == "" {
		return Finding{}, false
	}
	out := Finding{
		Kind: NeverRecorded, Confidence: Consistent, Basis: "no record; Amazon VPC User Guide, flow log limitations",
		Words: fmt.Sprintf("Never recorded: AWS's flow logs leave out traffic with %s, so whether it passed they cannot say.", what),
	}
	if unfiltered {
		out.Because = []Finding{{
			Kind: Elsewise, Confidence: Consistent, Basis: "the same guide",
			Words: "security groups and network ACLs do not filter it either: look at the instance, and at the service",
		}}
	}
	return out, true
}

func (c *inquiry) leftOut() string {
	ends := []netip.Addr{c.q.Src.Addr(), c.q.Dst.Addr()}
	for _, u := range unrecordedAddresses {
		if slices.ContainsFunc(ends, func(a netip.Addr) bool { return slices.Contains(u.addrs, a) }) {
			return u.words
		}
	}
	if isDHCP(&c.q) {
		return "DHCP"
	}
	return ""
}

// isDHCP: RFC 2131 and RFC 8415, from client to server or back.
func isDHCP(q *Question) bool {
	if q.Protocol != vpc.UDP {
		return false
	}
	is6 := q.Dst.Addr().Is6()
	low, high := 67, 68
	if is6 {
		low, high = 546, 547
	}
	other := map[int]int{low: high, high: low}[q.Port]
	return other != 0 && (q.SrcPort == AnyPort || q.SrcPort == other)
}

// reserved is an address that AWS keeps for itself in each network: the second
// is the router's, of each subnet; the third the resolver's, of each IPv4 network
// of a VPC. Elsewhere a machine may stand there: an interface that has the
// address is recorded. Source: Amazon VPC User Guide, "Subnet CIDR blocks".
func (c *inquiry) reserved() string {
	if c.then == nil {
		return ""
	}
	for _, e := range []*End{&c.q.Src, &c.q.Dst} {
		if a := e.Addr(); len(c.interfaces(e)) == 0 && a.Is4() {
			if what := reservedIn(c.then.topology, a); what != "" {
				return what
			}
		}
	}
	return ""
}

func reservedIn(t *vpc.Topology, a netip.Addr) string {
	for i := range t.Subnets {
		for _, p := range t.Subnets[i].CIDRs {
			if p.Contains(a) && p.Masked().Addr().Next() == a {
				return "the address that is reserved for the VPC's router"
			}
		}
	}
	for i := range t.VPCs {
		for _, p := range t.VPCs[i].CIDRs {
			if p.Contains(a) && p.Masked().Addr().Next().Next() == a {
				return "the address that is reserved for the VPC's DNS resolver"
			}
		}
	}
	return ""
}
