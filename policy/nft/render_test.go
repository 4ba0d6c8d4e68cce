package nft

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"weir/policy"
	"weir/vpc"
	"weir/vpc/vpctest"
)

// odd makes a random topology odder: what people call things, bridges, own
// cards, groups without rules, lists of everything.
func odd(r *rand.Rand, t *vpc.Topology) {
	names := []string{
		"", "web", "web", `say "hi" \ there`, "Grüße, 世界", strings.Repeat("long ", 60), "a\nb", "1st",
		"-", "web_2", "$x; drop table", "ct state", "é", "\xff\xfe", "#no { comment }", "*",
	}
	name := func() string { return names[r.IntN(len(names))] }
	for i := range t.Groups {
		t.Groups[i].Name = name()
		if r.IntN(6) == 0 {
			t.Groups[i].Ingress, t.Groups[i].Egress = nil, nil
		}
	}
	for i := range t.ACLs {
		t.ACLs[i].Name = name()
		if r.IntN(8) == 0 {
			t.ACLs[i].Ingress = nil
		}
	}
	for i := range t.PrefixLists {
		l := &t.PrefixLists[i]
		l.Name = name()
		switch r.IntN(4) {
		case 0:
			l.Entries = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::/0")}
		case 1:
			l.Entries = nil
		case 2: // halves that make a whole, and many
			l.Entries = append(l.Entries, netip.MustParsePrefix("0.0.0.0/1"), netip.MustParsePrefix("128.0.0.0/1"))
			for n := range r.IntN(3000) {
				l.Entries = append(l.Entries, netip.PrefixFrom(netip.AddrFrom4([4]byte{172, byte(n >> 8), byte(n), byte(r.IntN(2))}), 32))
			}
		}
	}
	devices := []string{"eth0*", "br-0123456789ab", "v'1", "wg0.7", "世", "-x", `a\b`, "jump", "accept", "0x1", "{", "#"}
	for i := range t.Interfaces {
		in := &t.Interfaces[i]
		in.Name = name()
		switch r.IntN(6) {
		case 0:
			in.Side = vpc.Own
		case 1, 2:
			in.Bridge = []string{"br0", "virbr-1", "b*"}[r.IntN(3)]
		}
		if r.IntN(9) == 0 {
			in.Device.Name = ""
		}
		if r.IntN(9) == 0 {
			in.Addresses, in.Prefixes = nil, nil
		}
	}
	for n, name := range devices {
		t.Interfaces[n*2].Device.Name = name
	}
}

func oddTopology(seed uint64) *vpc.Topology {
	r := rand.New(rand.NewPCG(seed, 1))
	size := vpctest.Size{}
	switch seed % 8 {
	case 1:
		size = vpctest.Size{VPCs: 2, Subnets: 12, Interfaces: 90, Groups: 30, GroupRules: 20, ACLRules: 20}
	case 2:
		size = vpctest.Size{Interfaces: 60, GroupRules: 2}
	}
	t := vpctest.Random(r, size)
	odd(r, t)
	return t
}

func render(tb testing.TB, t *vpc.Topology) []Ruleset {
	tb.Helper()
	p, err := policy.Compile(t, &policy.MemoryIDs{})
	if err != nil {
		tb.Fatal(err)
	}
	rulesets, err := Render(p, Options{})
	if err != nil {
		tb.Fatal(err)
	}
	return rulesets
}

func TestEqualPoliciesHaveEqualText(t *testing.T) {
	for seed := range uint64(20) {
		a, b := render(t, oddTopology(seed)), render(t, oddTopology(seed))
		if !slices.EqualFunc(a, b, func(a, b Ruleset) bool { return a.Text == b.Text && a.Digest() == b.Digest() }) {
			t.Fatalf("seed %d: two renderings of one topology differ", seed)
		}
	}
}

func TestTextHasNoNoise(t *testing.T) {
	for seed := range uint64(100) {
		for _, r := range render(t, oddTopology(seed)) {
			if err := noise(r.Text); err != nil {
				t.Fatalf("seed %d: %v\n%s", seed, err, r.Text)
			}
		}
	}
}

// noise finds chains and sets that are empty, are defined twice or that nothing
// leads to.
func noise(text string) error {
	for part := range strings.SplitSeq(text, "\ntable ") {
		defined, used := map[string]int{}, map[string]bool{}
		lines := strings.Split(part, "\n")
		for n, line := range lines {
			words := strings.Fields(strings.SplitN(line, " # ", 2)[0])
			if len(words) > 2 && slices.Contains([]string{"chain", "set", "map"}, words[0]) && words[2] == "{" {
				base := strings.Contains(lines[n+1], "type filter hook")
				if defined[words[1]]++; defined[words[1]] > 1 {
					return fmt.Errorf("%s is there twice", words[1])
				}
				if base {
					used[words[1]] = true
				}
				if strings.TrimSpace(lines[n+1]) == "}" || base && strings.TrimSpace(lines[n+2]) == "}" {
					return fmt.Errorf("%s is empty", words[1])
				}
				continue
			}
			for i, w := range words {
				if (w == "jump" || w == "goto") && i+1 < len(words) {
					used[strings.TrimSuffix(words[i+1], ",")] = true
				}
				if strings.HasPrefix(w, "@") {
					used[w[1:]] = true
				}
			}
			if strings.Contains(line, "elements = {  }") {
				return fmt.Errorf("an empty set at line %d", n)
			}
		}
		for name := range defined {
			if !used[name] {
				return fmt.Errorf("nothing leads to %s", name)
			}
		}
		for name := range used {
			if defined[name] == 0 && !strings.HasPrefix(name, "th,") {
				return fmt.Errorf("%s is used and not defined", name)
			}
		}
	}
	return nil
}

func TestNamesThatNftCannotSay(t *testing.T) {
	for _, bad := range []string{`a"b`, "a b", "a\nb", "a2345678901234567", "a\x7f"} {
		top := vpctest.New(1, vpctest.Size{})
		top.Interfaces[0].Device.Name = bad
		top.Interfaces[0].GroupIDs = []string{top.Groups[1].ID}
		top.Groups[1].Egress = nil
		p, err := policy.Compile(top, &policy.MemoryIDs{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Render(p, Options{}); err == nil || !strings.Contains(err.Error(), top.Interfaces[0].ID) {
			t.Errorf("%q: got %v, want an error that names the interface", bad, err)
		}
	}
	p, err := policy.Compile(vpctest.New(1, vpctest.Size{}), &policy.MemoryIDs{})
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"a b", "1", "_", "x;y", `"`} {
		if _, err := Render(p, Options{Table: bad}); err == nil {
			t.Errorf("table %q: no error", bad)
		}
	}
}

func TestComment(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{`say "hi" \`, `"say 'hi' '"`},
		{"a\nb\tc\x00", `"a?b?c?"`},
		{strings.Repeat("é", 70), `"` + strings.Repeat("é", 31) + "…" + strings.Repeat("é", 30) + `"`},
		{"\xff", `"?"`},
	} {
		if got := comment(tt.in); got != tt.want {
			t.Errorf("comment(%q)\n got %s\nwant %s", tt.in, got, tt.want)
		}
	}
}
