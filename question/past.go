package question

import (
	"time"

	"weir/policy"
	"weir/vpc"
)

// Past is what was in force when. Nobody may change what it hands out.
type Past interface {
	// At is the topology and the policy that were in force at t, and since when;
	// a zero since is one that nobody knows. False when nothing is known of t.
	At(t time.Time) (topology *vpc.Topology, p *policy.Policy, since time.Time, ok bool)
	// Rule is what the rule with the id said, in force or not.
	Rule(id uint32) (words string, ok bool)
}

// Given is the Past of somebody who has one topology and no history: it is taken
// as in force at all times. Its rules' ids are not those of any record, so it
// knows no rule by its id.
type Given struct {
	topology *vpc.Topology
	policy   *policy.Policy
}

var _ Past = (*Given)(nil)

// NewGiven compiles a topology that passed its check.
func NewGiven(t *vpc.Topology) (*Given, error) {
	p, err := policy.Compile(t, new(policy.MemoryIDs))
	if err != nil {
		return nil, err
	}
	return &Given{t, p}, nil
}

// At is the one topology.
func (g *Given) At(time.Time) (*vpc.Topology, *policy.Policy, time.Time, bool) {
	return g.topology, g.policy, time.Time{}, true
}

// Rule knows none.
func (g *Given) Rule(uint32) (string, bool) { return "", false }

// version is what was in force at one time.
type version struct {
	topology *vpc.Topology
	index    *vpc.Index
	policy   *policy.Policy
	since    time.Time // zero: not known, the topology was given
}

// versionAt is nil when nothing is known of the time.
func versionAt(p Past, t time.Time) *version {
	if p == nil {
		return nil
	}
	topology, compiled, since, ok := p.At(t)
	if !ok || topology == nil || compiled == nil {
		return nil
	}
	return &version{topology, topology.Index(), compiled, since}
}

// words names the policy: "the policy in force since 2024-02-29 12:00:00".
func (v *version) words() string {
	if v.since.IsZero() {
		return "the given topology"
	}
	return "the policy in force since " + stamp(v.since)
}

// same reports whether two versions are one.
func (v *version) same(o *version) bool {
	return v != nil && o != nil && (v.topology == o.topology || !v.since.IsZero() && v.since.Equal(o.since))
}
