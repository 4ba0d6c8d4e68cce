package lines

import (
	"encoding/binary"
	"unsafe"
)

const (
	firstBlock = 4 << 10 // a flow log of one quiet interface needs no more
	blockBits  = 20
	blockSize  = 1 << blockBits // blocks double until they are so large
	prefix     = 4              // a line's length stands before it
)

// Buffer is lines one behind the other. Lines that are in it are never changed
// or moved. The zero value is empty and ready for use; one goroutine may add,
// many may read what was added before.
type Buffer struct {
	blocks [][]byte
	held   int64
}

// Ref is where a line is: its block, and the offset of its length there.
type Ref uint64

// Add copies a line into the buffer.
func (b *Buffer) Add(line []byte) Ref {
	need := prefix + len(line)
	last := len(b.blocks) - 1
	if last < 0 || cap(b.blocks[last])-len(b.blocks[last]) < need {
		b.grow(need)
		last++
	}
	block := b.blocks[last]
	ref := Ref(last)<<blockBits | Ref(len(block))
	block = binary.LittleEndian.AppendUint32(block, uint32(len(line)))
	b.blocks[last] = append(block, line...)
	return ref
}

// grow begins a block with room for a line. One for a longer line than fits into
// a common block holds that line alone, so that offsets stay below blockSize.
func (b *Buffer) grow(need int) {
	size := firstBlock
	if n := len(b.blocks); n > 0 {
		size = min(2*cap(b.blocks[n-1]), blockSize)
	}
	size = max(size, need)
	b.blocks = append(b.blocks, make([]byte, 0, size))
	b.held += int64(size)
}

// Text is a line. It shares memory with the buffer, which it keeps alive.
func (b *Buffer) Text(r Ref) string {
	line := b.at(r)
	return unsafe.String(unsafe.SliceData(line), len(line)) // nobody writes there any more
}

// Bytes is a line, which the caller must not change.
func (b *Buffer) Bytes(r Ref) []byte { return b.at(r) }

func (b *Buffer) at(r Ref) []byte {
	rest := b.blocks[r>>blockBits][r&(blockSize-1):]
	n := binary.LittleEndian.Uint32(rest)
	return rest[prefix : prefix+n : prefix+n]
}

// Next is the line that was added after r. There must be one.
func (b *Buffer) Next(r Ref) Ref {
	block := b.blocks[r>>blockBits]
	end := int(r&(blockSize-1)) + prefix + len(b.at(r))
	if end < len(block) {
		return r&^(blockSize-1) | Ref(end)
	}
	return (r>>blockBits + 1) << blockBits
}

// Held is the memory of the buffer, in bytes.
func (b *Buffer) Held() int64 { return b.held }
