package parquet

import (
	"errors"
	"fmt"
	"io"
)

// readAhead is how much of a chunk is read at once: a column chunk of a flow
// log is rarely larger.
const readAhead = 1 << 20

// window is the bytes of a column chunk as they are read.
type window struct {
	in       io.ReaderAt
	mem      *memory
	off, end int64  // of what is not read yet
	buf      []byte // memory
	have     []byte // what is read and not used yet
}

func (w *window) begin(c chunkPlace) {
	w.off, w.end = c.offset, c.offset+c.size
	w.have = nil
}

// at is the place in the file of the next unused byte.
func (w *window) at() int64 { return w.off - int64(len(w.have)) }

// left is how many bytes of the chunk are not used yet.
func (w *window) left() int64 { return w.end - w.at() }

// need makes n bytes available, if the chunk has them.
func (w *window) need(n int) error {
	if n <= len(w.have) {
		return nil
	}
	if int64(n) > w.left() {
		return errors.New("it goes beyond the end of its column chunk")
	}
	size := int(min(w.left(), int64(max(n, readAhead))))
	kept := len(w.have)
	copy(w.buf, w.have) // to the front; they overlap at most forwards
	var err error
	if w.buf, err = w.mem.room(w.buf, size); err != nil {
		return err
	}
	if err := readAt(w.in, w.buf[kept:size], w.off); err != nil {
		return fmt.Errorf("read %d bytes at %d: %w", size-kept, w.off, err)
	}
	w.off += int64(size - kept)
	w.have = w.buf
	return nil
}

// take uses n bytes up, which need has made available.
func (w *window) take(n int) []byte {
	b := w.have[:n]
	w.have = w.have[n:]
	return b
}

// pageHeader is a PageHeader with whichever of the inner headers it has.
type pageHeader struct {
	kind             int64
	unpacked, packed int64 // bytes
	values           int64
	encoding         int64
	levels           int64 // version 1: their encoding; version 2: their bytes
	repetitions      int64 // version 2: their bytes
	stored           bool  // version 2: not compressed
}

// header reads the next page's header.
func (w *window) header() (h pageHeader, err error) {
	for n := 64; ; n *= 4 {
		n = int(min(int64(n), w.left(), maxHeader))
		if err := w.need(n); err != nil {
			return h, err
		}
		r := thriftReader{b: w.have[:min(len(w.have), maxHeader)]}
		h = r.pageHeader()
		if r.err == nil {
			w.take(r.at)
			return h, h.check(w.left())
		}
		if !errors.Is(r.err, errThriftShort) || int64(len(r.b)) == min(w.left(), maxHeader) {
			return h, fmt.Errorf("its header: %w", r.err)
		}
	}
}

func (r *thriftReader) pageHeader() pageHeader {
	h := pageHeader{kind: -1, unpacked: -1, packed: -1, values: -1, encoding: -1, levels: -1}
	r.structure(func(id int, kind byte) {
		switch {
		case id == 1:
			h.kind = r.int(kind)
		case id == 2:
			h.unpacked = r.int(kind)
		case id == 3:
			h.packed = r.int(kind)
		case (id == 5 || id == 7) && kind == thriftStruct: // DataPageHeader, DictionaryPageHeader
			r.structure(func(id int, kind byte) {
				switch id {
				case 1:
					h.values = r.int(kind)
				case 2:
					h.encoding = r.int(kind)
				case 3:
					if kind == thriftTrue || kind == thriftFalse { // is_sorted of a dictionary
						return
					}
					h.levels = r.int(kind)
				default:
					r.skip(kind)
				}
			})
		case id == 8 && kind == thriftStruct: // DataPageHeaderV2
			r.structure(func(id int, kind byte) {
				switch id {
				case 1:
					h.values = r.int(kind)
				case 4:
					h.encoding = r.int(kind)
				case 5:
					h.levels = r.int(kind)
				case 6:
					h.repetitions = r.int(kind)
				case 7:
					h.stored = !r.boolean(kind)
				default:
					r.skip(kind)
				}
			})
		default:
			r.skip(kind)
		}
	})
	return h
}

// check refuses a header that cannot be right, left being the bytes of the
// chunk after it.
func (h *pageHeader) check(left int64) error {
	switch {
	case h.packed < 0 || h.packed > maxPage || h.unpacked < 0 || h.unpacked > maxPage:
		return fmt.Errorf("its header: %d bytes that decompress to %d, at most %d are allowed", h.packed, h.unpacked, maxPage)
	case h.packed > left:
		return fmt.Errorf("its header: it has %d bytes, its column chunk only %d more", h.packed, left)
	case h.kind == pageIndex:
		return nil
	case h.kind < 0 || h.kind > pageDataV2:
		return fmt.Errorf("its header: there is no page type %d", h.kind)
	case h.values < 0 || h.values > maxPageValues:
		return fmt.Errorf("its header: it has %d values, at most %d are allowed", h.values, maxPageValues)
	case h.kind == pageDataV2 && (h.levels < 0 || h.repetitions != 0 || h.levels > min(h.packed, h.unpacked)):
		return errors.New("its header: the sizes of its levels cannot be right")
	}
	return nil
}
