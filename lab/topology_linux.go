package lab

import (
	"context"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"weir/netns"
)

// natTable is the routing table of the private subnets' traffic to the internet.
const natTable = 100

// makeDevices makes one veth per instance and one to the internet. Both ends are
// born where they belong, so the host never sees them.
func (l *Lab) makeDevices(context.Context) error {
	h, err := l.Router().Netlink()
	if err != nil {
		return err
	}
	defer h.Close()
	far := map[string]string{gatewayDevice: internetPlace}
	for _, in := range l.plan.instances {
		far[in.Device.Name] = in.Name
	}
	for device, place := range far {
		veth := &netlink.Veth{
			LinkAttrs:     netlink.LinkAttrs{Name: device},
			PeerName:      instanceDevice,
			PeerNamespace: netlink.NsFd(l.namespaces[place].FD()),
		}
		if err := h.LinkAdd(veth); err != nil {
			return fmt.Errorf("add veth %s to network namespace %s: %w", device, place, err)
		}
	}
	return nil
}

// setUpRouter gives each device the subnet's gateway address and a route to its
// one instance; the rest of the VPC is nowhere, as on AWS, and not outside.
func (l *Lab) setUpRouter(context.Context) error {
	n, err := open(l.Router())
	if err != nil {
		return err
	}
	defer n.Close()
	for _, in := range l.plan.instances {
		n.device(in.Device.Name, in.gateway.list()...)
		for _, addr := range in.Addresses {
			n.route(in.Device.Name, host(addr), netip.Addr{})
		}
	}
	n.device(gatewayDevice, gateway.list()...)
	n.route(gatewayDevice, anywhere(provider.v4), provider.v4)
	n.route(gatewayDevice, anywhere(provider.v6), provider.v6)
	for _, cidr := range l.plan.cidr.list() {
		n.do("add blackhole", cidr, n.RouteAdd(&netlink.Route{Dst: ipNet(cidr), Type: unix.RTN_BLACKHOLE}))
	}
	n.routeThroughNAT(l.plan)
	return n.err
}

// setUpInstances gives each instance its address alone, with everything else
// behind the subnet's gateway: neighbors in a subnet meet at the router too.
func (l *Lab) setUpInstances(context.Context) error {
	for _, in := range l.plan.instances {
		n, err := open(l.namespaces[in.Name])
		if err != nil {
			return err
		}
		n.device(instanceDevice, in.Addresses...)
		for _, gw := range in.gateway.list() {
			n.route(instanceDevice, anywhere(gw), gw)
		}
		n.Close()
		if n.err != nil {
			return n.err
		}
	}
	return nil
}

// setUpInternet knows no private address: what is not translated gets no answer.
func (l *Lab) setUpInternet(context.Context) error {
	n, err := open(l.namespaces[internetPlace])
	if err != nil {
		return err
	}
	defer n.Close()
	n.device(instanceDevice, internetAddrs()...)
	n.route(instanceDevice, publics, gateway.v4)
	n.route(instanceDevice, l.plan.cidr.v6, gateway.v6)
	return n.err
}

// network sets up one namespace. After the first error it does nothing more.
type network struct {
	*netlink.Handle
	ns    *netns.Namespace
	links map[string]netlink.Link
	err   error
}

func open(ns *netns.Namespace) (*network, error) {
	h, err := ns.Netlink()
	if err != nil {
		return nil, err
	}
	return &network{Handle: h, ns: ns, links: map[string]netlink.Link{}}, nil
}

// do keeps the first error, with what was done to what.
func (n *network) do(what string, to any, err error) {
	if n.err == nil && err != nil {
		n.err = fmt.Errorf("%s %v in network namespace %s: %w", what, to, n.ns.Name(), err)
	}
}

// device brings a device up and gives it addresses that stand for themselves only.
func (n *network) device(name string, addrs ...netip.Addr) {
	if n.err != nil {
		return
	}
	link, err := n.LinkByName(name)
	if n.do("find device", name, err); err != nil {
		return
	}
	n.links[name] = link
	n.do("bring up device", name, n.LinkSetUp(link))
	for _, addr := range addrs {
		a := &netlink.Addr{IPNet: ipNet(host(addr))}
		if addr.Is6() {
			a.Flags = unix.IFA_F_NODAD
		}
		n.do("add to "+name+" address", addr, n.AddrAdd(link, a))
	}
}

// route adds a route through a device; without via, to neighbors.
func (n *network) route(device string, to netip.Prefix, via netip.Addr) {
	n.addRoute(device, to, via, unix.RT_TABLE_MAIN)
}

func (n *network) addRoute(device string, to netip.Prefix, via netip.Addr, table int) {
	if n.err != nil {
		return
	}
	r := &netlink.Route{LinkIndex: n.links[device].Attrs().Index, Dst: ipNet(to), Scope: netlink.SCOPE_LINK, Table: table}
	if via.IsValid() {
		// No subnet covers the gateway: it is told to be next to us.
		r.Gw, r.Flags, r.Scope = via.AsSlice(), int(netlink.FLAG_ONLINK), netlink.SCOPE_UNIVERSE
	}
	n.do("add route through "+device+" to", to, n.RouteAdd(r))
}

// routeThroughNAT sends what leaves private subnets for outside the VPC through
// the NAT instance.
func (n *network) routeThroughNAT(p *plan) {
	nat := p.nat.addr.v4
	n.addRoute(p.nat.Device.Name, anywhere(nat), nat, natTable)
	for i, cidr := range p.behindNAT() {
		inside, outside := netlink.NewRule(), netlink.NewRule()
		inside.Priority, inside.Src, inside.Dst, inside.Table = 1000+2*i, ipNet(cidr), ipNet(p.cidr.v4), unix.RT_TABLE_MAIN
		outside.Priority, outside.Src, outside.Table = 1001+2*i, ipNet(cidr), natTable
		n.do("add rule", inside, n.RuleAdd(inside))
		n.do("add rule", outside, n.RuleAdd(outside))
	}
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
