package lake

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"weir/query"
)

// maxProblems is how many problems a report lists of one object; all are counted.
const maxProblems = 100

// Scan reads objects as the parts of a query.Source and keeps account of what
// could not be read.
type Scan struct {
	objects []Object
	free    sync.Pool // of *parser

	mu      sync.Mutex // guards reports
	reports []*objectReport
}

var _ query.Source = (*Scan)(nil)

// NewScan begins no reading. It keeps objects, which must not change any more.
func NewScan(objects []Object) *Scan {
	return &Scan{objects: objects, reports: make([]*objectReport, len(objects))}
}

// Parts is the number of objects.
func (s *Scan) Parts() int { return len(s.objects) }

// Open begins to read object i. It does not fail: an object that cannot be
// opened has no records and stands in the report.
func (s *Scan) Open(i int, want []bool) (query.Reader, error) {
	p, ok := s.free.Get().(*parser)
	if !ok {
		p = newParser()
	}
	r := &reader{scan: s, object: i, want: want, parser: p, buf: p.buf}
	r.open(s.objects[i].Path)
	return r, nil
}

// done keeps the fuller report of an object: a query may read it more than
// once, or stop early.
func (s *Scan) done(i int, r *objectReport) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.reports[i]; old == nil || old.seen() <= r.seen() {
		s.reports[i] = r
	}
}

// Report is what became of the objects that were read so far. Nothing that was
// left out is missing from it.
type Report struct {
	Objects   int   // opened
	Records   int64 // read
	Malformed int64 // lines that are no records
	Damaged   int   // objects that could not be read, or not to their end
	// UnknownFields are the names in headers whose columns were passed over.
	UnknownFields []string
	// Problems are the first of each object, in the order of the objects.
	Problems []Problem
}

// Clean reports whether everything was read.
func (r *Report) Clean() bool {
	return r.Malformed == 0 && r.Damaged == 0 && len(r.UnknownFields) == 0
}

// Problem is a line that is no record, or an object that is damaged.
type Problem struct {
	Path   string
	Line   int // from 1; 0 is the object itself
	Reason string
}

func (p Problem) String() string {
	if p.Line == 0 {
		return p.Path + ": " + p.Reason
	}
	return fmt.Sprintf("%s:%d: %s", p.Path, p.Line, p.Reason)
}

// Report sums up the objects whose readers were closed.
func (s *Scan) Report() Report {
	s.mu.Lock()
	defer s.mu.Unlock()
	var sum Report
	for i, r := range s.reports {
		if r == nil {
			continue
		}
		sum.Objects++
		sum.Records += r.records
		sum.Malformed += r.malformed
		if r.damaged {
			sum.Damaged++
		}
		for _, p := range r.problems {
			p.Path = s.objects[i].Path
			sum.Problems = append(sum.Problems, p)
		}
		sum.UnknownFields = append(sum.UnknownFields, r.strangers...)
	}
	slices.SortFunc(sum.UnknownFields, strings.Compare)
	sum.UnknownFields = slices.Compact(sum.UnknownFields)
	return sum
}

// objectReport is the account of one object.
type objectReport struct {
	records   int64
	malformed int64
	damaged   bool
	strangers []string
	problems  []Problem // without paths
}

func (r *objectReport) seen() int64 { return r.records + r.malformed }

func (r *objectReport) add(line int, reason string) {
	if len(r.problems) < maxProblems {
		r.problems = append(r.problems, Problem{Line: line, Reason: reason})
	}
}
