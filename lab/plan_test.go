package lab

import (
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"weir/vpc"
)

func testConfig(t *testing.T) Config {
	t.Helper()
	c, err := Config{}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func testPlan(t *testing.T, c Config) *plan {
	t.Helper()
	c, err := c.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	p, err := newPlan(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// What lab.yaml leaves to the lab fits what it says.
func TestPlan(t *testing.T) {
	p := testPlan(t, Config{})
	seen := map[netip.Addr]string{}
	take := func(who string, addr netip.Addr) {
		t.Helper()
		if other, ok := seen[addr]; ok {
			t.Errorf("%s and %s both have %s", who, other, addr)
		}
		seen[addr] = who
	}
	var names []string
	for _, in := range p.instances {
		names = append(names, in.Name)
		for _, addr := range append(in.Addresses, in.public) {
			if addr.IsValid() {
				take(in.Name, addr)
			}
		}
		if in.gateway.v4 == in.addr.v4 || !p.cidr.v4.Contains(in.gateway.v4) || !p.cidr.v6.Contains(in.gateway.v6) {
			t.Errorf("%s: gateways %v", in.Name, in.gateway)
		}
		if in.public.IsValid() && !publics.Contains(in.public) {
			t.Errorf("%s: %s is not in %s", in.Name, in.public, publics)
		}
		if in.Side != vpc.Far || in.Device.Name != in.Name || in.Device.Namespace != "/run/netns/weir-lab-router" {
			t.Errorf("%s: device %v, side %v", in.Name, in.Device, in.Side)
		}
	}
	if want := strings.Join(places[1:len(places)-1], " "); strings.Join(names, " ") != want {
		t.Errorf("the topology has %v, the places are %s", names, want)
	}
	for _, addr := range internetAddrs() {
		take(internetPlace, addr)
		if p.cidr.v4.Contains(addr) || p.cidr.v6.Contains(addr) || publics.Contains(addr) {
			t.Errorf("%s of the internet is in the VPC", addr)
		}
	}
	if got := p.behindNAT(); len(got) != 2 || got[0].String() != "10.0.2.0/24" || got[1].String() != "10.0.3.0/24" {
		t.Errorf("behind the NAT instance: %v", got)
	}
}

// Whoever copies lab.yaml gets the ids of the lab that runs.
func TestIDs(t *testing.T) {
	p := testPlan(t, Config{})
	form := regexp.MustCompile(`^(eni|vpc|subnet|i|sg|acl)-0[0-9a-f]{16}$`)
	for _, in := range p.topology.Interfaces {
		for _, id := range append([]string{in.ID, in.VPCID, in.SubnetID, in.InstanceID}, in.GroupIDs...) {
			if !form.MatchString(id) {
				t.Errorf("%s: id %q", in.Name, id)
			}
		}
	}
	// They are in people's buckets: they must not change.
	if got := p.web.ID; got != "eni-0e1980eb2852088e3" {
		t.Errorf("web's id has become %s", got)
	}
	other := testPlan(t, Config{Prefix: "other", AccountID: "000000000007", Region: "eu-west-3"})
	if other.web.ID == p.web.ID || other.topology.Groups[0].ID == p.topology.Groups[0].ID || other.topology.ACLs[0].ID == p.topology.ACLs[0].ID {
		t.Error("labs of different prefixes share ids")
	}
	if other.web.Device.Namespace != "/run/netns/other-router" || other.web.AccountID != "000000000007" || other.web.Region != "eu-west-3" {
		t.Errorf("web of another lab is %+v", other.web.Interface)
	}
}

func TestTopologyIsWhatPeopleRead(t *testing.T) {
	text, err := Topology(Config{})
	if err != nil || text != topologyFile {
		t.Errorf("the topology of the lab that everybody has is not lab.yaml (%v)", err)
	}
	if got := strings.Count(text, "# WRONG on purpose:"); got != len(testPlan(t, Config{}).mistakes()) {
		t.Errorf("%d rules are said to be wrong, not as many as there are mistakes", got)
	}
	if _, err := Topology(Config{Prefix: "a/b"}); err == nil {
		t.Error("a bad prefix is accepted")
	}
}

func TestConfig(t *testing.T) {
	for name, c := range map[string]Config{
		"prefix with a slash": {Prefix: "a/b"},
		"prefix too long":     {Prefix: "a23456789012345678901234567890123"},
		"prefix with capital": {Prefix: "Weir"},
		"rate too high":       {Rate: 21},
		"rate negative":       {Rate: -1},
		"bulk negative":       {BulkBytes: -1},
	} {
		if _, err := c.withDefaults(); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	if c, err := (Config{AccountID: "12"}).withDefaults(); err != nil {
		t.Error(err)
	} else if _, err := newPlan(c); err == nil || !strings.Contains(err.Error(), "12 digits") {
		t.Errorf("an account id of two digits: %v", err)
	}
}

func TestRolesAreWhole(t *testing.T) {
	known := map[string]bool{}
	for _, place := range places {
		known[place] = true
	}
	for place, role := range testPlan(t, Config{}).roles(testConfig(t)) {
		if !known[place] {
			t.Errorf("a role for %s, which is no place", place)
		}
		names := map[string]bool{}
		for _, task := range role.Tasks {
			if names[task.Name] {
				t.Errorf("%s: two tasks %q", place, task.Name)
			}
			names[task.Name] = true
			if !task.Addr.Addr().IsValid() {
				t.Errorf("%s: task %q has no address", place, task.Name)
			}
		}
	}
}

func TestTranslation(t *testing.T) {
	p := testPlan(t, Config{})
	for _, tt := range []struct{ script, want string }{
		{p.gatewayRuleset("x"), `dnat ip to ip daddr map { 192.0.2.10 : 10.0.1.10, 192.0.2.11 : 10.0.1.11, 192.0.2.12 : 10.0.1.12 }`},
		{p.gatewayRuleset("x"), `snat ip to ip saddr map { 10.0.1.10 : 192.0.2.10, 10.0.1.11 : 192.0.2.11, 10.0.1.12 : 192.0.2.12 }`},
		{p.natRuleset("x"), `ip saddr 10.0.0.0/16 ip saddr != 10.0.1.12 counter masquerade`},
		{p.natRuleset("x"), "table inet x {\n"},
	} {
		if !strings.Contains(tt.script, tt.want) {
			t.Errorf("no %q in:\n%s", tt.want, tt.script)
		}
	}
}
