package vpc

import (
	"net"
	"net/netip"
	"strings"
)

func (c *checker) interfaces() {
	seen := names{}
	devices, macs := map[Device]Path{}, map[string]Path{}
	spans := map[string][]span{} // by VPC
	for i := range c.t.Interfaces {
		in, at := &c.t.Interfaces[i], At("interfaces", i)
		c.identity(at, KindInterface, in.ID, seen, in.VPCID, in.Name)
		c.tags(at, in.Tags)
		c.account(at, in.AccountID)
		if in.InstanceID != "" {
			if err := CheckID(KindInstance, in.InstanceID); err != nil {
				c.add(at.Field("instance"), "", "%v", err)
			}
		}
		if in.Device.Name != "" {
			c.device(at, in, devices)
		}
		if in.MAC != "" {
			c.mac(at, in, macs)
		}
		c.interfaceGroups(at, in)
		if s := c.home(at, in); s != nil {
			spans[in.VPCID] = append(spans[in.VPCID], c.addresses(at, in, s)...)
		}
	}
	for i := range c.t.VPCs {
		c.overlaps(spans[c.t.VPCs[i].ID], "shared")
	}
}

// home is the subnet that an interface belongs to.
func (c *checker) home(at Path, in *Interface) *Subnet {
	s := c.x.Subnet(in.SubnetID)
	switch {
	case s == nil:
		c.add(at.Field("subnet"), "", "there is no subnet %q", in.SubnetID)
	case s.VPCID != in.VPCID:
		c.add(at.Field("subnet"), "", "%s is of another VPC", label("subnet", s.Name, s.ID))
	default:
		if in.ZoneID != s.ZoneID {
			c.add(at.Field("zone-id"), "", "%q is not the zone of %s, %q", in.ZoneID, label("subnet", s.Name, s.ID), s.ZoneID)
		}
		if v := c.x.VPC(in.VPCID); v != nil && in.Region != v.Region {
			c.add(at.Field("region"), "", "%q is not the region of %s, %q", in.Region, label("VPC", v.Name, v.ID), v.Region)
		}
		return s
	}
	return nil
}

// maxDeviceName is the kernel's IFNAMSIZ without the final zero (linux/if.h).
const maxDeviceName = 15

func (c *checker) device(at Path, in *Interface, seen map[Device]Path) {
	name := in.Device.Name
	if len(name) > maxDeviceName || name == "." || name == ".." || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '/' || r == ':' }) {
		c.add(at.Field("device"), "", "%.40q is not a device's name: up to %d characters without spaces, slashes and colons", name, maxDeviceName)
		return
	}
	if first, twice := seen[in.Device]; twice {
		c.clash(at.Field("device"), first, "", "device %v carries another interface", in.Device)
		return
	}
	seen[in.Device] = at
}

func (c *checker) mac(at Path, in *Interface, seen map[string]Path) {
	at = at.Field("mac")
	hw, err := net.ParseMAC(in.MAC)
	switch {
	case err != nil || len(hw) != 6 || hw.String() != in.MAC:
		c.add(at, "write it as 02:00:5e:10:00:01", "%.40q is not a MAC address", in.MAC)
		return
	case hw[0]&1 != 0:
		c.add(at, "", "%s is a group's MAC address, not an interface's", in.MAC)
		return
	}
	key := in.SubnetID + "\x00" + in.MAC // cards of one VLAN trunk have one address
	if first, twice := seen[key]; twice {
		c.clash(at, first, "", "%s is the MAC address of another interface", in.MAC)
		return
	}
	seen[key] = at[:len(at)-1]
}

func (c *checker) interfaceGroups(at Path, in *Interface) {
	seen := make(map[string]bool, len(in.GroupIDs))
	for j, id := range in.GroupIDs {
		at := at.Item("security-groups", j)
		switch g := c.x.Group(id); {
		case g == nil:
			c.add(at, "", "there is no security group %q", id)
		case g.VPCID != in.VPCID:
			c.add(at, "", "%s is of another VPC", label("security group", g.Name, g.ID))
		case seen[id]:
			c.add(at, "", "%s is named twice", label("security group", g.Name, g.ID))
		}
		seen[id] = true
	}
}

// addresses checks an interface's addresses and prefixes against its subnet and
// returns them, to be compared with the others'.
func (c *checker) addresses(at Path, in *Interface, s *Subnet) []span {
	var spans []span
	seen := make(map[netip.Prefix]bool, len(in.Addresses)+len(in.Prefixes))
	name, owner := label("interface", in.Name, in.ID), at.String()
	for j, a := range in.Addresses {
		at := at.Item("addresses", j)
		switch {
		case !a.IsValid() || a.IsUnspecified() || a.IsMulticast() || a.IsLoopback() || a.Is4In6():
			c.add(at, "", "%v is not an interface's address", a)
			continue
		case seen[netip.PrefixFrom(a, a.BitLen())]:
			c.add(at, "", "%v is named twice", a)
			continue
		case a.IsLinkLocalUnicast():
			continue // each link has its own; no subnet holds them
		}
		p := netip.PrefixFrom(a, a.BitLen())
		seen[p] = true
		spans = append(spans, span{p, at, name, owner})
		c.inSubnet(at, p, s)
	}
	for j, p := range in.Prefixes {
		at := at.Item("prefixes", j)
		if !c.network(at, p) {
			continue
		}
		if seen[p] {
			c.add(at, "", "%v is named twice", p)
			continue
		}
		seen[p] = true
		spans = append(spans, span{p, at, name, owner})
		c.inSubnet(at, p, s)
	}
	return spans
}

// inSubnet wants an address or a prefix to lie in the subnet. A subnet whose
// addresses nobody knows holds all.
func (c *checker) inSubnet(at Path, p netip.Prefix, s *Subnet) {
	what := p.String()
	if p.IsSingleIP() {
		what = p.Addr().String()
	}
	if len(s.CIDRs) == 0 {
		return
	}
	for _, n := range s.CIDRs {
		if within([]netip.Prefix{n}, p) {
			if r := reserved(n, p.Addr()); r != "" && p.IsSingleIP() {
				c.warn(at, "on AWS no interface can have it", "%s is %s of %v", what, r, n)
			}
			return
		}
	}
	hint := ""
	if other := c.x.SubnetOf(s.VPCID, p.Addr()); other != nil {
		hint = "it lies in " + label("subnet", other.Name, other.ID)
	}
	c.add(at, hint, "%s is not inside %s (%s)", what, label("subnet", s.Name, s.ID), list(s.CIDRs))
}

// reserved names what AWS keeps for itself: the first four addresses of a
// subnet and the last (VPC User Guide, "Subnet CIDR blocks").
func reserved(n netip.Prefix, a netip.Addr) string {
	at := n.Addr()
	for i, what := range []string{"the network's address", "the router's address", "the resolver's address", "a reserved address"} {
		if a == at {
			return what
		}
		if at = at.Next(); !at.IsValid() || i == 3 {
			break
		}
	}
	if next := a.Next(); !next.IsValid() || !n.Contains(next) {
		return "the last address"
	}
	return ""
}
