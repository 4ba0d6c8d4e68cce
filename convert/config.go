package convert

import (
	"fmt"
	"io/fs"
	"runtime"
	"slices"
	"sync/atomic"

	"weir/flowlog"
	"weir/flowlog/parquet"
)

// Config says what to make of the inputs.
type Config struct {
	// Format is that of the output; when it is zero, the inputs' own, which must
	// then be one and the same.
	Format flowlog.Format
	// Given is the format of text that no header stands before; when it is zero,
	// the default formats are recognised.
	Given flowlog.Format
	// Parquet asks for Parquet instead of text.
	Parquet bool
	Options parquet.Options // of Parquet; text is packed in units of RowGroupRows, too
	Gzip    bool            // text is compressed
	Bare    bool            // text has no header, as in CloudWatch Logs
	Workers int             // 0 is one per core
	// Problem, if not nil, is called for every line that is no record, and every
	// record that AWS would not write, in the order of an output's inputs. Calls
	// do not overlap.
	Problem func(Problem)
	// Progress, if not nil, counts the bytes of input that were read, as stored,
	// while they are.
	Progress *atomic.Int64
}

func (c *Config) workers() int {
	if c.Workers > 0 {
		return c.Workers
	}
	return runtime.GOMAXPROCS(0)
}

// Problem is a line, or a row of Parquet, that is no record or a doubtful one.
type Problem struct {
	Path string
	flowlog.Problem
	Row  bool   // Line is a row of Parquet
	Text []byte // the line, or nil; valid during the call
}

func (p Problem) String() string {
	if p.Row {
		return fmt.Sprintf("%s: row %d: %s", p.Path, p.Line, p.Reason)
	}
	return fmt.Sprintf("%s:%d: %s", p.Path, p.Line, p.Reason)
}

// Report is the account of a conversion: Records + Malformed + Headers = Lines.
type Report struct {
	Files     int
	Lines     int64 // read, and rows of Parquet
	Headers   int64
	Records   int64 // written
	Malformed int64 // lines that are no records; they are not in the output
	Doubtful  int64 // records that AWS would not write; they are
	BytesIn   int64 // as stored
	BytesOut  int64
	Format    flowlog.Format // of the output
	// Unknown are columns of the inputs that are no fields of this Weir; they
	// are not in the output.
	Unknown []string
	// Absent are fields of the output that an input did not have: "-" there.
	Absent []string
	// Empty are the inputs of [ToDirectory] that have no output, because nothing
	// in them is a record and no format is known.
	Empty []string
	// Damaged are the inputs that could not be read to their end.
	Damaged []*InputError
}

// Add sums two reports up.
func (r *Report) Add(o *Report) {
	r.Files += o.Files
	r.Lines += o.Lines
	r.Headers += o.Headers
	r.Records += o.Records
	r.Malformed += o.Malformed
	r.Doubtful += o.Doubtful
	r.BytesIn += o.BytesIn
	r.BytesOut += o.BytesOut
	if r.Format.IsZero() {
		r.Format = o.Format
	}
	r.Unknown = union(r.Unknown, o.Unknown)
	r.Absent = union(r.Absent, o.Absent)
	r.Empty = append(r.Empty, o.Empty...)
	r.Damaged = append(r.Damaged, o.Damaged...)
}

func union(a, b []string) []string {
	for _, s := range b {
		if !slices.Contains(a, s) {
			a = append(a, s)
		}
	}
	return a
}

// InputError is why an input could not be read, or not to its end.
type InputError struct {
	Path string
	Err  error
}

func (e *InputError) Error() string { return fmt.Sprintf("read %s: %v", e.Path, bare(e.Err)) }
func (e *InputError) Unwrap() error { return e.Err }

// bare is an error of the operating system without the path that stands beside
// it already.
func bare(err error) error {
	if at, ok := err.(*fs.PathError); ok { //nolint:errorlint // a wrapped one may say more
		return at.Err
	}
	return err
}

// FormatError is an input whose format is not the output's, when none was asked
// for.
type FormatError struct {
	Path      string
	Has, Want flowlog.Format
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("%s has other fields than what came before it: %q, not %q", e.Path, e.Has.Header(), e.Want.Header())
}

// Hint is the next step.
func (e *FormatError) Hint() string {
	return "say with --format which fields the output shall have, or give a directory as output to keep the files apart"
}

// NothingInCommonError is an input that has no field of the output's format.
type NothingInCommonError struct {
	Path      string
	Has, Want flowlog.Format
}

func (e *NothingInCommonError) Error() string {
	return fmt.Sprintf("%s has none of the output's fields: it has %q", e.Path, e.Has.Header())
}

// Hint is the next step.
func (e *NothingInCommonError) Hint() string { return "ask with --format for fields that it has" }
