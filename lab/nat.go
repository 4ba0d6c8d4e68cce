package lab

import (
	"fmt"
	"strings"
)

// Translation of addresses is no policy: security groups and network ACLs know
// nothing of it. It stands in tables of its own, named by the prefix, and beside
// the policy's: that judges before destination NAT (-100) and after source NAT
// (100), see docs/decisions/0002.

// gatewayRuleset is the internet gateway's nft script: public addresses 1:1.
func (p *plan) gatewayRuleset(prefix string) string {
	var in, out []string
	for _, i := range p.instances {
		if i.public.IsValid() {
			in = append(in, fmt.Sprintf("%s : %s", i.public, i.addr.v4))
			out = append(out, fmt.Sprintf("%s : %s", i.addr.v4, i.public))
		}
	}
	return fmt.Sprintf(`table inet %[1]s {
	chain gateway-in {
		type nat hook prerouting priority -100; policy accept;
		iifname "%[2]s" dnat ip to ip daddr map { %[3]s }
	}
	chain gateway-out {
		type nat hook postrouting priority 100; policy accept;
		oifname "%[2]s" snat ip to ip saddr map { %[4]s }
	}
}
`, prefix, gatewayDevice, strings.Join(in, ", "), strings.Join(out, ", "))
}

// natRuleset is the nft script of the NAT instance: what comes from elsewhere in
// the VPC leaves with the instance's own address.
func (p *plan) natRuleset(prefix string) string {
	return fmt.Sprintf(`table inet %s {
	chain nat-out {
		type nat hook postrouting priority 100; policy accept;
		oifname "%s" ip saddr %s ip saddr != %s counter masquerade
	}
}
`, prefix, instanceDevice, p.cidr.v4, p.nat.addr.v4)
}
