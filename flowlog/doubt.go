package flowlog

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// facts is what doubts look at, of a record or of a row of a batch. A number
// that is not there is -1, a text is "".
type facts struct {
	version, packets, start, end, flags, path int64
	src, dst                                  string // IPv4, IPv6 or ""
	action, status, trafficType, toward       string
	hollow                                    bool // "-" where every flow has a value
}

// Where a batch holds them.
var (
	atVersion, atPackets, atStart, atEnd = placeOf("version"), placeOf("packets"), placeOf("start"), placeOf("end")
	atFlags, atPath, atSrc, atDst        = placeOf("tcp-flags"), placeOf("traffic-path"), placeOf("srcaddr"), placeOf("dstaddr")
	atAction, atStatus, atType, atToward = placeOf("action"), placeOf("log-status"), placeOf("type"), placeOf("flow-direction")
)

// Doubt says why AWS would not write such a record in this format, or "". There
// are such records: made up for tests, mangled on the way, written by others.
// They can be read and written like any other.
func (f Format) Doubt(r *Record) string {
	number := func(place int, v int64) int64 {
		if r.Missing.Has(place) {
			return -1
		}
		return v
	}
	src, dst := typeOf(r.SrcAddr), typeOf(r.DstAddr)
	why := f.doubt(&facts{
		version: number(atVersion, r.Version), packets: number(atPackets, r.Packets),
		start: number(atStart, r.Start), end: number(atEnd, r.End),
		flags: number(atFlags, r.TCPFlags), path: number(atPath, r.TrafficPath),
		src: src, dst: dst,
		action: r.Action, status: r.LogStatus, trafficType: r.Type, toward: r.Direction,
		hollow: r.Action == "" && f.held.Has(atAction) || src == "" && f.held.Has(atSrc) ||
			r.Missing.Has(atPackets) && f.held.Has(atPackets),
	})
	for _, field := range f.ids {
		if why == "" {
			why = field.doubtID(*field.text(r))
		}
	}
	return why
}

// typeOf is the field type that goes with an address.
func typeOf(a netip.Addr) string {
	switch {
	case a.Is4():
		return IPv4
	case a.IsValid():
		return IPv6
	}
	return ""
}

// doubt is Doubt for a row of a batch. It knows nothing of columns that the
// batch does not have.
func (b *Batch) doubt(f Format, row int) string {
	src, action, packets := b.string(atSrc, row), b.string(atAction, row), b.number(atPackets, row)
	why := f.doubt(&facts{
		version: b.number(atVersion, row), packets: packets,
		start: b.number(atStart, row), end: b.number(atEnd, row),
		flags: b.number(atFlags, row), path: b.number(atPath, row),
		src: textTypeOf(src), dst: textTypeOf(b.string(atDst, row)),
		action: action, status: b.string(atStatus, row),
		trafficType: b.string(atType, row), toward: b.string(atToward, row),
		hollow: action == "" && b.Columns[atAction].Present || src == "" && b.Columns[atSrc].Present ||
			packets < 0 && b.Columns[atPackets].Present,
	})
	for _, field := range f.ids {
		if why == "" {
			why = field.doubtID(b.string(field.place, row))
		}
	}
	return why
}

// number is a value of a number's column, or -1.
func (b *Batch) number(place, row int) int64 {
	c := &b.Columns[place]
	if !c.Present || c.Null[row] {
		return -1
	}
	return c.Ints[row]
}

// string is a value of a text's column, or "". It points into the batch's text.
func (b *Batch) string(place, row int) string {
	c := &b.Columns[place]
	if !c.Present {
		return ""
	}
	t := b.Text[c.Spans[row].Begin:c.Spans[row].End]
	if isDash(t) {
		return ""
	}
	return view(t)
}

// tooLate is a time that no record has had yet, in Unix seconds (the year 5138),
// but every one since 1973 in milliseconds.
const tooLate = 100_000_000_000

func (f Format) doubt(v *facts) string {
	switch {
	case v.version >= 0 && v.version != int64(f.version):
		return fmt.Sprintf("version is %d, but the fields are of version %d", v.version, f.version)
	case v.start > tooLate || v.end > tooLate:
		return fmt.Sprintf("start %d, end %d: milliseconds, not seconds?", v.start, v.end)
	case v.end >= 0 && v.start > v.end:
		return fmt.Sprintf("start %d is after end %d", v.start, v.end)
	case v.flags > 0 && !possibleFlags(v.flags):
		return fmt.Sprintf("tcp-flags %d is no mask of FIN 1, SYN 2, RST 4 and SYN-ACK 18", v.flags)
	case !oneOf(v.action, Accept, Reject):
		return fmt.Sprintf("action is %q", v.action)
	case !oneOf(v.trafficType, IPv4, IPv6, EFA):
		return fmt.Sprintf("type is %q", v.trafficType)
	case !oneOf(v.toward, Ingress, Egress):
		return fmt.Sprintf("flow-direction is %q", v.toward)
	case v.path > 0 && v.toward == Ingress:
		return fmt.Sprintf("traffic-path %d for ingress", v.path)
	case v.path > 8:
		return fmt.Sprintf("traffic-path is %d", v.path)
	case !oneOf(v.status, OK, NoData, SkipData):
		return fmt.Sprintf("log-status is %q", v.status)
	}
	return v.doubtShape(f)
}

// doubtShape compares fields that must fit together.
func (v *facts) doubtShape(f Format) string {
	flow := v.packets >= 0 || v.src != "" || v.dst != "" || v.action != ""
	switch {
	case oneOf(v.status, NoData, SkipData) && v.status != "" && flow:
		return v.status + " with values of a flow"
	case v.status == OK && f.family == VPC && v.hollow:
		return "OK without a flow's values"
	case v.src != "" && v.dst != "" && v.src != v.dst:
		return fmt.Sprintf("srcaddr is %s, dstaddr is %s", v.src, v.dst)
	case v.src != "" && oneOf(v.trafficType, IPv4, IPv6) && v.trafficType != "" && v.trafficType != v.src:
		return fmt.Sprintf("type is %s, srcaddr is %s", v.trafficType, v.src)
	}
	return ""
}

// oneOf takes "-" too.
func oneOf(s string, a, b string, more ...string) bool {
	return s == "" || s == a || s == b || slices.Contains(more, s)
}

// textTypeOf is typeOf for an address's text: in IPv6 there is a colon behind at
// most four digits.
func textTypeOf(s string) string {
	if s == "" {
		return ""
	}
	for i := 0; i < len(s) && i < 5; i++ {
		if s[i] == ':' {
			return IPv6
		}
	}
	return IPv4
}

// possibleFlags: bit 16 (ACK) is recorded only for a packet that has SYN too.
// Source: Amazon VPC User Guide, "Flow log records", tcp-flags.
func possibleFlags(v int64) bool { return v&^0b10111 == 0 && (v&16 == 0 || v&2 != 0) }

// doubtID looks at an id: what it begins with, then digits and lower-case letters.
func (f *Field) doubtID(id string) string {
	if id == "" {
		return ""
	}
	rest, ok := strings.CutPrefix(id, f.idStart)
	for i := 0; ok && i < len(rest); i++ {
		c := rest[i]
		ok = c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c == '-'
	}
	if !ok || rest == "" {
		return fmt.Sprintf("%s %.60q is not an id: want %s…", f.Name, id, f.idStart)
	}
	return ""
}
