package aggregate

import (
	"cmp"

	"weir/count"
	"weir/flowlog"
	"weir/policy"
	"weir/vpc"
)

// window is an aggregation interval, [start, end) in Unix seconds.
type window struct{ start, end int64 }

// draft is a record in the making: small, because an interval may have millions.
type draft struct {
	key
	count.Tally
	start, end int64 // Unix seconds
	action     string
	status     string
	rule       uint32
	reason     string
}

// draftOf is the record of one flow with one verdict.
func draftOf(k key, t *count.Tally, action string, w window) draft {
	d := draft{key: k, Tally: *t, start: t.First / 1000, end: t.Last / 1000, action: action, status: flowlog.OK}
	// The kernel's clock is read a moment before or after the map is handed
	// over, so a time may lie just outside of the interval. What lies further
	// outside was counted while nobody read, and stays as it is.
	if d.start == w.start-1 {
		d.start = w.start
	}
	if d.end == w.end {
		d.end = w.end - 1
	}
	d.start = min(d.start, d.end)
	return d
}

// statusDraft is a NODATA or SKIPDATA record: it stands for the whole interval.
func statusDraft(place uint32, status string, w window) draft {
	return draft{key: key{place: place}, start: w.start, end: w.end - 1, status: status}
}

// compare orders the drafts of one interface by what tells flows apart.
func (d *draft) compare(o *draft) int {
	return cmp.Or(
		cmp.Compare(d.start, o.start),
		d.Compare(&o.Key),
		cmp.Compare(d.action, o.action),
		cmp.Compare(d.status, o.status),
	)
}

// fill makes r the record of a draft at its interface.
func (d *draft) fill(r *flowlog.Record, i *vpc.Interface) {
	*r = flowlog.Record{Start: d.start, End: d.end}
	setInterface(r, i)
	if d.status != flowlog.OK {
		r.SetStatus(d.status)
		return
	}
	src, dst := d.Addrs()
	r.LogStatus = flowlog.OK
	r.Action = d.action
	r.Direction = Direction(i.Side, d.Door)
	r.Type = flowlog.IPv4
	if src.Is6() {
		r.Type = flowlog.IPv6
	}
	r.Protocol = int64(d.Protocol)
	r.SrcPort, r.DstPort = int64(d.SrcPort), int64(d.DstPort)
	r.SrcAddr, r.DstAddr = src, dst
	r.PktSrcAddr, r.PktDstAddr = src, dst
	r.Packets, r.Bytes = int64(d.Packets), int64(d.Bytes)
	r.TCPFlags = int64(d.Flags)
	r.RuleID, r.DropReason = int64(d.rule), d.reason
	r.Missing.Add(encryptionStatus.Place()) // nobody here knows
	setOwnAddress(r, i)
}

var encryptionStatus, _ = flowlog.FieldByName("encryption-status")

func setInterface(r *flowlog.Record, i *vpc.Interface) {
	r.AccountID = i.AccountID
	r.InterfaceID = i.ID
	r.VPCID = i.VPCID
	r.SubnetID = i.SubnetID
	r.InstanceID = i.InstanceID
	r.Region = i.Region
	r.ZoneID = i.ZoneID
}

// setOwnAddress puts the interface's primary IPv4 address on its own side of
// the flow, whatever stands in the packet; pkt-srcaddr and pkt-dstaddr keep
// that. Source: Amazon VPC User Guide, "Flow log records", srcaddr and dstaddr;
// "Traffic through a NAT gateway" shows it for addresses that are not the
// interface's at all. IPv6 addresses stay as they are.
func setOwnAddress(r *flowlog.Record, i *vpc.Interface) {
	own := &r.DstAddr
	if r.Direction == flowlog.Egress {
		own = &r.SrcAddr
	}
	if !own.Is4() {
		return
	}
	if primary := i.Primary(false); primary.IsValid() {
		*own = primary
	}
}

// Direction is seen from the instance: what enters the host through the device
// leaves the instance at its far end.
func Direction(side vpc.Side, door policy.Door) string {
	if (side == vpc.Own) == (door == policy.Entering) {
		return flowlog.Ingress
	}
	return flowlog.Egress
}

// Skipped is the SKIPDATA record of an interface for a window, both ends
// inclusive, in Unix seconds.
func Skipped(t Topology, id string, start, end int64) flowlog.Record {
	i, ok := t.Interface(id)
	if !ok {
		i = &vpc.Interface{ID: id}
	}
	r := flowlog.Record{Start: start, End: end}
	setInterface(&r, i)
	r.SetStatus(flowlog.SkipData)
	return r
}
