package flowlog

import "net/netip"

// Type is the type of a field's column, as AWS writes it to Parquet. In text
// every field is a string.
type Type uint8

const (
	String Type = iota // UTF-8
	Int32              // signed, 32 bits
	Int64              // signed, 64 bits
)

// Field describes one field of a flow log record.
type Field struct {
	Name    string // as it stands in a format: "interface-id"
	Version int    // the record version that introduced it
	Type    Type
	Meaning string // one line for people, with the unit

	// append writes the field of r. It is only called for a record whose flow
	// fields are set, or for a field that is kept on NODATA and SKIPDATA lines.
	append func(dst []byte, r *Record) []byte
	// parse sets the field of r from its text, which is never "-".
	parse func(r *Record, text []byte) error
	// kept is true when NODATA and SKIPDATA lines carry the field too.
	kept bool
}

// Column is the field's column name in Parquet, Athena and the query views:
// the name with underscores.
func (f *Field) Column() string {
	b := []byte(f.Name)
	for i := range b {
		if b[i] == '-' {
			b[i] = '_'
		}
	}
	return string(b)
}

// Kept reports whether NODATA and SKIPDATA records carry the field; all other
// fields are "-" there.
func (f *Field) Kept() bool { return f.kept }

// fields is the one list. Order, versions and types are those of the table in
// the Amazon VPC User Guide, "Flow log records".
var fields = [...]Field{
	{
		"version", 2, Int32, "record version: the highest version among the fields of the format",
		func(b []byte, r *Record) []byte { return appendUint(b, uint64(r.Version)) },
		func(r *Record, t []byte) error { return parseInto(&r.Version, t, 255) }, true,
	},
	{
		"account-id", 2, String, "account that owns the network interface",
		func(b []byte, r *Record) []byte { return appendString(b, r.AccountID) },
		func(r *Record, t []byte) error { return parseString(&r.AccountID, t) }, true,
	},
	{
		"interface-id", 2, String, "network interface the traffic was recorded at",
		func(b []byte, r *Record) []byte { return appendString(b, r.InterfaceID) },
		func(r *Record, t []byte) error { return parseString(&r.InterfaceID, t) }, true,
	},
	{
		"srcaddr", 2, String, "source address; for egress the interface's own primary address",
		func(b []byte, r *Record) []byte { return appendAddr(b, r.SrcAddr) },
		func(r *Record, t []byte) error { return parseAddr(&r.SrcAddr, t) }, false,
	},
	{
		"dstaddr", 2, String, "destination address; for ingress the interface's own primary address",
		func(b []byte, r *Record) []byte { return appendAddr(b, r.DstAddr) },
		func(r *Record, t []byte) error { return parseAddr(&r.DstAddr, t) }, false,
	},
	{
		"srcport", 2, Int32, "source port; 0 for protocols without ports and for later fragments",
		func(b []byte, r *Record) []byte { return appendUint(b, uint64(r.SrcPort)) },
		func(r *Record, t []byte) error { return parseInto(&r.SrcPort, t, 65535) }, false,
	},
	{
		"dstport", 2, Int32, "destination port; 0 as for srcport",
		func(b []byte, r *Record) []byte { return appendUint(b, uint64(r.DstPort)) },
		func(r *Record, t []byte) error { return parseInto(&r.DstPort, t, 65535) }, false,
	},
	{
		"protocol", 2, Int32, "IANA protocol number",
		func(b []byte, r *Record) []byte { return appendUint(b, uint64(r.Protocol)) },
		func(r *Record, t []byte) error { return parseInto(&r.Protocol, t, 255) }, false,
	},
	{
		"packets", 2, Int64, "packets on the wire in the interval",
		func(b []byte, r *Record) []byte { return appendUint(b, r.Packets) },
		func(r *Record, t []byte) error { return parseInto(&r.Packets, t, maxInt64) }, false,
	},
	{
		"bytes", 2, Int64, "IP bytes on the wire in the interval",
		func(b []byte, r *Record) []byte { return appendUint(b, r.Bytes) },
		func(r *Record, t []byte) error { return parseInto(&r.Bytes, t, maxInt64) }, false,
	},
	{
		"start", 2, Int64, "first packet of the flow in the interval, Unix seconds, UTC",
		func(b []byte, r *Record) []byte { return appendUint(b, uint64(r.Start)) },
		func(r *Record, t []byte) error { return parseInto(&r.Start, t, maxInt64) }, true,
	},
	{
		"end", 2, Int64, "last packet of the flow in the interval, Unix seconds, UTC",
		func(b []byte, r *Record) []byte { return appendUint(b, uint64(r.End)) },
		func(r *Record, t []byte) error { return parseInto(&r.End, t, maxInt64) }, true,
	},
	{
		"action", 2, String, "ACCEPT, or REJECT when a security group, network ACL or firewall refused it",
		func(b []byte, r *Record) []byte { return appendString(b, r.Action.String()) },
		func(r *Record, t []byte) error { return parseName(&r.Action, actions[:], t) }, false,
	},
	{
		"log-status", 2, String, "OK, NODATA (no traffic in the interval) or SKIPDATA (records were skipped)",
		func(b []byte, r *Record) []byte { return appendString(b, r.LogStatus.String()) },
		func(r *Record, t []byte) error { return parseName(&r.LogStatus, statuses[:], t) }, true,
	},

	{
		"vpc-id", 3, String, "VPC of the network interface",
		func(b []byte, r *Record) []byte { return appendString(b, r.VPCID) },
		func(r *Record, t []byte) error { return parseString(&r.VPCID, t) }, true,
	},
	{
		"subnet-id", 3, String, "subnet of the network interface",
		func(b []byte, r *Record) []byte { return appendString(b, r.SubnetID) },
		func(r *Record, t []byte) error { return parseString(&r.SubnetID, t) }, true,
	},
	{
		"instance-id", 3, String, "instance the network interface is attached to",
		func(b []byte, r *Record) []byte { return appendString(b, r.InstanceID) },
		func(r *Record, t []byte) error { return parseString(&r.InstanceID, t) }, true,
	},
	{
		"tcp-flags", 3, Int32, "FIN 1, SYN 2, RST 4, SYN-ACK 18, or-ed over the interval; 0 when none",
		func(b []byte, r *Record) []byte { return appendUint(b, uint64(r.TCPFlags)) },
		func(r *Record, t []byte) error { return parseInto(&r.TCPFlags, t, 255) }, false,
	},
	{
		"type", 3, String, "IPv4, IPv6 or EFA",
		func(b []byte, r *Record) []byte { return appendString(b, r.Type.String()) },
		func(r *Record, t []byte) error { return parseName(&r.Type, trafficTypes[:], t) }, false,
	},
	{
		"pkt-srcaddr", 3, String, "source address as it stood in the packet",
		func(b []byte, r *Record) []byte { return appendAddr(b, r.PktSrcAddr) },
		func(r *Record, t []byte) error { return parseAddr(&r.PktSrcAddr, t) }, false,
	},
	{
		"pkt-dstaddr", 3, String, "destination address as it stood in the packet",
		func(b []byte, r *Record) []byte { return appendAddr(b, r.PktDstAddr) },
		func(r *Record, t []byte) error { return parseAddr(&r.PktDstAddr, t) }, false,
	},

	{
		"region", 4, String, "region of the network interface",
		func(b []byte, r *Record) []byte { return appendString(b, r.Region) },
		func(r *Record, t []byte) error { return parseString(&r.Region, t) }, true,
	},
	{
		"az-id", 4, String, "availability zone id of the network interface",
		func(b []byte, r *Record) []byte { return appendString(b, r.ZoneID) },
		func(r *Record, t []byte) error { return parseString(&r.ZoneID, t) }, true,
	},

	{
		"flow-direction", 5, String, "ingress or egress, seen from the network interface",
		func(b []byte, r *Record) []byte { return appendString(b, r.Direction.String()) },
		func(r *Record, t []byte) error { return parseName(&r.Direction, directions[:], t) }, false,
	},
}

// Fields returns every field, in table order. The caller must not change it.
func Fields() []Field { return fields[:] }

// FieldByName finds a field by its name in a format.
func FieldByName(name string) (*Field, bool) {
	for i := range fields {
		if fields[i].Name == name {
			return &fields[i], true
		}
	}
	return nil, false
}

// Action is the verdict on a flow's packets.
type Action uint8

const (
	NoAction Action = iota // NODATA and SKIPDATA
	Accept
	Reject
)

var actions = [...]string{"", "ACCEPT", "REJECT"}

func (a Action) String() string { return name(actions[:], int(a)) }

// LogStatus says whether a record stands for a flow.
type LogStatus uint8

const (
	OK LogStatus = iota
	NoData
	SkipData
)

var statuses = [...]string{"OK", "NODATA", "SKIPDATA"}

func (s LogStatus) String() string { return name(statuses[:], int(s)) }

// Direction is relative to the network interface.
type Direction uint8

const (
	NoDirection Direction = iota
	Ingress
	Egress
)

var directions = [...]string{"", "ingress", "egress"}

func (d Direction) String() string { return name(directions[:], int(d)) }

// TrafficType is the field "type".
type TrafficType uint8

const (
	NoType TrafficType = iota
	IPv4
	IPv6
	EFA
)

var trafficTypes = [...]string{"", "IPv4", "IPv6", "EFA"}

func (t TrafficType) String() string { return name(trafficTypes[:], int(t)) }

func name(names []string, i int) string {
	if i < len(names) {
		return names[i]
	}
	return ""
}

// Record is one flow log record. The zero value of a field is written as "-"
// where the field has no natural zero (addresses, ids, names).
//
// Flow fields are meaningless unless LogStatus is [OK].
type Record struct {
	Version     uint8
	Protocol    uint8
	TCPFlags    uint8
	Action      Action
	LogStatus   LogStatus
	Direction   Direction
	Type        TrafficType
	SrcPort     uint16
	DstPort     uint16
	Packets     uint64
	Bytes       uint64
	Start       int64 // Unix seconds, UTC
	End         int64 // Unix seconds, UTC
	SrcAddr     netip.Addr
	DstAddr     netip.Addr
	PktSrcAddr  netip.Addr
	PktDstAddr  netip.Addr
	AccountID   string
	InterfaceID string
	VPCID       string
	SubnetID    string
	InstanceID  string
	Region      string
	ZoneID      string
}
