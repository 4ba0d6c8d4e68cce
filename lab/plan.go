package lab

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"

	"weir/vpc"
)

// The places that are not instances. Each place has a namespace of its own.
const (
	routerPlace   = "router"
	internetPlace = "internet"
)

// Devices: the internet gateway in the router, and the other end of every veth.
const (
	gatewayDevice  = "igw"
	instanceDevice = "eth0"
)

// family is one address of each kind.
type family struct{ v4, v6 netip.Addr }

// both is the two addresses of something that has both.
func both(v4, v6 string) family {
	return family{netip.MustParseAddr(v4), netip.MustParseAddr(v6)}
}

func (f family) list() []netip.Addr { return []netip.Addr{f.v4, f.v6} }

// subnet is a subnet of the VPC. A private one reaches IPv4 destinations outside
// through the NAT instance; IPv6 goes straight to the gateway, as with AWS's
// egress-only gateway.
type subnet struct {
	name    string
	cidr    netip.Prefix // IPv4
	gateway family       // the router's addresses on each of the subnet's devices
	zone    int          // index of Config.ZoneIDs
	private bool
}

// instance is one instance with one interface. Its name is its place and its
// device in the router.
type instance struct {
	name   string
	subnet *subnet
	addr   family
	public netip.Addr // what the internet gateway maps 1:1; invalid: none
}

var (
	vpc4 = netip.MustParsePrefix("10.0.0.0/16")
	vpc6 = netip.MustParsePrefix("2001:db8:10::/56")

	publicSubnet = subnet{
		name: "public", cidr: netip.MustParsePrefix("10.0.1.0/24"),
		gateway: both("10.0.1.1", "2001:db8:10:1::1"), zone: 0,
	}
	appSubnet = subnet{
		name: "app", cidr: netip.MustParsePrefix("10.0.2.0/24"),
		gateway: both("10.0.2.1", "2001:db8:10:2::1"), zone: 1, private: true,
	}
	dbSubnet = subnet{
		name: "db", cidr: netip.MustParsePrefix("10.0.3.0/24"),
		gateway: both("10.0.3.1", "2001:db8:10:3::1"), zone: 1, private: true,
	}

	web = instance{
		name: "web", subnet: &publicSubnet,
		addr: both("10.0.1.10", "2001:db8:10:1::10"), public: netip.MustParseAddr("192.0.2.10"),
	}
	bastion = instance{
		name: "bastion", subnet: &publicSubnet,
		addr: both("10.0.1.11", "2001:db8:10:1::11"), public: netip.MustParseAddr("192.0.2.11"),
	}
	natInstance = instance{
		name: "nat", subnet: &publicSubnet,
		addr: both("10.0.1.12", "2001:db8:10:1::12"), public: netip.MustParseAddr("192.0.2.12"),
	}
	app = instance{name: "app", subnet: &appSubnet, addr: both("10.0.2.10", "2001:db8:10:2::10")}
	db  = instance{name: "db", subnet: &dbSubnet, addr: both("10.0.3.10", "2001:db8:10:3::10")}

	// The order is that of Interfaces.
	instances = []*instance{&web, &app, &db, &bastion, &natInstance}
)

// The internet: who lives there, and the two ends of the line to the router.
var (
	provider = both("203.0.113.1", "2001:db8:ffff::1")
	gateway  = both("192.0.2.1", "2001:db8:10:ff::1")
	publics  = netip.MustParsePrefix("192.0.2.0/24") // the VPC's public addresses

	admin    = netip.MustParseAddr("203.0.113.10") // the only one allowed to the bastion
	visitors = addrs("203.0.113.20", "203.0.113.21", "203.0.113.22", "203.0.113.23")
	visitor6 = netip.MustParseAddr("2001:db8:ffff::20")
	resolver = both("198.51.100.53", "2001:db8:ffff::53")
	mirror   = both("198.51.100.80", "2001:db8:ffff::80") // a web server that instances fetch from
	scanner  = netip.MustParseAddr("198.51.100.66")
	crackers = addrs("198.51.100.71", "198.51.100.72", "198.51.100.73", "198.51.100.74") // try SSH
)

// internetAddrs is every address of the internet's namespace.
func internetAddrs() []netip.Addr {
	all := []netip.Addr{admin, visitor6, scanner}
	for _, f := range []family{provider, resolver, mirror} {
		all = append(all, f.list()...)
	}
	return append(append(all, visitors...), crackers...)
}

// places is every namespace of a lab, the router first: its name is taken
// before anything else is made.
func places() []string {
	names := []string{routerPlace}
	for _, in := range instances {
		names = append(names, in.name)
	}
	return append(names, internetPlace)
}

// namespaceName is the name of a place's namespace.
func namespaceName(prefix, place string) string { return prefix + "-" + place }

// interfaces is what the router's devices are in AWS's words.
func interfaces(c Config, routerPath string) []vpc.Interface {
	list := make([]vpc.Interface, len(instances))
	for i, in := range instances {
		list[i] = vpc.Interface{
			ID:         id(c.Prefix, "eni", in.name),
			Name:       in.name,
			AccountID:  c.AccountID,
			Region:     c.Region,
			ZoneID:     c.ZoneIDs[in.subnet.zone],
			VPCID:      id(c.Prefix, "vpc", "lab"),
			SubnetID:   id(c.Prefix, "subnet", in.subnet.name),
			InstanceID: id(c.Prefix, "i", in.name),
			Device:     vpc.Device{Namespace: routerPath, Name: in.name},
			Side:       vpc.Far,
			Addresses:  in.addr.list(),
		}
	}
	return list
}

// id makes an id in AWS's long form, kind and 17 hexadecimal digits of which the
// first is 0. It depends on the prefix and the name only, so it stays from one
// run to the next and differs between labs.
func id(prefix, kind, name string) string {
	sum := sha256.Sum256([]byte(prefix + "/" + kind + "/" + name))
	return kind + "-0" + hex.EncodeToString(sum[:8])
}

func addrs(list ...string) []netip.Addr {
	as := make([]netip.Addr, len(list))
	for i, s := range list {
		as[i] = netip.MustParseAddr(s)
	}
	return as
}
