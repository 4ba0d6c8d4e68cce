package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"weir/flowlog"
)

// textBuffer is the text of a batch: "-", then the dictionaries of the row
// group, then what the batch has besides.
type textBuffer struct {
	b    []byte
	mem  *memory
	kept int // the part that stays until the next row group
}

// begin forgets the dictionaries.
func (t *textBuffer) begin() error {
	var err error
	t.b, err = t.mem.room(t.b[:0], 1)
	if err == nil {
		t.b[0] = '-'
		t.kept = 1
	}
	return err
}

// add appends bytes and returns where they begin.
func (t *textBuffer) add(v []byte) (at uint32, err error) {
	n := len(t.b)
	if t.b, err = t.mem.room(t.b, n+len(v)); err != nil {
		return 0, err
	}
	copy(t.b[n:], v)
	return uint32(n), nil
}

func (t *textBuffer) of(s flowlog.Span) []byte { return t.b[s.Begin:s.End] }

var noSpan = flowlog.Span{Begin: 0, End: 1} // the "-" that the text begins with

// readDictionary reads a dictionary page. Its strings stay in the text buffer
// until the next row group.
func (c *columnReader) readDictionary(h *pageHeader, body []byte, text *textBuffer) error {
	if h.encoding != encodingPlain && h.encoding != encodingPlainDictionary {
		return fmt.Errorf("the dictionary has encoding %d, want PLAIN", h.encoding)
	}
	least := int64(4) // bytes of an entry
	if c.source.physical == physicalInt64 {
		least = 8
	}
	n := int(h.values)
	if int64(n)*least > int64(len(body)) {
		return fmt.Errorf("the dictionary of %d bytes cannot have %d entries", len(body), n)
	}
	v := values{encoding: encodingPlain, plain: body, last: c.values.last}
	c.values = v
	c.size, c.suspect = n, false
	if c.source.physical == physicalByteArray {
		if err := take(c.mem, &c.spans, n, 8); err != nil {
			return err
		}
		if err := c.plainTexts(c.spans, text); err != nil {
			return err
		}
		if c.source.kind == flowlog.String {
			text.kept = len(text.b)
			c.refused = c.check(c.spans, text)
			return nil
		}
	}
	if err := take(c.mem, &c.ints, n, 8); err != nil {
		return err
	}
	if c.source.physical != physicalByteArray {
		err := c.plainNumbers(c.ints)
		c.refused = c.suspect
		return err
	}
	if err := take(c.mem, &c.nulls, n, 1); err != nil {
		return err
	}
	clear(c.nulls)
	c.parse(c.ints, c.nulls, c.spans, text)
	c.refused = c.suspect
	for _, isNull := range c.nulls {
		c.hasNull = c.hasNull || isNull
	}
	return nil
}

// take gives a slice the length n.
func take[T any](mem *memory, s *[]T, n, size int) error {
	if n > cap(*s) {
		if err := mem.take((n - cap(*s)) * size); err != nil {
			return err
		}
		*s = make([]T, n)
	}
	*s = (*s)[:n]
	return nil
}

// texts reads strings for a string field.
func (c *columnReader) texts(dst []flowlog.Span, text *textBuffer) error {
	if c.values.encoding != encodingRLEDictionary {
		if err := c.plainTexts(dst, text); err != nil {
			return err
		}
		c.suspect = c.check(dst, text) || c.suspect
		return nil
	}
	c.suspect = c.suspect || c.refused
	return c.pick(len(dst),
		func(at, n int, id uint32) {
			entry := c.spans[id]
			for i := range dst[at : at+n] {
				dst[at+i] = entry
			}
		},
		func(at int, ids []uint32) bool {
			spans := c.spans[:c.size]
			dst := dst[at : at+len(ids)]
			for i, id := range ids {
				if uint64(id) >= uint64(len(spans)) {
					return false
				}
				dst[i] = spans[id]
			}
			return true
		})
}

// pick reads n dictionary indices: fill gets runs of one, gather the others.
func (c *columnReader) pick(n int, fill func(at, n int, id uint32), gather func(at int, ids []uint32) bool) error {
	for at := 0; at < n; {
		id, k, err := c.values.ids.repeat(n - at)
		if err != nil {
			return err
		}
		if k > 0 {
			if uint64(id) >= uint64(c.size) {
				return errIndex
			}
			fill(at, k, id)
		} else {
			k = c.values.ids.unpack(c.ids[:n-at])
			if !gather(at, c.ids[:k]) {
				return errIndex
			}
		}
		at += k
	}
	return nil
}

// check replaces empty strings by "-" and reports whether a record cannot have
// one of the strings.
func (c *columnReader) check(spans []flowlog.Span, text *textBuffer) (refused bool) {
	for i, s := range spans {
		if s.Begin == s.End {
			spans[i] = noSpan
			continue
		}
		if c.refuse(text.of(s)) != "" {
			refused = true
		}
	}
	return refused
}

// refuse says why a record cannot have a text in this column, or "".
func (c *columnReader) refuse(v []byte) string {
	why := refuseText(v)
	if why == "" && c.address && string(v) != "-" && !flowlog.IsAddress(v) {
		why = "is not an IP address"
	}
	return why
}

// plainTexts reads strings that are not in a dictionary into the text buffer.
func (c *columnReader) plainTexts(dst []flowlog.Span, text *textBuffer) error {
	if len(dst) == 0 {
		return nil
	}
	switch v := &c.values; v.encoding {
	case encodingPlain:
		return v.lengthPrefixed(dst, text)
	case encodingDeltaLengthBytes:
		return v.lengthsFirst(dst, text)
	case encodingDeltaBytes:
		return v.prefixed(dst, text)
	}
	return errNoPage
}

var errNoPage = errors.New("there is a value where no page has one")

// lengthPrefixed reads PLAIN: the bytes are copied with the lengths between
// them, which is one copy for all.
func (v *values) lengthPrefixed(dst []flowlog.Span, text *textBuffer) error {
	b, at := v.plain, 0
	base := uint32(len(text.b))
	for i := range dst {
		if len(b)-at < 4 {
			return errLength
		}
		n := binary.LittleEndian.Uint32(b[at:])
		at += 4
		if uint64(n) > uint64(len(b)-at) {
			return errLength
		}
		begin := base + uint32(at)
		at += int(n)
		dst[i] = flowlog.Span{Begin: begin, End: base + uint32(at)}
	}
	v.plain = b[at:]
	_, err := text.add(b[:at])
	return err
}

// lengthsFirst reads DELTA_LENGTH_BYTE_ARRAY.
func (v *values) lengthsFirst(dst []flowlog.Span, text *textBuffer) error {
	var buf [256]int64
	for len(dst) > 0 {
		lengths := buf[:min(len(dst), len(buf))]
		if err := v.numbers.read(lengths); err != nil {
			return err
		}
		at := 0
		base := uint32(len(text.b))
		for i, n := range lengths {
			if n < 0 || n > int64(len(v.plain)-at) {
				return errLength
			}
			begin := base + uint32(at)
			at += int(n)
			dst[i] = flowlog.Span{Begin: begin, End: base + uint32(at)}
		}
		if _, err := text.add(v.plain[:at]); err != nil {
			return err
		}
		v.plain = v.plain[at:]
		dst = dst[len(lengths):]
	}
	return nil
}

// prefixed reads DELTA_BYTE_ARRAY: each value begins with a part of the one
// before.
func (v *values) prefixed(dst []flowlog.Span, text *textBuffer) error {
	for i := range dst {
		var prefix, suffix [1]int64
		if err := v.prefixes.read(prefix[:]); err != nil {
			return err
		}
		if err := v.numbers.read(suffix[:]); err != nil {
			return err
		}
		p, s := prefix[0], suffix[0]
		if p < 0 || p > int64(len(v.last)) || s < 0 || s > int64(len(v.plain)) || p+s > maxValue {
			return errLength
		}
		v.last = append(v.last[:p], v.plain[:s]...)
		v.plain = v.plain[s:]
		at, err := text.add(v.last)
		if err != nil {
			return err
		}
		dst[i] = flowlog.Span{Begin: at, End: at + uint32(len(v.last))}
	}
	return nil
}

// numbers reads numbers for a number field. A number that the field cannot have
// comes out as one that is out of the field's bounds, and sets suspect.
func (c *columnReader) numbers(dst []int64, nulls []bool, text *textBuffer) error {
	switch {
	case c.values.encoding == encodingRLEDictionary:
		return c.dictionaryNumbers(dst, nulls)
	case c.source.physical != physicalByteArray:
		return c.plainNumbers(dst)
	}
	spans := make([]flowlog.Span, len(dst)) // numbers as text: rare
	if err := c.plainTexts(spans, text); err != nil {
		return err
	}
	c.parse(dst, nulls, spans, text)
	return nil
}

func (c *columnReader) dictionaryNumbers(dst []int64, nulls []bool) error {
	c.suspect = c.suspect || c.refused
	return c.pick(len(dst),
		func(at, n int, id uint32) {
			entry := c.ints[id]
			for i := range dst[at : at+n] {
				dst[at+i] = entry
			}
			if c.hasNull && c.nulls[id] {
				for i := range nulls[at : at+n] {
					nulls[at+i] = true
				}
			}
		},
		func(at int, ids []uint32) bool {
			ints := c.ints[:c.size]
			dst := dst[at : at+len(ids)]
			for i, id := range ids {
				if uint64(id) >= uint64(len(ints)) {
					return false
				}
				dst[i] = ints[id]
			}
			if c.hasNull {
				for i, id := range ids {
					nulls[at+i] = c.nulls[id]
				}
			}
			return true
		})
}

func (c *columnReader) plainNumbers(dst []int64) error {
	if len(dst) == 0 {
		return nil
	}
	v := &c.values
	switch {
	case v.encoding == encodingDelta:
		if err := v.numbers.read(dst); err != nil {
			return err
		}
	case v.encoding != encodingPlain:
		return errNoPage
	case c.source.physical == physicalInt64:
		if len(v.plain) < 8*len(dst) {
			return errLength
		}
		for i := range dst {
			dst[i] = int64(binary.LittleEndian.Uint64(v.plain[8*i:]))
		}
		v.plain = v.plain[8*len(dst):]
	default:
		if len(v.plain) < 4*len(dst) {
			return errLength
		}
		for i := range dst {
			dst[i] = int64(int32(binary.LittleEndian.Uint32(v.plain[4*i:])))
		}
		v.plain = v.plain[4*len(dst):]
	}
	if c.source.unsigned && c.source.physical == physicalInt32 {
		for i := range dst {
			dst[i] = int64(uint32(dst[i]))
		}
	}
	var all int64 // negative when one is out of the field's bounds
	for _, n := range dst {
		all |= n | (n - c.least) | (c.limit - n)
	}
	c.suspect = c.suspect || all < 0
	return nil
}

// notNumber stands for a text that is no number.
const notNumber = math.MinInt64

// parse reads numbers from text.
func (c *columnReader) parse(dst []int64, nulls []bool, spans []flowlog.Span, text *textBuffer) {
	for i, s := range spans {
		v := text.of(s)
		if len(v) == 0 || len(v) == 1 && v[0] == '-' {
			dst[i], nulls[i] = 0, true
			continue
		}
		dst[i] = parseNumber(v)
		if dst[i] < c.least || dst[i] > c.limit {
			c.suspect = true
		}
	}
}

// parseNumber reads decimal digits, without a sign or leading zeros.
func parseNumber(v []byte) int64 {
	if len(v) > 19 || v[0] == '0' && len(v) > 1 {
		return notNumber
	}
	var n uint64
	for _, d := range v {
		if d < '0' || d > '9' {
			return notNumber
		}
		n = n*10 + uint64(d-'0')
	}
	if n > math.MaxInt64 {
		return notNumber
	}
	return int64(n)
}
