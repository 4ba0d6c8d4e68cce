package lab

import (
	"fmt"
	"strings"

	"weir/policy"
)

// Rule is a rule that refuses packets. Its id is in the packet's mark, see
// [policy.Mark]. Ids and names stay from one version to the next.
type Rule struct {
	ID       uint32
	Name     string
	Instance string      // whose door it stands at
	Door     policy.Door // Entering: the instance's egress; Leaving: its ingress
}

// Rules returns the refusing rules of the lab, ascending by id.
func Rules() []Rule {
	var rules []Rule
	for _, d := range doors {
		rules = append(rules, d.refuse)
	}
	return rules
}

// door is what may pass an instance's interface in one direction; everything
// else its rule refuses. A direction that is not listed is open.
type door struct {
	allow  []string // conditions of nft
	refuse Rule
}

var doors = []door{
	{
		[]string{"tcp dport { 80, 443 }", "meta l4proto { icmp, ipv6-icmp }"},
		Rule{1, "web-ingress", web.name, policy.Leaving},
	},
	{
		append(from(web, "tcp dport { 8080, 9999 }"), from(bastion, "tcp dport 22")...),
		Rule{2, "app-ingress", app.name, policy.Leaving},
	},
	{
		from(app, "tcp dport 5432"),
		Rule{3, "db-ingress", db.name, policy.Leaving},
	},
	{
		[]string{"meta l4proto { tcp, udp } th dport 53"},
		Rule{4, "db-egress", db.name, policy.Entering},
	},
	{
		[]string{"ip saddr " + admin.String() + " tcp dport 22"},
		Rule{5, "bastion-ingress", bastion.name, policy.Leaving},
	},
	{
		[]string{"ip saddr " + vpc4.String(), "ip6 saddr " + vpc6.String()},
		Rule{6, "nat-ingress", natInstance.name, policy.Leaving},
	},
}

// from is a condition for packets of another instance.
func from(in instance, condition string) []string {
	return []string{
		fmt.Sprintf("ip saddr %s %s", in.addr.v4, condition),
		fmt.Sprintf("ip6 saddr %s %s", in.addr.v6, condition),
	}
}

// routerRuleset is the nft script of the router's namespace: the doors, and the
// internet gateway's 1:1 addresses.
//
// Egress is judged after conntrack (-200) and before destination NAT (-100),
// ingress after source NAT (100), so a refused packet has the addresses that it
// has, or would have had, on the interface's wire.
func routerRuleset(prefix string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "table inet %s {\n", prefix)
	writeHook(&b, "egress", "prerouting", "iifname", -150, policy.Entering)
	writeHook(&b, "ingress", "postrouting", "oifname", 150, policy.Leaving)
	for _, d := range doors {
		writeDoor(&b, d)
	}
	var in, out []string
	for _, i := range instances {
		if i.public.IsValid() {
			in = append(in, fmt.Sprintf("%s : %s", i.public, i.addr.v4))
			out = append(out, fmt.Sprintf("%s : %s", i.addr.v4, i.public))
		}
	}
	fmt.Fprintf(&b, `	chain gateway-in {
		type nat hook prerouting priority -100; policy accept;
		iifname "%[1]s" dnat ip to ip daddr map { %[2]s }
	}
	chain gateway-out {
		type nat hook postrouting priority 100; policy accept;
		oifname "%[1]s" snat ip to ip saddr map { %[3]s }
	}
}
`, gatewayDevice, strings.Join(in, ", "), strings.Join(out, ", "))
	return b.String()
}

// writeHook writes the chain through which all packets of one direction pass.
// What it accepts by itself is accepted on every device. Multicast listener
// reports belong to neighbor discovery: it joins a group per address.
func writeHook(b *strings.Builder, chain, hook, device string, priority int, at policy.Door) {
	fmt.Fprintf(b, `	chain %[1]s {
		type filter hook %[2]s priority %[3]d; policy accept;
		ct state established,related counter accept
		icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert, nd-redirect, mld2-listener-report } counter accept
		ip saddr %[4]s ip daddr %[4]s icmp type echo-request counter accept
		ip6 saddr %[5]s ip6 daddr %[5]s icmpv6 type echo-request counter accept
`, chain, hook, priority, vpc4, vpc6)
	for _, d := range doors {
		if d.refuse.Door == at {
			fmt.Fprintf(b, "\t\t%s \"%s\" jump %s\n", device, d.refuse.Instance, d.refuse.Name)
		}
	}
	b.WriteString("\t}\n")
}

func writeDoor(b *strings.Builder, d door) {
	fmt.Fprintf(b, "\tchain %s {\n", d.refuse.Name)
	for _, condition := range d.allow {
		fmt.Fprintf(b, "\t\t%s counter accept\n", condition)
	}
	fmt.Fprintf(b, "\t\tmeta mark set %#x counter drop comment \"rule %d\"\n\t}\n",
		uint32(policy.NewMark(d.refuse.Door, d.refuse.ID)), d.refuse.ID)
}

// natRuleset is the nft script of the NAT instance: what comes from elsewhere in
// the VPC leaves with the instance's own address.
func natRuleset(prefix string) string {
	return fmt.Sprintf(`table inet %s {
	chain nat-out {
		type nat hook postrouting priority 100; policy accept;
		oifname "%s" ip saddr %s ip saddr != %s counter masquerade
	}
}
`, prefix, instanceDevice, vpc4, natInstance.addr.v4)
}
