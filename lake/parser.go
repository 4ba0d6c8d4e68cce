package lake

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"weir/flowlog"
)

// column is one field of a line, in the order of the object's header.
type column struct {
	kind  kind
	store bool   // somebody wants it
	place int    // in flowlog.Fields; meaningless unless store
	name  string // as in the header
	limit int64  // of a number
}

type kind uint8

const (
	text kind = iota
	number
	unknown // not a field of this Weir: passed over
)

// parser turns lines into the rows of a batch, in one pass.
//
// It is more tolerant than flowlog.Format.ParseText, on purpose: what AWS adds
// to a list of names (an action, a status) must not hide a record. What
// ParseText takes, it takes too, with the same values; a test compares them.
type parser struct {
	columns []column
	batch   flowlog.Batch
	buf     []byte // text of the lines; the batch's spans point into it
}

// newParser has a buffer; header and lines follow.
func newParser() *parser {
	return &parser{
		batch: flowlog.Batch{Columns: make([]flowlog.Column, len(flowlog.Fields()))},
		buf:   make([]byte, bufferSize),
	}
}

// header prepares for lines under the given field names. It returns the names
// that are no fields of this Weir; their columns are passed over.
func (p *parser) header(names []string, want []bool) (strangers []string, err error) {
	p.columns = p.columns[:0]
	for i := range p.batch.Columns {
		p.batch.Columns[i].Present = false
	}
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			return nil, fmt.Errorf("the header names the field %q twice", name)
		}
		c := column{kind: unknown, name: name}
		if f, ok := flowlog.FieldByName(name); ok {
			c = p.known(f, want)
		} else {
			strangers = append(strangers, name)
		}
		p.columns = append(p.columns, c)
	}
	return strangers, nil
}

// known is the column of a field, with room for its values if it is wanted.
func (p *parser) known(f *flowlog.Field, want []bool) column {
	c := column{name: f.Name, place: placeOf(f)}
	c.store = want[c.place]
	if f.Type != flowlog.String {
		c.kind, c.limit = number, math.MaxInt64
		if f.Type == flowlog.Int32 {
			c.limit = math.MaxInt32
		}
	}
	if !c.store {
		return c
	}
	dst := &p.batch.Columns[c.place]
	dst.Present = true
	if c.kind == number && dst.Ints == nil {
		dst.Ints, dst.Null = make([]int64, flowlog.BatchRows), make([]bool, flowlog.BatchRows)
	}
	if c.kind == text && dst.Spans == nil {
		dst.Spans = make([]flowlog.Span, flowlog.BatchRows)
	}
	return c
}

func placeOf(f *flowlog.Field) int {
	for i := range flowlog.Fields() {
		if &flowlog.Fields()[i] == f {
			return i
		}
	}
	panic("lake: a field that is not in the table")
}

// headerNames splits a line that is a header: names only, at least one of them
// a field. Cheap for records, which begin with a digit nearly always.
func headerNames(line []byte) ([]string, bool) {
	if len(line) == 0 || line[0] < 'a' || line[0] > 'z' {
		return nil, false
	}
	names := strings.Split(string(line), " ")
	known := false
	for _, name := range names {
		if name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz-0123456789") != "" || name[0] < 'a' {
			return nil, false
		}
		if _, ok := flowlog.FieldByName(name); ok {
			known = true
		}
	}
	return names, known
}

// line adds buf[begin:end] as a row of the batch, or says why it is no record;
// then the row is not there.
func (p *parser) line(buf []byte, begin, end int) (reason string) {
	row, last := p.batch.Rows, len(p.columns)-1
	for i := range p.columns {
		c := &p.columns[i]
		stop := end
		if i < last {
			n := bytes.IndexByte(buf[begin:end], ' ')
			if n < 0 {
				return fmt.Sprintf("%d fields, want %d", i+1, len(p.columns))
			}
			stop = begin + n
		} else if bytes.IndexByte(buf[begin:end], ' ') >= 0 {
			return fmt.Sprintf("more than %d fields", len(p.columns))
		}
		if begin == stop {
			return fmt.Sprintf("field %s: nothing between two spaces", c.name)
		}
		switch c.kind {
		case number:
			if reason = p.number(c, row, buf[begin:stop]); reason != "" {
				return reason
			}
		case text:
			if c.store {
				p.batch.Columns[c.place].Spans[row] = flowlog.Span{Begin: uint32(begin), End: uint32(stop)}
			}
		}
		begin = stop + 1
	}
	p.batch.Rows++
	return ""
}

// number stores plain decimal digits: no sign, no leading zero. "-" is NULL.
func (p *parser) number(c *column, row int, t []byte) (reason string) {
	var v int64
	null := len(t) == 1 && t[0] == '-'
	if !null {
		if len(t) > 19 || (t[0] == '0' && len(t) > 1) {
			return notNumber(c, t)
		}
		var u uint64
		for _, b := range t {
			if b < '0' || b > '9' {
				return notNumber(c, t)
			}
			u = u*10 + uint64(b-'0') // 19 digits fit into 64 bits
		}
		if u > uint64(c.limit) {
			return notNumber(c, t)
		}
		v = int64(u)
	}
	if c.store {
		dst := &p.batch.Columns[c.place]
		dst.Ints[row], dst.Null[row] = v, null
	}
	return ""
}

func notNumber(c *column, t []byte) string {
	return fmt.Sprintf("field %s: %.40q is not a number in its range", c.name, t)
}

// asciiOrUTF8 reports whether b may stand in a column of text. Lines are ASCII
// in practice, so the common case looks at the high bits alone.
func asciiOrUTF8(b []byte) bool {
	var high byte
	for _, c := range b {
		high |= c
	}
	return high < utf8.RuneSelf || utf8.Valid(b)
}
