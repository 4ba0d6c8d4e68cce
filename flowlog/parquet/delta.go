package parquet

import (
	"encoding/binary"
	"errors"
	"math/bits"
)

// DELTA_BINARY_PACKED: the first value, then blocks of differences, each less
// the smallest of its block, in miniblocks of a bit width of their own
// (Encodings.md, "Delta Encoding").

const (
	deltaBlock     = 128
	deltaMiniblock = 32
	deltaMinis     = deltaBlock / deltaMiniblock
)

// appendDelta appends values; for narrow ones differences wrap at 32 bits.
func appendDelta(dst []byte, values []int64, narrow bool) []byte {
	dst = binary.AppendUvarint(dst, deltaBlock)
	dst = binary.AppendUvarint(dst, deltaMinis)
	dst = binary.AppendUvarint(dst, uint64(len(values)))
	if len(values) == 0 {
		return binary.AppendVarint(dst, 0)
	}
	dst = binary.AppendVarint(dst, values[0])
	prev := values[0]
	for rest := values[1:]; len(rest) > 0; {
		n := min(len(rest), deltaBlock)
		var d [deltaBlock]int64
		least := deltas(d[:n], rest[:n], prev, narrow)
		prev = rest[n-1]
		rest = rest[n:]

		dst = binary.AppendVarint(dst, least)
		widths := len(dst)
		dst = append(dst, 0, 0, 0, 0)
		for m := range deltaMinis {
			if m*deltaMiniblock >= n {
				break
			}
			mini := d[m*deltaMiniblock : (m+1)*deltaMiniblock]
			var all uint64
			for i := range mini {
				if m*deltaMiniblock+i >= n {
					mini[i] = 0
					continue
				}
				mini[i] -= least
				if narrow {
					mini[i] = int64(uint32(mini[i]))
				}
				all |= uint64(mini[i])
			}
			width := bits.Len64(all)
			dst[widths+m] = byte(width)
			dst = appendMiniblock(dst, mini, width)
		}
	}
	return dst
}

// deltas fills d with the differences between values and returns the smallest.
func deltas(d, values []int64, prev int64, narrow bool) (least int64) {
	for i, v := range values {
		d[i] = v - prev
		if narrow {
			d[i] = int64(int32(d[i]))
		}
		prev = v
		if i == 0 || d[i] < least {
			least = d[i]
		}
	}
	return least
}

func appendMiniblock(dst []byte, mini []int64, width int) []byte {
	if width == 0 {
		return dst
	}
	at := len(dst)
	dst = grow(dst, deltaMiniblock*8+8)[:at+deltaMiniblock*width/8]
	out := dst[at:cap(dst)]
	var word uint64
	n, o := 0, 0
	for _, v := range mini {
		word |= uint64(v) << n
		if n += width; n >= 64 {
			binary.LittleEndian.PutUint64(out[o:], word)
			o += 8
			n -= 64
			word = uint64(v) >> (width - n)
		}
	}
	if n > 0 { // 32 values fill whole 32-bit words
		binary.LittleEndian.PutUint64(out[o:], word)
	}
	return dst
}

var errDelta = errors.New("the delta encoded values are broken")

// deltaReader decodes as it goes. A copy of it decodes from where it stands.
type deltaReader struct {
	in     []byte
	narrow bool
	left   int // values
	first  bool

	minis   int    // miniblocks in a block
	perMini int    // values in a miniblock
	widths  []byte // of the block's miniblocks that are still to come
	least   int64
	value   int64
	mini    int    // values left in the miniblock
	bits    []byte // its bytes
	bit     int
	width   int
}

// maxMiniblock bounds the work that a header may ask for without giving bytes.
const maxMiniblock = 1 << 16

func newDeltaReader(in []byte, narrow bool) (deltaReader, error) {
	r := deltaReader{in: in, narrow: narrow, first: true}
	block, minis, total := r.uvarint(), r.uvarint(), r.uvarint()
	if r.in == nil || minis == 0 || block == 0 || block%minis != 0 || minis > 1<<12 || block/minis > maxMiniblock ||
		block/minis%8 != 0 || total > maxPageValues {
		return r, errDelta
	}
	r.minis, r.perMini, r.left = int(minis), int(block/minis), int(total)
	r.value = r.varint()
	if r.in == nil {
		return r, errDelta
	}
	return r, nil
}

// uvarint sets in to nil when it is broken.
func (r *deltaReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.in)
	if n <= 0 {
		r.in = nil
		return 0
	}
	r.in = r.in[n:]
	return v
}

func (r *deltaReader) varint() int64 {
	u := r.uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

// read fills dst.
func (r *deltaReader) read(dst []int64) error {
	if len(dst) > r.left {
		return errDelta
	}
	r.left -= len(dst)
	if r.first && len(dst) > 0 {
		r.first = false
		dst[0] = r.value
		dst = dst[1:]
	}
	for len(dst) > 0 {
		if r.mini == 0 {
			if err := r.nextMini(); err != nil {
				return err
			}
		}
		n := min(len(dst), r.mini)
		r.unpack(dst[:n])
		dst = dst[n:]
		r.mini -= n
	}
	return nil
}

func (r *deltaReader) unpack(dst []int64) {
	value := r.value
	for i := range dst {
		var d uint64
		if r.width > 0 {
			d = bitsAt(r.bits, r.bit, r.width)
			r.bit += r.width
		}
		value += int64(d) + r.least
		if r.narrow {
			value = int64(int32(value))
		}
		dst[i] = value
	}
	r.value = value
}

// bitsAt reads up to 64 bits, which in must hold.
func bitsAt(in []byte, bit, width int) uint64 {
	at, shift := bit>>3, bit&7
	var word uint64
	if len(in)-at >= 8 {
		word = binary.LittleEndian.Uint64(in[at:]) >> shift
	} else {
		for j, b := range in[at:] {
			word |= uint64(b) << (8 * j)
		}
		word >>= shift
	}
	if shift+width > 64 {
		word |= uint64(in[at+8]) << (64 - shift)
	}
	if width == 64 {
		return word
	}
	return word & (1<<width - 1)
}

func (r *deltaReader) nextMini() error {
	if len(r.widths) == 0 {
		r.least = r.varint()
		if r.in == nil || len(r.in) < r.minis {
			return errDelta
		}
		r.widths, r.in = r.in[:r.minis], r.in[r.minis:]
	}
	r.width = int(r.widths[0])
	size := r.perMini * r.width / 8
	if r.width > 64 || size > len(r.in) {
		return errDelta
	}
	r.bits, r.bit, r.in = r.in[:size], 0, r.in[size:]
	r.widths = r.widths[1:]
	r.mini = r.perMini
	return nil
}

// rest is what follows the values; it decodes the ones that are left.
func (r *deltaReader) rest() ([]byte, error) {
	var buf [256]int64
	for r.left > 0 {
		if err := r.read(buf[:min(r.left, len(buf))]); err != nil {
			return nil, err
		}
	}
	return r.in, nil
}
