package flowlog

import "net/netip"

// BatchRows is the largest number of records in a [Batch]: DuckDB's vector.
const BatchRows = 2048

// Batch is some records as columns, which is how engines and Parquet want them.
// Whoever hands it out says how long it is valid; most use it again.
type Batch struct {
	Rows    int
	Columns []Column // one per field, in the order of [Fields]
	Text    []byte   // what the spans point into; UTF-8
}

// Column is one field of a batch's records. For a number Ints and Null hold
// Rows values each, for a string Spans does. An absent column was not in the
// source, or nobody wanted it: all its values are unknown.
type Column struct {
	Present bool
	Ints    []int64
	Null    []bool // the record has "-" where a number would stand
	Spans   []Span
}

// Span is Text[Begin:End] of the batch. A string keeps a literal "-".
type Span struct{ Begin, End uint32 }

// EveryField asks a reader for all columns.
func EveryField() []bool {
	want := make([]bool, len(fields))
	for i := range want {
		want[i] = true
	}
	return want
}

// NewBatch is an empty batch with the columns of a format, to append to.
func NewBatch(f Format) *Batch {
	b := &Batch{Columns: make([]Column, len(fields))}
	for _, field := range f.fields {
		b.Columns[field.place].prepare(kindOf(field))
	}
	return b
}

// Reset empties a batch that is appended to. Its columns stay.
func (b *Batch) Reset() { b.Rows, b.Text = 0, b.Text[:0] }

// Append adds a record to a batch of [NewBatch], of which no more than BatchRows
// rows are used. It allocates only for text.
func (b *Batch) Append(r *Record) {
	for place := range b.Columns {
		c := &b.Columns[place]
		if !c.Present {
			continue
		}
		f := &fields[place]
		if f.number != nil {
			v := *f.number(r)
			null := v < f.min || r.Missing.Has(place)
			if null {
				v = 0
			}
			c.Ints[b.Rows], c.Null[b.Rows] = v, null
			continue
		}
		begin := len(b.Text)
		if f.text != nil {
			b.Text = append(b.Text, *f.text(r)...)
		} else if a := f.address(r); a.IsValid() {
			b.Text = a.AppendTo(b.Text)
		}
		if len(b.Text) == begin {
			b.Text = append(b.Text, '-')
		}
		c.Spans[b.Rows] = Span{uint32(begin), uint32(len(b.Text))}
	}
	b.Rows++
}

// Record sets r to a row of the batch. Its strings are copies, made in one
// allocation. Numbers out of their field's range, and texts that are no address
// where one should be, become "-"; no parser of this package makes such.
func (b *Batch) Record(row int, r *Record) {
	*r = Record{}
	size := 0
	for place := range b.Columns {
		if c := &b.Columns[place]; c.Present && fields[place].text != nil {
			size += int(c.Spans[row].End - c.Spans[row].Begin)
		}
	}
	text := make([]byte, 0, size)
	for place := range b.Columns {
		f, c := &fields[place], &b.Columns[place]
		switch {
		case f.number != nil:
			if !c.Present || c.Null[row] || c.Ints[row] < f.min || c.Ints[row] > f.max {
				r.Missing.Add(place)
				continue
			}
			*f.number(r) = c.Ints[row]
		case !c.Present:
		case f.text != nil:
			if t := b.Text[c.Spans[row].Begin:c.Spans[row].End]; !isDash(t) {
				begin := len(text)
				text = append(text, t...)
				*f.text(r) = view(text[begin:])
			}
		default:
			var a netip.Addr
			if t := b.Text[c.Spans[row].Begin:c.Spans[row].End]; !isDash(t) {
				a, _ = parseAddr(t)
			}
			*f.address(r) = a
		}
	}
}

// AppendText appends a row as one line of a format, without a line feed.
// Columns that the batch does not have are "-".
func (b *Batch) AppendText(dst []byte, f Format, row int) []byte {
	for i, field := range f.fields {
		if i > 0 {
			dst = append(dst, ' ')
		}
		c := &b.Columns[field.place]
		switch {
		case !c.Present:
			dst = append(dst, '-')
		case field.number == nil:
			dst = append(dst, b.Text[c.Spans[row].Begin:c.Spans[row].End]...)
		case c.Null[row] || c.Ints[row] < 0:
			dst = append(dst, '-')
		default:
			dst = appendNumber(dst, c.Ints[row])
		}
	}
	return dst
}
