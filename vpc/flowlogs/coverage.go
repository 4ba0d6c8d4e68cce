package flowlogs

import "weir/flowlog"

// Coverage tells which flow logs record an interface. It is built once for a
// list of flow logs, copies it, and is safe for concurrent use. An interface
// that appears later in a covered VPC or subnet is covered from then on: nothing
// is kept per interface.
type Coverage struct {
	list         []FlowLog
	byResource   map[string][]*FlowLog // VPC, subnet or interface, by id
	everything   []*FlowLog
	mostSpecific bool
}

// NewCoverage builds the coverage of flow logs. With mostSpecific, an interface
// is recorded only by the flow logs of the narrowest resource that has any: its
// own, or its subnet's, or its VPC's, or those of everything. Without, as on AWS,
// by all of them: there, flow logs know no precedence.
func NewCoverage(list []FlowLog, mostSpecific bool) *Coverage {
	c := &Coverage{list: append([]FlowLog(nil), list...), byResource: make(map[string][]*FlowLog, len(list)), mostSpecific: mostSpecific}
	for i := range c.list {
		f := &c.list[i]
		if f.ResourceID == Everything {
			c.everything = append(c.everything, f)
			continue
		}
		c.byResource[f.ResourceID] = append(c.byResource[f.ResourceID], f)
	}
	return c
}

// AppendCovering appends the flow logs that record an interface and returns the
// longer dst: the narrowest resource's first, those of one resource in the order
// of the list. Ids that are not known are empty. The flow logs are the
// coverage's own and must not be changed.
//
// It costs three lookups and what it appends.
func (c *Coverage) AppendCovering(dst []*FlowLog, interfaceID, subnetID, vpcID string) []*FlowLog {
	before := len(dst)
	for _, id := range [...]string{interfaceID, subnetID, vpcID} {
		if id != "" {
			dst = append(dst, c.byResource[id]...)
		}
		if c.mostSpecific && len(dst) > before {
			return dst
		}
	}
	return append(dst, c.everything...)
}

// Covering is AppendCovering into a new list.
func (c *Coverage) Covering(interfaceID, subnetID, vpcID string) []*FlowLog {
	return c.AppendCovering(nil, interfaceID, subnetID, vpcID)
}

// Covers reports whether any flow log records the interface.
func (c *Coverage) Covers(interfaceID, subnetID, vpcID string) bool {
	return len(c.everything) > 0 || len(c.byResource[interfaceID]) > 0 || len(c.byResource[subnetID]) > 0 || len(c.byResource[vpcID]) > 0
}

// Passes reports whether a record is of the flow log's traffic type. Records of
// status NODATA and SKIPDATA always pass: AWS does not say whether flow logs of
// ACCEPT or REJECT alone have them, and without them nobody could tell an idle
// interface, or a gap, from traffic of the other kind.
func (f *FlowLog) Passes(r *flowlog.Record) bool {
	return f.Traffic == All || f.Traffic == "" || r.LogStatus != flowlog.OK || r.Action == f.Traffic
}
