package lab

import (
	"net/netip"
	"regexp"
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

func TestPlan(t *testing.T) {
	vpc6Subnets := map[netip.Prefix]*subnet{}
	seen := map[netip.Addr]string{}
	take := func(who string, addr netip.Addr) {
		t.Helper()
		if other, ok := seen[addr]; ok {
			t.Errorf("%s and %s both have %s", who, other, addr)
		}
		seen[addr] = who
	}
	for _, in := range instances {
		if !in.subnet.cidr.Contains(in.addr.v4) || !vpc4.Contains(in.addr.v4) {
			t.Errorf("%s: %s is not in its subnet and VPC", in.name, in.addr.v4)
		}
		if !vpc6.Contains(in.addr.v6) {
			t.Errorf("%s: %s is not in the VPC", in.name, in.addr.v6)
		}
		cidr6 := netip.PrefixFrom(in.addr.v6, 64).Masked()
		if !cidr6.Contains(in.subnet.gateway.v6) {
			t.Errorf("%s: %s and its gateway %s are not in one /64", in.name, in.addr.v6, in.subnet.gateway.v6)
		}
		if other := vpc6Subnets[cidr6]; other != nil && other != in.subnet {
			t.Errorf("subnets %s and %s share %s", other.name, in.subnet.name, cidr6)
		}
		vpc6Subnets[cidr6] = in.subnet
		for _, addr := range in.addr.list() {
			take(in.name, addr)
		}
		if in.public.IsValid() != !in.subnet.private {
			t.Errorf("%s: public address %s in subnet %s", in.name, in.public, in.subnet.name)
		}
		if in.public.IsValid() {
			take(in.name, in.public)
			if !publics.Contains(in.public) {
				t.Errorf("%s: %s is not in %s", in.name, in.public, publics)
			}
		}
		if len(in.name) > 15 {
			t.Errorf("device name %s is longer than the kernel allows", in.name)
		}
	}
	for _, addr := range internetAddrs() {
		take(internetPlace, addr)
		if vpc4.Contains(addr) || vpc6.Contains(addr) || publics.Contains(addr) {
			t.Errorf("%s of the internet is in the VPC", addr)
		}
	}
}

func TestInterfaces(t *testing.T) {
	c := testConfig(t)
	got := interfaces(c, "/run/netns/weir-lab-router")
	ids := map[string]bool{}
	form := regexp.MustCompile(`^(eni|vpc|subnet|i)-[0-9a-f]{17}$`)
	for _, in := range got {
		for _, id := range []string{in.ID, in.VPCID, in.SubnetID, in.InstanceID} {
			if !form.MatchString(id) {
				t.Errorf("%s: id %q", in.Name, id)
			}
		}
		if ids[in.ID] {
			t.Errorf("%s: id %s twice", in.Name, in.ID)
		}
		ids[in.ID] = true
		if in.Side != vpc.Far || in.Device != (vpc.Device{Namespace: "/run/netns/weir-lab-router", Name: in.Name}) {
			t.Errorf("%s: device %v, side %v", in.Name, in.Device, in.Side)
		}
		if in.AccountID != "123456789012" || in.Region != "us-east-1" {
			t.Errorf("%s: account %s, region %s", in.Name, in.AccountID, in.Region)
		}
	}
	if got[0].Name != "web" || got[0].ZoneID != "use1-az1" || got[0].Primary(false) != web.addr.v4 || got[0].Primary(true) != web.addr.v6 {
		t.Errorf("web is %+v", got[0])
	}
	if got[2].Name != "db" || got[2].ZoneID != "use1-az2" || got[2].SubnetID == got[1].SubnetID {
		t.Errorf("db is %+v", got[2])
	}
	// The ids are in people's buckets: they must not change.
	if got[0].ID != "eni-0a6ef43b3196fef77" {
		t.Errorf("web's id has become %s", got[0].ID)
	}
	other := c
	other.Prefix = "other"
	if interfaces(other, "")[0].ID == got[0].ID {
		t.Error("labs of different prefixes share ids")
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
}

func TestRolesAreWhole(t *testing.T) {
	rs := roles(testConfig(t))
	known := map[string]bool{}
	for _, place := range places() {
		known[place] = true
	}
	for place, role := range rs {
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
