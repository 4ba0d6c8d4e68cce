package main

import (
	"net/netip"
	"os"
	"strings"
	"testing"

	"weir/policy"
	"weir/vpc"
	"weir/vpc/declare"
)

// ownCard is a policy of the host's one card.
func ownCard(t *testing.T, groupRules, aclRules string) *policy.Policy {
	t.Helper()
	top, problems := declare.Parse([]byte(`
vpcs:
  - name: v
    cidrs: [10.0.0.0/16]
    security-groups: [{name: g, ingress: [`+groupRules+`]}]
    network-acls: [{name: a, `+aclRules+`}]
    subnets:
      - name: s
        cidrs: [10.0.1.0/24]
        network-acl: a
        interfaces:
          - {name: card, device: eth0, addresses: [10.0.1.10], security-groups: [g]}
`), declare.Options{AccountID: "123456789012", Region: "r", Side: func(vpc.Device) (vpc.Side, bool) { return vpc.Own, true }})
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	p, err := policy.Compile(top, &policy.MemoryIDs{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestLockedOut(t *testing.T) {
	const (
		anyACL  = `ingress: [{rule: 100, allow: all, from: 0.0.0.0/0}], egress: [{rule: 100, allow: all, to: 0.0.0.0/0}]`
		ssh     = `{protocol: tcp, ports: 22, from: 203.0.113.0/24}`
		session = "203.0.113.7 50000 10.0.1.10 22"
	)
	for _, tt := range []struct {
		name, group, acl, session string
		want                      string // part of what is said; empty: nobody is locked out
	}{
		{"somebody gets in", ssh, anyACL, "", ""},
		{"the session's peer gets in", ssh, anyACL, session, ""},
		{"nobody gets in", `{protocol: tcp, ports: 443, from: 0.0.0.0/0}`, anyACL, "", "SSH (tcp 22) from anywhere at all is refused: security group g"},
		{"others get in", ssh, anyACL, "198.51.100.1 50000 10.0.1.10 22", "to let it pass: allow tcp 22 from 198.51.100.1/32 in security group g"},
		{"another port", ssh, anyACL, "203.0.113.7 50000 10.0.1.10 2222", "allow tcp 2222 from 203.0.113.7/32"},
		{
			"the ACL refuses", ssh, `ingress: [{rule: 10, deny: tcp, ports: 22, from: 203.0.113.0/24}, {rule: 100, allow: all, from: 0.0.0.0/0}], egress: [{rule: 100, allow: all, to: 0.0.0.0/0}]`,
			session, "network ACL a (",
		},
		{
			"half of them are denied", ssh, `ingress: [{rule: 10, deny: tcp, ports: 22, from: 203.0.113.0/25}, {rule: 100, allow: all, from: 0.0.0.0/0}], egress: [{rule: 100, allow: all, to: 0.0.0.0/0}]`,
			"", "",
		},
		{
			"no replies to the session", ssh, `ingress: [{rule: 100, allow: all, from: 0.0.0.0/0}], egress: [{rule: 100, allow: tcp, ports: 443, to: 0.0.0.0/0}]`,
			session, "the reply to your SSH session from 203.0.113.7 is refused",
		},
		{
			"no replies to anybody", ssh, `ingress: [{rule: 100, allow: all, from: 0.0.0.0/0}], egress: []`,
			"", "the reply to SSH (tcp 22) from anywhere at all is refused",
		},
		{
			"replies to some", ssh, `ingress: [{rule: 100, allow: all, from: 0.0.0.0/0}], egress: [{rule: 100, allow: tcp, ports: 1024-65535, to: 203.0.113.64/26}]`,
			"", "",
		},
		{"from inside the subnet only", `{protocol: tcp, ports: 22, from: 10.0.1.0/24}`, `ingress: [], egress: []`, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			list := lockedOut(ownCard(t, tt.group, tt.acl), parseSession(tt.session))
			var b strings.Builder
			for i := range list {
				b.WriteString(list[i].String())
			}
			if got := b.String(); tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// A session that comes through a device which the policy does not filter is not
// touched by what it closes elsewhere.
func TestSessionComesAnotherWay(t *testing.T) {
	p := ownCard(t, `{protocol: tcp, ports: 443, from: 0.0.0.0/0}`, `ingress: [], egress: []`)
	s := &session{peer: netip.MustParseAddrPort("192.0.2.1:50000"), local: netip.MustParseAddrPort("192.0.2.2:22"), device: "eth1"}
	if list := lockedOut(p, s); len(list) != 0 {
		t.Errorf("%+v", list)
	}
}

func TestParseSession(t *testing.T) {
	s := parseSession("fe80::1%eth0 50000 fe80::2%eth0 22")
	if s == nil || s.peer != netip.MustParseAddrPort("[fe80::1]:50000") || s.local.Port() != 22 {
		t.Errorf("%+v", s)
	}
	for _, text := range []string{"", "a b c d", "10.0.0.1 1 10.0.0.2", "10.0.0.1 1 10.0.0.2 66000"} {
		if s := parseSession(text); s != nil {
			t.Errorf("%q is %+v", text, s)
		}
	}
}

func TestParent(t *testing.T) {
	if got := parent(os.Getpid()); got != os.Getppid() {
		t.Errorf("parent is %d, want %d", got, os.Getppid())
	}
}
