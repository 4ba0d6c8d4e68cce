package flowlog

import (
	"fmt"
	"slices"
)

// MaxProblems is how many problems a [Report] lists; all are counted.
const MaxProblems = 100

// Problem is a line that is no record, or one that AWS would not write.
type Problem struct {
	Line   int // from 1
	Reason string
	// Doubt is true when the line was read as a record all the same.
	Doubt bool
}

func (p Problem) String() string { return fmt.Sprintf("line %d: %s", p.Line, p.Reason) }

// Report is the account of a text: Records + Malformed + Headers = Lines.
// The zero value is ready for use.
type Report struct {
	Lines     int64
	Headers   int64
	Records   int64
	Malformed int64 // lines that are no records
	Doubtful  int64 // records that AWS would not write
	// Unknown are the names in headers that are no fields of this Weir; their
	// columns were passed over.
	Unknown []string
	// Problems are the first [MaxProblems], malformed lines and doubtful records
	// separately.
	Problems []Problem
}

// Add sums two reports up. The lines of other must come after those of r.
func (r *Report) Add(other *Report) {
	r.Lines += other.Lines
	r.Headers += other.Headers
	r.Records += other.Records
	r.Malformed += other.Malformed
	r.Doubtful += other.Doubtful
	for _, name := range other.Unknown {
		r.unknown(name)
	}
	for _, p := range other.Problems {
		r.list(p)
	}
}

// malformed and doubtful may be called for every line of a hostile text.
func (r *Report) header(l *layout) {
	r.Headers++
	for _, name := range l.unknown {
		r.unknown(name)
	}
}

func (r *Report) malformed(line int, reason string) {
	if r.Malformed++; r.Malformed <= MaxProblems {
		r.Problems = append(r.Problems, Problem{Line: line, Reason: reason})
	}
}

func (r *Report) doubtful(line int, reason string) {
	if r.Doubtful++; r.Doubtful <= MaxProblems {
		r.Problems = append(r.Problems, Problem{Line: line, Reason: reason, Doubt: true})
	}
}

func (r *Report) list(p Problem) {
	same := 0
	for i := range r.Problems {
		if r.Problems[i].Doubt == p.Doubt {
			same++
		}
	}
	if same < MaxProblems {
		r.Problems = append(r.Problems, p)
	}
}

func (r *Report) unknown(name string) {
	if !slices.Contains(r.Unknown, name) && len(r.Unknown) < MaxProblems {
		r.Unknown = append(r.Unknown, name)
	}
}
