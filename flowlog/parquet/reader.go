package parquet

import (
	"errors"
	"fmt"
	"io"

	"weir/flowlog"
)

// ReadOptions say what is read of a file. The zero value reads everything.
type ReadOptions struct {
	// Want is the fields to read, in the order of [flowlog.Fields]; nil stands
	// for all. The others' columns are neither read nor looked at.
	Want []bool
}

// Reader reads the records of one file, or of some of its row groups. It must
// not be used by several goroutines at once; sections of it may.
type Reader struct {
	file      *file
	from, to  int // row groups
	columns   []*columnReader
	mem       memory
	unpack    decompressor
	text      textBuffer
	batch     flowlog.Batch
	group     int   // the one being read; from-1 before the first
	left      int64 // rows of it
	refused   []refusal
	gone      [flowlog.BatchRows]bool // rows of the batch that are refused
	problems  []Problem
	malformed int64
	err       error
}

// NewReader reads the footer of a file of size bytes. in is read in parallel
// when sections of the reader are.
func NewReader(in io.ReaderAt, size int64, o ReadOptions) (*Reader, error) {
	f, err := openFile(in, size, o.Want)
	if err != nil {
		return nil, fmt.Errorf("parquet: %w", err)
	}
	return newReader(f, 0, len(f.groups)), nil
}

func newReader(f *file, from, to int) *Reader {
	r := &Reader{file: f, from: from, to: to, group: from - 1}
	r.text.mem = &r.mem
	return r
}

// Section is a reader of the row groups [from, to), which must be in the range
// of r. It shares the footer and nothing else, so each goroutine may have one.
func (r *Reader) Section(from, to int) (*Reader, error) {
	if from < 0 || to < from || to > r.NumRowGroups() {
		return nil, fmt.Errorf("parquet: there are no row groups %d to %d among %d", from, to, r.NumRowGroups())
	}
	return newReader(r.file, r.from+from, r.from+to), nil
}

// NumRowGroups is how many row groups the reader reads.
func (r *Reader) NumRowGroups() int { return r.to - r.from }

// Rows is how many rows these have, those among them that will turn out to be
// malformed.
func (r *Reader) Rows() int64 { return r.file.rows(r.from, r.to) }

// Format is the columns that are fields, in the order of the file.
func (r *Reader) Format() flowlog.Format { return r.file.format }

// Unknown is the names of the columns that are no field. They are passed over.
func (r *Reader) Unknown() []string { return r.file.unknown }

// Malformed is how many rows were left out so far, because a string is not
// UTF-8, has a space or a control character or more than 1 MiB, or because a
// number is negative, does not fit its field or is a text that is none.
func (r *Reader) Malformed() int64 { return r.malformed }

// Problems is the first 100 of these rows, with one reason each.
func (r *Reader) Problems() []Problem { return r.problems }

// Next reads up to [flowlog.BatchRows] rows. The batch and all in it is valid
// until the next call, and is never empty. At the end the error is [io.EOF]; any
// error stays.
//
// A batch has the columns that the file has and that are wanted. Strings of the
// same value mostly have the same span.
func (r *Reader) Next() (b *flowlog.Batch, err error) {
	if r.err != nil {
		return nil, r.err
	}
	defer func() {
		// Decoders of third parties see bytes that anyone may have made.
		if p := recover(); p != nil {
			b, err = nil, fmt.Errorf("parquet: row group %d: it cannot be decoded: %v", r.group, p)
		}
		r.err = err
	}()
	for r.batch.Rows = 0; r.batch.Rows == 0; { // all rows of a batch may be malformed
		if err := r.fill(); err != nil {
			if !errors.Is(err, io.EOF) {
				err = fmt.Errorf("parquet: row group %d: %w", r.group, err)
			}
			return nil, err
		}
	}
	return &r.batch, nil
}

// fill reads a batch.
func (r *Reader) fill() error {
	for r.left == 0 {
		if r.group+1 >= r.to {
			return io.EOF
		}
		if err := r.nextGroup(); err != nil {
			return err
		}
	}
	n := int(min(r.left, flowlog.BatchRows))
	g := &r.file.groups[r.group]
	first := g.first + g.rows - r.left
	r.left -= int64(n)
	r.batch.Rows = n
	r.text.b = r.text.b[:r.text.kept]
	r.refused = r.refused[:0]
	for _, c := range r.columns {
		col := &r.batch.Columns[c.source.place]
		col.Spans, col.Ints, col.Null = resize(col.Spans, n), resize(col.Ints, n), resize(col.Null, n)
		if err := c.fill(col, n, &r.text); err != nil {
			return fmt.Errorf("column %s: %w", c.source.name, err)
		}
		if c.suspect {
			r.refused = c.appendRefusals(r.refused, col, n, &r.text)
		}
	}
	r.batch.Text = r.text.b
	if len(r.refused) > 0 {
		r.leaveOut(r.refused, first)
	}
	return nil
}

// resize gives a slice that has memory the length n.
func resize[T any](s []T, n int) []T {
	if cap(s) == 0 {
		return s
	}
	return s[:n]
}

// nextGroup begins a row group.
func (r *Reader) nextGroup() error {
	if r.columns == nil {
		r.begin()
	}
	r.group++
	g := &r.file.groups[r.group]
	r.left = g.rows
	if err := r.text.begin(); err != nil {
		return err
	}
	for _, c := range r.columns {
		if err := c.begin(g.chunks[c.source.index], g.rows, &r.text); err != nil {
			return fmt.Errorf("column %s: %w", c.source.name, err)
		}
	}
	return nil
}

// begin makes the columns, once.
func (r *Reader) begin() {
	r.batch.Columns = make([]flowlog.Column, len(flowlog.Fields()))
	r.columns = []*columnReader{}
	for i := range r.file.sources {
		s := &r.file.sources[i]
		if !s.wanted {
			continue
		}
		c := newColumnReader(r.file, s, &r.mem, &r.unpack)
		r.columns = append(r.columns, c)
		col := &r.batch.Columns[s.place]
		col.Present = true
		if s.kind == flowlog.String {
			col.Spans = make([]flowlog.Span, flowlog.BatchRows)
		} else {
			col.Ints = make([]int64, flowlog.BatchRows)
			col.Null = make([]bool, flowlog.BatchRows)
		}
	}
}
