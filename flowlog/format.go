package flowlog

import (
	"errors"
	"fmt"
	"strings"
)

// Format is an ordered set of fields: what one line of a flow log holds.
// The zero value is not a format; use [DefaultFormat], [ParseFormat] or
// [FormatFromHeader]. A Format is immutable and safe for concurrent use.
type Format struct {
	fields  []*Field
	version int
}

// DefaultFormat is the 14 fields of version 2, which is what a flow log has
// when nobody asked for anything else.
func DefaultFormat() Format {
	var fs []*Field
	for i := range fields {
		if fields[i].Version == 2 {
			fs = append(fs, &fields[i])
		}
	}
	return newFormat(fs)
}

func newFormat(fs []*Field) Format {
	f := Format{fields: fs}
	for _, field := range fs {
		f.version = max(f.version, field.Version)
	}
	return f
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
// one space. The error is a [*FormatError].
func ParseFormat(s string) (Format, error) {
	if s == "" {
		return Format{}, &FormatError{Msg: "the format is empty"}
	}
	var names []string
	var at []int
	for pos := 0; ; {
		rest := s[pos:]
		if !strings.HasPrefix(rest, "${") {
			return Format{}, &FormatError{Pos: pos, Msg: `want "${field}"`}
		}
		end := strings.IndexByte(rest, '}')
		if end < 0 {
			return Format{}, &FormatError{Pos: pos, Msg: `"${" without "}"`}
		}
		names = append(names, rest[2:end])
		at = append(at, pos+2)
		pos += end + 1
		if pos == len(s) {
			break
		}
		if s[pos] != ' ' {
			return Format{}, &FormatError{Pos: pos, Msg: "want one space between fields"}
		}
		pos++
	}
	return formatOf(names, func(i int) int { return at[i] })
}

// FormatFromHeader reads the first line of a text object: field names separated
// by exactly one space. The error is a [*FormatError].
func FormatFromHeader(line string) (Format, error) {
	if line == "" {
		return Format{}, &FormatError{Msg: "the header line is empty"}
	}
	names := strings.Split(line, " ")
	return formatOf(names, func(i int) int {
		pos := i // one space before each name
		for _, n := range names[:i] {
			pos += len(n)
		}
		return pos
	})
}

// IsHeader reports whether a line is a header rather than a record: it begins
// with the name of a field.
func IsHeader(line []byte) bool {
	first := line
	for i, c := range line {
		if c == ' ' {
			first = line[:i]
			break
		}
	}
	_, ok := FieldByName(string(first))
	return ok
}

func formatOf(names []string, pos func(int) int) (Format, error) {
	var fs []*Field
	seen := map[string]bool{}
	for i, n := range names {
		f, ok := FieldByName(n)
		switch {
		case n == "":
			return Format{}, &FormatError{Pos: pos(i), Msg: "a field without a name"}
		case !ok:
			return Format{}, &FormatError{Pos: pos(i), Msg: fmt.Sprintf("unknown field %q", n), Hint: nearestField(n)}
		case seen[n]:
			return Format{}, &FormatError{Pos: pos(i), Msg: fmt.Sprintf("field %q stands there twice", n)}
		}
		seen[n] = true
		fs = append(fs, f)
	}
	return newFormat(fs), nil
}

// Version is the record version of every record in this format.
func (f Format) Version() int { return f.version }

// Fields returns the fields in order. The caller must not change it.
func (f Format) Fields() []*Field { return f.fields }

// IsZero reports whether f is the zero value, which is no format.
func (f Format) IsZero() bool { return len(f.fields) == 0 }

// String is the format as CreateFlowLogs takes it; ParseFormat reads it back.
func (f Format) String() string {
	var b strings.Builder
	for i, field := range f.fields {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString("${" + field.Name + "}")
	}
	return b.String()
}

// Header is the first line of a text object, without the line feed.
func (f Format) Header() string {
	names := make([]string, len(f.fields))
	for i, field := range f.fields {
		names[i] = field.Name
	}
	return strings.Join(names, " ")
}

// AppendText appends the record as one line, without a line feed. It does not
// allocate when dst has room.
func (f Format) AppendText(dst []byte, r *Record) []byte {
	for i, field := range f.fields {
		if i > 0 {
			dst = append(dst, ' ')
		}
		if r.LogStatus != OK && !field.kept {
			dst = append(dst, '-')
			continue
		}
		dst = field.append(dst, r)
	}
	return dst
}

// Errors of [Format.ParseText]; wrapped with the field and its text.
var (
	ErrFieldCount = errors.New("wrong number of fields")
	ErrFieldValue = errors.New("not a value of this field")
)

// ParseText reads one line, without its line feed, into r, which it clears
// first. Strings are copied out of line.
func (f Format) ParseText(r *Record, line []byte) error {
	*r = Record{}
	n := 0
	for rest := line; ; n++ {
		text, after, more := cutSpace(rest)
		if n == len(f.fields) {
			return fmt.Errorf("%w: more than %d", ErrFieldCount, len(f.fields))
		}
		field := f.fields[n]
		if len(text) != 1 || text[0] != '-' {
			if err := field.parse(r, text); err != nil {
				return fmt.Errorf("field %s: %w: %.40q", field.Name, err, text)
			}
		}
		if !more {
			break
		}
		rest = after
	}
	if n+1 != len(f.fields) {
		return fmt.Errorf("%w: %d, want %d", ErrFieldCount, n+1, len(f.fields))
	}
	return nil
}

func cutSpace(b []byte) (text, after []byte, more bool) {
	for i, c := range b {
		if c == ' ' {
			return b[:i], b[i+1:], true
		}
	}
	return b, nil, false
}

// nearestField is the field whose name takes the fewest edits, if that is few.
func nearestField(name string) string {
	best, at := "", len(name)/2+1
	for i := range fields {
		if d := editDistance(name, fields[i].Name); d < at {
			best, at = fields[i].Name, d
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
