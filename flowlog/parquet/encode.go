package parquet

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"

	"weir/flowlog"
)

// pageRows is how many rows a data page has: few enough that the page index
// leaves most of a chunk out, enough that a page compresses well. A column with
// one value needs one page.
const pageRows = 8 * flowlog.BatchRows

// pageBytes is how many bytes of strings a data page has; one longer string
// makes it larger.
const pageBytes = 4 << 20

// RowGroup is some rows as the bytes that stand in the file. It does not change
// and belongs to no writer yet.
type RowGroup struct {
	data    []byte
	slots   []slot
	codec   Codec
	rows    int
	chunks  []chunk
	sorting []int // columns that the rows are sorted by
}

// Rows is the number of rows.
func (g *RowGroup) Rows() int { return g.rows }

// Size is the bytes it takes in the file, indexes left out.
func (g *RowGroup) Size() int { return len(g.data) }

// Encode encodes and compresses the rows; all the work is done here. The
// collector keeps them until Reset.
func (c *Collector) Encode() (*RowGroup, error) {
	if c.err != nil {
		return nil, c.err
	}
	g := &RowGroup{slots: c.slots, codec: c.options.Codec, rows: c.rows, chunks: make([]chunk, len(c.columns))}
	var order []uint32
	if c.options.Sort {
		order, g.sorting = c.order()
	}
	e := &c.pages
	e.data = make([]byte, 0, e.lastSize+e.lastSize/8)
	for i := range c.columns {
		if err := e.chunk(&g.chunks[i], &c.columns[i], order); err != nil {
			return nil, fmt.Errorf("parquet: column %s: %w", c.slots[i].field.Column(), err)
		}
	}
	if c.options.Bloom {
		for i := range c.columns {
			if c.slots[i].field.Address() {
				e.bloom(&g.chunks[i], &c.columns[i])
			}
		}
	}
	g.data, e.data = e.data, nil
	e.lastSize = len(g.data)
	return g, nil
}

// encoder makes the pages of one column chunk after the other. What it holds is
// memory to use again.
type encoder struct {
	*compressor
	data     []byte // of the row group
	lastSize int    // of the row group before

	ids    []uint32 // of the rows in the order in which they are written
	body   []byte   // of a page, not compressed
	packed []byte   // the same, compressed
	levels []uint32 // of a page
	values []uint32 // ids of a page, without NULL
	ints   []int64
	seen   []uint32 // by id: the last page, counted from 1, that has it
}

// chunk appends the pages of a column.
func (e *encoder) chunk(out *chunk, c *column, order []uint32) error {
	ids := e.inOrder(c, order)
	out.values, out.nulls = c.rows, c.nulls
	out.offset = int64(len(e.data))
	e.choose(out, c)
	if out.dictionary {
		if err := e.dictionaryPage(out, c); err != nil {
			return err
		}
	}
	out.data = int64(len(e.data))
	width := bits.Len32(uint32(max(1, c.size()) - 1))
	var ix pageIndexer
	ix.begin(c, e)
	for first := 0; first < c.rows; {
		n := c.rows
		var page []uint32 // nil when all rows have the one value
		if !c.uniform {
			n = e.pageLength(out, c, ids[first:])
			page = ids[first : first+n]
		}
		if err := e.dataPage(out, c, page, first, n, width); err != nil {
			return err
		}
		ix.add(page, n)
		first += n
	}
	out.size = int64(len(e.data)) - out.offset
	ix.end(out)
	return nil
}

// pageLength is how many of the rows go into the next page: fewer than pageRows
// when their strings are long.
func (e *encoder) pageLength(out *chunk, c *column, ids []uint32) int {
	n := min(pageRows, len(ids))
	if out.encoding != encodingPlain || !c.isText() {
		return n
	}
	size := 0
	for i, id := range ids[:n] {
		if size += len(c.texts.at(id)); size > pageBytes && i > 0 {
			return i
		}
	}
	return n
}

// inOrder is the ids in the order of the rows.
func (e *encoder) inOrder(c *column, order []uint32) []uint32 {
	if order == nil || c.uniform {
		return c.ids
	}
	e.ids = e.ids[:0]
	for _, row := range order {
		e.ids = append(e.ids, c.ids[row])
	}
	return e.ids
}

// choose sets the encoding.
func (e *encoder) choose(out *chunk, c *column) {
	switch {
	case c.distinct && c.size() > 0:
		out.dictionary, out.encoding = true, encodingRLEDictionary
	case c.isText() || c.size() == 0:
		out.encoding = encodingPlain
	default:
		out.encoding = encodingDelta
	}
}

func (e *encoder) dictionaryPage(out *chunk, c *column) error {
	e.body = e.body[:0]
	for id := range uint32(c.size()) {
		e.body = c.appendPlain(e.body, id)
	}
	return e.page(out, pageDictionary, c.size(), encodingPlain)
}

// appendPlain appends the value of an id, PLAIN.
func (c *column) appendPlain(dst []byte, id uint32) []byte {
	switch c.slot.kind {
	case flowlog.Int32:
		return binary.LittleEndian.AppendUint32(dst, uint32(c.numbers.values[id]))
	case flowlog.Int64:
		return binary.LittleEndian.AppendUint64(dst, uint64(c.numbers.values[id]))
	}
	v := c.texts.at(id)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(v)))
	return append(dst, v...)
}

// dataPage appends a page of n rows with the given ids, or with the column's
// one value if there are none.
func (e *encoder) dataPage(out *chunk, c *column, ids []uint32, first, n, width int) error {
	e.body = append(e.body[:0], 0, 0, 0, 0) // the length of the levels
	if ids == nil {
		e.uniformBody(out, c, n)
	} else {
		ids = e.appendLevels(c, ids)
		binary.LittleEndian.PutUint32(e.body, uint32(len(e.body)-4))
		switch out.encoding {
		case encodingRLEDictionary:
			e.body = append(e.body, byte(width))
			e.body = appendHybrid(e.body, ids, width)
		case encodingDelta:
			e.ints = e.ints[:0]
			for _, id := range ids {
				e.ints = append(e.ints, c.numbers.values[id])
			}
			e.body = appendDelta(e.body, e.ints, c.slot.kind == flowlog.Int32)
		default:
			for _, id := range ids {
				e.body = c.appendPlain(e.body, id)
			}
		}
	}
	at := int64(len(e.data))
	err := e.page(out, pageData, n, out.encoding)
	out.pages = append(out.pages, pageSpan{at, int(int64(len(e.data)) - at), first})
	return err
}

// uniformBody is the page of a column that has one value, or NULL, n times.
func (e *encoder) uniformBody(out *chunk, c *column, n int) {
	level := uint32(1)
	if c.last == null {
		level = 0
	}
	e.body = appendRun(e.body, level, n, 1)
	binary.LittleEndian.PutUint32(e.body, uint32(len(e.body)-4))
	if out.dictionary {
		e.body = append(e.body, 0) // the one index takes no bits
		if c.last != null {
			e.body = appendRun(e.body, 0, n, 0)
		}
	}
}

// appendLevels appends the definition levels, 1 for a value and 0 for NULL, and
// returns the ids of the values.
func (e *encoder) appendLevels(c *column, ids []uint32) []uint32 {
	if c.nulls == 0 {
		e.body = appendRun(e.body, 1, len(ids), 1)
		return ids
	}
	e.levels = e.levels[:0]
	values := e.values[:0]
	for _, id := range ids {
		level := uint32(1)
		if id == null {
			level = 0
		} else {
			values = append(values, id)
		}
		e.levels = append(e.levels, level)
	}
	e.body = appendHybrid(e.body, e.levels, 1)
	e.values = values
	return values
}

// page compresses the body and appends it with its header.
func (e *encoder) page(out *chunk, kind, values, encoding int) (err error) {
	if e.packed, err = e.compress(e.packed[:0], e.body); err != nil {
		return err
	}
	begin := len(e.data)
	e.data = appendPageHeader(e.data, kind, values, encoding, len(e.body), len(e.packed))
	out.unpacked += int64(len(e.data) - begin + len(e.body))
	e.data = append(e.data, e.packed...)
	return nil
}

// maxBound is the longest string that stands as a bound in statistics.
const maxBound = 256

// pageIndexer finds the smallest and largest value of each page and of the
// chunk, and encodes the ColumnIndex.
type pageIndexer struct {
	c     *column
	e     *encoder
	pages []bounds
	all   bounds
}

// bounds is the ids of the smallest and largest value of some rows.
type bounds struct {
	least, most uint32
	nulls       int
	any         bool // there is a value
}

func (x *pageIndexer) begin(c *column, e *encoder) {
	x.c, x.e = c, e
	if cap(e.seen) < c.size() {
		e.seen = make([]uint32, c.size()+c.size()/4)
	}
	e.seen = e.seen[:c.size()]
	clear(e.seen)
}

func (x *pageIndexer) less(a, b uint32) bool {
	if x.c.isText() {
		return bytes.Compare(x.c.texts.at(a), x.c.texts.at(b)) < 0
	}
	return x.c.numbers.values[a] < x.c.numbers.values[b]
}

// add takes the ids of the next page, of n rows.
func (x *pageIndexer) add(ids []uint32, n int) {
	var b bounds
	if ids == nil {
		ids = []uint32{x.c.last}
		if x.c.last == null {
			b.nulls = n - 1
		}
	}
	page := uint32(len(x.pages) + 1)
	prev := uint32(null)
	for _, id := range ids {
		if id == null {
			b.nulls++
			continue
		}
		if id == prev || x.e.seen[id] == page {
			continue
		}
		x.e.seen[id] = page
		prev = id
		x.widen(&b, id, id)
	}
	x.pages = append(x.pages, b)
	if b.any {
		x.widen(&x.all, b.least, b.most)
	}
}

func (x *pageIndexer) widen(b *bounds, least, most uint32) {
	if !b.any {
		b.any, b.least, b.most = true, least, most
		return
	}
	if x.less(least, b.least) {
		b.least = least
	}
	if x.less(b.most, most) {
		b.most = most
	}
}

// bound is a value as it stands in statistics: PLAIN, strings without a length.
func (x *pageIndexer) bound(id uint32) []byte {
	if x.c.isText() {
		return x.c.texts.at(id)
	}
	return x.c.appendPlain(nil, id)
}

func (x *pageIndexer) end(out *chunk) {
	fits := func(b *bounds) bool {
		return !b.any || len(x.bound(b.least)) <= maxBound && len(x.bound(b.most)) <= maxBound
	}
	if x.all.any && fits(&x.all) {
		out.bounded = true
		out.min = bytes.Clone(x.bound(x.all.least))
		out.max = bytes.Clone(x.bound(x.all.most))
	}
	for i := range x.pages {
		if !fits(&x.pages[i]) {
			return
		}
	}
	out.index = x.appendColumnIndex(nil)
}

// appendColumnIndex appends a ColumnIndex.
func (x *pageIndexer) appendColumnIndex(dst []byte) []byte {
	w := thriftWriter{b: dst}
	w.begin()
	w.list(1, thriftTrue, len(x.pages))
	for i := range x.pages {
		if x.pages[i].any {
			w.b = append(w.b, thriftFalse)
		} else {
			w.b = append(w.b, thriftTrue)
		}
	}
	side := func(id int, of func(*bounds) uint32) {
		w.list(id, thriftBinary, len(x.pages))
		for i := range x.pages {
			if x.pages[i].any {
				w.bytes(x.bound(of(&x.pages[i])))
			} else {
				w.bytes(nil)
			}
		}
	}
	side(2, func(b *bounds) uint32 { return b.least })
	side(3, func(b *bounds) uint32 { return b.most })
	w.i32(4, x.boundaryOrder())
	w.list(5, thriftI64, len(x.pages))
	for i := range x.pages {
		w.varint(int64(x.pages[i].nulls))
	}
	w.end(0)
	return w.b
}

// boundaryOrder is 1 when the bounds of the pages ascend, 2 when they descend,
// 0 otherwise.
func (x *pageIndexer) boundaryOrder() int64 {
	up, down := true, true
	var prev *bounds
	for i := range x.pages {
		b := &x.pages[i]
		if !b.any {
			continue
		}
		if prev != nil {
			up = up && !x.less(b.least, prev.least) && !x.less(b.most, prev.most)
			down = down && !x.less(prev.least, b.least) && !x.less(prev.most, b.most)
		}
		prev = b
	}
	switch {
	case up:
		return 1
	case down:
		return 2
	}
	return 0
}
