package lab

import (
	_ "embed"
	"fmt"
	"net/netip"
	"strings"

	"weir/vpc"
	"weir/vpc/declare"
)

// The places. Each has a namespace of its own; those between the router and the
// internet are instances of lab.yaml and have its names.
const (
	routerPlace   = "router"
	webPlace      = "web"
	bastionPlace  = "bastion"
	natPlace      = "nat"
	appPlace      = "app"
	dbPlace       = "db"
	internetPlace = "internet"
)

// places is every namespace of a lab, the router first: its name is taken
// before anything else is made.
var places = []string{routerPlace, webPlace, bastionPlace, natPlace, appPlace, dbPlace, internetPlace}

// namespaceName is the name of a place's namespace.
func namespaceName(prefix, place string) string { return prefix + "-" + place }

// Devices: the internet gateway in the router, and the other end of every veth.
const (
	gatewayDevice  = "igw"
	instanceDevice = "eth0"
)

//go:embed lab.yaml
var topologyFile string

// What topologyFile has where a Config has something else.
const (
	fileAccountID = "123456789012"
	fileRegion    = "us-east-1"
)

// Topology is the lab's topology as people write it, comments included. Its ids
// depend on the prefix, the account and the region: they stay from one run to the
// next and differ between labs.
func Topology(c Config) (string, error) {
	c, err := c.withDefaults()
	if err != nil {
		return "", err
	}
	return c.topology(), nil
}

func (c Config) topology() string {
	return strings.NewReplacer(DefaultPrefix, c.Prefix, fileAccountID, c.AccountID, fileRegion, c.Region).Replace(topologyFile)
}

// plan is who stands where: what lab.yaml says, and what it leaves to the lab.
type plan struct {
	topology *vpc.Topology
	cidr     cidrs // the VPC's networks

	web, bastion, nat, app, db *instance
	instances                  []*instance // in the topology's order
}

// instance is one instance with one interface. Its name is its place and its
// device in the router.
type instance struct {
	*vpc.Interface
	addr    family
	gateway family     // the router's addresses on the device, as on AWS the first of the subnet
	public  netip.Addr // what the internet gateway maps 1:1; invalid: none
}

// publicAddrs are addresses that the internet gateway translates. That is no
// policy, and AWS does not declare it with the VPC either.
var publicAddrs = map[string]netip.Addr{
	webPlace:     netip.MustParseAddr("192.0.2.10"),
	bastionPlace: netip.MustParseAddr("192.0.2.11"),
	natPlace:     netip.MustParseAddr("192.0.2.12"),
}

// newPlan reads lab.yaml for a configuration that is complete.
func newPlan(c Config) (*plan, error) {
	t, problems := declare.Parse([]byte(c.topology()), declare.Options{})
	if err := problems.Err(); err != nil {
		return nil, fmt.Errorf("lab topology: %w", err)
	}
	p := &plan{topology: t, cidr: networks(t.VPCs[0].CIDRs)}
	named := map[string]**instance{webPlace: &p.web, bastionPlace: &p.bastion, natPlace: &p.nat, appPlace: &p.app, dbPlace: &p.db}
	x := t.Index()
	for i := range t.Interfaces {
		in := &instance{Interface: &t.Interfaces[i], public: publicAddrs[t.Interfaces[i].Name]}
		in.addr = family{in.Primary(false), in.Primary(true)}
		subnet := networks(x.Subnet(in.SubnetID).CIDRs)
		in.gateway = family{subnet.v4.Addr().Next(), subnet.v6.Addr().Next()}
		p.instances = append(p.instances, in)
		if at := named[in.Name]; at != nil {
			*at = in
			delete(named, in.Name)
		}
	}
	for name := range named {
		return nil, fmt.Errorf("lab topology: there is no interface %q", name)
	}
	return p, nil
}

// behindNAT is the IPv4 networks whose route table leads outside through the NAT
// instance.
func (p *plan) behindNAT() []netip.Prefix {
	x := p.topology.Index()
	var list []netip.Prefix
	for i := range p.topology.Subnets {
		s := &p.topology.Subnets[i]
		for _, r := range x.RouteTable(s.RouteTableID).Routes {
			if r.Target == p.nat.ID && r.Destination == anywhere(p.nat.addr.v4) {
				list = append(list, networks(s.CIDRs).v4)
			}
		}
	}
	return list
}

// family is one address of each kind.
type family struct{ v4, v6 netip.Addr }

// both is the two addresses of something that has both.
func both(v4, v6 string) family {
	return family{netip.MustParseAddr(v4), netip.MustParseAddr(v6)}
}

func (f family) list() []netip.Addr { return []netip.Addr{f.v4, f.v6} }

// cidrs is one network of each kind.
type cidrs struct{ v4, v6 netip.Prefix }

// networks is the last network of each kind.
func networks(list []netip.Prefix) (f cidrs) {
	for _, p := range list {
		if p.Addr().Is4() {
			f.v4 = p
		} else {
			f.v6 = p
		}
	}
	return f
}

func (f cidrs) list() []netip.Prefix { return []netip.Prefix{f.v4, f.v6} }

// The internet: who lives there, and the two ends of the line to the router.
var (
	provider = both("203.0.113.1", "2001:db8:ffff::1")
	gateway  = both("192.0.2.1", "2001:db8:10:ff::1")
	publics  = netip.MustParsePrefix("192.0.2.0/24") // the VPC's public addresses

	admin    = netip.MustParseAddr("203.0.113.10") // of the prefix list admins
	visitors = addrs("203.0.113.20", "203.0.113.21", "203.0.113.22", "203.0.113.23")
	visitor6 = netip.MustParseAddr("2001:db8:ffff::20")
	resolver = both("198.51.100.53", "2001:db8:ffff::53") // of the prefix list resolvers
	mirror   = both("198.51.100.80", "2001:db8:ffff::80") // a web server that instances fetch from
	scanner  = netip.MustParseAddr("198.51.100.66")
	crackers = addrs("198.51.100.71", "198.51.100.72", "198.51.100.73", "198.51.100.74") // try SSH; a rule denies the last
)

// internetAddrs is every address of the internet's namespace.
func internetAddrs() []netip.Addr {
	all := []netip.Addr{admin, visitor6, scanner}
	for _, f := range []family{provider, resolver, mirror} {
		all = append(all, f.list()...)
	}
	return append(append(all, visitors...), crackers...)
}

func addrs(list ...string) []netip.Addr {
	as := make([]netip.Addr, len(list))
	for i, s := range list {
		as[i] = netip.MustParseAddr(s)
	}
	return as
}

// host is the prefix that covers one address.
func host(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

// anywhere is the default route of an address's family.
func anywhere(a netip.Addr) netip.Prefix {
	if a.Is6() {
		return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
}
