package query

import (
	"context"

	"weir/flowlog"
)

// BatchRows is the largest number of records in a [Batch]: DuckDB's vector.
const BatchRows = 2048

// Batch is some records as columns. It belongs to its [Reader] and is valid
// until the reader's next call.
type Batch struct {
	Rows    int
	Columns []Column // one per field, in the order of flowlog.Fields
	Text    []byte   // what the spans point into; UTF-8
}

// Column is one field of a batch's records. For a number Ints and Null hold
// Rows values each, for a string Spans does. An absent column is not in the
// object: all its values are unknown.
type Column struct {
	Present bool
	Ints    []int64
	Null    []bool // the record has "-" where a number would stand
	Spans   []Span
}

// Span is Text[Begin:End] of the batch. A string keeps a literal "-".
type Span struct{ Begin, End uint32 }

// Reader yields the records of one part of a source. It is not safe for
// concurrent use.
type Reader interface {
	// Next returns the next batch, never an empty one; io.EOF after the last.
	// Damaged input is the source's to count, not an error.
	Next(ctx context.Context) (*Batch, error)
	Close() error
}

// Source is flow log records in parts that can be read side by side.
// Its methods are safe for concurrent use.
type Source interface {
	// Parts is how many there are.
	Parts() int
	// Open begins to read part i. Columns whose place in want is false may be
	// left absent; want has the order of flowlog.Fields.
	Open(i int, want []bool) (Reader, error)
}

// EveryField asks [Source.Open] for all columns.
func EveryField() []bool {
	want := make([]bool, len(flowlog.Fields()))
	for i := range want {
		want[i] = true
	}
	return want
}
