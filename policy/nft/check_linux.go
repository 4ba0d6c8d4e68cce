package nft

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
)

// checkHost refuses what would leave packets unjudged without a sign of it.
func (r *Ruleset) checkHost() error {
	var next string
	err := r.inside(func() (err error) {
		if next, err = r.checkBridges(); err != nil {
			return err
		}
		next, err = r.checkPorts()
		return err
	})
	if err != nil {
		return r.fail("apply", err, next)
	}
	return nil
}

// checkBridges looks whether switched packets pass the families ip and ip6 at all.
func (r *Ruleset) checkBridges() (next string, err error) {
	if len(r.Bridges) == 0 {
		return "", nil
	}
	for _, name := range []string{"bridge-nf-call-iptables", "bridge-nf-call-ip6tables"} {
		path := "/proc/sys/net/bridge/" + name
		next = "sysctl -w net.bridge." + name + "=1"
		value, err := os.ReadFile(path)
		switch {
		case errors.Is(err, os.ErrNotExist):
			return "modprobe br_netfilter, or leave the ports without groups and ACLs: they are counted all the same",
				fmt.Errorf("ports of the bridge %s cannot be judged: the kernel has no br_netfilter", r.Bridges[0])
		case err != nil:
			return "", err
		case strings.TrimSpace(string(value)) != "1":
			return next + ", or leave the ports without groups and ACLs: they are counted all the same",
				fmt.Errorf("ports of the bridge %s cannot be judged: %s is off", r.Bridges[0], path)
		}
	}
	return "", nil
}

// checkPorts compares the bridges that the topology names with those that there
// are: at a port, ip and ip6 see the bridge and not the device, and would never
// meet a rule for it. A device that is not there may come yet.
func (r *Ruleset) checkPorts() (next string, err error) {
	links, err := netlink.LinkList()
	if err != nil {
		return "", fmt.Errorf("list the devices: %w", err)
	}
	bridges := map[int]string{}
	for _, l := range links {
		if l.Type() == "bridge" {
			bridges[l.Attrs().Index] = l.Attrs().Name
		}
	}
	at := map[string]string{}
	for _, l := range links {
		at[l.Attrs().Name] = bridges[l.Attrs().MasterIndex]
	}
	for _, device := range slices.Sorted(maps.Keys(r.ports)) {
		want := r.ports[device]
		have, there := at[device]
		switch {
		case !there || have == want:
		case have == "":
			return "correct the interface's bridge in the topology", fmt.Errorf("device %s is no port of a bridge; the topology has it at %s", device, want)
		case want == "":
			return "correct the interface's bridge in the topology", fmt.Errorf("device %s is a port of the bridge %s; the topology has it at none", device, have)
		default:
			return "correct the interface's bridge in the topology", fmt.Errorf("device %s is a port of the bridge %s; the topology has it at %s", device, have, want)
		}
	}
	return "", nil
}
