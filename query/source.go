package query

import (
	"context"

	"weir/flowlog"
)

// Reader yields the records of one part of a source. It is not safe for
// concurrent use.
type Reader interface {
	// Next returns the next batch, never an empty one; io.EOF after the last.
	// Damaged input is the source's to count, not an error.
	Next(ctx context.Context) (*flowlog.Batch, error)
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
