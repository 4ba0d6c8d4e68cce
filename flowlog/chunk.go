package flowlog

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
)

const (
	// ChunkSize is the memory for a [Chunk], in bytes: some batches, small
	// enough for a core's cache.
	ChunkSize = 256 << 10
	// MaxLine is the longest line that can be a record, in bytes. One of all of
	// AWS's fields has about 4 KiB.
	MaxLine = 64 << 10
	// MaxInflated is where an input is taken for a gzip bomb, in bytes of text.
	// AWS closes objects at 75 MB, which is at most some 2 GB of text.
	MaxInflated = 16 << 30
	// keptOfLong is what a chunk holds of a line that is too long: enough to be
	// too long still, even if its last byte should be a carriage return.
	keptOfLong = MaxLine + 2
)

// Chunk is some whole lines of a text. Of a line that is too long it holds the
// beginning, which is too long still.
type Chunk struct {
	Text  []byte // the last line may lack its line feed
	Lines int    // in it, once it was skimmed
	// Format is the first in it, once it was skimmed; zero when there is none.
	Format Format
	start  state // what is known at its first line; see [Chunks.Skim]
}

// Chunks cuts a text into chunks. It inflates what is gzip by content: people
// unpack objects and keep their names.
type Chunks struct {
	in     io.Reader
	begun  bool
	packed bool   // in inflates
	rest   []byte // the beginning of a line, for the next chunk
	long   bool   // the rest of a line that is too long is being passed over
	read   int64
	err    error // of in
	skim   state
}

// NewChunks reads from r. given is the format of lines that no header stands
// before; when it is zero, the default formats are recognised. A line of nothing
// but names of fields is a header, wherever it stands.
func NewChunks(r io.Reader, given Format) *Chunks {
	return &Chunks{in: r, skim: newState(given)}
}

// open looks at the first bytes.
func (c *Chunks) open() error {
	text := bufio.NewReaderSize(c.in, 64<<10)
	if magic, _ := text.Peek(2); string(magic) == "\x1f\x8b" {
		unpacked, err := gzip.NewReader(text)
		if errors.Is(err, io.EOF) { // in the header: that is no end of a text
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return fmt.Errorf("inflate: %w", err)
		}
		c.packed = true
		text = bufio.NewReader(inflater{unpacked})
	}
	if bom, _ := text.Peek(3); string(bom) == "\xef\xbb\xbf" {
		_, _ = text.Discard(len(bom)) // editors on Windows put it there
	}
	c.in = text
	return nil
}

// Next fills buf, which should have [ChunkSize] bytes and must have twice
// [MaxLine]; the chunk's text is part of it. The error is [io.EOF] after the
// last chunk, or why the text cannot be read further; what came before it was
// returned, but for a last line that was cut short.
func (c *Chunks) Next(buf []byte) (Chunk, error) {
	if len(buf) < 2*MaxLine {
		panic("flowlog: a chunk's buffer is too short for a line")
	}
	if !c.begun {
		c.begun = true
		c.err = c.open()
	}
	n := copy(buf, c.rest)
	c.rest = c.rest[:0]
	for {
		for n < len(buf) && c.err == nil {
			var m int
			m, c.err = c.in.Read(buf[n:])
			m = c.passOver(buf[n:n+m], &n)
			if c.read += int64(m); c.packed && c.read > MaxInflated {
				c.err = fmt.Errorf("inflates to more than %d GiB", MaxInflated>>30)
			}
		}
		if whole := c.whole(buf[:n]); whole > 0 || c.err != nil {
			if whole == 0 {
				return Chunk{}, c.err
			}
			return Chunk{Text: buf[:whole]}, nil
		}
		// One line fills the buffer: its beginning is enough to know that.
		n, c.long = keptOfLong, true
	}
}

// passOver drops what belongs to a line that is too long from the bytes that
// were read behind buf[:*n], and moves n behind the others.
func (c *Chunks) passOver(read []byte, n *int) int {
	m := len(read)
	if c.long {
		end := bytes.IndexByte(read, '\n')
		if end < 0 {
			return m
		}
		c.long = false
		copy(read, read[end:]) // the line feed ends the beginning that was kept
		read = read[:m-end]
	}
	*n += len(read)
	return m
}

// whole is how much of the text is whole lines; the rest is kept, unless that is
// everything.
func (c *Chunks) whole(text []byte) int {
	if c.err == io.EOF { //nolint:errorlint // a wrapped io.EOF is damage
		return len(text)
	}
	whole := bytes.LastIndexByte(text, '\n') + 1
	if whole > 0 || c.err != nil {
		c.rest = append(c.rest[:0], text[whole:]...)
	}
	return whole
}

// Skim finds out what a parser must know before the chunk that Next returned
// last, so that chunks can be parsed side by side. It must be called for every
// chunk, in order; without it, chunks must go to one parser in order.
func (c *Chunks) Skim(chunk *Chunk) {
	chunk.start = c.skim
	chunk.start.known = true
	for text := chunk.Text; len(text) > 0; {
		var line []byte
		line, text = cutLine(text)
		c.skim.next(line)
		chunk.Lines++
		if chunk.Format.IsZero() && c.skim.layout != nil {
			chunk.Format = c.skim.layout.format
		}
	}
}

var lineFeed = []byte{'\n'}

// cutLine cuts the first line off, without its line feed and what Windows puts
// before that.
func cutLine(text []byte) (line, rest []byte) {
	line, rest, _ = bytes.Cut(text, lineFeed)
	if len(line) > 0 && line[len(line)-1] == '\r' {
		line = line[:len(line)-1]
	}
	return line, rest
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
