package convert

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"weir/flowlog"
	"weir/flowlog/parquet"
)

// Input is one file to convert.
type Input struct {
	Path  string    // of the file; a name for messages when In is set
	In    io.Reader // read instead of the file: standard input
	Below string    // its path below the directory that was asked for
}

// unit is a piece of an input that can be read by itself.
type unit struct {
	in     *input
	format flowlog.Format // of its first record; zero when it has none
	rows   int            // at most

	chunk flowlog.Chunk // of text
	buf   []byte        // its memory
	group int           // of Parquet; negative is none
}

// input is an input that is being read.
type input struct {
	Input
	units chan unit       // closed at the end
	table *parquet.Reader // nil for text
	bytes int64           // read, as stored
	err   error           // why units ended early; read it when they have

	mu    sync.Mutex // guards opening and closing the file
	users int        // of the file; it does not change while there are some
	file  *os.File

	// Of row groups that could not be read; guarded by the pipeline.
	broken      error // the first of them
	brokenGroup int
	brokenCount int
}

// chunksAhead is how many chunks of text one input holds ready.
const chunksAhead = 16

func newInput(in Input) *input {
	return &input{Input: in, units: make(chan unit, chunksAhead)}
}

// read opens the input and hands out its units until the end, an error, or the
// context's end.
func (in *input) read(ctx context.Context, p *pipeline) {
	defer close(in.units)
	from, err := in.open(ctx)
	if err != nil {
		in.err = err
		return
	}
	defer in.release()
	if from == nil {
		in.err = in.readGroups(ctx, p)
	} else {
		in.err = in.readChunks(ctx, p, from)
	}
}

// open finds out what the input is, and returns text to read or, for Parquet,
// nil. What is no regular file is only read from its beginning to its end, so
// Parquet from there goes to a file first.
func (in *input) open(ctx context.Context) (text io.Reader, err error) {
	open := func() (io.ReadCloser, error) { return io.NopCloser(in.In), nil }
	if in.In == nil {
		info, err := os.Stat(in.Path)
		if err != nil {
			return nil, err
		}
		if info.Mode().IsRegular() {
			if err := in.acquire(); err != nil || parquet.Is(in.file) {
				return nil, err
			}
			return in.file, nil
		}
		open = func() (io.ReadCloser, error) { return os.Open(in.Path) }
	}
	stream := bufio.NewReader(pump(ctx, open))
	in.users = 2 // so that a file without a name stays open to the end
	if head, _ := stream.Peek(8); !parquet.Is(bytes.NewReader(head)) {
		return stream, nil
	}
	in.file, err = spool(stream)
	return nil, err
}

// acquire opens the file for one more user. It is closed when it has none:
// there may be more inputs than a process may have files.
func (in *input) acquire() (err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.file == nil {
		if in.file, err = os.Open(in.Path); err != nil {
			return err
		}
	}
	in.users++
	return nil
}

func (in *input) release() {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.users--; in.users == 0 {
		in.close()
	}
}

// close is for the end, too, when nobody uses the file any more.
func (in *input) close() {
	if in.file != nil {
		_ = in.file.Close() // it was only read
		in.file = nil
	}
}

// ReadAt is for who has acquired the file.
func (in *input) ReadAt(b []byte, at int64) (int, error) { return in.file.ReadAt(b, at) }

// pump reads in a goroutine of its own: nothing ends a read of a terminal or a
// pipe that stays silent, so at the end of ctx it is left behind, and ends with
// its read.
func pump(ctx context.Context, open func() (io.ReadCloser, error)) io.Reader {
	r, w := io.Pipe()
	context.AfterFunc(ctx, func() { _ = r.CloseWithError(ctx.Err()) })
	go func() {
		in, err := open()
		if err == nil {
			_, err = io.Copy(w, in)
			_ = in.Close() // it was only read
		}
		_ = w.CloseWithError(err)
	}()
	return r
}

// spool copies a stream to a file that has no name any more.
func spool(r io.Reader) (*os.File, error) {
	f, err := os.CreateTemp("", "weir-convert-*")
	if err != nil {
		return nil, fmt.Errorf("keep Parquet from a stream: %w", err)
	}
	_ = os.Remove(f.Name())
	if _, err := io.Copy(f, r); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("keep Parquet from a stream: %w", err)
	}
	return f, nil
}

func (in *input) readChunks(ctx context.Context, p *pipeline, from io.Reader) error {
	chunks := flowlog.NewChunks(counter{from, in, p}, p.cfg.Given)
	for lines := 0; ; {
		buf := p.buffers.get()
		chunk, err := chunks.Next(buf)
		if err != nil {
			p.buffers.put(buf)
			if err == io.EOF { //nolint:errorlint // a wrapped io.EOF is damage
				return nil
			}
			if lines > 0 && ctx.Err() == nil {
				err = fmt.Errorf("after line %d: %w", lines, err)
			}
			return err
		}
		chunks.Skim(&chunk)
		lines += chunk.Lines
		if err := in.hand(ctx, unit{in: in, format: chunk.Format, rows: chunk.Lines, chunk: chunk, buf: buf}); err != nil {
			return err
		}
	}
}

var errNoColumn = errors.New("none of its columns is a field of a flow log")

func (in *input) readGroups(ctx context.Context, p *pipeline) error {
	info, err := in.file.Stat()
	if err != nil {
		return err
	}
	if in.table, err = parquet.NewReader(in, info.Size(), parquet.ReadOptions{}); err != nil {
		return err
	}
	if in.table.Format().IsZero() {
		return errNoColumn
	}
	p.account(&flowlog.Report{Unknown: in.table.Unknown()})
	groups := in.table.NumRowGroups()
	if groups == 0 { // its format still is the output's
		err = in.hand(ctx, unit{in: in, format: in.table.Format(), group: -1})
	}
	for i := 0; i < groups && err == nil; i++ {
		var group *parquet.Reader
		if group, err = in.table.Section(i, i+1); err != nil {
			break
		}
		err = in.hand(ctx, unit{in: in, format: group.Format(), rows: int(min(group.Rows(), maxRows)), group: i})
		p.progress(in, info.Size()/int64(groups))
	}
	p.progress(in, info.Size()-in.bytes)
	return err
}

// maxRows is more rows than a job has; a footer may say anything.
const maxRows = 1 << 30

// hand waits until there is room for a unit.
func (in *input) hand(ctx context.Context, u unit) error {
	select {
	case in.units <- u:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// damage is why the input could not be read, or not to its end; nil if it was.
func (in *input) damage() error {
	switch {
	case in.err != nil:
		return in.err
	case in.brokenCount > 1:
		return fmt.Errorf("%w; %d row groups in all", in.broken, in.brokenCount)
	}
	return in.broken
}

// counter counts what is read.
type counter struct {
	io.Reader
	in *input
	p  *pipeline
}

func (c counter) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.p.progress(c.in, int64(n))
	return n, err
}

// buffers are chunks' memory, used again.
type buffers chan []byte

func (b buffers) get() []byte {
	select {
	case buf := <-b:
		return buf
	default:
		return make([]byte, flowlog.ChunkSize)
	}
}

func (b buffers) put(buf []byte) {
	select {
	case b <- buf:
	default: // enough of them wait
	}
}
