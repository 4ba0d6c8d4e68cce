package question

import (
	"net/netip"
	"slices"
	"strings"

	"weir/vpc"
)

// ends finds what the two words mean: addresses, or names and ids of interfaces
// and instances of the topology at the question's time.
func (q *Question) ends(src, dst string, past Past) error {
	v := versionAt(past, q.To.Add(-1))
	var err error
	if q.Src, err = findEnd(src, v); err != nil {
		return err
	}
	if q.Dst, err = findEnd(dst, v); err != nil {
		return err
	}
	is6, ok := family(q.Src.Addrs, q.Dst.Addrs)
	if !ok {
		return mistake("ask for addresses of one family", "%s and %s have no address family in common", src, dst)
	}
	if len(q.Src.Addrs) > 1 && q.Protocol == vpc.ICMPv6 {
		is6 = true
	}
	q.Src.keep(is6)
	q.Dst.keep(is6)
	if len(q.Src.Addrs) == 0 || len(q.Dst.Addrs) == 0 {
		return mistake("ask for addresses of one family", "%s and %s have no address family in common", src, dst)
	}
	switch { // people say icmp and mean either
	case q.Protocol == vpc.ICMP && is6 && q.Record == nil:
		q.Protocol = vpc.ICMPv6
	case q.Protocol == vpc.ICMPv6 && !is6 && q.Record == nil:
		return mistake("ask for icmp", "icmpv6 is of IPv6, and the addresses are IPv4")
	}
	return nil
}

// family is the family that both have, IPv4 before IPv6.
func family(a, b []netip.Addr) (is6, ok bool) {
	for _, is6 := range []bool{false, true} {
		in := func(x netip.Addr) bool { return x.Is6() == is6 }
		if slices.ContainsFunc(a, in) && slices.ContainsFunc(b, in) {
			return is6, true
		}
	}
	return false, false
}

// keep leaves one family.
func (e *End) keep(is6 bool) {
	other := func(a netip.Addr) bool { return a.Is6() != is6 }
	e.Addrs, e.Stand = slices.DeleteFunc(e.Addrs, other), slices.DeleteFunc(e.Stand, other)
}

func findEnd(word string, v *version) (End, error) {
	if a, err := netip.ParseAddr(word); err == nil {
		if a.Zone() != "" {
			return End{}, mistake("leave out what follows the %", "%.60q has a zone, which no record has", word)
		}
		return endOf(a.Unmap(), v), nil
	}
	if v == nil {
		return End{}, mistake("write its address, or name the topology with --topology", "%.60q is no address, and there is no topology to look it up in", word)
	}
	var found []*vpc.Interface
	for i := range v.topology.Interfaces {
		in := &v.topology.Interfaces[i]
		if word == in.ID || word == in.InstanceID || word == in.Name {
			found = append(found, in)
		}
	}
	if len(found) == 0 {
		return End{}, mistake(known(v.topology), "there is no interface or instance %.60q in %s", word, v.words())
	}
	if vpcs := found[0].VPCID; slices.ContainsFunc(found, func(in *vpc.Interface) bool { return in.VPCID != vpcs }) {
		return End{}, mistake("write the interface's id", "%.60q is a name in more than one VPC", word)
	}
	var e End
	for _, in := range found {
		e.Interfaces = append(e.Interfaces, in.ID)
		e.Addrs = append(e.Addrs, in.Addresses...)
	}
	if len(e.Addrs) == 0 {
		return End{}, mistake("write its address", "the addresses of %.60q are not known", word)
	}
	return e, nil
}

// endOf is the end with one address, which may belong to interfaces of several VPCs.
func endOf(a netip.Addr, v *version) End {
	e := End{Addrs: []netip.Addr{a}}
	if v == nil {
		return e
	}
	for i := range v.topology.VPCs {
		in := v.index.Owner(v.topology.VPCs[i].ID, a)
		if in == nil {
			continue
		}
		e.Interfaces = append(e.Interfaces, in.ID)
		e.also(in.Primary(a.Is6()))
	}
	return e
}

// known is a hint that lists the names, if they are few.
func known(t *vpc.Topology) string {
	var names []string
	for i := range t.Interfaces {
		if n := t.Interfaces[i].Name; n != "" {
			names = append(names, n)
		}
	}
	if len(names) == 0 || len(names) > 12 {
		return "write its address, its id or the id of its instance"
	}
	return "there is " + strings.Join(names, ", ")
}
