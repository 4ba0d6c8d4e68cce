package flowlog

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
