package s3

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"sync"

	"github.com/klauspost/compress/flate"

	"weir/flowlog"
)

// Levels by BenchmarkEncode/plain-text/14, in records for a second of one core
// (encoding included) and in size beside the text: 1 gives 1.07 M and 23.2 %, 5
// gives 0.93 M and 20.8 %, 6 gives 0.79 M and 20.1 %, 7 gives 0.41 M and 19.3 %.
// Objects are kept for months, so size counts up to 6.
const textLevel = 6

// textBlock is how much text is compressed at a time, in bytes. Each block is
// compressed by itself, without the memory of those before it, which costs 1 %
// of the size at 256 KiB (2 % at 128); in return no object holds a compressor,
// 1.2 MB, while it waits for records: some few serve all flow logs.
const textBlock = 256 << 10

// textPacker makes a gzip file of one member: some readers stop after the first.
type textPacker struct {
	format flowlog.Format
	limit  int    // of block
	max    int64  // of the object
	block  []byte // whole lines that are not compressed yet
	body   Body
	sum    uint32 // CRC-32 of the text
	length uint32 // of the text, modulo 2^32
}

// newTextPacker begins an object. Blocks of a small object are small, so that it
// ends near its bound.
func newTextPacker(f flowlog.Format, limit int64) *textPacker {
	t := &textPacker{format: f, max: limit, limit: int(max(min(textBlock, limit/8), 1<<10))}
	t.block = append(append(make([]byte, 0, 2<<10), f.Header()...), '\n')
	return t
}

func (t *textPacker) add(r *flowlog.Record) error {
	if cap(t.block)-len(t.block) < lineRoom {
		t.grow()
	}
	t.block = append(t.format.AppendText(t.block, r), '\n')
	if len(t.block) < t.limit {
		return nil
	}
	return t.compress(false)
}

// lineRoom is more than most lines need, in bytes.
const lineRoom = 1 << 10

// grow doubles the block's memory as long as it is short, and stops at its bound:
// append would overshoot by a third.
func (t *textPacker) grow() {
	block := make([]byte, len(t.block), min(2*cap(t.block), t.limit)+lineRoom)
	copy(block, t.block)
	t.block = block
}

// full reports whether one more block might pass the bound, were it of the kind
// that cannot be compressed. It is asked after each record, and is true only
// right after a block.
func (t *textPacker) full() bool {
	return len(t.block) == 0 && t.body.size+int64(t.limit)+1<<10 > t.max
}

func (t *textPacker) held() int64 { return int64(cap(t.block)) + t.body.size }

func (t *textPacker) finish() (*Body, error) {
	if err := t.compress(true); err != nil {
		return nil, err
	}
	t.block = nil
	return &t.body, nil
}

// gzipHeader has no time and no system: the same records give the same bytes
// (RFC 1952, 2.3).
var gzipHeader = []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff}

// compress moves the block into the body; the last one with the file's end.
func (t *textPacker) compress(last bool) error {
	c := compressors.Get().(*compressor)
	defer compressors.Put(c)
	c.out.Reset()
	if t.body.size == 0 {
		c.out.Write(gzipHeader)
	}
	c.Reset(&c.out)
	if _, err := c.Write(t.block); err != nil {
		return err
	}
	t.sum = crc32.Update(t.sum, crc32.IEEETable, t.block)
	t.length += uint32(len(t.block))
	t.block = t.block[:0]
	if !last {
		if err := c.Flush(); err != nil {
			return err
		}
	} else {
		if err := c.Close(); err != nil {
			return err
		}
		var end [8]byte
		binary.LittleEndian.PutUint32(end[:], t.sum)
		binary.LittleEndian.PutUint32(end[4:], t.length)
		c.out.Write(end[:])
	}
	_, err := t.body.Write(c.out.Bytes())
	return err
}

// compressor is what a block needs for the time of its compression.
type compressor struct {
	*flate.Writer
	out bytes.Buffer
}

// compressors are nobody's state: a block comes out the same of each.
var compressors = sync.Pool{New: func() any {
	w, err := flate.NewWriter(nil, textLevel)
	if err != nil {
		panic(err) // the level is a constant
	}
	return &compressor{Writer: w}
}}
