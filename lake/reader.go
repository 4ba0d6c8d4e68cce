package lake

import (
	"context"
	"fmt"
	"io"
	"os"

	"weir/flowlog"
	"weir/flowlog/parquet"
)

// reader reads one object.
type reader struct {
	scan   *Scan
	object int // index into scan.objects

	file    *os.File
	err     error           // it could not be opened
	chunks  *flowlog.Chunks // of text
	memory  *memory         // for them
	table   *parquet.Reader // of Parquet; nil for text
	records int64           // of the table, so far
	broke   string          // why the object could not be read to its end
}

// memory is what readers of a scan use one after the other.
type memory struct {
	buf    []byte
	parser *flowlog.Parser
	want   []bool
}

func newMemory(want []bool) *memory {
	return &memory{buf: make([]byte, flowlog.ChunkSize), parser: flowlog.NewParser(flowlog.Format{}, want), want: want}
}

// open begins to read; what cannot be opened is a damaged object without
// records. Its content says what it is, not its name.
func (r *reader) open(path string) {
	if r.file, r.err = os.Open(path); r.err != nil {
		return
	}
	if !parquet.Is(r.file) {
		r.chunks = flowlog.NewChunks(r.file, flowlog.Format{})
		return
	}
	info, err := r.file.Stat()
	if err == nil {
		r.table, err = parquet.NewReader(r.file, info.Size(), parquet.ReadOptions{Want: r.memory.want})
	}
	r.err = err
}

// Next returns the next records, up to a batch.
func (r *reader) Next(ctx context.Context) (*flowlog.Batch, error) {
	if r.table != nil && r.err == nil {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var batch *flowlog.Batch
		if batch, r.err = r.table.Next(); r.err == nil {
			r.records += int64(batch.Rows)
			return batch, nil
		}
	}
	for r.err == nil {
		if batch, _ := r.memory.parser.Next(); batch != nil {
			return batch, nil
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var chunk flowlog.Chunk
		if chunk, r.err = r.chunks.Next(r.memory.buf); r.err == nil {
			r.memory.parser.Parse(chunk)
		}
	}
	if r.err != io.EOF { //nolint:errorlint // a wrapped io.EOF is damage
		r.broke = r.err.Error()
		if lines := r.memory.parser.Report().Lines; lines > 0 {
			r.broke = fmt.Sprintf("%v after %d whole lines", r.err, lines)
		}
	}
	return nil, io.EOF
}

// report is the account of the object so far. A row of Parquet counts as a line.
func (r *reader) report() *flowlog.Report {
	if r.table == nil {
		return r.memory.parser.Report()
	}
	report := &flowlog.Report{Records: r.records, Malformed: r.table.Malformed(), Unknown: r.table.Unknown()}
	report.Lines = report.Records + report.Malformed
	for _, p := range r.table.Problems() {
		report.Problems = append(report.Problems, flowlog.Problem{Line: int(p.Row), Reason: fmt.Sprintf("column %s: %s", p.Column, p.Reason)})
	}
	return report
}

// Close hands the object's report to its scan, and the memory to the next object.
func (r *reader) Close() error {
	if r.memory == nil {
		return nil // a second time
	}
	r.scan.done(r.object, r.report(), r.broke)
	r.scan.put(r.memory)
	r.memory = nil
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}
