package lake

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/gzip"

	"weir/flowlog"
)

const (
	// maxLine is the longest line that is read, in bytes. The longest record of
	// all of AWS's fields is about 4 KiB.
	maxLine = 64 << 10
	// bufferSize is a reader's text: several batches, small enough for the cache.
	bufferSize = 256 << 10
	// maxInflated is where an object is taken for a gzip bomb, in bytes. AWS
	// closes objects at 75 MB compressed, which is at most some 2 GB of text.
	maxInflated = 16 << 30
)

// reader reads one object. Its batches' text is buf.
type reader struct {
	scan   *Scan
	object int // index into scan.objects
	report objectReport
	want   []bool

	file    *os.File
	in      io.Reader
	err     error // of in; io.EOF at a good end
	parser  *parser
	buf     []byte
	begin   int  // buf[begin:end] is text not yet parsed
	end     int  //
	tooLong bool // the line at begin is being passed over
	line    int  // lines begun, for messages
	total   int64
	first   bool // no line was seen
}

// Next returns the records that the buffer holds whole, up to a batch.
func (r *reader) Next(ctx context.Context) (*flowlog.Batch, error) {
	batch := &r.parser.batch
	batch.Rows = 0
	for r.lines(); batch.Rows == 0; r.lines() {
		if r.err != nil {
			r.finish()
			if batch.Rows > 0 {
				break // the last line, without a line feed
			}
			return nil, io.EOF
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		r.fill()
	}
	batch.Text = r.buf[:r.end]
	r.report.records += int64(batch.Rows)
	return batch, nil
}

// lines parses lines until the batch is full, the format changes, or the buffer
// holds no further whole line.
func (r *reader) lines() {
	for r.parser.batch.Rows < flowlog.BatchRows {
		n := bytes.IndexByte(r.buf[r.begin:r.end], '\n')
		if n < 0 || !r.take(r.begin, r.begin+n) {
			return
		}
		r.begin += n + 1
	}
}

// take parses buf[begin:end], a line without its line feed. False when the
// batch must be handed over before it: it is a header, and changes the columns.
func (r *reader) take(begin, end int) bool {
	if r.tooLong { // this is the rest of a line that was reported
		r.tooLong = false
		return true
	}
	if end > begin && r.buf[end-1] == '\r' {
		end-- // written by hand on Windows; AWS does not
	}
	if names, ok := headerNames(r.buf[begin:end]); ok {
		if r.parser.batch.Rows > 0 {
			return false
		}
		r.line++
		r.first = false
		r.header(names)
		return true
	}
	r.line++
	if r.first { // no header: CloudWatch Logs' form, which is the default format
		r.first = false
		var names []string
		for _, f := range flowlog.DefaultFormat().Fields() {
			names = append(names, f.Name)
		}
		r.header(names)
	}
	switch {
	case end-begin > maxLine:
		r.malformed(fmt.Sprintf("longer than %d bytes", maxLine))
	case begin == end:
		r.malformed("an empty line")
	case !asciiOrUTF8(r.buf[begin:end]):
		r.malformed("not UTF-8")
	case len(r.parser.columns) == 0: // its header was refused and reported
		r.report.malformed++
	default:
		if reason := r.parser.line(r.buf, begin, end); reason != "" {
			r.malformed(reason)
		}
	}
	return true
}

func (r *reader) header(names []string) {
	strangers, err := r.parser.header(names, r.want)
	if err != nil {
		r.parser.columns = r.parser.columns[:0]
		r.damaged(err.Error())
	}
	r.report.strangers = append(r.report.strangers, strangers...)
}

// fill moves the unparsed text to the front and reads more behind it.
func (r *reader) fill() {
	rest := copy(r.buf, r.buf[r.begin:r.end])
	r.begin, r.end = 0, rest
	if r.tooLong {
		r.end = 0
	} else if rest > maxLine {
		r.line++
		r.first = false
		r.malformed(fmt.Sprintf("longer than %d bytes", maxLine))
		r.end, r.tooLong = 0, true
	}
	for r.end < len(r.buf) && r.err == nil {
		var n int
		n, r.err = r.in.Read(r.buf[r.end:])
		r.end += n
		r.total += int64(n)
		if r.total > maxInflated {
			r.err = fmt.Errorf("inflates to more than %d GiB", maxInflated>>30)
		}
	}
}

// finish takes what stands behind the last line feed: a line, unless the object
// broke off there.
func (r *reader) finish() {
	if r.err == io.EOF { //nolint:errorlint // a wrapped io.EOF is damage
		if r.begin < r.end {
			r.take(r.begin, r.end)
			r.begin = r.end
		}
		return
	}
	if !r.report.damaged {
		r.damaged(fmt.Sprintf("%v after %d whole lines", r.err, r.line))
	}
}

func (r *reader) malformed(reason string) {
	r.report.malformed++
	r.report.add(r.line, reason)
}

func (r *reader) damaged(reason string) {
	r.report.damaged = true
	r.report.add(0, reason)
}

// Close hands the object's report to its scan, and the buffers to the next object.
func (r *reader) Close() error {
	if r.parser == nil {
		return nil // a second time
	}
	r.scan.done(r.object, &r.report)
	r.scan.free.Put(r.parser)
	r.parser, r.buf = nil, nil
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}

// open begins to read; what cannot be opened is a damaged object without lines.
func (r *reader) open(path string) {
	r.first = true
	file, err := os.Open(path)
	if err != nil {
		r.err = err
		return
	}
	r.file = file
	raw := bufio.NewReaderSize(file, 64<<10)
	r.in = raw
	// By content, not by name: people unpack objects and keep their names.
	if magic, _ := raw.Peek(2); len(magic) == 2 && magic[0] == 0x1f && magic[1] == 0x8b {
		unpacked, err := gzip.NewReader(raw)
		if err != nil {
			r.err = fmt.Errorf("inflate: %w", err)
			return
		}
		r.in = inflater{unpacked}
	}
}

// inflater names the step in the errors of a gzip reader.
type inflater struct{ *gzip.Reader }

func (i inflater) Read(b []byte) (int, error) {
	n, err := i.Reader.Read(b)
	if err != nil && err != io.EOF { //nolint:errorlint // a wrapped io.EOF is an error of the data
		err = fmt.Errorf("inflate: %w", err)
	}
	return n, err
}
