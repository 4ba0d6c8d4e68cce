package convert

import (
	"io"

	"github.com/klauspost/compress/gzip"

	"weir/flowlog"
	"weir/flowlog/parquet"
)

// piece is what a worker made of a job, or of a part of one that is too large:
// text or a row group.
type piece struct {
	records  int64
	text     []byte            // given back when it is written
	group    *parquet.RowGroup // nil for none
	problems []Problem
}

// encoder makes pieces of batches. Each worker has its own.
type encoder interface {
	add(*flowlog.Batch) error
	// full reports whether a piece should end before the next batch.
	full() bool
	// finish puts what was added into a piece, and begins the next.
	finish(*piece) error
}

// output is a file in the making.
type output interface {
	append(piece) error
	close() error
}

func (p *pipeline) newEncoder(f flowlog.Format) (encoder, error) {
	if !p.cfg.Parquet {
		return newTextEncoder(f, p.cfg.Gzip, p.texts), nil
	}
	c, err := parquet.NewCollector(f, p.cfg.Options)
	return &parquetEncoder{c}, err
}

func newOutput(w io.Writer, f flowlog.Format, cfg Config) (output, error) {
	if cfg.Parquet {
		out, err := parquet.NewWriter(w, f, cfg.Options)
		return &parquetOutput{out}, err
	}
	out := &textOutput{w: w}
	if cfg.Gzip {
		out.gzip = gzip.NewWriter(nil)
	}
	if cfg.Bare {
		return out, nil
	}
	return out, out.write([]byte(f.Header() + "\n"))
}

// parquetEncoder makes row groups.
type parquetEncoder struct{ *parquet.Collector }

func (e *parquetEncoder) add(b *flowlog.Batch) error { return e.Add(b) }
func (e *parquetEncoder) full() bool                 { return e.Full() }

func (e *parquetEncoder) finish(to *piece) (err error) {
	if e.Rows() == 0 {
		return nil
	}
	to.records = int64(e.Rows())
	to.group, err = e.Encode()
	e.Reset()
	return err
}

type parquetOutput struct{ w *parquet.Writer }

func (o *parquetOutput) append(p piece) error {
	if p.group == nil {
		return nil
	}
	return o.w.Append(p.group)
}

func (o *parquetOutput) close() error { return o.w.Close() }
