package count

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// A swap is kept as chunks of its flows and one closing message. Their bytes are
// described in docs/journal.md, which changes with this file and its neighbours.
//
// Every message begins with a letter that says what it is and the version of its
// encoding, and ends with a CRC-32C of all before it.
const (
	chunkLetter   = 'c'
	closingLetter = 's'
	version       = 1

	checksumSize = 4
)

// Bounds of what is decoded. What lies beyond them was not made by this package.
const (
	MaxChunk   = 1 << 20 // bytes of a chunk
	MaxClosing = 8 << 20 // bytes of a closing message
	maxText    = 1 << 10 // bytes of an id, a host, a name
)

// castagnoli has its instruction on amd64 and arm64.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// ErrVersion means that a message was written by a newer Weir.
var ErrVersion = errors.New("unknown version of the encoding")

// FormatError says what is wrong with an encoded message, and where.
type FormatError struct {
	Message string // "chunk", "closing message"
	What    string // the part that was being read: "flow 17: bytes"
	At      int    // offset in bytes
	Err     error
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("%s: %s at byte %d: %v", e.Message, e.What, e.At, e.Err)
}

func (e *FormatError) Unwrap() error { return e.Err }

// Hint is what to do.
func (e *FormatError) Hint() string {
	if errors.Is(e.Err, ErrVersion) {
		return "read it with the Weir that wrote it, or a later one"
	}
	return ""
}

var (
	errShort    = errors.New("it ends too early")
	errChecksum = errors.New("the checksum does not match")
	errNumber   = errors.New("a number is too large")
	errUnused   = errors.New("a bit is set that means nothing")
)

// seal appends the checksum of everything behind from.
func seal(b []byte, from int) []byte {
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[from:], castagnoli))
}

// open checks letter, version and checksum, and returns a cursor behind the
// first two that ends before the last.
func open(b []byte, letter byte, name string, largest int) (cursor, error) {
	c := cursor{b: b, message: name}
	switch {
	case len(b) < 2+checksumSize:
		return c, c.fail("beginning", errShort)
	case len(b) > largest:
		return c, c.fail("beginning", fmt.Errorf("%d bytes, more than the %d that one may have", len(b), largest))
	case b[0] != letter:
		return c, c.fail("letter", fmt.Errorf("%q instead of %q", b[0], letter))
	}
	end := len(b) - checksumSize
	if crc32.Checksum(b[:end], castagnoli) != binary.LittleEndian.Uint32(b[end:]) {
		return c, c.fail("checksum", errChecksum)
	}
	// The version comes after the checksum: a damaged byte is no new version.
	if b[1] != version {
		c.at = 1
		return c, c.fail("version", fmt.Errorf("%w: %d, known is %d", ErrVersion, b[1], version))
	}
	c.b, c.at = b[:end], 2
	return c, nil
}

// cursor reads parts one after the other. After the first error everything it
// returns is zero.
type cursor struct {
	b       []byte
	at      int
	message string
	err     error
}

// fail remembers the first error.
func (c *cursor) fail(what string, err error) error {
	if c.err == nil {
		c.err = &FormatError{c.message, what, c.at, err}
	}
	return c.err
}

// left is how many bytes have not been read.
func (c *cursor) left() int { return len(c.b) - c.at }

func (c *cursor) byte(what string) byte {
	if c.err != nil || c.left() < 1 {
		_ = c.fail(what, errShort)
		return 0
	}
	c.at++
	return c.b[c.at-1]
}

func (c *cursor) uint64(what string) uint64 {
	if c.err != nil || c.left() < 8 {
		_ = c.fail(what, errShort)
		return 0
	}
	c.at += 8
	return binary.LittleEndian.Uint64(c.b[c.at-8:])
}

// uvarint reads a number of at most largest.
func (c *cursor) uvarint(what string, largest uint64) uint64 {
	if c.err != nil {
		return 0
	}
	n, size := binary.Uvarint(c.b[c.at:])
	switch {
	case size == 0:
		_ = c.fail(what, errShort)
		return 0
	case size < 0 || n > largest:
		_ = c.fail(what, errNumber)
		return 0
	}
	c.at += size
	return n
}

func (c *cursor) varint(what string) int64 {
	if c.err != nil {
		return 0
	}
	n, size := binary.Varint(c.b[c.at:])
	if size <= 0 {
		_ = c.fail(what, map[bool]error{true: errShort, false: errNumber}[size == 0])
		return 0
	}
	c.at += size
	return n
}

// length reads how many things follow, each of at least smallest bytes: no more
// memory is taken for them than the message could fill.
func (c *cursor) length(what string, smallest int) int {
	return int(c.uvarint(what, uint64(max(c.left(), 0)/smallest)))
}

func (c *cursor) text(what string) string {
	n := int(c.uvarint(what, maxText))
	if c.err != nil || c.left() < n {
		_ = c.fail(what, errShort)
		return ""
	}
	c.at += n
	return string(c.b[c.at-n : c.at])
}

// end checks that nothing is left.
func (c *cursor) end() error {
	if c.err == nil && c.left() > 0 {
		return c.fail("end", fmt.Errorf("%d bytes too many", c.left()))
	}
	return c.err
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}
