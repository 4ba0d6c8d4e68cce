package flowlog

import (
	"net/netip"
	"strings"
)

// Type is the type of a field's column, as AWS writes it to Parquet. In text
// every field is a string.
type Type uint8

const (
	String Type = iota // UTF-8
	Int32              // signed, 32 bits
	Int64              // signed, 64 bits
)

func (t Type) String() string {
	return [...]string{"string", "int32", "int64"}[t]
}

// Family is a set of kinds of flow logs. The two have different fields: a
// format belongs to one of them.
type Family uint8

const (
	VPC            Family = 1 << iota // of VPCs, subnets, network interfaces, regional NAT gateways
	TransitGateway                    // of transit gateways and their attachments
)

func (f Family) String() string {
	switch f {
	case VPC:
		return "vpc"
	case TransitGateway:
		return "tgw"
	case VPC | TransitGateway:
		return "vpc, tgw"
	}
	return "none"
}

// Field describes one field of a flow log record. The fields stand in [Fields].
type Field struct {
	Name    string // as it stands in a format: "interface-id"
	Version int    // the record version that introduced it; 0 for an extension of Weir's
	Type    Type
	Family  Family
	Unit    string // of the value: "bytes", "Unix seconds", "address", "id", …
	Meaning string // one line for people
	Dash    string // when the value is "-"

	place   int
	gateway int    // place in the transit gateway's default format, from 1; 0 is not in it
	kept    bool   // NODATA and SKIPDATA records have it: it is the interface's, not the flow's
	idStart string // what an id begins with: "eni-"
	min     int64  // a number below it cannot be; a record that holds one has none
	max     int64

	// Where the value stands in a record: one of the three.
	text    func(*Record) *string
	address func(*Record) *netip.Addr
	number  func(*Record) *int64
}

// Place is the field's index in [Fields], and its column's in a [Batch].
func (f *Field) Place() int { return f.place }

// Kept reports whether NODATA and SKIPDATA records carry the field; all other
// fields are "-" there.
func (f *Field) Kept() bool { return f.kept }

// Extension reports whether the field is one of Weir's, which AWS does not have.
func (f *Field) Extension() bool { return f.Version == 0 }

// Address reports whether the values are IP addresses.
func (f *Field) Address() bool { return f.address != nil }

// Bounds are the least and the largest value of a number's field.
func (f *Field) Bounds() (least, most int64) { return f.min, f.max }

// Column is the field's column name in Parquet, Athena and the query views:
// the name with underscores.
func (f *Field) Column() string { return strings.ReplaceAll(f.Name, "-", "_") }

// Insights is the name under which CloudWatch Logs Insights discovers the
// field: in lower camel case, where "addr" and "port" begin a word.
// Source: CloudWatch Logs User Guide, "Supported logs and discovered fields".
func (f *Field) Insights() string {
	words := strings.Split(strings.NewReplacer("addr", "-addr", "port", "-port").Replace(f.Name), "-")
	for i, w := range words {
		if i > 0 && w != "" {
			words[i] = strings.ToUpper(w[:1]) + w[1:]
		}
	}
	return strings.Join(words, "")
}

// TypeIn is the field's type in records of one family: "protocol" is wider in
// those of a transit gateway. Source: Transit Gateway guide, "Transit gateway
// flow log records".
func (f *Field) TypeIn(family Family) Type {
	if family == TransitGateway && f.Name == "protocol" {
		return Int64
	}
	return f.Type
}

// Fields returns every field: those of a VPC's records in the order of the
// Amazon VPC User Guide, then those that only a transit gateway's have, then
// Weir's own. The caller must not change it.
func Fields() []Field { return fields }

// FieldByName finds a field by its name in a format.
func FieldByName(name string) (*Field, bool) {
	f, ok := fieldsByName[name]
	return f, ok
}

// FieldByColumn finds a field by its column name.
func FieldByColumn(name string) (*Field, bool) {
	return FieldByName(strings.ReplaceAll(name, "_", "-"))
}

var fieldsByName = func() map[string]*Field {
	m := make(map[string]*Field, len(fields))
	for i := range fields {
		m[fields[i].Name] = &fields[i]
	}
	return m
}()

func placeOf(name string) int { return fieldsByName[name].place }

// FieldSet is a set of fields. The zero value is empty.
type FieldSet [2]uint64

// Has reports whether the field at a place of [Fields] is in the set.
func (s *FieldSet) Has(place int) bool { return s[place>>6]&(1<<(place&63)) != 0 }

// Add puts the field at a place of [Fields] into the set.
func (s *FieldSet) Add(place int) { s[place>>6] |= 1 << (place & 63) }
