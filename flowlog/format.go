package flowlog

import (
	"fmt"
	"slices"
	"strings"
)

// Format is an ordered set of fields of one family: what one line of a flow log
// holds. The zero value is not a format; use [DefaultFormat], [GatewayFormat],
// [ParseFormat] or [FormatFromHeader]. A Format is immutable and safe for
// concurrent use.
type Format struct {
	fields  []*Field
	version int
	family  Family
	held    FieldSet // the fields as a set
	missing FieldSet // numbers that no record of this format has
	ids     []*Field // those that are ids with a form
}

// DefaultFormat is the 14 fields of version 2, which is what a flow log of a
// VPC, subnet or network interface has when nobody asked for anything else.
func DefaultFormat() Format { return defaultFormat }

// GatewayFormat is the default format of a transit gateway's flow logs: all of
// their 36 fields.
func GatewayFormat() Format { return gatewayFormat }

var (
	defaultFormat = newFormat(slices.DeleteFunc(pointers(), func(f *Field) bool { return f.Version != 2 }))
	gatewayFormat = newFormat(func() []*Field {
		fs := slices.DeleteFunc(pointers(), func(f *Field) bool { return f.gateway == 0 })
		slices.SortFunc(fs, func(a, b *Field) int { return a.gateway - b.gateway })
		return fs
	}())
)

func pointers() []*Field {
	fs := make([]*Field, len(fields))
	for i := range fields {
		fs[i] = &fields[i]
	}
	return fs
}

// newFormat expects fields of one family, none twice.
func newFormat(fs []*Field) Format {
	f := Format{fields: fs, family: both, version: 2} // there was none before; extensions have none
	for i := range fields {
		if fields[i].number != nil {
			f.missing.Add(i)
		}
	}
	for _, field := range fs {
		if field.idStart != "" {
			f.ids = append(f.ids, field)
		}
		f.version = max(f.version, field.Version)
		f.family &= field.Family
		f.held.Add(field.place)
		f.missing[field.place>>6] &^= 1 << (field.place & 63)
	}
	return f
}

// FormatOf is the format of some fields by name. The error is a [*FormatError]
// whose position is the place in names.
func FormatOf(names ...string) (Format, error) {
	return formatOf(names, both, func(i int) int { return i })
}

// FormatError says where a format string is wrong.
type FormatError struct {
	Pos  int    // byte offset into the format string
	Msg  string // what is wrong there
	Hint string // the nearest field, or empty
}

func (e *FormatError) Error() string {
	s := fmt.Sprintf("log format, position %d: %s", e.Pos, e.Msg)
	if e.Hint != "" {
		s += fmt.Sprintf(" (did you mean %q?)", e.Hint)
	}
	return s
}

// ParseFormat reads "${version} ${account-id} …": tokens separated by exactly
// one space, as CreateFlowLogs takes them. The error is a [*FormatError].
func ParseFormat(s string) (Format, error) { return ParseFormatFor(both, s) }

// ParseFormatFor is [ParseFormat] for flow logs of one family: fields of the
// other one are errors.
func ParseFormatFor(family Family, s string) (Format, error) {
	if s == "" {
		return Format{}, &FormatError{Msg: "the format is empty"}
	}
	var names []string
	var at []int
	for pos := 0; ; {
		rest := s[pos:]
		if !strings.HasPrefix(rest, "${") {
			return Format{}, &FormatError{Pos: pos, Msg: notToken(rest)}
		}
		end := strings.IndexByte(rest, '}')
		if end < 0 {
			return Format{}, &FormatError{Pos: pos, Msg: `"${" without "}"`}
		}
		names = append(names, rest[2:end])
		at = append(at, pos+2)
		pos += end + 1
		if pos == len(s) || len(names) > len(fields) {
			break // one name more than there are: one of them is wrong
		}
		if s[pos] != ' ' {
			return Format{}, &FormatError{Pos: pos, Msg: "want one space between fields"}
		}
		pos++
	}
	return formatOf(names, family, func(i int) int { return at[i] })
}

// notToken is what is wrong where a token should begin.
func notToken(rest string) string {
	switch {
	case rest == "":
		return "a space at the end"
	case rest[0] == ' ':
		return "a second space between fields"
	}
	return `want "${field}"`
}

// FormatFromHeader reads the first line of a text object: field names separated
// by exactly one space. The error is a [*FormatError].
func FormatFromHeader(line string) (Format, error) {
	if line == "" {
		return Format{}, &FormatError{Msg: "the header line is empty"}
	}
	names := strings.SplitN(line, " ", len(fields)+2) // one of so many is wrong
	return formatOf(names, both, func(i int) int {
		pos := i // one space before each name
		for _, n := range names[:i] {
			pos += len(n)
		}
		return pos
	})
}

func formatOf(names []string, family Family, pos func(int) int) (Format, error) {
	if len(names) == 0 {
		return Format{}, &FormatError{Msg: "no fields"}
	}
	var fs []*Field
	var seen FieldSet
	left := family
	for i, n := range names {
		f, ok := FieldByName(n)
		switch {
		case n == "":
			return Format{}, &FormatError{Pos: pos(i), Msg: "a field without a name"}
		case !ok:
			return Format{}, &FormatError{Pos: pos(i), Msg: fmt.Sprintf("unknown field %.60q", n), Hint: nearestField(n, left)}
		case seen.Has(f.place):
			return Format{}, &FormatError{Pos: pos(i), Msg: fmt.Sprintf("field %q stands there twice", n)}
		case f.Family&left == 0:
			return Format{}, &FormatError{Pos: pos(i), Msg: wrongFamily(f, left, fs)}
		}
		seen.Add(f.place)
		left &= f.Family
		fs = append(fs, f)
	}
	return newFormat(fs), nil
}

// wrongFamily says why f cannot stand beside the fields before it.
func wrongFamily(f *Field, left Family, before []*Field) string {
	msg := fmt.Sprintf("field %q is of %s flow logs", f.Name, familyName(f.Family))
	for _, b := range before {
		if b.Family == left {
			return fmt.Sprintf("%s, %q before it of %s flow logs", msg, b.Name, familyName(left))
		}
	}
	return fmt.Sprintf("%s, not of %s flow logs", msg, familyName(left))
}

func familyName(f Family) string {
	if f == TransitGateway {
		return "transit gateway"
	}
	return "VPC"
}

// Version is the record version of every record in this format: the highest
// among its fields.
func (f Format) Version() int { return f.version }

// Family is what flow logs can have this format; both when it has only fields
// that both have.
func (f Format) Family() Family { return f.family }

// Fields returns the fields in order. The caller must not change it.
func (f Format) Fields() []*Field { return f.fields }

// Has reports whether the field of this name is in the format.
func (f Format) Has(name string) bool {
	return slices.ContainsFunc(f.fields, func(g *Field) bool { return g.Name == name })
}

// ColumnType is the type of the column of field i of the format.
func (f Format) ColumnType(i int) Type { return f.fields[i].TypeIn(f.family) }

// IsZero reports whether f is the zero value, which is no format.
func (f Format) IsZero() bool { return len(f.fields) == 0 }

// Equal reports whether both have the same fields in the same order.
func (f Format) Equal(g Format) bool { return slices.Equal(f.fields, g.fields) }

// String is the format as CreateFlowLogs takes it; ParseFormat reads it back.
func (f Format) String() string {
	if f.IsZero() {
		return ""
	}
	return "${" + strings.Join(f.names(), "} ${") + "}"
}

// Header is the first line of a text object, without the line feed.
func (f Format) Header() string { return strings.Join(f.names(), " ") }

func (f Format) names() []string {
	names := make([]string, len(f.fields))
	for i, field := range f.fields {
		names[i] = field.Name
	}
	return names
}

// nearestField is the field of the family whose name takes the fewest edits, if
// that is few. People write underscores and the names of Insights, too.
func nearestField(name string, family Family) string {
	best, at := "", len(name)/2+1
	for i := range fields {
		f := &fields[i]
		if f.Family&family == 0 || len(name) > 100 {
			continue
		}
		if strings.EqualFold(name, f.Insights()) {
			return f.Name
		}
		if d := editDistance(name, f.Name); d < at {
			best, at = f.Name, d
		}
	}
	return best
}

func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
