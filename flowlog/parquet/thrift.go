package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Footers and page headers are Thrift structs in the compact protocol. The few
// that matter are written and read by hand (meta.go): a decoder that fills
// structs by reflection trusts the sizes of lists, and a size is four bytes
// while the list it makes is gigabytes.

// Types of the compact protocol.
const (
	thriftTrue   = 1
	thriftFalse  = 2
	thriftByte   = 3
	thriftI16    = 4
	thriftI32    = 5
	thriftI64    = 6
	thriftDouble = 7
	thriftBinary = 8
	thriftList   = 9
	thriftSet    = 10
	thriftMap    = 11
	thriftStruct = 12
)

// thriftWriter appends one struct after the other to b.
type thriftWriter struct {
	b    []byte
	last int // the id of the field before, in the struct being written
}

func (w *thriftWriter) field(id, kind int) {
	if d := id - w.last; d > 0 && d <= 15 {
		w.b = append(w.b, byte(d<<4|kind))
	} else {
		w.b = append(w.b, byte(kind))
		w.b = binary.AppendVarint(w.b, int64(id))
	}
	w.last = id
}

func (w *thriftWriter) i32(id int, v int64) { w.field(id, thriftI32); w.varint(v) }
func (w *thriftWriter) i64(id int, v int64) { w.field(id, thriftI64); w.varint(v) }
func (w *thriftWriter) i16(id int, v int64) { w.field(id, thriftI16); w.varint(v) }

func (w *thriftWriter) varint(v int64) { w.b = binary.AppendVarint(w.b, v) }

func (w *thriftWriter) boolean(id int, v bool) {
	if v {
		w.field(id, thriftTrue)
	} else {
		w.field(id, thriftFalse)
	}
}

func (w *thriftWriter) binary(id int, v []byte) {
	w.field(id, thriftBinary)
	w.bytes(v)
}

func (w *thriftWriter) string(id int, v string) {
	w.field(id, thriftBinary)
	w.b = binary.AppendUvarint(w.b, uint64(len(v)))
	w.b = append(w.b, v...)
}

func (w *thriftWriter) bytes(v []byte) {
	w.b = binary.AppendUvarint(w.b, uint64(len(v)))
	w.b = append(w.b, v...)
}

// list begins a list of n elements, which the caller appends.
func (w *thriftWriter) list(id, kind, n int) {
	w.field(id, thriftList)
	if n < 15 {
		w.b = append(w.b, byte(n<<4|kind))
		return
	}
	w.b = append(w.b, byte(15<<4|kind))
	w.b = binary.AppendUvarint(w.b, uint64(n))
}

// structure begins a struct field; end, with what it returned, closes it.
func (w *thriftWriter) structure(id int) (outer int) {
	w.field(id, thriftStruct)
	return w.begin()
}

// begin begins a struct that is an element of a list, or the whole message.
func (w *thriftWriter) begin() (outer int) {
	outer, w.last = w.last, 0
	return outer
}

func (w *thriftWriter) end(outer int) {
	w.b = append(w.b, 0)
	w.last = outer
}

var (
	errThriftShort = errors.New("it ends too early")
	errThriftDepth = errors.New("it is nested too deeply")
)

const maxThriftDepth = 32

// thriftReader takes one struct apart. Nothing is allocated for what the bytes
// only announce; the first error stays and ends every loop.
type thriftReader struct {
	b     []byte
	at    int
	depth int
	err   error
}

func (r *thriftReader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

func (r *thriftReader) byte() byte {
	if r.err != nil || r.at >= len(r.b) {
		r.fail(errThriftShort)
		return 0
	}
	r.at++
	return r.b[r.at-1]
}

func (r *thriftReader) uvarint() uint64 {
	if r.err != nil {
		return 0
	}
	v, n := binary.Uvarint(r.b[r.at:])
	switch {
	case n == 0:
		r.fail(errThriftShort)
	case n < 0:
		r.fail(errors.New("a number has more than 64 bits"))
	default:
		r.at += n
	}
	return v
}

func (r *thriftReader) varint() int64 {
	u := r.uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

// structure calls field for each field of the struct that begins here. It must
// take the value, with the methods below, or skip it.
func (r *thriftReader) structure(field func(id int, kind byte)) {
	if r.depth++; r.depth > maxThriftDepth {
		r.fail(errThriftDepth)
	}
	last := 0
	for r.err == nil {
		h := r.byte()
		if h == 0 {
			break
		}
		if d := int(h >> 4); d != 0 {
			last += d
		} else {
			last = int(r.varint())
		}
		field(last, h&15)
	}
	r.depth--
}

// list calls element for each element of a list whose elements are of one kind.
func (r *thriftReader) list(kind byte, want byte, element func()) {
	if kind != thriftList {
		r.fail(fmt.Errorf("a field is of Thrift type %d, want a list", kind))
		return
	}
	n, of := r.listHeader()
	if n > 0 && of != want {
		r.fail(fmt.Errorf("a list holds Thrift type %d, want %d", of, want))
	}
	for i := uint64(0); i < n && r.err == nil; i++ {
		element()
	}
}

func (r *thriftReader) listHeader() (n uint64, kind byte) {
	h := r.byte()
	n = uint64(h >> 4)
	if n == 15 {
		n = r.uvarint()
	}
	// An element takes at least one byte.
	if n > uint64(len(r.b)-r.at) {
		r.fail(errThriftShort)
	}
	return n, h & 15
}

func (r *thriftReader) int(kind byte) int64 {
	switch kind {
	case thriftI16, thriftI32, thriftI64:
		return r.varint()
	case thriftByte:
		return int64(int8(r.byte()))
	}
	r.fail(fmt.Errorf("a field is of Thrift type %d, want a number", kind))
	return 0
}

func (r *thriftReader) boolean(kind byte) bool {
	if kind != thriftTrue && kind != thriftFalse {
		r.fail(fmt.Errorf("a field is of Thrift type %d, want a boolean", kind))
	}
	return kind == thriftTrue
}

// bytes is a piece of b, valid as long as it.
func (r *thriftReader) bytes(kind byte) []byte {
	if kind != thriftBinary {
		r.fail(fmt.Errorf("a field is of Thrift type %d, want bytes", kind))
		return nil
	}
	n := r.uvarint()
	if r.err != nil || n > uint64(len(r.b)-r.at) {
		r.fail(errThriftShort)
		return nil
	}
	r.at += int(n)
	return r.b[r.at-int(n) : r.at]
}

// skip passes over a value of any kind.
func (r *thriftReader) skip(kind byte) {
	switch kind {
	case thriftTrue, thriftFalse:
	case thriftByte:
		r.byte()
	case thriftI16, thriftI32, thriftI64:
		r.uvarint()
	case thriftDouble:
		r.advance(8)
	case thriftBinary:
		r.bytes(kind)
	case thriftList, thriftSet:
		n, of := r.listHeader()
		r.nested(func() {
			for i := uint64(0); i < n && r.err == nil; i++ {
				r.skipElement(of)
			}
		})
	case thriftMap:
		n := r.uvarint()
		if n == 0 {
			return
		}
		kinds := r.byte()
		r.nested(func() {
			for i := uint64(0); i < n && r.err == nil; i++ {
				r.skipElement(kinds >> 4)
				r.skipElement(kinds & 15)
			}
		})
	case thriftStruct:
		r.structure(func(_ int, kind byte) { r.skip(kind) })
	default:
		r.fail(fmt.Errorf("there is no Thrift type %d", kind))
	}
}

// skipElement differs from skip for booleans, which take a byte in a list.
func (r *thriftReader) skipElement(kind byte) {
	if kind == thriftTrue || kind == thriftFalse {
		r.byte()
		return
	}
	r.skip(kind)
}

func (r *thriftReader) nested(f func()) {
	if r.depth++; r.depth > maxThriftDepth {
		r.fail(errThriftDepth)
		return
	}
	f()
	r.depth--
}

func (r *thriftReader) advance(n int) {
	if r.err != nil || n > len(r.b)-r.at {
		r.fail(errThriftShort)
		return
	}
	r.at += n
}
