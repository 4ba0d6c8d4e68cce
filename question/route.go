package question

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"weir/vpc"
)

// routing is what the route table of one end's subnet says about the other end,
// and about who has that address.
func (c *inquiry) routing(from Role) []Finding {
	v, near, far := c.then, &c.q.Src, &c.q.Dst
	if from == Receiver {
		near, far = far, near
	}
	if v == nil {
		return nil
	}
	to := far.Addr()
	in := c.only(v, near, from)
	if in == nil {
		return nil
	}
	say := func(format string, args ...any) []Finding {
		return []Finding{{Kind: Routing, Words: fmt.Sprintf(format, args...), Confidence: ByPolicy, Basis: "route tables of " + v.words()}}
	}
	subnet := v.index.Subnet(in.SubnetID)
	if subnet == nil {
		return nil
	}
	if contains(subnet.CIDRs, to) {
		if v.index.Owner(in.VPCID, to) == nil {
			return say("%s lies in the same subnet, %s, and no interface there has it", to, name(subnet.Name, subnet.ID))
		}
		return say("%s is in the same subnet, %s: no route is needed", to, name(subnet.Name, subnet.ID))
	}
	table := v.index.RouteTable(subnet.RouteTableID)
	if table == nil {
		return say("the topology names no route table for subnet %s", name(subnet.Name, subnet.ID))
	}
	r, ok := route(v, in.VPCID, table, to)
	where := "route table " + name(table.Name, table.ID)
	switch {
	case !ok:
		c.route = fmt.Sprintf("a route to %s in %s", to, where)
		return say("%s has no route to %s: it is dropped there", where, to)
	case r.Target == "blackhole":
		c.route = fmt.Sprintf("the route to %s in %s: it is a blackhole", r.Destination, where)
		return say("%s sends %s into a blackhole (%s): it is dropped there", where, to, r.Destination)
	case r.Target == "local" && v.index.Owner(in.VPCID, to) == nil:
		return say("%s keeps %s inside the VPC (%s), where no interface has that address", where, to, r.Destination)
	case r.Target == "local":
		return say("%s keeps %s inside the VPC (%s), as it should", where, to, r.Destination)
	}
	out := say("%s sends %s to %s (%s)", where, to, c.target(v, r.Target), r.Destination)
	if v.index.Owner(in.VPCID, to) != nil {
		out[0].Words += ", though an interface of the same VPC has that address"
	}
	return out
}

// target names a route's target: an interface by its name.
func (c *inquiry) target(v *version, id string) string {
	if !strings.HasPrefix(id, vpc.KindInterface+"-") {
		return id
	}
	if v.index.Interface(id) == nil {
		return id + ", which is not there: a blackhole"
	}
	return c.label(id)
}

// route is the longest match. The VPC's own networks are local in every route
// table, whether or not the topology writes it down (Amazon VPC User Guide,
// "Route tables").
func route(v *version, vpcID string, t *vpc.RouteTable, to netip.Addr) (best vpc.Route, ok bool) {
	routes := t.Routes
	if of := v.index.VPC(vpcID); of != nil {
		for _, p := range of.CIDRs {
			routes = append(slices.Clip(routes), vpc.Route{Destination: p, Target: "local"})
		}
	}
	for _, r := range routes {
		if r.Destination.Contains(to) && (!ok || r.Destination.Bits() > best.Destination.Bits()) {
			best, ok = r, true
		}
	}
	return best, ok
}

func name(n, id string) string {
	if n == "" {
		return id
	}
	return n + " (" + id + ")"
}
