package lake

import (
	"fmt"
	"slices"
	"sync"

	"weir/flowlog"
	"weir/query"
)

// Scan reads objects as the parts of a query.Source and keeps account of what
// could not be read.
type Scan struct {
	objects []Object

	mu      sync.Mutex // guards what follows
	free    []*memory  // of columns freeFor
	freeFor []bool
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
	r := &reader{scan: s, object: i, memory: s.get(want)}
	r.open(s.objects[i].Path)
	return r, nil
}

// get takes memory for these columns.
func (s *Scan) get(want []bool) *memory {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Equal(want, s.freeFor) {
		s.free, s.freeFor = nil, slices.Clone(want)
	}
	if n := len(s.free); n > 0 {
		m := s.free[n-1]
		s.free = s.free[:n-1]
		return m
	}
	return newMemory(s.freeFor)
}

func (s *Scan) put(m *memory) {
	m.parser.Reset(flowlog.Format{})
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.Equal(m.want, s.freeFor) {
		s.free = append(s.free, m)
	}
}

// objectReport is the account of one object.
type objectReport struct {
	flowlog.Report
	broke string // why it could not be read to its end, or ""
}

// done keeps the fuller report of an object: a query may read it more than
// once, or stop early.
func (s *Scan) done(i int, r *flowlog.Report, broke string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.reports[i]; old == nil || old.Lines <= r.Lines {
		s.reports[i] = &objectReport{*r, broke}
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
		sum.Records += r.Records
		sum.Malformed += r.Malformed
		for _, p := range r.Problems {
			sum.Problems = append(sum.Problems, Problem{Path: s.objects[i].Path, Line: p.Line, Reason: p.Reason})
		}
		if r.broke != "" {
			sum.Damaged++
			sum.Problems = append(sum.Problems, Problem{Path: s.objects[i].Path, Reason: r.broke})
		}
		sum.UnknownFields = append(sum.UnknownFields, r.Unknown...)
	}
	slices.Sort(sum.UnknownFields)
	sum.UnknownFields = slices.Compact(sum.UnknownFields)
	return sum
}
