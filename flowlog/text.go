package flowlog

import (
	"bytes"
	"errors"
	"fmt"
)

// AppendText appends the record as one line, without a line feed. What the
// record does not have is "-". It does not allocate when dst has room.
func (f Format) AppendText(dst []byte, r *Record) []byte {
	for i, field := range f.fields {
		if i > 0 {
			dst = append(dst, ' ')
		}
		switch {
		case field.text != nil:
			if s := *field.text(r); s != "" {
				dst = append(dst, s...)
				continue
			}
		case field.number != nil:
			if v := *field.number(r); v >= field.min && !r.Missing.Has(field.place) {
				dst = appendNumber(dst, v)
				continue
			}
		default:
			if a := field.address(r); a.IsValid() {
				dst = a.AppendTo(dst)
				continue
			}
		}
		dst = append(dst, '-')
	}
	return dst
}

// ErrMalformed is what the errors of [Format.ParseText] wrap.
var ErrMalformed = errors.New("malformed line")

// ParseText reads one line, without its line feed, into r, which it clears
// first. Strings of the record share memory with the line. Parsing does not
// allocate; the error, which wraps [ErrMalformed] and names the field, does.
//
// An IPv6 address becomes a [netip.Addr], so AppendText writes it in the form
// of RFC 5952 whatever form the line had; everything else comes back as it was.
func (f Format) ParseText(r *Record, line string) error {
	reason := unreadable(bytesOf(line))
	if reason == "" {
		reason = parseLine(r, bytesOf(line), f.fields, f.missing)
	}
	if reason != "" {
		return fmt.Errorf("%w: %s", ErrMalformed, reason)
	}
	return nil
}

// parseLine returns why the line is no record of these fields, or "". A nil field
// is passed over; missing are the numbers that are not among the fields.
func parseLine(r *Record, line []byte, fs []*Field, missing FieldSet) (reason string) {
	*r = Record{Missing: missing}
	last := len(fs) - 1
	var room [96]uint32 // more than there are fields; a header may name strangers
	ends := room[:]
	if len(fs) > len(ends) {
		ends = make([]uint32, len(fs))
	}
	n, fault := spaces(line, ends[:last])
	if fault != "" {
		return fault
	}
	if n != last {
		return wrongCount(line, n+1, len(fs))
	}
	ends[last] = uint32(len(line))
	begin := uint32(0)
	for i, field := range fs {
		t := line[begin:ends[i]]
		begin = ends[i] + 1
		if len(t) == 0 {
			return wrong(field, t, isEmpty)
		}
		if field == nil {
			continue
		}
		if reason := field.set(r, t); reason != "" {
			return wrong(field, t, reason)
		}
	}
	return ""
}

// wrongCount says how many fields a line has, and what may be the cause.
func wrongCount(line []byte, n, want int) string {
	fields := "fields"
	if n == 1 {
		fields = "field"
	}
	switch reason := fmt.Sprintf("%d %s, want %d", n, fields, want); {
	case line[0] == ' ':
		return reason + ": a space at the beginning"
	case line[len(line)-1] == ' ':
		return reason + ": a space at the end"
	case bytes.Contains(line, []byte("  ")):
		return reason + ": two spaces in a row"
	default:
		return reason
	}
}

// wrong says why a text is not a value of a field, or of an unknown one.
func wrong(f *Field, text []byte, reason string) string {
	switch {
	case f == nil:
		return "an unknown field: " + isEmpty
	case len(text) == 0:
		return fmt.Sprintf("field %s: %s", f.Name, isEmpty)
	}
	return fmt.Sprintf("field %s: %.40q is %s", f.Name, text, reason)
}

// set gives r the field's value. The text stays in memory as long as r.
func (f *Field) set(r *Record, t []byte) (reason string) {
	if isDash(t) {
		if f.number != nil {
			r.Missing.Add(f.place)
		}
		return ""
	}
	switch {
	case f.text != nil:
		*f.text(r) = view(t)
	case f.number != nil:
		*f.number(r), reason = f.parseNumber(t)
	default:
		a, ok := parseAddr(t)
		if !ok {
			return notAddress
		}
		*f.address(r) = a
	}
	return reason
}
