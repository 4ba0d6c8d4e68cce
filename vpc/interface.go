package vpc

import "net/netip"

// Side says at which end of a device the instance stands.
type Side uint8

const (
	// Far: the instance is at the device's other end (veth, tap, bridge port).
	// What enters the host through the device is the instance's egress.
	Far Side = iota
	// Own: the device is the host's own card. What enters is ingress.
	Own
)

func (s Side) String() string {
	if s == Own {
		return "own"
	}
	return "far"
}

// Device names a network device of a Linux host.
type Device struct {
	Namespace string // path of its network namespace; empty is the one Weir runs in
	Name      string
}

func (d Device) String() string {
	if d.Namespace == "" {
		return d.Name
	}
	return d.Namespace + ":" + d.Name
}

// Interface is an elastic network interface (ENI). Ids are in AWS's forms
// (eni-…, vpc-…, subnet-…, i-…); an empty id is written as "-".
type Interface struct {
	ID         string
	Name       string // for people: the instance's or the device's name
	AccountID  string
	Region     string
	ZoneID     string // availability zone id
	VPCID      string
	SubnetID   string
	InstanceID string
	Device     Device
	Side       Side
	// Bridge is the bridge that the device is a port of, or empty.
	Bridge string
	MAC    string // of the instance's end, "02:00:5e:10:00:01"; may be empty
	// Addresses are the interface's own; the first of each family is the
	// primary one. Empty when they are not known, as behind a bridge port.
	Addresses []netip.Addr
	Prefixes  []netip.Prefix // delegated to it; their addresses are its, too
	GroupIDs  []string       // security groups; none: nothing is refused by groups
	Tags      Tags
}

// Primary is the first address of the family, or the zero Addr.
func (i *Interface) Primary(is6 bool) netip.Addr {
	for _, a := range i.Addresses {
		if a.Is6() == is6 {
			return a
		}
	}
	return netip.Addr{}
}
