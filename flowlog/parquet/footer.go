package parquet

import (
	"encoding/binary"

	"weir/flowlog"
)

// createdBy has the form that parquet-java parses before it trusts statistics.
const createdBy = "weir version 1.0.0 (build flowlog/parquet)"

// chunk is a column chunk as it was written; its offsets count from the start
// of its row group's bytes.
type chunk struct {
	dictionary   bool // there is a dictionary page, at offset
	encoding     int  // of the data pages
	values       int  // NULL or not
	nulls        int
	offset, size int64 // all pages with their headers
	unpacked     int64 // the same before compression
	data         int64 // where the first data page begins
	min, max     []byte
	bounded      bool // min and max are set
	pages        []pageSpan
	index        []byte // encoded ColumnIndex; empty when a bound is too long for it
	bloom        int64  // offset
	bloomSize    int64  // 0: no filter

	indexAt, indexSize     int64 // in the file
	offsetsAt, offsetsSize int64 // in the file
}

// pageSpan is one data page; the offset counts from the row group's start.
type pageSpan struct {
	offset   int64
	size     int // with its header
	firstRow int
}

// appendOffsetIndex appends an OffsetIndex for pages of a row group at base.
func appendOffsetIndex(dst []byte, base int64, pages []pageSpan) []byte {
	w := thriftWriter{b: dst}
	w.begin()
	w.list(1, thriftStruct, len(pages))
	for _, p := range pages {
		outer := w.begin()
		w.i64(1, base+p.offset)
		w.i32(2, int64(p.size))
		w.i64(3, int64(p.firstRow))
		w.end(outer)
	}
	w.end(0)
	return w.b
}

// appendFooter appends FileMetaData, its length and the magic.
func appendFooter(dst []byte, slots []slot, codec Codec, groups []writtenGroup) []byte {
	begin := len(dst)
	w := thriftWriter{b: dst}
	w.begin()
	w.i32(1, 1) // version: whatever the encodings, readers expect 1
	w.schema(slots)
	var rows int64
	for i := range groups {
		rows += int64(groups[i].rows)
	}
	w.i64(3, rows)
	w.list(4, thriftStruct, len(groups))
	for i := range groups {
		w.rowGroup(slots, codec, &groups[i], i)
	}
	w.string(6, createdBy)
	w.list(7, thriftStruct, len(slots))
	for range slots { // ColumnOrder: TypeDefinedOrder
		outer := w.begin()
		w.end(w.structure(1))
		w.end(outer)
	}
	w.end(0)
	w.b = binary.LittleEndian.AppendUint32(w.b, uint32(len(w.b)-begin))
	return append(w.b, magic...)
}

func (w *thriftWriter) schema(slots []slot) {
	w.list(2, thriftStruct, 1+len(slots))
	outer := w.begin()
	w.string(4, "schema")
	w.i32(5, int64(len(slots)))
	w.end(outer)
	for _, s := range slots {
		outer := w.begin()
		w.i32(1, int64(physicalOf(s.kind)))
		w.i32(3, optional)
		w.string(4, s.field.Column())
		switch s.kind {
		case flowlog.Int32:
			w.i32(6, convertedInt64-1)
			w.intType(32)
		case flowlog.Int64:
			w.i32(6, convertedInt64)
			w.intType(64)
		default:
			w.i32(6, convertedUTF8)
			logical := w.structure(10)
			w.end(w.structure(1)) // STRING
			w.end(logical)
		}
		w.end(outer)
	}
}

// intType is LogicalType INTEGER, signed.
func (w *thriftWriter) intType(bits byte) {
	logical := w.structure(10)
	integer := w.structure(10)
	w.field(1, thriftByte)
	w.b = append(w.b, bits)
	w.boolean(2, true)
	w.end(integer)
	w.end(logical)
}

func (w *thriftWriter) rowGroup(slots []slot, codec Codec, g *writtenGroup, ordinal int) {
	outer := w.begin()
	w.list(1, thriftStruct, len(g.chunks))
	var unpacked, packed int64
	for i := range g.chunks {
		unpacked += g.chunks[i].unpacked
		packed += g.chunks[i].size
		w.columnChunk(&slots[i], codec, g.base, &g.chunks[i])
	}
	w.i64(2, unpacked)
	w.i64(3, int64(g.rows))
	if len(g.sorting) > 0 {
		w.list(4, thriftStruct, len(g.sorting))
		for _, column := range g.sorting {
			outer := w.begin()
			w.i32(1, int64(column))
			w.boolean(2, false) // descending
			w.boolean(3, true)  // NULLs first
			w.end(outer)
		}
	}
	w.i64(5, g.base)
	w.i64(6, packed)
	if ordinal <= 1<<15-1 {
		w.i16(7, int64(ordinal))
	}
	w.end(outer)
}

func (w *thriftWriter) columnChunk(s *slot, codec Codec, base int64, c *chunk) {
	outer := w.begin()
	w.i64(2, 0) // file_offset is deprecated: 0 says that the metadata is only here
	w.columnMetaData(s, codec, base, c)
	w.i64(4, c.offsetsAt)
	w.i32(5, c.offsetsSize)
	if c.indexSize > 0 {
		w.i64(6, c.indexAt)
		w.i32(7, c.indexSize)
	}
	w.end(outer)
}

func (w *thriftWriter) columnMetaData(s *slot, codec Codec, base int64, c *chunk) {
	outer := w.structure(3)
	w.i32(1, int64(physicalOf(s.kind)))
	encodings := []int64{encodingRLE, int64(c.encoding)} // RLE for the definition levels
	if c.dictionary {
		encodings = append(encodings, encodingPlain) // the dictionary page
	}
	w.list(2, thriftI32, len(encodings))
	for _, e := range encodings {
		w.varint(e)
	}
	w.list(3, thriftBinary, 1)
	w.bytes([]byte(s.field.Column()))
	w.i32(4, codecs[codec].id)
	w.i64(5, int64(c.values))
	w.i64(6, c.unpacked)
	w.i64(7, c.size)
	w.i64(9, base+c.data)
	if c.dictionary {
		w.i64(11, base+c.offset)
	}
	stats := w.structure(12)
	w.i64(3, int64(c.nulls))
	if c.bounded {
		w.binary(5, c.max)
		w.binary(6, c.min)
	}
	w.end(stats)
	w.encodingStats(c)
	if c.bloomSize > 0 {
		w.i64(14, base+c.bloom)
		w.i32(15, c.bloomSize)
	}
	w.end(outer)
}

// encodingStats tells readers that filter on dictionaries whether every data
// page uses the dictionary.
func (w *thriftWriter) encodingStats(c *chunk) {
	one := func(page, encoding, n int) {
		outer := w.begin()
		w.i32(1, int64(page))
		w.i32(2, int64(encoding))
		w.i32(3, int64(n))
		w.end(outer)
	}
	if !c.dictionary {
		w.list(13, thriftStruct, 1)
		one(pageData, c.encoding, len(c.pages))
		return
	}
	w.list(13, thriftStruct, 2)
	one(pageDictionary, encodingPlain, 1)
	one(pageData, c.encoding, len(c.pages))
}

// appendPageHeader appends the header of a page of version 1.
func appendPageHeader(dst []byte, page, values, encoding, unpacked, packed int) []byte {
	w := thriftWriter{b: dst}
	w.begin()
	w.i32(1, int64(page))
	w.i32(2, int64(unpacked))
	w.i32(3, int64(packed))
	if page == pageDictionary {
		outer := w.structure(7)
		w.i32(1, int64(values))
		w.i32(2, int64(encoding))
		w.end(outer)
	} else {
		outer := w.structure(5)
		w.i32(1, int64(values))
		w.i32(2, int64(encoding))
		w.i32(3, encodingRLE)
		w.i32(4, encodingRLE)
		w.end(outer)
	}
	w.end(0)
	return w.b
}
