package aggregate

import (
	"bytes"
	"cmp"
	"encoding/binary"

	"weir/flowlog"
	"weir/policy"
	"weir/vpc"
)

// window is an aggregation interval, [start, end) in Unix seconds.
type window struct{ start, end int64 }

// draft is a record of an interface in the making: 16 bytes, which are sorted in
// place of the flows.
type draft struct {
	// What records are sorted by begins with these, as far as 32 bits hold them;
	// see isVague.
	start, source, dest uint32
	// what is the flow's number twice, plus one when it is refused; or statusBit,
	// plus one when it is SKIPDATA.
	what uint32
}

const (
	statusBit = 1 << 31
	noData    = statusBit
	skipData  = statusBit + 1
)

// flowDraft is the record of one flow with one verdict.
func flowDraft(n int, f *flow, t *sum, refused bool, w window) draft {
	start, _ := t.times(w)
	d := draft{w.offset(start), shortOf(&f.Src), shortOf(&f.Dst), uint32(n) << 1}
	if refused {
		d.what |= 1
	}
	return d
}

// statusDraft is a NODATA or SKIPDATA record: it stands for the whole interval.
func statusDraft(what uint32, w window) draft { return draft{start: w.offset(w.start), what: what} }

// times are a record's start and end.
func (t sum) times(w window) (start, end int64) {
	start, end = t.first/1000, t.last/1000
	// The kernel's clock is read a moment before or after the map is handed
	// over, so a time may lie just outside of the interval. What lies further
	// outside was counted while nobody read, and stays as it is.
	if start == w.start-1 {
		start = w.start
	}
	if end == w.end {
		end = w.end - 1
	}
	return min(start, end), end
}

// offset ascends like a time. Times that are further away from the interval than
// 68 years are one to it, and vague.
func (w window) offset(t int64) uint32 { return uint32(max(0, min(t-w.start+1<<31, 1<<32-1))) }

// isVague reports whether different values may have become this one.
func isVague(n uint32) bool { return n+1 <= 1 }

var mapped = [12]byte{10: 0xff, 11: 0xff}

// shortOf ascends like the address: IPv4 ones are told apart, others are vague.
func shortOf(a *[16]byte) uint32 {
	switch c := bytes.Compare(a[:12], mapped[:]); {
	case c < 0:
		return 0
	case c > 0:
		return 1<<32 - 1
	}
	return binary.BigEndian.Uint32(a[12:])
}

// compare orders drafts of one interface by start, what tells flows apart, and
// action. No two are equal. The flows themselves, which are all over the memory,
// are seldom looked at.
func (s *flows) compare(x, y draft, w window) int {
	switch {
	case x.start != y.start:
		return cmp.Compare(x.start, y.start)
	case isVague(x.start):
	case x.source != y.source:
		return cmp.Compare(x.source, y.source)
	case isVague(x.source):
	case x.dest != y.dest:
		return cmp.Compare(x.dest, y.dest)
	}
	if (x.what|y.what)&statusBit != 0 {
		return cmp.Compare(y.what&statusBit, x.what&statusBit) // that of no flow comes first
	}
	f, g := s.at(int(x.what>>1)), s.at(int(y.what>>1))
	if isVague(x.start) {
		a, _ := s.sumOf(x).times(w)
		b, _ := s.sumOf(y).times(w)
		if a != b {
			return cmp.Compare(a, b)
		}
	}
	return cmp.Or(f.Compare(&g.Key), cmp.Compare(x.what&1, y.what&1))
}

// sumOf is what a flow's draft counts.
func (s *flows) sumOf(d draft) sum {
	f := s.at(int(d.what >> 1))
	if d.what&1 == 1 {
		return s.refusal(f).refused
	}
	t, _ := s.accepted(f)
	return t
}

// fill makes r the record of a draft at its interface.
func (a *Aggregator) fill(r *flowlog.Record, d draft, i *vpc.Interface, w window) {
	*r = flowlog.Record{}
	setInterface(r, i)
	if d.what&statusBit != 0 {
		r.Start, r.End = w.start, w.end-1
		r.SetStatus([...]string{flowlog.NoData, flowlog.SkipData}[d.what-noData])
		return
	}
	f, t := a.flows.at(int(d.what>>1)), a.flows.sumOf(d)
	r.Start, r.End = t.times(w)
	src, dst := f.Addrs()
	r.LogStatus = flowlog.OK
	r.Action = flowlog.Accept
	r.Direction = Direction(i.Side, f.Door)
	r.Type = flowlog.IPv4
	if src.Is6() {
		r.Type = flowlog.IPv6
	}
	r.Protocol = int64(f.Protocol)
	r.SrcPort, r.DstPort = int64(f.SrcPort), int64(f.DstPort)
	r.SrcAddr, r.DstAddr = src, dst
	r.PktSrcAddr, r.PktDstAddr = src, dst
	r.Packets, r.Bytes = int64(t.packets), int64(t.bytes)
	r.TCPFlags = int64(t.flags)
	r.Missing.Add(encryptionStatus.Place()) // nobody here knows
	setOwnAddress(r, i)
	if d.what&1 == 1 {
		a.setRefusal(r, a.flows.refusal(f))
	}
}

// setRefusal says what refused the flow, and why.
func (a *Aggregator) setRefusal(r *flowlog.Record, f *refusal) {
	r.Action = flowlog.Reject
	r.RuleID, r.DropReason = int64(f.rule), a.reasons[f.reason]
	if f.rule != 0 && a.cfg.Rules != nil {
		r.Rule, _ = a.cfg.Rules.Rule(f.rule)
	}
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
