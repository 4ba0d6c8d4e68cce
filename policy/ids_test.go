package policy_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"weir/policy"
	"weir/vpc"
)

// byKey is the ids of a compiled topology.
func byKey(t *testing.T, s *vpc.Topology, ids policy.RuleIDs) map[string]uint32 {
	t.Helper()
	p, err := policy.Compile(s, ids)
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]uint32{}
	last := uint32(0)
	for _, r := range p.Rules() {
		if r.ID <= last || r.Allow || keys[r.Key] != 0 {
			t.Fatalf("rule %+v after %d", r, last)
		}
		last = r.ID
		keys[r.Key] = r.ID
		if again, ok := p.Rule(r.ID); !ok || again.Key != r.Key {
			t.Fatalf("rule %d is %+v", r.ID, again)
		}
	}
	return keys
}

// What a change of the topology does to the ids: which refusals are new rules.
func TestIDsFollowWhatRulesSay(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(s *vpc.Topology)
		want   []string // keys without their hash that are new
	}{
		"nothing": {func(*vpc.Topology) {}, nil},
		"names, descriptions, rule ids": {func(s *vpc.Topology) {
			s.Groups[0].Name, s.ACLs[0].Name = "www", "front"
			s.Groups[0].Ingress[0].Description, s.Groups[0].Ingress[0].ID = "the shop", "sgr-1"
		}, nil},
		"order of a group's rules and of an interface's groups": {func(s *vpc.Topology) {
			slices.Reverse(s.Groups[0].Ingress)
			slices.Reverse(s.Interfaces[0].GroupIDs)
			slices.Reverse(s.Groups)
		}, nil},
		"a rule twice": {func(s *vpc.Topology) { s.Groups[0].Ingress = append(s.Groups[0].Ingress, s.Groups[0].Ingress[0]) }, nil},
		"an instance more in a referenced group": {func(s *vpc.Topology) {
			s.Interfaces = append(s.Interfaces, eni("eni-web3", "web3", "subnet-1", "10.0.1.12", "2001:db8:0:1::12", "sg-web", "sg-base"))
		}, nil},
		"an instance more with a new set": {func(s *vpc.Topology) {
			s.Interfaces = append(s.Interfaces, eni("eni-web3", "web3", "subnet-1", "10.0.1.12", "2001:db8:0:1::12", "sg-web"))
		}, []string{"groups sg-web egress", "groups sg-web ingress"}},
		"a port of a group's rule":   {func(s *vpc.Topology) { s.Groups[0].Ingress[0].Traffic.To++ }, []string{"groups sg-base,sg-web ingress"}},
		"a group that two sets have": {func(s *vpc.Topology) { s.Groups[1].Egress = nil }, []string{"groups sg-base egress", "groups sg-base,sg-web egress"}},
		"an entry of a prefix list":  {func(s *vpc.Topology) { s.PrefixLists[0].Entries[0] = mustPrefix("203.0.113.0/25") }, []string{"groups sg-base ingress", "groups sg-base,sg-web ingress"}},
		"a deny rule's network":      {func(s *vpc.Topology) { s.ACLs[0].Ingress[0].CIDR = mustPrefix("203.0.113.0/29") }, []string{"acl acl-1 ingress *", "acl acl-1 ingress 90 deny 6/22-22 203.0.113.0/29"}},
		"a deny rule's number":       {func(s *vpc.Topology) { s.ACLs[0].Ingress[0].Number = 91 }, []string{"acl acl-1 ingress *", "acl acl-1 ingress 91 deny 6/22-22 203.0.113.0/28"}},
		"an allow rule of an ACL":    {func(s *vpc.Topology) { s.ACLs[1].Egress[1].Traffic.From = 1025 }, []string{"acl acl-2 egress *"}},
	} {
		t.Run(name, func(t *testing.T) {
			ids := new(policy.MemoryIDs)
			before := byKey(t, shop(), ids)
			s := shop()
			tt.change(s)
			after := byKey(t, s, ids)
			var got []string
			for _, key := range slices.Sorted(maps.Keys(after)) {
				switch id, known := before[key]; {
				case known && id != after[key]:
					t.Errorf("%s had id %d, now %d", key, id, after[key])
				case !known && after[key] <= uint32(len(before)):
					t.Errorf("%s took the id %d of another rule", key, after[key])
				case !known:
					got = append(got, withoutHash(key))
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("new rules %q, want %q", got, tt.want)
			}
			if again := byKey(t, shop(), ids); !maps.Equal(again, before) {
				t.Errorf("after changing it back: %v, want %v", again, before)
			}
		})
	}
}

func withoutHash(key string) string {
	if strings.HasPrefix(key, "groups ") || strings.Contains(key, " * ") {
		return key[:strings.LastIndexByte(key, ' ')]
	}
	return key
}

func TestIDsOfEqualTopologiesAreEqual(t *testing.T) {
	if a, b := byKey(t, shop(), new(policy.MemoryIDs)), byKey(t, shop(), new(policy.MemoryIDs)); !maps.Equal(a, b) {
		t.Errorf("%v and %v", a, b)
	}
}

// ids gives what it is told to give.
type ids func(key string) (uint32, error)

func (f ids) ID(key string) (uint32, error) { return f(key) }

func TestCompileRefusesIDs(t *testing.T) {
	full := errors.New("disk full")
	next := uint32(policy.MarkRuleMask - 3)
	for name, tt := range map[string]struct {
		ids  ids
		want string
	}{
		"an error":              {func(string) (uint32, error) { return 0, full }, "disk full"},
		"none":                  {func(string) (uint32, error) { return 0, nil }, "is not in 1 to 134217727"},
		"too many for the mark": {func(string) (uint32, error) { next++; return next, nil }, "id 134217728 of"},
		"one for two rules":     {func(string) (uint32, error) { return 7, nil }, "id 7 is given to two rules"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := policy.Compile(shop(), tt.ids)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}
