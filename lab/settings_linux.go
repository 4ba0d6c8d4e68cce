package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"weir/netns"
)

// setting is a file below /proc/sys/net and what is written into it.
type setting struct{ path, value string }

// everywhere holds in each namespace. "default" is for devices yet to come;
// where the kernel takes the larger of "all" and the device's own, "all" is
// set as well. A new namespace may have inherited the host's.
var everywhere = []setting{
	{"ipv6/conf/all/disable_ipv6", "0"},
	{"ipv6/conf/default/disable_ipv6", "0"},
	{"ipv6/conf/all/accept_dad", "0"}, // addresses are usable at once
	{"ipv6/conf/default/accept_dad", "0"},
	{"ipv6/conf/all/accept_ra", "0"}, // nobody advertises here, so nobody solicits
	{"ipv6/conf/default/accept_ra", "0"},
	{"ipv4/conf/all/rp_filter", "0"}, // replies pass the router once more behind the NAT instance
	{"ipv4/conf/default/rp_filter", "0"},
	{"ipv4/conf/all/send_redirects", "0"}, // the NAT instance sends back where it got from
	{"ipv4/conf/default/send_redirects", "0"},
	{"ipv4/ping_group_range", "0 0"}, // ping sockets for root; IPv6's too
}

// forwarders are the places through which packets pass, with what that needs.
var forwarders = map[string][]setting{
	routerPlace: {{"ipv4/ip_forward", "1"}, {"ipv6/conf/all/forwarding", "1"}},
	natPlace:    {{"ipv4/ip_forward", "1"}},
}

func (l *Lab) applySettings(context.Context) error {
	for place, ns := range l.namespaces {
		// Forwarding first: switching it sets others to their defaults.
		if err := set(ns, append(forwarders[place], everywhere...)); err != nil {
			return err
		}
	}
	return nil
}

func set(ns *netns.Namespace, settings []setting) error {
	return ns.Do(func() error {
		for _, s := range settings {
			// /proc/sys/net shows the namespace of the thread that looks.
			path := filepath.Join("/proc/sys/net", s.path)
			if err := os.WriteFile(path, []byte(s.value), 0); err != nil {
				return fmt.Errorf("set %q in network namespace %s: %w: is IPv6 built in, and /proc/sys writable?", s.value, ns.Name(), err)
			}
		}
		return nil
	})
}
