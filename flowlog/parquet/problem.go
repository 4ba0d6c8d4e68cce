package parquet

import (
	"fmt"
	"slices"

	"weir/flowlog"
)

// Problem is a row that was left out because no record can have its value.
type Problem struct {
	Row    int64  // in the file, from 1
	Column string // as the file names it
	Reason string
}

func (p Problem) String() string {
	return fmt.Sprintf("row %d, column %s: %s", p.Row, p.Column, p.Reason)
}

// maxProblems is how many are listed; all are counted.
const maxProblems = 100

// refusal is a value of the batch whose row has to go.
type refusal struct {
	row    int
	column *columnReader
}

// appendRefusals lists the rows of a column that no record can have.
func (c *columnReader) appendRefusals(dst []refusal, col *flowlog.Column, n int, text *textBuffer) []refusal {
	for row := range n {
		if c.source.kind == flowlog.String {
			if c.refuse(text.of(col.Spans[row])) != "" {
				dst = append(dst, refusal{row, c})
			}
		} else if v := col.Ints[row]; !col.Null[row] && (v < c.least || v > c.limit) {
			dst = append(dst, refusal{row, c})
		}
	}
	return dst
}

// reason says what is wrong with a value.
func (c *columnReader) reason(col *flowlog.Column, row int, text *textBuffer) string {
	if c.source.kind == flowlog.String {
		v := text.of(col.Spans[row])
		return fmt.Sprintf("%.60q %s", v, c.refuse(v))
	}
	v := col.Ints[row]
	switch {
	case v == notNumber && c.source.physical == physicalByteArray:
		return "the text is not a decimal number of at most 63 bits"
	case v < 0 && c.source.unsigned:
		return fmt.Sprintf("%d does not fit 63 bits", uint64(v))
	case v < 0:
		return fmt.Sprintf("%d is negative", v)
	}
	return fmt.Sprintf("%d is not in %d to %d", v, c.least, c.limit)
}

// leaveOut takes the refused rows out of the batch, of which the first is row
// first of the file, from 0.
func (r *Reader) leaveOut(refused []refusal, first int64) {
	slices.SortStableFunc(refused, func(a, b refusal) int { return a.row - b.row })
	gone := r.gone[:r.batch.Rows]
	clear(gone)
	left := r.batch.Rows
	for _, p := range refused {
		if gone[p.row] {
			continue // one reason is enough
		}
		gone[p.row] = true
		left--
		r.malformed++
		if len(r.problems) < maxProblems {
			col := &r.batch.Columns[p.column.source.place]
			r.problems = append(r.problems, Problem{first + int64(p.row) + 1, p.column.source.name, p.column.reason(col, p.row, &r.text)})
		}
	}
	for i := range r.batch.Columns {
		c := &r.batch.Columns[i]
		c.Spans = without(c.Spans, gone)
		c.Ints = without(c.Ints, gone)
		c.Null = without(c.Null, gone)
	}
	r.batch.Rows = left
}

func without[T any](rows []T, gone []bool) []T {
	if len(rows) == 0 {
		return rows
	}
	kept := rows[:0]
	for i, v := range rows {
		if !gone[i] {
			kept = append(kept, v)
		}
	}
	return kept
}
