package flowlogs

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"weir/flowlog"
)

// covering is the second, plain implementation of Coverage.
func covering(list []FlowLog, mostSpecific bool, eni, subnet, vpcID string) []string {
	rank := func(f FlowLog) int {
		return slices.Index([]string{eni, subnet, vpcID, Everything}, f.ResourceID)
	}
	best := 4
	for _, f := range list {
		if r := rank(f); r >= 0 && f.ResourceID != "" {
			best = min(best, r)
		}
	}
	var ids []string
	for r := range 4 {
		for _, f := range list {
			if f.ResourceID != "" && rank(f) == r && (!mostSpecific || r == best) {
				ids = append(ids, f.ID)
			}
		}
	}
	return ids
}

func TestCoverageAgainstPlain(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 0))
		pick := func(kind string) string { return fmt.Sprintf("%s-%d", kind, r.IntN(4)) }
		var list []FlowLog
		for i := range r.IntN(12) {
			resource := [...]string{pick("eni"), pick("subnet"), pick("vpc"), Everything}[r.IntN(4)]
			list = append(list, FlowLog{ID: fmt.Sprintf("fl-%d", i), ResourceID: resource})
		}
		for _, specific := range []bool{false, true} {
			c := NewCoverage(list, specific)
			for range 20 {
				eni, subnet, vpcID := pick("eni"), pick("subnet"), pick("vpc")
				if r.IntN(10) == 0 {
					subnet, vpcID = "", "" // not known
				}
				var got []string
				for _, f := range c.Covering(eni, subnet, vpcID) {
					got = append(got, f.ID)
				}
				want := covering(list, specific, eni, subnet, vpcID)
				if !slices.Equal(got, want) || c.Covers(eni, subnet, vpcID) != (len(want) > 0) {
					t.Fatalf("seed %d, specific %v, %s %s %s: got %v, want %v of %v", seed, specific, eni, subnet, vpcID, got, want, list)
				}
			}
		}
	}
}

func TestCoverageKeepsItsList(t *testing.T) {
	list := []FlowLog{{ID: "fl-1", ResourceID: "vpc-1"}}
	c := NewCoverage(list, false)
	list[0].ID = "changed"
	if got := c.Covering("eni-1", "subnet-1", "vpc-1"); len(got) != 1 || got[0].ID != "fl-1" {
		t.Error(got)
	}
}

func TestPasses(t *testing.T) {
	accept := &flowlog.Record{LogStatus: flowlog.OK, Action: flowlog.Accept}
	reject := &flowlog.Record{LogStatus: flowlog.OK, Action: flowlog.Reject}
	idle := &flowlog.Record{LogStatus: flowlog.NoData}
	gap := &flowlog.Record{LogStatus: flowlog.SkipData}
	for traffic, want := range map[string][]*flowlog.Record{
		All: {accept, reject, idle, gap}, Accept: {accept, idle, gap}, Reject: {reject, idle, gap},
	} {
		f := FlowLog{Traffic: traffic}
		for _, r := range []*flowlog.Record{accept, reject, idle, gap} {
			if f.Passes(r) != slices.Contains(want, r) {
				t.Errorf("%s: %s %s passes: %v", traffic, r.Action, r.LogStatus, f.Passes(r))
			}
		}
	}
}

// large is 200 flow logs over 2,000 interfaces in 20 subnets of 4 VPCs.
func large() (*Coverage, [][3]string) {
	var list []FlowLog
	for i := range 200 {
		resource := [...]string{fmt.Sprintf("eni-%d", i*10), fmt.Sprintf("subnet-%d", i%20), fmt.Sprintf("vpc-%d", i%4), Everything}[i%4]
		list = append(list, FlowLog{ID: fmt.Sprintf("fl-%d", i), ResourceID: resource})
	}
	var interfaces [][3]string
	for i := range 2000 {
		interfaces = append(interfaces, [3]string{fmt.Sprintf("eni-%d", i), fmt.Sprintf("subnet-%d", i%20), fmt.Sprintf("vpc-%d", i%4)})
	}
	return NewCoverage(list, false), interfaces
}

func TestAppendCoveringDoesNotAllocate(t *testing.T) {
	c, interfaces := large()
	var buf []*FlowLog
	if n := testing.AllocsPerRun(10, func() {
		for _, i := range interfaces {
			buf = c.AppendCovering(buf[:0], i[0], i[1], i[2])
		}
	}); n != 0 {
		t.Errorf("allocates %v times per 2000 interfaces, want 0", n)
	}
}

// BenchmarkCoverage is one aggregation interval: 2,000 interfaces, 200 flow logs.
func BenchmarkCoverage(b *testing.B) {
	c, interfaces := large()
	buf := make([]*FlowLog, 0, 200)
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		n = 0
		for _, i := range interfaces {
			buf = c.AppendCovering(buf[:0], i[0], i[1], i[2])
			n += len(buf)
		}
	}
	b.ReportMetric(float64(n), "pairs")
}
