package convert

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"weir/flowlog"
)

// ErrNoRecords is a conversion that would make an output of nothing: no format
// is known, or there are inputs, none of which could be read as records.
var ErrNoRecords = errors.New("the inputs hold no flow log records")

// Convert reads the inputs one after the other and writes them as one output.
// Inputs that are damaged are converted as far as they can be read and stand in
// the report; the error is one of writing, of a format, or the context's.
//
// An input's In that does not return from Read when ctx ends is left to a
// goroutine that ends when it does.
func Convert(ctx context.Context, inputs []Input, w io.Writer, cfg Config) (Report, error) {
	workers := cfg.workers()
	p := &pipeline{
		cfg:     cfg,
		out:     &counted{w: w},
		buffers: make(buffers, (workers+1)*jobBytes/flowlog.ChunkSize),
		texts:   make(buffers, workers),
	}
	err := p.run(ctx, inputs, workers)
	for _, in := range p.inputs {
		in.close()
	}
	report := p.sum()
	if p.out.err != nil {
		err = p.out.err // without what encoders put around it
	}
	bad := report.Malformed > 0 || len(report.Damaged) > 0
	if err == nil && (report.Format.IsZero() || report.Records == 0 && bad) {
		err = ErrNoRecords
	}
	return report, err
}

// pipeline is one conversion.
type pipeline struct {
	cfg     Config
	buffers buffers // of chunks
	texts   buffers // of pieces
	out     *counted
	records int64          // written
	format  flowlog.Format // of the output; it is known when a job's is
	inputs  []*input       // begun so far

	mu      sync.Mutex // guards what follows, and inputs' broken
	report  Report
	checked []flowlog.Format // formats whose absent fields are in the report
}

// job is what one worker does at a time, and the way of its result.
type job struct {
	units  []unit
	rows   int
	bytes  int            // of text
	format flowlog.Format // of the output; zero while no line was a record
	output output         // nil as long
	pieces chan piece     // closed when err is there
	err    error
}

func (j *job) next() *job {
	// Room for one piece, which is what a job nearly always makes: the worker
	// goes on while the writer is busy with an earlier one.
	return &job{format: j.format, output: j.output, pieces: make(chan piece, 1)}
}

// run starts everything, writes the results in order, and waits for all of it.
func (p *pipeline) run(ctx context.Context, inputs []Input, workers int) error {
	group, ctx := errgroup.WithContext(ctx)
	reading := make(chan *input, workers)
	work := make(chan *job)
	order := make(chan *job, workers) // what is begun, so what waits is bounded
	group.Go(func() error { return p.readAhead(ctx, inputs, workers, reading) })
	group.Go(func() error {
		defer close(order)
		defer close(work)
		return p.dispatch(ctx, reading, work, order)
	})
	for range workers {
		group.Go(func() error {
			w := newWorker(p)
			for j := range work {
				j.err = w.do(ctx, j)
				close(j.pieces)
			}
			return nil
		})
	}
	group.Go(func() error { return p.write(ctx, order) })
	return group.Wait()
}

// readAhead keeps as many inputs being read as there are workers, in order.
func (p *pipeline) readAhead(ctx context.Context, inputs []Input, workers int, reading chan<- *input) error {
	defer close(reading)
	var group errgroup.Group
	group.SetLimit(workers)
	for _, i := range inputs {
		in := newInput(i)
		select {
		case reading <- in:
		case <-ctx.Done():
			return group.Wait()
		}
		p.inputs = append(p.inputs, in)
		group.Go(func() error {
			in.read(ctx, p)
			return nil
		})
	}
	return group.Wait()
}

// dispatch puts units together to jobs.
func (p *pipeline) dispatch(ctx context.Context, reading <-chan *input, work, order chan<- *job) error {
	next := (&job{}).next()
	send := func() error {
		if err := p.begin(next); err != nil {
			return err
		}
		for _, to := range []chan<- *job{order, work} {
			select {
			case to <- next:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		next = next.next()
		return nil
	}
	for in := range reading {
		for u := range in.units {
			size := len(u.chunk.Text)
			if next.rows > 0 && (next.rows+u.rows > p.jobRows() || next.bytes+size > jobBytes) {
				if err := send(); err != nil {
					return err
				}
			}
			next.units = append(next.units, u)
			next.rows += u.rows
			next.bytes += size
		}
	}
	if ctx.Err() != nil || len(next.units) == 0 && next.output != nil {
		return ctx.Err()
	}
	return send() // even without a unit: the format may be known
}

// jobRows is a row group, or a member of a gzip file.
func (p *pipeline) jobRows() int {
	if rows := p.cfg.Options.RowGroupRows; rows > 0 {
		return max(1, rows-flowlog.BatchRows) // the last batch may be a full one
	}
	return defaultJobRows
}

const (
	defaultJobRows = 120_000
	// jobBytes bounds a job's text: lines may be long. 120,000 records of 29
	// fields fit.
	jobBytes = 32 << 20
)

// begin opens the output once its format is known.
func (p *pipeline) begin(j *job) (err error) {
	if j.output != nil {
		return nil
	}
	j.format = p.cfg.Format
	for i := 0; j.format.IsZero() && i < len(j.units); i++ {
		j.format = j.units[i].format
	}
	if !j.format.IsZero() {
		j.output, err = newOutput(p.out, j.format, p.cfg)
	}
	return err
}

// write appends the results in the order of the jobs.
func (p *pipeline) write(ctx context.Context, order <-chan *job) error {
	var out output
	for j := range order {
		out, p.format = j.output, j.format
		if err := p.writeJob(ctx, j); err != nil {
			return err
		}
	}
	if ctx.Err() != nil || out == nil {
		return ctx.Err()
	}
	return out.close()
}

func (p *pipeline) writeJob(ctx context.Context, j *job) error {
	for {
		select {
		case piece, more := <-j.pieces:
			if !more {
				return j.err
			}
			for _, problem := range piece.problems {
				p.cfg.Problem(problem)
			}
			if j.output == nil {
				continue
			}
			if err := j.output.append(piece); err != nil {
				return err
			}
			p.records += piece.records
			if piece.text != nil {
				p.texts.put(piece.text[:0])
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// progress counts bytes that were read.
func (p *pipeline) progress(in *input, n int64) {
	in.bytes += n
	if p.cfg.Progress != nil {
		p.cfg.Progress.Add(n)
	}
}

// account adds the report of a unit.
func (p *pipeline) account(r *flowlog.Report) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.report.Lines += r.Lines
	p.report.Headers += r.Headers
	p.report.Malformed += r.Malformed
	p.report.Doubtful += r.Doubtful
	p.report.Unknown = union(p.report.Unknown, r.Unknown)
}

// damaged remembers why a row group could not be read.
func (p *pipeline) damaged(u *unit, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if in := u.in; in.broken == nil || u.group < in.brokenGroup {
		in.broken, in.brokenGroup = err, u.group
	}
	u.in.brokenCount++
}

// compare remembers which fields of the output an input's format does not have.
func (p *pipeline) compare(in *input, f, output flowlog.Format) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if slices.ContainsFunc(p.checked, f.Equal) {
		return nil
	}
	var absent []string
	common := 0
	for _, field := range output.Fields() {
		switch {
		case field.Name == "version":
		case f.Has(field.Name):
			common++
		default:
			absent = append(absent, field.Name)
		}
	}
	if common == 0 && len(absent) > 0 {
		return &NothingInCommonError{Path: in.Path, Has: f, Want: output}
	}
	p.checked = append(p.checked, f)
	p.report.Absent = union(p.report.Absent, absent)
	return nil
}

// sum is the report of all inputs. Nothing runs any more.
func (p *pipeline) sum() Report {
	r := p.report
	r.Files, r.Records, r.BytesOut, r.Format = len(p.inputs), p.records, p.out.n, p.format
	slices.Sort(r.Unknown) // workers found them in any order
	slices.Sort(r.Absent)
	for _, in := range p.inputs {
		r.BytesIn += in.bytes
		if err := in.damage(); err != nil && !errors.Is(err, context.Canceled) {
			r.Damaged = append(r.Damaged, &InputError{in.Path, err})
		}
	}
	return r
}

// counted counts what is written, and keeps the first error.
type counted struct {
	w   io.Writer
	n   int64
	err error
}

func (c *counted) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	if c.err == nil {
		c.err = err
	}
	return n, err
}
