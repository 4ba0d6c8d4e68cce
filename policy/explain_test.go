package policy_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/policy"
	"weir/vpc"
)

var update = flag.Bool("update", false, "write the golden files")

// The sentences, as somebody reads them at night: testdata/words.golden.
func TestWords(t *testing.T) {
	p := compile(t, shop())
	var b bytes.Buffer
	fmt.Fprintf(&b, "The rules that can refuse, of shop_test.go, and what packets meet.\n\n")
	for _, r := range p.Rules() {
		fmt.Fprintf(&b, "%s\n", r.Words)
	}
	for _, tt := range []struct {
		name, at string
		d        policy.Direction
		packet   string
		s        policy.State
	}{
		{"the wrong port", "eni-web1", in, "tcp 203.0.113.99:40000 10.0.1.10:8443", policy.New},
		{"a port beside a range", "eni-web1", in, "tcp 198.51.100.7:40000 10.0.1.10:8011", policy.New},
		{"the right port, from elsewhere", "eni-web1", in, "tcp 198.51.100.200:40000 10.0.1.10:8000", policy.New},
		{"the wrong protocol", "eni-web1", in, "udp 203.0.113.99:40000 10.0.1.10:443", policy.New},
		{"an instance without the group", "eni-db1", in, "tcp 10.0.1.20:40000 10.0.2.10:5432", policy.New},
		{"an address that no instance has", "eni-db1", in, "tcp 10.0.1.99:40000 10.0.2.10:5432", policy.New},
		{"outside of the prefix list", "eni-bastion", in, "tcp 203.0.113.99:40000 10.0.1.20:22", policy.New},
		{"the other family", "eni-web1", out, "tcp [2001:db8:0:1::10]:40000 [2001:db8:9::9]:443", policy.New},
		{"port and network", "eni-web1", out, "tcp 10.0.1.10:40000 192.0.2.9:23", policy.New},
		{"the wrong ICMP type", "eni-web1", in, "icmp 13/0 192.0.2.9 10.0.1.10", policy.New},
		{"the wrong ICMP code", "eni-web1", in, "icmpv6 128/7 2001:db8:9::9 2001:db8:0:1::10", policy.New},
		{"a protocol that no rule knows", "eni-web1", in, "50 192.0.2.9 10.0.1.10", policy.New},
		{"a group without rules", "eni-db1", out, "tcp 10.0.2.10:40000 192.0.2.9:443", policy.New},
		{"a deny rule", "eni-bastion", in, "tcp 203.0.113.5:40000 10.0.1.20:22", policy.New},
		{"a deny rule, in words of a protocol", "eni-db1", in, "47 10.0.1.20 10.0.2.10", policy.New},
		{"a reply that the ACL forgot", "eni-db1", out, "tcp 10.0.2.10:5432 10.0.1.10:40000", policy.Tracked},
		{"an error message that the ACL forgot", "eni-db1", out, "icmp 3/3 10.0.2.10 10.0.1.10", policy.Tracked},
		{"both refuse", "eni-db1", in, "tcp 192.0.2.9:40000 10.0.2.10:22", policy.New},
		{"allowed by both", "eni-web1", in, "tcp 203.0.113.99:40000 10.0.1.10:443", policy.New},
		{"allowed on the way out", "eni-web1", out, "tcp 10.0.1.10:40000 10.0.2.10:5432", policy.New},
		{"allowed as a reply", "eni-web1", out, "tcp 10.0.1.10:443 203.0.113.99:40000", policy.Tracked},
		{"allowed inside the subnet", "eni-db1", in, "tcp 10.0.2.11:40000 10.0.2.10:7000", policy.New},
		{"allowed without groups", "eni-open", in, "tcp 192.0.2.9:40000 10.0.1.30:80", policy.New},
		{"allowed without an ACL", "eni-lone", in, "tcp 10.0.1.10:40000 192.0.2.1:5432", policy.New},
		{"never filtered", "eni-db1", out, "udp 0.0.0.0:68 255.255.255.255:67", policy.New},
		{"not known", "eni-none", in, "tcp 192.0.2.9:40000 10.0.1.30:80", policy.New},
	} {
		v := p.Evaluate(tt.at, tt.d, packet(t, strings.Fields(tt.packet)...), tt.s)
		fmt.Fprintf(&b, "\n# %s: %s %s %s (%s)\n%s\n", tt.name, tt.at, tt.d, tt.packet, tt.s, v.Reason())
		if n := v.Nearest(); n != "" {
			fmt.Fprintf(&b, "nearest: %s\n", n)
		}
		for _, c := range v.Changes() {
			fmt.Fprintf(&b, "change:  %s\n", c)
		}
	}
	golden(t, "testdata/words.golden", b.Bytes())
}

func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("%s (-want +got), -update writes it:\n%s", path, d)
	}
}

// The number of a rule that is to come first, or last.
func TestChangeFindsAFreeNumber(t *testing.T) {
	k := packet(t, "tcp", "192.0.2.9:1", "10.0.2.10:80")
	one := vpc.Ports(vpc.TCP, 1, 1)
	for name, tt := range map[string]struct {
		rules []vpc.ACLRule
		want  int
		words string
	}{
		"the first of all":           {nil, 100, "as rule 100"},
		"behind the last":            {[]vpc.ACLRule{line(120, allow, one, "::/0")}, 200, "as rule 200"},
		"behind the highest hundred": {[]vpc.ACLRule{line(32700, allow, one, "::/0")}, 32766, "as rule 32766"},
		"the highest is taken":       {[]vpc.ACLRule{line(32765, allow, one, "::/0"), line(32766, allow, one, "::/0")}, 32764, "as rule 32764"},
		"before a deny":              {[]vpc.ACLRule{line(100, deny, vpc.AllTraffic, "0.0.0.0/0")}, 99, "as rule 99, before rule 100"},
		"before others, too":         {[]vpc.ACLRule{line(98, allow, one, "::/0"), line(99, allow, one, "::/0"), line(100, deny, vpc.AllTraffic, "0.0.0.0/0")}, 97, "as rule 97, before rule 100"},
		"no room":                    {[]vpc.ACLRule{line(1, deny, vpc.AllTraffic, "0.0.0.0/0")}, 0, "before rule 1 (no number is free there)"},
	} {
		t.Run(name, func(t *testing.T) {
			s := shop()
			s.ACLs[1].Ingress = tt.rules
			s.Interfaces[4].GroupIDs = nil
			c := compile(t, s).Evaluate("eni-db1", in, k, policy.New).Changes()
			if len(c) != 1 || c[0].Number != tt.want || !strings.HasSuffix(c[0].Words, tt.words) {
				t.Errorf("got %+v, want %d, …%q", c, tt.want, tt.words)
			}
		})
	}
}

// Where no rule is near, the new rule goes to the group that the interface names first.
func TestChangeGoesToTheFirstGroup(t *testing.T) {
	s := shop()
	s.Groups[0].Egress, s.Groups[1].Egress = nil, nil
	p := compile(t, s)
	for at, want := range map[string]string{"eni-web1": "sg-web", "eni-web2": "sg-base"} {
		c := p.Evaluate(at, out, packet(t, "tcp", "10.0.1.10:1", "192.0.2.9:80"), policy.New).Changes()
		if len(c) != 1 || c[0].ID != want {
			t.Errorf("%s: %v, want one in %s", at, c, want)
		}
	}
}
