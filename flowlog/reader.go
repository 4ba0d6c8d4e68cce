package flowlog

import (
	"errors"
	"fmt"
	"io"
)

// Reader reads the records of a text: an object of S3, gzip or not, or lines
// without a header. It is not safe for concurrent use.
//
// A malformed line never ends the reading and never vanishes: it is counted, and
// listed, in the [Report].
type Reader struct {
	// Format is that of the record that was read last.
	Format Format

	chunks *Chunks
	state  state
	report Report
	text   []byte
	err    error
}

// NewReader reads from r. given is the format of lines that no header stands
// before; when it is zero, the default formats are recognised.
func NewReader(r io.Reader, given Format) *Reader {
	return &Reader{chunks: NewChunks(r, given), state: newState(given)}
}

// Report is the account of the text so far. It is valid until the next Read.
func (r *Reader) Report() *Report { return &r.report }

// Read reads the next record into rec. The error is [io.EOF] after the last
// one, or why the text breaks off. It allocates a chunk's memory for about a
// thousand records, and nothing for each.
func (r *Reader) Read(rec *Record) error {
	for {
		for len(r.text) == 0 {
			if err := r.fill(); err != nil {
				return err
			}
		}
		var line []byte
		line, r.text = cutLine(r.text)
		header := r.state.next(line)
		r.report.Lines++
		l := r.state.layout
		if header && l.broken == "" {
			r.report.header(l)
			continue
		}
		reason := notParsed(l, line)
		if reason == "" {
			reason = parseLine(rec, line, l.fields, l.format.missing)
		}
		if reason != "" {
			r.report.malformed(r.state.line, reason)
			continue
		}
		r.Format = l.format
		r.report.Records++
		if why := l.format.Doubt(rec); why != "" {
			r.report.doubtful(r.state.line, why)
		}
		return nil
	}
}

// fill gets the next chunk. Records point into it, so its memory is not used again.
func (r *Reader) fill() error {
	if r.err != nil {
		return r.err
	}
	chunk, err := r.chunks.Next(make([]byte, ChunkSize))
	if err != nil {
		if !errors.Is(err, io.EOF) {
			err = fmt.Errorf("after line %d: %w", r.state.line, err)
		}
		r.err = err
		return err
	}
	r.text = chunk.Text
	return nil
}
