package flowlog

import (
	"bufio"
	"errors"
	"io"

	"github.com/klauspost/compress/gzip"
)

// Writer writes text objects: a header, then a line per record. It is not safe
// for concurrent use.
type Writer struct {
	format Format
	out    *bufio.Writer
	packed *gzip.Writer
	line   []byte
	begun  bool
}

// NewWriter writes records of a format to w, as plain text.
func NewWriter(w io.Writer, f Format) *Writer {
	return &Writer{format: f, out: bufio.NewWriterSize(w, 64<<10)}
}

// NewGzipWriter writes a gzip file, as AWS delivers them to S3.
func NewGzipWriter(w io.Writer, f Format) *Writer {
	packed := gzip.NewWriter(w)
	t := NewWriter(packed, f)
	t.packed = packed
	return t
}

// Write writes a record, as it is: a producer sets its version to the format's.
func (w *Writer) Write(r *Record) error {
	w.line = append(w.format.AppendText(w.line[:0], r), '\n')
	return w.write()
}

// WriteBatch writes all rows of a batch. Columns that it does not have are "-".
func (w *Writer) WriteBatch(b *Batch) error {
	for row := range b.Rows {
		w.line = append(b.AppendText(w.line[:0], w.format, row), '\n')
		if err := w.write(); err != nil {
			return err
		}
	}
	return nil
}

func (w *Writer) write() error {
	if err := w.begin(); err != nil {
		return err
	}
	_, err := w.out.Write(w.line)
	return err
}

// begin writes the header, once.
func (w *Writer) begin() error {
	if w.begun {
		return nil
	}
	w.begun = true
	_, err := w.out.WriteString(w.format.Header() + "\n")
	return err
}

// Close writes what is buffered, and the header of a file without records. It
// does not close what it writes to.
func (w *Writer) Close() error {
	err := errors.Join(w.begin(), w.out.Flush())
	if w.packed != nil {
		err = errors.Join(err, w.packed.Close())
	}
	return err
}
