package query

import (
	"context"
	"time"
)

// View is the name under which an engine shows flow log records. Its columns
// are all fields of the table, with underscores, in table order; a field that
// an object does not have is NULL, "-" is NULL where the type is a number.
const View = "flow_logs"

// Window selects records by their end: From <= end < To. A zero time leaves
// that side open.
type Window struct{ From, To time.Time }

// Engine answers SQL. It is safe for concurrent use.
type Engine interface {
	// FlowLogs makes the records of src that ended in w the view [View].
	// It reads nothing yet: each query reads what it needs.
	FlowLogs(ctx context.Context, src Source, w Window) error
	// Query begins to answer. A mistake in sql is an [*Error]. The caller must
	// close the rows; cancelling ctx interrupts the engine.
	Query(ctx context.Context, sql string) (Rows, error)
	Close() error
}

// Rows is an answer, row by row.
type Rows interface {
	Columns() []ResultColumn
	// Next moves to the next row; false at the end and after an error, see Err.
	Next() bool
	// Values is the current row: nil, bool, int64, float64, json.Number (beyond
	// 64 bits, or decimal), string (text, times as the engine writes them),
	// []any or map[string]any of these. It is valid until Next.
	Values() []any
	Err() error
	Close() error
}

// ResultColumn describes a column of an answer.
type ResultColumn struct {
	Name   string
	Type   string // the engine's name for it: BIGINT
	Number bool   // people want it aligned to the right
}
