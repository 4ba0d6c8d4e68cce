package parquet

import (
	"encoding/binary"
	"errors"
)

// The RLE and bit-packing hybrid of dictionary indices and definition levels:
// runs of one value, and groups of eight values bit-packed (Encodings.md, "Run
// Length Encoding / Bit-Packing Hybrid").

// appendHybrid appends values of width bits each.
func appendHybrid(dst []byte, values []uint32, width int) []byte {
	packed := 0 // values[packed:i] wait to be bit-packed
	i := 0
	for i < len(values) {
		// A run costs about 4 bytes; eight values as a group cost width.
		n := runLength(values[i:])
		if n < 8 {
			i += min(8, len(values)-i)
			continue
		}
		dst = appendPacked(dst, values[packed:i], width)
		dst = appendRun(dst, values[i], n, width)
		i += n
		packed = i
	}
	return appendPacked(dst, values[packed:], width)
}

// runLength is how many values at the start are equal.
func runLength(values []uint32) int {
	first := values[0]
	n := 1
	for n < len(values) && values[n] == first {
		n++
	}
	return n
}

func appendRun(dst []byte, value uint32, n, width int) []byte {
	dst = binary.AppendUvarint(dst, uint64(n)<<1)
	for ; width > 0; width -= 8 {
		dst = append(dst, byte(value))
		value >>= 8
	}
	return dst
}

// appendPacked appends values as one bit-packed run, the last group filled up
// with zeros.
func appendPacked(dst []byte, values []uint32, width int) []byte {
	if len(values) == 0 {
		return dst
	}
	groups := (len(values) + 7) / 8
	dst = binary.AppendUvarint(dst, uint64(groups)<<1|1)
	at := len(dst)
	dst = grow(dst, groups*width+8)
	out := dst[at:cap(dst)]
	var word uint64
	bits, o := 0, 0
	for _, v := range values {
		word |= uint64(v) << bits
		bits += width
		if bits >= 64 {
			binary.LittleEndian.PutUint64(out[o:], word)
			o += 8
			bits -= 64
			word = uint64(v) >> (width - bits)
		}
	}
	end := groups * width
	for ; o < end; o++ {
		out[o] = byte(word)
		word >>= 8
	}
	return dst[:at+end]
}

var (
	errHybridShort = errors.New("the levels or indices end too early")
	errHybridWidth = errors.New("the levels or indices are wider than 32 bits")
)

// hybrid decodes as it goes: a page may announce any number of values.
type hybrid struct {
	in     []byte // what follows the current run's header or packed values
	width  int
	run    uint64 // values left in a run of one value
	value  uint32
	packed uint64 // values left in a bit-packed run
	bits   []byte // its bytes
	bit    int    // the next value's first bit in it
}

func newHybrid(in []byte, width int) (hybrid, error) {
	if width > 32 {
		return hybrid{}, errHybridWidth
	}
	return hybrid{in: in, width: width}, nil
}

// next begins the next run when the current one is used up.
func (h *hybrid) next() error {
	for h.run == 0 && h.packed == 0 {
		header, n := binary.Uvarint(h.in)
		if n <= 0 {
			return errHybridShort
		}
		h.in = h.in[n:]
		if header&1 == 0 {
			size := (h.width + 7) / 8
			if len(h.in) < size {
				return errHybridShort
			}
			h.value = 0
			for i := range size {
				h.value |= uint32(h.in[i]) << (8 * i)
			}
			h.in = h.in[size:]
			h.run = header >> 1
			continue
		}
		groups := header >> 1
		size := uint64(len(h.in))
		if h.width > 0 {
			// The last run of a page may be cut off after its last value.
			groups = min(groups, (size+uint64(h.width)-1)/uint64(h.width))
			size = min(size, groups*uint64(h.width))
			h.packed = min(groups*8, size*8/uint64(h.width))
		} else {
			size = 0
			h.packed = min(groups, 1<<60) * 8
		}
		h.bits, h.bit = h.in[:size], 0
		h.in = h.in[size:]
	}
	return nil
}

// repeat is the value that the next n values have in common, n being at most
// limit; 0 when the next values are bit-packed.
func (h *hybrid) repeat(limit int) (value uint32, n int, err error) {
	if err := h.next(); err != nil {
		return 0, 0, err
	}
	n = int(min(uint64(limit), h.run))
	h.run -= uint64(n)
	return h.value, n, nil
}

// unpack fills dst as far as the bit-packed run goes.
func (h *hybrid) unpack(dst []uint32) int {
	n := int(min(uint64(len(dst)), h.packed))
	unpackBits(dst[:n], h.bits, h.bit, h.width)
	h.packed -= uint64(n)
	h.bit += n * h.width
	return n
}

// unpackBits reads len(dst) values of width bits, of which the first begins at
// the given bit; in must hold them.
func unpackBits(dst []uint32, in []byte, bit, width int) {
	mask := uint64(1)<<width - 1
	i := 0
	if len(in) >= 8 && width > 0 {
		// As long as eight bytes can be loaded.
		last := (len(in)-8)*8 + 7
		n := len(dst)
		if bit > last {
			n = 0
		} else {
			n = min(n, (last-bit)/width+1)
		}
		for ; i < n; i++ {
			dst[i] = uint32(binary.LittleEndian.Uint64(in[bit>>3:]) >> (bit & 7) & mask)
			bit += width
		}
	}
	for ; i < len(dst); i++ {
		var word uint64
		for j, b := range in[min(bit>>3, len(in)):] {
			if j == 8 {
				break
			}
			word |= uint64(b) << (8 * j)
		}
		dst[i] = uint32(word >> (bit & 7) & mask)
		bit += width
	}
}
