package discover

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"weir/vpc"
)

// Host says what the interfaces of this host belong to.
type Host struct {
	AccountID string
	Region    string
	ZoneID    string
	// Only, if not empty, names the devices to take; others are passed over.
	Only []string
}

// ErrNoDevice means that a device was asked for by name and does not exist.
var ErrNoDevice = errors.New("no such network device")

// Interfaces lists the host's interfaces as they are now, by device name. A
// device of Only that does not exist is an [ErrNoDevice] beside the list.
func (h Host) Interfaces() ([]vpc.Interface, error) {
	links, err := netlink.LinkList()
	if err != nil {
		return nil, fmt.Errorf("list the network devices: %w", err)
	}
	byIndex := map[int]netlink.Link{}
	for _, l := range links {
		byIndex[l.Attrs().Index] = l
	}
	gateways := gatewayDevices(&netlink.Handle{})
	machine := machineID()
	var out []vpc.Interface
	var missing []error
	for _, l := range links {
		name := l.Attrs().Name
		if len(h.Only) > 0 && !slices.Contains(h.Only, name) {
			continue
		}
		master := byIndex[l.Attrs().MasterIndex]
		side, ok := sideOf(l, master, gateways[l.Attrs().Index])
		if !ok && !slices.Contains(h.Only, name) {
			continue
		}
		i := vpc.Interface{
			ID:        id("eni-", machine, stableName(l)),
			Name:      name,
			AccountID: h.AccountID, Region: h.Region, ZoneID: h.ZoneID,
			VPCID:    id("vpc-", machine),
			SubnetID: id("subnet-", machine, subnetName(l, master)),
			Device:   vpc.Device{Name: name},
			Side:     side,
			Bridge:   bridgeOf(master),
		}
		if side == vpc.Own {
			i.InstanceID = id("i-", machine)
			i.Addresses = addresses(l)
			i.MAC = macOf(l)
		}
		out = append(out, i)
	}
	for _, name := range h.Only {
		if !slices.ContainsFunc(out, func(i vpc.Interface) bool { return i.Name == name }) {
			missing = append(missing, fmt.Errorf("%w: %s", ErrNoDevice, name))
		}
	}
	slices.SortFunc(out, func(a, b vpc.Interface) int { return strings.Compare(a.Name, b.Name) })
	return out, errors.Join(missing...)
}

// sideOf says at which end of a device its instance is, and whether the device
// is an interface at all.
func sideOf(l, master netlink.Link, gateway bool) (vpc.Side, bool) {
	if l.Attrs().Flags&net.FlagLoopback != 0 {
		return 0, false
	}
	if master != nil {
		switch master.Type() {
		case "bridge":
			return vpc.Far, true // a port: the instance is behind it
		case "bond", "team":
			return 0, false // its packets are counted at the master
		}
	}
	switch l.Type() {
	case "bridge", "ifb", "nlmon", "vcan":
		return 0, false
	case "veth":
		// A container sees its own end, through which its default route goes;
		// the host sees the far one.
		if gateway {
			return vpc.Own, true
		}
		return vpc.Far, true
	case "tuntap":
		if t, ok := l.(*netlink.Tuntap); ok && t.Mode == netlink.TUNTAP_MODE_TAP {
			return vpc.Far, true // a virtual machine's
		}
		return vpc.Own, true // a tunnel's
	case "netkit":
		return vpc.Far, true
	}
	return vpc.Own, true
}

// bridgeOf is the name of the bridge that a device is a port of, or empty.
func bridgeOf(master netlink.Link) string {
	if master != nil && master.Type() == "bridge" {
		return master.Attrs().Name
	}
	return ""
}

// macOf is an own device's address; a tunnel has none, or one of another kind.
// That of the instance behind a far device is not the device's.
func macOf(l netlink.Link) string {
	if a := l.Attrs().HardwareAddr; len(a) == 6 && a[0]&1 == 0 && !slices.Equal(a, make(net.HardwareAddr, 6)) {
		return a.String()
	}
	return ""
}

// gatewayDevices are the devices that a default route goes through.
func gatewayDevices(h *netlink.Handle) map[int]bool {
	set := map[int]bool{}
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		routes, err := h.RouteList(nil, family)
		if err != nil {
			continue // a family that is switched off
		}
		for _, r := range routes {
			if r.Dst == nil || r.Dst.IP.IsUnspecified() {
				set[r.LinkIndex] = true
				for _, hop := range r.MultiPath {
					set[hop.LinkIndex] = true
				}
			}
		}
	}
	return set
}

// addresses are the device's, primary ones first.
func addresses(l netlink.Link) []netip.Addr {
	list, err := netlink.AddrList(l, netlink.FAMILY_ALL)
	if err != nil {
		return nil
	}
	slices.SortStableFunc(list, func(a, b netlink.Addr) int { return rank(&a) - rank(&b) })
	var out []netip.Addr
	for _, a := range list {
		if ip, ok := netip.AddrFromSlice(a.IP); ok {
			out = append(out, ip.Unmap())
		}
	}
	return out
}

// rank puts global addresses before link-local ones and primary before
// secondary and temporary ones.
func rank(a *netlink.Addr) int {
	r := 0
	if a.Scope != int(netlink.SCOPE_UNIVERSE) {
		r += 2
	}
	if a.Flags&(unix.IFA_F_SECONDARY|unix.IFA_F_TEMPORARY) != 0 {
		r++
	}
	return r
}

// stableName is what a device is known by across restarts: a card's permanent
// hardware address, else the device's name. A container's veth gets a new name
// with each container, and is a new interface then.
func stableName(l netlink.Link) string {
	a := l.Attrs()
	if l.Type() == "device" && len(a.PermHWAddr) > 0 {
		return a.PermHWAddr.String()
	}
	if l.Type() == "device" && len(a.HardwareAddr) > 0 {
		return a.HardwareAddr.String()
	}
	return a.Name
}

// subnetName groups the ports of one bridge into one subnet.
func subnetName(l, master netlink.Link) string {
	if master != nil {
		return master.Attrs().Name
	}
	return stableName(l)
}

// id makes an id in AWS's form from facts that stay: the prefix and 17
// hexadecimal digits.
func id(prefix string, facts ...string) string {
	sum := sha256.Sum256([]byte(prefix + strings.Join(facts, "\x00")))
	return prefix + fmt.Sprintf("%x", sum)[:17]
}

// StableID makes an id of this host in AWS's form from facts that stay.
func StableID(prefix string, facts ...string) string {
	return id(prefix, append([]string{machineID()}, facts...)...)
}

// machineID is /etc/machine-id, or the host's name where there is none.
func machineID() string {
	if b, err := os.ReadFile("/etc/machine-id"); err == nil && len(b) > 0 {
		return strings.TrimSpace(string(b))
	}
	name, _ := os.Hostname()
	return name
}

// Changes sends whenever a device of this namespace appears, vanishes or changes
// its addresses or its master; bursts are sent once. It ends with ctx.
func Changes(ctx context.Context) (<-chan struct{}, error) {
	links := make(chan netlink.LinkUpdate, 64)
	addrs := make(chan netlink.AddrUpdate, 64)
	if err := netlink.LinkSubscribe(links, ctx.Done()); err != nil {
		return nil, fmt.Errorf("watch the network devices: %w", err)
	}
	if err := netlink.AddrSubscribe(addrs, ctx.Done()); err != nil {
		return nil, fmt.Errorf("watch the network addresses: %w", err)
	}
	out := make(chan struct{}, 1)
	go func() {
		for links != nil || addrs != nil {
			select {
			case _, ok := <-links:
				if !ok {
					links = nil
					continue
				}
			case _, ok := <-addrs:
				if !ok {
					addrs = nil
					continue
				}
			case <-ctx.Done():
				return
			}
			select {
			case out <- struct{}{}:
			default: // one is waiting to be seen already
			}
		}
	}()
	return out, nil
}

// settle is how long a burst of changes is let run before the devices are
// listed again.
const settle = 50 * time.Millisecond

// Settle waits until a burst of changes is likely over, or ctx is.
func Settle(ctx context.Context) {
	t := time.NewTimer(settle)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
