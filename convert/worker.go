package convert

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"weir/flowlog"
)

// worker does jobs, one after the other.
type worker struct {
	p       *pipeline
	parser  *flowlog.Parser
	format  flowlog.Format // of the output
	encoder encoder        // nil until there is a format
	view    flowlog.Batch
	version flowlog.Column

	unit     *unit     // that is being read
	problems []Problem // since the last piece
	held     int       // bytes that they take, about
	hand     func(piece) error
}

func newWorker(p *pipeline) *worker {
	w := &worker{p: p, parser: flowlog.NewParser(p.cfg.Given, nil)}
	w.parser.Doubts = true
	if p.cfg.Problem != nil {
		w.parser.Line = func(problem flowlog.Problem, line []byte) {
			w.tell(Problem{Path: w.unit.in.Path, Problem: problem, Text: bytes.Clone(line)})
		}
	}
	return w
}

// do reads the units of a job and hands on what becomes of them.
func (w *worker) do(ctx context.Context, j *job) (err error) {
	w.hand = func(p piece) error {
		select {
		case j.pieces <- p:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if w.encoder == nil && !j.format.IsZero() {
		w.format = j.format
		if w.encoder, err = w.p.newEncoder(w.format); err != nil {
			return err
		}
	}
	for i := range j.units {
		w.unit = &j.units[i]
		if err := w.read(ctx); err != nil {
			return err
		}
	}
	return w.finish()
}

// read hands the records of the unit to the encoder.
func (w *worker) read(ctx context.Context) error {
	switch u := w.unit; {
	case ctx.Err() != nil:
		return ctx.Err()
	case u.group < 0:
		return nil
	case u.in.table != nil:
		return w.readGroup(u)
	default:
		return w.readChunk(u)
	}
}

func (w *worker) readChunk(u *unit) error {
	w.parser.Reset(w.p.cfg.Given)
	w.parser.Parse(u.chunk)
	for batch, format := w.parser.Next(); batch != nil; batch, format = w.parser.Next() {
		if err := w.take(batch, format); err != nil {
			return err
		}
	}
	w.p.account(w.parser.Report())
	w.p.buffers.put(u.buf)
	u.buf, u.chunk.Text = nil, nil // the job may live longer
	if w.held > maxProblems {
		return w.hand(w.told())
	}
	return nil
}

func (w *worker) readGroup(u *unit) error {
	if err := u.in.acquire(); err != nil {
		w.p.damaged(u, err)
		return nil
	}
	defer u.in.release()
	group, err := u.in.table.Section(u.group, u.group+1)
	if err != nil {
		return err
	}
	var report flowlog.Report
	for {
		batch, err := group.Next()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				w.p.damaged(u, err)
			}
			break
		}
		report.Lines += int64(batch.Rows)
		if err := w.take(batch, group.Format()); err != nil {
			return err
		}
	}
	report.Malformed = group.Malformed()
	report.Lines += report.Malformed
	w.p.account(&report)
	if w.p.cfg.Problem == nil {
		return nil
	}
	listed := group.Problems()
	for _, problem := range listed {
		w.tell(Problem{Path: u.in.Path, Row: true, Problem: flowlog.Problem{Line: int(problem.Row), Reason: problem.Column + ": " + problem.Reason}})
	}
	if more := report.Malformed - int64(len(listed)); more > 0 { // the reader keeps no more
		last := listed[len(listed)-1]
		w.tell(Problem{Path: u.in.Path, Row: true, Problem: flowlog.Problem{Line: int(last.Row), Reason: fmt.Sprintf("and %d more rows after it in row group %d", more, u.group)}})
	}
	return nil
}

// maxProblems is how much memory problems may take before they are handed on,
// in bytes.
const maxProblems = 4 << 20

// tell keeps a problem for whoever wants to know; the writer hands them on in
// order.
func (w *worker) tell(p Problem) {
	w.problems = append(w.problems, p)
	w.held += 128 + len(p.Reason) + len(p.Text)
}

// told is a piece of the problems so far.
func (w *worker) told() piece {
	p := piece{problems: w.problems}
	w.problems, w.held = nil, 0
	return p
}

// finish hands on what there is.
func (w *worker) finish() error {
	done := w.told()
	if w.encoder != nil {
		if err := w.encoder.finish(&done); err != nil {
			return err
		}
	}
	return w.hand(done)
}

// take encodes a batch.
func (w *worker) take(b *flowlog.Batch, f flowlog.Format) error {
	if w.encoder.full() {
		if err := w.finish(); err != nil {
			return err
		}
	}
	if f.Equal(w.format) {
		return w.encoder.add(b)
	}
	if w.p.cfg.Format.IsZero() {
		return &FormatError{Path: w.unit.in.Path, Has: f, Want: w.format}
	}
	if err := w.p.compare(w.unit.in, f, w.format); err != nil {
		return err
	}
	if f.Has(versionField.Name) && f.Version() == w.format.Version() {
		return w.encoder.add(b)
	}
	return w.encoder.add(w.withVersion(b))
}

// withVersion is the batch with the version of the output's format: it is a
// fact about the format, not about the flow.
func (w *worker) withVersion(b *flowlog.Batch) *flowlog.Batch {
	if w.version.Ints == nil {
		w.version = flowlog.Column{Present: true, Ints: make([]int64, flowlog.BatchRows), Null: make([]bool, flowlog.BatchRows)}
		for i := range w.version.Ints {
			w.version.Ints[i] = int64(w.format.Version())
		}
	}
	w.view.Rows, w.view.Text = b.Rows, b.Text
	w.view.Columns = append(w.view.Columns[:0], b.Columns...)
	w.view.Columns[versionField.Place()] = w.version
	return &w.view
}

var versionField, _ = flowlog.FieldByName("version")
