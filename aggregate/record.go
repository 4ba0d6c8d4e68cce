package aggregate

import (
	"cmp"
	"net/netip"
	"slices"

	"weir/count"
	"weir/flowlog"
	"weir/policy"
	"weir/vpc"
)

// window is an aggregation interval, [start, end) in Unix seconds.
type window struct{ start, end int64 }

// record makes the record of one flow with one verdict.
func record(i *vpc.Interface, k *count.Key, t *count.Tally, action flowlog.Action, w window) flowlog.Record {
	src, dst := k.Addrs()
	r := flowlog.Record{
		LogStatus: flowlog.OK,
		Action:    action,
		Direction: Direction(i.Side, k.Door),
		Type:      flowlog.IPv4,
		Protocol:  k.Protocol,
		SrcPort:   k.SrcPort, DstPort: k.DstPort,
		SrcAddr: src, DstAddr: dst,
		PktSrcAddr: src, PktDstAddr: dst,
		Packets: t.Packets, Bytes: t.Bytes,
		TCPFlags: t.Flags,
		Start:    t.First / 1000,
		End:      t.Last / 1000,
	}
	// The kernel's clock is read a moment before or after the map is handed
	// over, so a time may lie just outside of the interval. What lies further
	// outside was counted while nobody read, and stays as it is.
	if r.Start == w.start-1 {
		r.Start = w.start
	}
	if r.End == w.end {
		r.End = w.end - 1
	}
	r.Start = min(r.Start, r.End)
	if src.Is6() {
		r.Type = flowlog.IPv6
	}
	setOwnAddress(&r, i)
	setInterface(&r, i)
	return r
}

// statusRecord is a NODATA or SKIPDATA record: it stands for the whole interval.
func statusRecord(i *vpc.Interface, status flowlog.LogStatus, w window) flowlog.Record {
	r := flowlog.Record{LogStatus: status, Start: w.start, End: w.end - 1}
	setInterface(&r, i)
	return r
}

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
func Direction(side vpc.Side, door policy.Door) flowlog.Direction {
	if (side == vpc.Own) == (door == policy.Entering) {
		return flowlog.Ingress
	}
	return flowlog.Egress
}

// sortRecords gives records a fixed order: by interface, then by what tells
// flows apart.
func sortRecords(rs []flowlog.Record) {
	slices.SortFunc(rs, func(a, b flowlog.Record) int {
		return cmp.Or(
			cmp.Compare(a.InterfaceID, b.InterfaceID),
			cmp.Compare(a.Start, b.Start),
			compareAddr(a.PktSrcAddr, b.PktSrcAddr),
			compareAddr(a.PktDstAddr, b.PktDstAddr),
			cmp.Compare(a.Protocol, b.Protocol),
			cmp.Compare(a.SrcPort, b.SrcPort),
			cmp.Compare(a.DstPort, b.DstPort),
			cmp.Compare(a.Direction, b.Direction),
			cmp.Compare(a.Action, b.Action),
			cmp.Compare(a.LogStatus, b.LogStatus),
		)
	})
}

func compareAddr(a, b netip.Addr) int { return a.Compare(b) }
