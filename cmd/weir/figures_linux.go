package main

import (
	"fmt"
	"maps"
	"os"
	"strings"

	"weir/netns"
	"weir/policy"
)

// figures say how much a policy is in one network namespace.
type figures struct {
	Interfaces int `json:"interfaces"` // that are judged
	Groups     int `json:"security_groups"`
	ACLs       int `json:"network_acls"`
	Rules      int `json:"rules"`          // of those groups and ACLs, allow and deny
	Refusing   int `json:"refusing_rules"` // that have an id
}

func (f figures) String() string {
	return fmt.Sprintf("%s, %s, %s, %s", howMany(f.Interfaces, "interface"), howMany(f.Groups, "security group"), howMany(f.ACLs, "network ACL"), howMany(f.Rules, "rule"))
}

// judgedIn calls f for each interface that something filters in a namespace.
func judgedIn(p *policy.Policy, namespace string, f func(*policy.Interface)) {
	if p == nil {
		return
	}
	for _, i := range p.Interfaces() {
		if i.Device.Name != "" && i.Device.Namespace == namespace && i.Filtered() {
			f(i)
		}
	}
}

func figuresOf(p *policy.Policy, namespace string) figures {
	var f figures
	groups, acls := map[*policy.SecurityGroup]bool{}, map[*policy.NetworkACL]bool{}
	judgedIn(p, namespace, func(i *policy.Interface) {
		f.Interfaces++
		if i.Groups != nil {
			for _, g := range i.Groups.Groups {
				if !groups[g] {
					groups[g] = true
					f.Rules += len(g.Rules[0]) + len(g.Rules[1])
				}
			}
		}
		if i.ACL != nil && !acls[i.ACL] {
			acls[i.ACL] = true
			f.Rules += len(i.ACL.Rules[0]) + len(i.ACL.Rules[1])
		}
	})
	f.Groups, f.ACLs, f.Refusing = len(groups), len(acls), len(refusing(p, namespace))
	return f
}

// refusing are the ids of the rules that can refuse something in a namespace.
func refusing(p *policy.Policy, namespace string) map[uint32]bool {
	ids := map[uint32]bool{}
	judgedIn(p, namespace, func(i *policy.Interface) {
		for d := range 2 {
			if i.Groups != nil && !i.Groups.Open(policy.Direction(d)) {
				ids[i.Groups.Refusal[d].ID] = true
			}
			if i.ACL == nil || i.ACL.Open(policy.Direction(d)) {
				continue
			}
			ids[i.ACL.Rest[d].ID] = true
			for n := range i.ACL.Rules[d] {
				if r := i.ACL.Rules[d][n].Rule; !r.Allow {
					ids[r.ID] = true
				}
			}
		}
	})
	return ids
}

// refusingAnywhere is refusing in all namespaces together.
func refusingAnywhere(p *policy.Policy) map[uint32]bool {
	all, seen := map[uint32]bool{}, map[string]bool{}
	for _, i := range p.Interfaces() {
		if ns := i.Device.Namespace; !seen[ns] {
			seen[ns] = true
			maps.Copy(all, refusing(p, ns))
		}
	}
	return all
}

const bridgeHint = "sysctl -w net.bridge.bridge-nf-call-iptables=1 net.bridge.bridge-nf-call-ip6tables=1 (after modprobe br_netfilter); or give the ports no groups: they are counted all the same"

// bridgesFiltered says why traffic that bridges switch passes no firewall rule,
// nil when it does.
func bridgesFiltered(namespace string, bridges []string) error {
	if len(bridges) == 0 {
		return nil
	}
	look := func() error {
		for _, name := range []string{"bridge-nf-call-iptables", "bridge-nf-call-ip6tables"} {
			value, err := os.ReadFile("/proc/sys/net/bridge/" + name)
			if err != nil {
				return fmt.Errorf("ports of the bridge %s cannot be judged: br_netfilter is not loaded", bridges[0])
			}
			if strings.TrimSpace(string(value)) != "1" {
				return fmt.Errorf("ports of the bridge %s cannot be judged: net.bridge.%s is off in network namespace %s", bridges[0], name, namespaceName(namespace))
			}
		}
		return nil
	}
	if namespace == "" {
		return look()
	}
	ns, err := netns.Open(namespace)
	if err != nil {
		return err
	}
	defer func() { _ = ns.Close() }() // nothing was written
	return ns.Do(look)
}
