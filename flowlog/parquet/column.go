package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"

	"weir/flowlog"
)

// columnReader reads the chunks of one column, values as they are asked for.
type columnReader struct {
	source *source
	in     window
	mem    *memory
	unpack *decompressor
	codec  Codec
	left   int64 // rows of the chunk that are in no page yet
	first  bool  // no page was read yet

	// The page.
	page   []byte // memory
	rows   int    // left in it
	levels hybrid
	values values

	dictionary
	least, limit int64 // of the field's numbers
	address      bool  // its values are addresses

	present [flowlog.BatchRows]uint32 // definition levels of some rows
	ids     [flowlog.BatchRows]uint32

	// suspect is set when some value of the batch may be refused.
	suspect bool
}

// values is where the values of a page come from, by its encoding.
type values struct {
	encoding int
	ids      hybrid      // dictionary
	plain    []byte      // PLAIN, or the bytes of both delta encodings of strings
	numbers  deltaReader // delta: numbers, or lengths
	prefixes deltaReader // DELTA_BYTE_ARRAY: how much of the value before
	last     []byte      // DELTA_BYTE_ARRAY: the value before
}

// dictionary is a column chunk's dictionary page.
type dictionary struct {
	size    int
	spans   []flowlog.Span // of strings
	ints    []int64        // of numbers
	nulls   []bool         // numbers from text may be "-"
	hasNull bool
	refused bool // some entry is
}

func newColumnReader(f *file, s *source, mem *memory, unpack *decompressor) *columnReader {
	field := &flowlog.Fields()[s.place]
	c := &columnReader{source: s, mem: mem, unpack: unpack, address: field.Address()}
	c.least, c.limit = field.Bounds()
	c.in = window{in: f.in, mem: mem}
	return c
}

// begin goes to a chunk of the given number of rows, and reads its dictionary.
func (c *columnReader) begin(place chunkPlace, rows int64, text *textBuffer) (err error) {
	if c.codec, err = codecByID(int64(place.codec)); err != nil {
		return err
	}
	c.in.begin(place)
	c.left, c.rows, c.size = rows, 0, 0
	c.refused, c.hasNull = false, false
	c.values = values{encoding: -1, last: c.values.last}
	c.first = true
	if rows == 0 {
		return nil
	}
	return c.nextPage(text)
}

// nextPage reads pages up to a data page that has rows; if the first page is a
// dictionary it stops there.
func (c *columnReader) nextPage(text *textBuffer) error {
	for {
		if c.left == 0 || c.in.left() == 0 {
			return fmt.Errorf("its pages end %d rows too early", c.left)
		}
		at := c.in.at()
		done, err := c.readPage(text)
		if err != nil {
			return fmt.Errorf("page at byte %d: %w", at, err)
		}
		if done {
			return nil
		}
	}
}

func (c *columnReader) readPage(text *textBuffer) (done bool, err error) {
	h, err := c.in.header()
	if err != nil {
		return false, err
	}
	if err := c.in.need(int(h.packed)); err != nil {
		return false, err
	}
	body := c.in.take(int(h.packed))
	first := c.first
	c.first = false
	switch h.kind {
	case pageIndex:
		return false, nil
	case pageDictionary:
		if !first {
			return false, errors.New("a dictionary must be the first page of its column chunk")
		}
		if body, err = c.decompress(body, h.unpacked); err != nil {
			return false, err
		}
		return true, c.readDictionary(&h, body, text)
	}
	if h.values > c.left {
		return false, fmt.Errorf("it has %d values, its column chunk only %d more", h.values, c.left)
	}
	if err := c.dataPage(&h, body); err != nil {
		return false, err
	}
	c.left -= h.values
	c.rows = int(h.values)
	return h.values > 0, nil
}

func (c *columnReader) decompress(body []byte, size int64) ([]byte, error) {
	if c.codec == Uncompressed {
		return body, same(len(body), int(size))
	}
	if len(body) == 0 && size == 0 {
		return nil, nil
	}
	var err error
	if c.page, err = c.mem.room(c.page[:0], int(size)); err != nil {
		return nil, err
	}
	if err := c.unpack.decompress(c.codec, c.page, body); err != nil {
		return nil, fmt.Errorf("%s: %w", c.codec, err)
	}
	return c.page, nil
}

// dataPage makes levels and values ready.
func (c *columnReader) dataPage(h *pageHeader, body []byte) (err error) {
	var levels []byte
	if h.kind == pageDataV2 {
		levels, body = body[:h.levels], body[h.levels:]
		if h.stored {
			err = same(len(body), int(h.unpacked-h.levels))
		} else {
			body, err = c.decompress(body, h.unpacked-h.levels)
		}
		if err != nil {
			return err
		}
	} else {
		if body, err = c.decompress(body, h.unpacked); err != nil {
			return err
		}
		if c.source.optional {
			if h.levels != encodingRLE {
				return fmt.Errorf("its definition levels have encoding %d, want RLE", h.levels)
			}
			if levels, body, err = cut(body); err != nil {
				return err
			}
		}
	}
	if c.levels, err = newHybrid(levels, 1); err != nil {
		return err
	}
	return c.beginValues(int(h.encoding), body)
}

var errLength = errors.New("a length goes beyond its end")

// cut takes bytes apart that have a length of four bytes before them.
func cut(b []byte) (piece, rest []byte, err error) {
	if len(b) < 4 {
		return nil, nil, errLength
	}
	n := binary.LittleEndian.Uint32(b)
	b = b[4:]
	if uint64(n) > uint64(len(b)) {
		return nil, nil, errLength
	}
	return b[:n], b[n:], nil
}

func (c *columnReader) beginValues(encoding int, body []byte) (err error) {
	v := &c.values
	v.encoding, v.plain = encoding, body
	isText := c.source.physical == physicalByteArray
	switch {
	case encoding == encodingPlain:
		return nil
	case encoding == encodingRLEDictionary, encoding == encodingPlainDictionary:
		v.encoding = encodingRLEDictionary
		if len(body) == 0 { // no values: all NULL
			v.ids, err = newHybrid(nil, 0)
			return err
		}
		v.ids, err = newHybrid(body[1:], int(body[0]))
		return err
	case encoding == encodingDelta && !isText:
		v.numbers, err = newDeltaReader(body, c.source.physical == physicalInt32)
		return err
	case encoding == encodingDeltaLengthBytes && isText:
		v.numbers, v.plain, err = lengthsOf(body)
		return err
	case encoding == encodingDeltaBytes && isText:
		v.last = v.last[:0]
		if v.prefixes, body, err = lengthsOf(body); err != nil {
			return err
		}
		v.numbers, v.plain, err = lengthsOf(body)
		return err
	}
	return fmt.Errorf("its values have encoding %d, which is not supported", encoding)
}

// lengthsOf reads lengths, which come before the bytes that they are of.
func lengthsOf(body []byte) (lengths deltaReader, rest []byte, err error) {
	if lengths, err = newDeltaReader(body, true); err != nil {
		return lengths, nil, err
	}
	ahead := lengths
	rest, err = ahead.rest()
	return lengths, rest, err
}

// defined reads the definition levels of the next n rows and returns how many
// have a value. Unless none or all do, c.present says which.
func (c *columnReader) defined(n int) (count int, err error) {
	if !c.source.optional {
		return n, nil
	}
	for at := 0; at < n; {
		level, k, err := c.levels.repeat(n - at)
		if err != nil {
			return 0, err
		}
		dst := c.present[at:n]
		if k > 0 {
			count += k * int(level&1)
			if k == n {
				return count, nil
			}
			for i := range dst[:k] {
				dst[i] = level & 1
			}
		} else {
			k = c.levels.unpack(dst)
			for _, level := range dst[:k] {
				count += int(level)
			}
		}
		at += k
	}
	return count, nil
}

var errIndex = errors.New("an index is not in the dictionary")

// fill reads n rows of the column.
func (c *columnReader) fill(dst *flowlog.Column, n int, text *textBuffer) error {
	c.suspect = false
	for at := 0; at < n; {
		if c.rows == 0 {
			if err := c.nextPage(text); err != nil {
				return err
			}
			continue // the first page may have been a dictionary
		}
		k := min(n-at, c.rows)
		count, err := c.defined(k)
		if err != nil {
			return err
		}
		if c.source.kind == flowlog.String {
			spans := dst.Spans[at : at+k]
			if err := c.texts(spans[:count], text); err != nil {
				return err
			}
			if count < k {
				scatter(spans, c.present[:k], count, flowlog.Span{Begin: 0, End: 1})
			}
		} else {
			ints, nulls := dst.Ints[at:at+k], dst.Null[at:at+k]
			clear(nulls)
			if err := c.numbers(ints[:count], nulls[:count], text); err != nil {
				return err
			}
			if count < k {
				scatter(nulls, c.present[:k], count, true)
				scatter(ints, c.present[:k], count, 0)
			}
		}
		c.rows -= k
		at += k
	}
	return nil
}

// scatter moves the first count values to the rows that are present, and puts
// none into the others.
func scatter[T any](rows []T, present []uint32, count int, none T) {
	if count == 0 {
		for i := range rows {
			rows[i] = none
		}
		return
	}
	for i := len(rows) - 1; i >= 0; i-- {
		if present[i] != 0 {
			count--
			rows[i] = rows[count]
		} else {
			rows[i] = none
		}
	}
}
