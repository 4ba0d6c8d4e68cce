package discover

import (
	"fmt"

	"github.com/vishvananda/netlink"

	"weir/netns"
	"weir/vpc"
)

// Devices tells what is known of devices that somebody named, in this network
// namespace and in others. Each namespace is listed once, when it is first asked
// for. The zero value is ready for use, by one goroutine.
type Devices struct {
	namespaces map[string]listing
}

// listing is the devices of a namespace, or why there are none.
type listing struct {
	found map[string]Found
	err   error
}

// Found is a device that exists.
type Found struct {
	Side   vpc.Side
	Bridge string // whose port it is, or empty
}

// Find looks a device up. Without it the error is an [ErrNoDevice]; others say
// that its namespace does not exist or must not be entered.
func (d *Devices) Find(dev vpc.Device) (Found, error) {
	l, ok := d.namespaces[dev.Namespace]
	if !ok {
		l.found, l.err = list(dev.Namespace)
		if d.namespaces == nil {
			d.namespaces = map[string]listing{}
		}
		d.namespaces[dev.Namespace] = l
	}
	if l.err != nil {
		return Found{}, l.err
	}
	f, ok := l.found[dev.Name]
	if !ok {
		return Found{}, fmt.Errorf("%w: %v", ErrNoDevice, dev)
	}
	return f, nil
}

// Side is Find for declare.Options.
func (d *Devices) Side(dev vpc.Device) (vpc.Side, bool) {
	f, err := d.Find(dev)
	return f.Side, err == nil
}

func list(namespace string) (found map[string]Found, err error) {
	h := &netlink.Handle{} // of this namespace
	if namespace != "" {
		ns, err := netns.Open(namespace)
		if err != nil {
			return nil, err
		}
		defer func() { _ = ns.Close() }() // the handle has a socket of its own
		if h, err = ns.Netlink(); err != nil {
			return nil, err
		}
		defer h.Close()
	}
	links, err := h.LinkList()
	if err != nil {
		return nil, fmt.Errorf("list the network devices: %w", err)
	}
	gateways := gatewayDevices(h)
	byIndex := map[int]netlink.Link{}
	for _, l := range links {
		byIndex[l.Attrs().Index] = l
	}
	found = make(map[string]Found, len(links))
	for _, l := range links {
		a := l.Attrs()
		master := byIndex[a.MasterIndex]
		side, _ := sideOf(l, master, gateways[a.Index])
		found[a.Name] = Found{Side: side, Bridge: bridgeOf(master)}
	}
	return found, nil
}
