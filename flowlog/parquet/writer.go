package parquet

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"weir/flowlog"
)

// Options say how a file is written. The zero value is what AWS does: gzip,
// rows in the order in which they come, no Bloom filters.
type Options struct {
	Codec Codec

	// RowGroupRows is how many rows a row group has at most, though a batch is
	// never divided; 0 stands for DefaultRowGroupRows. What is collected takes
	// about 4 bytes for each row and column with more than one value, and the
	// distinct values. At 64 MiB a row group ends early.
	RowGroupRows int

	// Sort sorts the rows of each row group by interface-id and start, as far
	// as the format has them.
	Sort bool

	// Bloom adds Bloom filters to srcaddr, dstaddr, pkt-srcaddr and
	// pkt-dstaddr, 12 bits for each distinct value.
	Bloom bool
}

// DefaultRowGroupRows is 64 full batches: as many rows as engines like to have
// in one unit of work, in a few megabytes.
const DefaultRowGroupRows = 64 * flowlog.BatchRows

func (o Options) withDefaults() Options {
	if o.RowGroupRows <= 0 {
		o.RowGroupRows = DefaultRowGroupRows
	}
	return o
}

// Writer writes one file. It must not be used by several goroutines at once.
type Writer struct {
	out     io.Writer
	format  flowlog.Format
	options Options
	slots   []slot
	rows    *Collector // what WriteBatch has been given; nil before that
	groups  []writtenGroup
	at      int64 // bytes written
	written int64 // rows in groups
	buf     []byte
	err     error // the first; the file is broken from then on
	closed  bool
}

// writtenGroup is what the footer says of a row group.
type writtenGroup struct {
	base    int64 // where its bytes begin
	rows    int
	chunks  []chunk
	sorting []int
}

var errClosed = errors.New("parquet: the writer is closed")

// NewWriter begins a file of records in a format. It writes nothing before the
// first row group is full.
func NewWriter(w io.Writer, f flowlog.Format, o Options) (*Writer, error) {
	if f.IsZero() {
		return nil, errors.New("parquet: a file needs a format")
	}
	if int(o.Codec) >= len(codecs) {
		return nil, fmt.Errorf("parquet: there is no %s", o.Codec)
	}
	return &Writer{out: w, format: f, options: o.withDefaults(), slots: slotsOf(f)}, nil
}

// WriteBatch adds a batch's rows; see [Collector.Add] for what it takes and
// refuses. Full row groups are written at once.
func (w *Writer) WriteBatch(b *flowlog.Batch) error {
	if w.closed {
		return errClosed
	}
	if w.err != nil {
		return w.err
	}
	if w.rows == nil {
		if w.rows, w.err = NewCollector(w.format, w.options); w.err != nil {
			return w.err
		}
	}
	if !w.rows.fits(b.Rows) {
		if err := w.Flush(); err != nil {
			return err
		}
	}
	w.err = w.rows.Add(b)
	return w.err
}

// Flush ends the row group of the rows so far, if there are any. Small row
// groups make a file slow to read.
func (w *Writer) Flush() error {
	if w.closed {
		return errClosed
	}
	if w.err != nil {
		return w.err
	}
	if w.rows == nil || w.rows.Rows() == 0 {
		return nil
	}
	g, err := w.rows.Encode()
	if err != nil {
		w.err = err
		return err
	}
	w.rows.Reset()
	return w.append(g)
}

// Append writes a row group that a [Collector] of the same format and codec
// encoded. Rows given to WriteBatch before come first.
func (w *Writer) Append(g *RowGroup) error {
	if err := w.Flush(); err != nil {
		return err
	}
	if g.codec != w.options.Codec || !slices.Equal(g.slots, w.slots) {
		return errors.New("parquet: the row group is of another format or codec than the file")
	}
	if g.rows == 0 {
		return nil
	}
	return w.append(g)
}

func (w *Writer) append(g *RowGroup) error {
	if w.at == 0 {
		w.write([]byte(magic))
	}
	w.groups = append(w.groups, writtenGroup{w.at, g.rows, slices.Clone(g.chunks), g.sorting})
	w.written += int64(g.rows)
	w.write(g.data)
	return w.err
}

func (w *Writer) write(b []byte) {
	if w.err != nil {
		return
	}
	n, err := w.out.Write(b)
	w.at += int64(n)
	if err != nil {
		w.err = fmt.Errorf("parquet: write at byte %d: %w", w.at, err)
	}
}

// Rows is how many rows the file has, those that wait for their row group to be
// full among them.
func (w *Writer) Rows() int64 {
	n := w.written
	if w.rows != nil {
		n += int64(w.rows.Rows())
	}
	return n
}

// Size is how many bytes are written so far.
func (w *Writer) Size() int64 { return w.at }

// Close writes the rows that wait, the page index and the footer. It does not
// close the underlying writer. A file without rows is a file, too. A second
// Close returns [os.ErrClosed].
func (w *Writer) Close() error {
	if w.closed {
		return os.ErrClosed
	}
	err := w.Flush()
	w.closed = true
	if err != nil {
		return err
	}
	if w.at == 0 {
		w.write([]byte(magic))
	}
	w.writeIndexes()
	w.write(appendFooter(w.buf[:0], w.slots, w.options.Codec, w.groups))
	w.rows = nil
	return w.err
}

// writeIndexes writes all ColumnIndexes, then all OffsetIndexes: a reader that
// filters wants the former of many columns and the latter of few.
func (w *Writer) writeIndexes() {
	buf := w.buf[:0]
	w.eachChunk(func(_ *writtenGroup, c *chunk) {
		c.indexAt, c.indexSize = w.at+int64(len(buf)), int64(len(c.index))
		buf = append(buf, c.index...)
	})
	w.eachChunk(func(g *writtenGroup, c *chunk) {
		begin := len(buf)
		c.offsetsAt = w.at + int64(begin)
		buf = appendOffsetIndex(buf, g.base, c.pages)
		c.offsetsSize = int64(len(buf) - begin)
	})
	w.write(buf)
	w.buf = buf
}

func (w *Writer) eachChunk(f func(*writtenGroup, *chunk)) {
	for i := range w.groups {
		for j := range w.groups[i].chunks {
			f(&w.groups[i], &w.groups[i].chunks[j])
		}
	}
}
