package flowlog

import (
	"bytes"
	"fmt"
	"strings"
)

// layout is what the lines below a header hold: the fields of a format, and
// perhaps columns that are no fields of this Weir.
type layout struct {
	fields []*Field // nil for a column that is passed over
	format Format   // those that are not nil
	header string   // the line that says so, if there was one
	// unknown are the names of the others.
	unknown []string
	broken  string // why the header is none; its lines have no format
}

func layoutOf(f Format) *layout { return &layout{fields: f.fields, format: f} }

var (
	defaultLayout = layoutOf(defaultFormat)
	gatewayLayout = layoutOf(gatewayFormat)
)

// state is what the lines of a text so far say about the next one.
type state struct {
	known  bool // it stands in a chunk that was skimmed
	line   int  // lines so far
	layout *layout
}

func newState(given Format) state {
	if given.IsZero() {
		return state{}
	}
	return state{layout: layoutOf(given)}
}

// next takes one line and reports whether it is a header.
func (s *state) next(line []byte) (header bool) {
	s.line++
	if s.layout != nil && s.layout.header != "" && string(line) == s.layout.header {
		return true // files one after the other
	}
	if names := headerNames(line, s.line == 1); names != nil {
		s.layout = headerLayout(names)
		s.layout.header = string(line)
		return true
	}
	if s.layout == nil {
		s.layout = recognise(line)
	}
	return false
}

// headerNames splits a line that is a header: names only, which are fields. The
// first line of a text may have names of fields that this Weir does not know;
// further down it would be a bold guess that a line with one is no record.
func headerNames(line []byte, first bool) []string {
	if len(line) == 0 || line[0] < 'a' || line[0] > 'z' || len(line) > MaxLine {
		return nil // a record, nearly always: it begins with a digit
	}
	name, _, _ := bytes.Cut(line, []byte{' '})
	if _, ok := fieldsByName[string(name)]; !ok && !first {
		return nil
	}
	names := strings.Split(string(line), " ")
	known := 0
	for _, n := range names {
		if n == "" || n[0] < 'a' || n[0] > 'z' || strings.Trim(n, "abcdefghijklmnopqrstuvwxyz-0123456789") != "" {
			return nil
		}
		if _, ok := fieldsByName[n]; ok {
			known++
		}
	}
	if known == 0 || (!first && known < len(names)) {
		return nil
	}
	return names
}

func headerLayout(names []string) *layout {
	l := &layout{}
	var fs []*Field
	var seen FieldSet
	left := both
	for _, n := range names {
		f := fieldsByName[n]
		l.fields = append(l.fields, f)
		switch {
		case f == nil:
			l.unknown = append(l.unknown, n)
		case seen.Has(f.place):
			l.broken = fmt.Sprintf("its header names %q twice", n)
		case f.Family&left == 0:
			l.broken = fmt.Sprintf("its header has %q beside fields of %s flow logs", n, familyName(left))
		default:
			seen.Add(f.place)
			left &= f.Family
			fs = append(fs, f)
		}
	}
	if l.broken == "" {
		l.format = newFormat(fs)
	}
	return l
}

// recognise tells from a line without a header whether it is of a default
// format, as CloudWatch Logs and Data Firehose have them.
func recognise(line []byte) *layout {
	if bytes.Count(line, []byte{' '}) > 2*len(gatewayFormat.fields) {
		return nil // junk is not worth a slice of its words
	}
	switch fs := bytes.Fields(line); len(fs) {
	case len(defaultFormat.fields):
		if isStatus(fs[13]) && len(fs[0]) == 1 {
			return defaultLayout
		}
	case len(gatewayFormat.fields):
		if isStatus(fs[25]) && bytes.HasPrefix(fs[1], []byte("TransitGateway")) {
			return gatewayLayout
		}
	}
	return nil
}

func isStatus(b []byte) bool {
	switch string(b) {
	case OK, NoData, SkipData:
		return true
	}
	return false
}
