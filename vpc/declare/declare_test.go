package declare

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"weir/vpc"
	"weir/vpc/vpctest"
)

var update = flag.Bool("update", false, "write the golden files anew")

var options = Options{AccountID: "123456789012", Region: "us-east-1"}

// same compares topologies; an empty list is no list.
func same() cmp.Options {
	return cmp.Options{cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}), cmpopts.EquateEmpty()}
}

// TestFiles reads each testdata/*.yaml and compares what is wrong with it to the
// file of the same name that ends in .problems; no such file: nothing is.
func TestFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, problems := ParseFile(data, options)
			var got strings.Builder
			for _, p := range problems {
				level := "error"
				if p.Warning {
					level = "warning"
				}
				fmt.Fprintf(&got, "%v\n  %s", p, level)
				if p.Hint != "" {
					fmt.Fprintf(&got, ", hint: %s", p.Hint)
				}
				got.WriteByte('\n')
			}
			golden := strings.TrimSuffix(file, ".yaml") + ".problems"
			if *update {
				if got.Len() == 0 {
					_ = os.Remove(golden)
				} else if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

// inOrder sorts what a file puts below its VPC or subnet.
func inOrder(t *vpc.Topology) {
	place := map[string]int{}
	for i, v := range t.VPCs {
		place[v.ID] = i
	}
	slices.SortStableFunc(t.Subnets, func(a, b vpc.Subnet) int { return place[a.VPCID] - place[b.VPCID] })
	slices.SortStableFunc(t.Groups, func(a, b vpc.SecurityGroup) int { return place[a.VPCID] - place[b.VPCID] })
	slices.SortStableFunc(t.ACLs, func(a, b vpc.NetworkACL) int { return place[a.VPCID] - place[b.VPCID] })
	for i, s := range t.Subnets {
		place[s.ID] = i
	}
	slices.SortStableFunc(t.Interfaces, func(a, b vpc.Interface) int { return place[a.SubnetID] - place[b.SubnetID] })
}

func TestWriteReadIsIdentity(t *testing.T) {
	for seed := range uint64(100) {
		want := vpctest.New(seed, vpctest.Size{VPCs: 1 + int(seed%3)})
		inOrder(want)
		text := Append(nil, want)
		if _, fault := parsePlain(string(text)); fault != nil {
			t.Fatalf("seed %d: not plain: %d:%d: %v", seed, fault.line, fault.column, fault)
		}
		got, problems := Parse(text, Options{})
		if len(problems) > 0 {
			t.Fatalf("seed %d: %v", seed, problems)
		}
		if diff := cmp.Diff(want, got, same()); diff != "" {
			t.Fatalf("seed %d (-want +got):\n%s", seed, diff)
		}
	}
}

// Names and tags are people's own, in any language.
func TestWordsAreKept(t *testing.T) {
	words := []string{"café", "it's", `say "hi"`, `back\slash`, "日本 # x", "null", "yes", "1e3", "0x10", "~", "- a", "a: b", "a #b", "::", "[a]", "{a: b}", "&a", "*a", "!a", "|", "%", "@a", "`a", "ends:", " a ", "1:2", "\u2028", "<<", "=", "---"}
	top := vpc.Default([]vpc.Interface{{
		ID: "eni-1", Name: "eth0", AccountID: "123456789012", Region: "r", ZoneID: "r-az1", VPCID: "vpc-1", SubnetID: "subnet-1",
		Device: vpc.Device{Name: "eth0"}, Side: vpc.Own, Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("fe80::1")},
	}})
	tags := vpc.Tags{}
	for _, w := range words {
		tags[w] = w
		top.Groups = append(top.Groups, vpc.SecurityGroup{ID: fmt.Sprintf("sg-%d", len(top.Groups)), Name: "g" + w, VPCID: "vpc-1"})
	}
	top.Interfaces[0].Tags = tags
	for i := range top.Groups {
		top.Interfaces[0].GroupIDs = append(top.Interfaces[0].GroupIDs, top.Groups[i].ID)
	}
	text := Append(nil, top)
	got, problems := Parse(text, Options{})
	if len(problems) > 0 {
		t.Fatalf("%v\n%s", problems, text)
	}
	if diff := cmp.Diff(top, got, same()); diff != "" {
		t.Errorf("(-want +got):\n%s\n%s", diff, text)
	}
}

func TestExample(t *testing.T) {
	data, err := os.ReadFile("testdata/example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	top, problems := Parse(data, options)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	again, problems := Parse(Append(nil, top), Options{})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if diff := cmp.Diff(top, again, same()); diff != "" {
		t.Errorf("written and read (-want +got):\n%s", diff)
	}
}

// The reference's example is a good file.
func TestReference(t *testing.T) {
	page, err := os.ReadFile("../../docs/topology.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(page), "```yaml\n")
	example, _, found := strings.Cut(rest, "```\n")
	if !ok || !found {
		t.Fatal("docs/topology.md has no example")
	}
	if _, problems := Parse([]byte(example), Options{}); len(problems) > 0 {
		t.Error(problems)
	}
}

func TestDefaultsAreAWSs(t *testing.T) {
	const file = `
vpcs:
  - name: v
    security-groups: [{name: g}, {name: closed, egress: []}]
    subnets:
      - name: s
        interfaces: [{device: a}, {device: b, security-groups: []}, {device: c, security-groups: g}]
`
	top, problems := Parse([]byte(file), options)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	x := top.Index()
	acl := x.ACL(top.Subnets[0].ACLID)
	if acl == nil || acl.Name != vpc.DefaultName || len(acl.Ingress) != 2 || acl.Ingress[0].Number != 100 || acl.Egress[1].Number != 101 {
		t.Errorf("the default ACL is %+v", acl)
	}
	group := x.Group(top.Interfaces[0].GroupIDs[0])
	if group == nil || group.Name != vpc.DefaultName || group.Ingress[0].Peer.GroupID != group.ID || len(group.Egress) != 2 {
		t.Errorf("the default group is %+v", group)
	}
	if n := len(top.Interfaces[1].GroupIDs); n != 0 {
		t.Errorf("[] is %d groups", n)
	}
	if len(top.Groups[0].Egress) != 2 || len(top.Groups[1].Egress) != 0 {
		t.Errorf("egress left out: %d rules, egress []: %d", len(top.Groups[0].Egress), len(top.Groups[1].Egress))
	}
}

func TestRulesKeepTheirIDs(t *testing.T) {
	read := func(rules string) map[string]string {
		top, problems := Parse([]byte("vpcs: [{name: v, security-groups: [{name: g, ingress: ["+rules+"]}]}]"), options)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		ids := map[string]string{}
		for _, r := range top.Groups[0].Ingress {
			ids[r.Traffic.String()+" "+r.Peer.CIDR.String()] = r.ID
		}
		return ids
	}
	before := read("{protocol: tcp, ports: 80, from: 10.0.0.0/8}, {protocol: udp, ports: 53, from: 10.0.0.0/8}")
	after := read("{protocol: udp, ports: [53, 54], from: 10.0.0.0/8, description: names}, {protocol: tcp, ports: 80, from: 10.0.0.0/8}")
	for rule, id := range before {
		if after[rule] != id {
			t.Errorf("%s was %s and is %s", rule, id, after[rule])
		}
	}
}

func TestSideOfTheDevice(t *testing.T) {
	o := options
	o.Side = func(d vpc.Device) (vpc.Side, bool) { return vpc.Own, d.Name == "eth0" && d.Namespace == "/run/netns/x" }
	top, problems := Parse([]byte("vpcs: [{name: v, subnets: [{name: s, interfaces: [{device: eth0, namespace: x}, {device: eth1}, {name: e, device: eth0, namespace: /run/netns/y, side: own}]}]}]"), o)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	for i, want := range []vpc.Side{vpc.Own, vpc.Far, vpc.Own} {
		if got := top.Interfaces[i].Side; got != want {
			t.Errorf("%v is %v, want %v", top.Interfaces[i].Device, got, want)
		}
	}
}

// What a file must not do: take long, take much, or end the process.
func TestHostileFiles(t *testing.T) {
	deep := strings.Repeat
	for name, file := range map[string]string{
		"brackets":         deep("[", 1<<19),
		"braces":           deep("{a: ", 1<<18),
		"hyphens":          deep("- ", 1<<18),
		"questions":        deep("? ", 1<<18),
		"colons":           "a: " + deep("b: ", 1<<18),
		"anchors":          deep("&a ", 1<<18),
		"tags":             deep("!a ", 1<<18),
		"indented":         indented(3000),
		"closed comments":  deep("[ # ]\n", 1<<16),
		"one long word":    "a: " + deep("x", 1<<20),
		"many keys":        deep("a: b\n", 1<<17),
		"too large":        deep("a", MaxSize+1),
		"large, not plain": "a: &x b\n" + deep("# much\n", 1<<18),
		"zeros":            deep("\x00", 100),
		"quotes":           deep("'", 1<<18),
		"products":         "vpcs: [{name: v, security-groups: [{name: g, ingress: [{protocol: tcp, ports: [" + deep("1, ", 2000) + "2], from: [" + deep("self, ", 2000) + "self]}]}]}]",
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			_, problems := Parse([]byte(file), options)
			if len(problems.Errors()) == 0 {
				t.Error("no problem")
			}
			if d := time.Since(start); d > 5*time.Second {
				t.Errorf("took %v", d)
			}
		})
	}
}

func indented(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()
}

// manyRules is a file of n rules, each on its line.
func manyRules(n int) []byte {
	var b strings.Builder
	b.WriteString("vpcs:\n  - name: v\n    cidrs: [10.0.0.0/16]\n    security-groups:\n")
	for i := range n {
		if i%1000 == 0 {
			fmt.Fprintf(&b, "      - name: g%d\n        ingress:\n", i/1000)
		}
		fmt.Fprintf(&b, "          - {protocol: tcp, ports: %d, from: 10.0.%d.0/24}\n", 1+i%1000, i/1000)
	}
	return []byte(b.String())
}

func BenchmarkParse(b *testing.B) {
	for _, n := range []int{1000, vpc.MaxRules} {
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			data := manyRules(n)
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, problems := Parse(data, options); len(problems) > 0 {
					b.Fatal(problems[0])
				}
			}
		})
	}
}
