//go:build cgo && !noduckdb

package duckdb

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"reflect"
	"unsafe"

	driver "github.com/duckdb/duckdb-go/v2"
	"github.com/duckdb/duckdb-go/v2/mapping"

	"weir/flowlog"
)

// chunkVectors is a chunk's memory, for filling it column by column.
//
// The driver offers one call per value, each with a cgo call for text and for
// NULL: 0.5 million records/s of all columns. Writing the vectors themselves, in
// the layout that duckdb.h documents, is several times as fast (BenchmarkQuery).
// The driver keeps the chunk's handle to itself, so it is read by reflection;
// the version is pinned, and a test fills every kind of value.
type chunkVectors struct {
	chunk  mapping.DataChunk
	vector []int // per field of the table: its vector in the chunk, or negative
}

func vectorsOf(chunk *driver.DataChunk) chunkVectors {
	inside := reflect.ValueOf(chunk).Elem()
	projection := inside.FieldByName("projection")
	v := chunkVectors{
		chunk:  mapping.DataChunk{Ptr: inside.FieldByName("chunk").FieldByName("Ptr").UnsafePointer()},
		vector: make([]int, projection.Len()),
	}
	for i := range v.vector {
		v.vector[i] = int(projection.Index(i).Int())
	}
	return v
}

// want is which columns the query reads.
func (v *chunkVectors) want() []bool {
	want := make([]bool, len(v.vector))
	for i, at := range v.vector {
		want[i] = at >= 0
	}
	return want
}

// fill copies a batch into the chunk. Columns that nobody reads have no vector.
func (v *chunkVectors) fill(b *flowlog.Batch) {
	for place, at := range v.vector {
		if at < 0 {
			continue
		}
		vector := mapping.DataChunkGetVector(v.chunk, mapping.IdxT(at))
		column := &b.Columns[place]
		switch {
		case !column.Present:
			clear(validity(vector, b.Rows))
		case flowlog.Fields()[place].Type == flowlog.Int32:
			fillNumbers(vectorData[int32](vector, b.Rows), column)
			markNulls(vector, column.Null[:b.Rows])
		case flowlog.Fields()[place].Type == flowlog.Int64:
			fillNumbers(vectorData[int64](vector, b.Rows), column)
			markNulls(vector, column.Null[:b.Rows])
		default:
			fillText(vector, column.Spans[:b.Rows], b.Text)
		}
	}
	mapping.DataChunkSetSize(v.chunk, mapping.IdxT(b.Rows))
}

// vectorData is a vector's values; T must be its type in C.
func vectorData[T any](vector mapping.Vector, rows int) []T {
	return unsafe.Slice((*T)(mapping.VectorGetData(vector)), rows)
}

// validity is a vector's bit mask: bit row%64 of word row/64 is 1 where the
// value is not NULL.
func validity(vector mapping.Vector, rows int) []uint64 {
	mapping.VectorEnsureValidityWritable(vector)
	return unsafe.Slice((*uint64)(mapping.VectorGetValidity(vector)), (rows+63)/64)
}

func fillNumbers[T int32 | int64](dst []T, column *flowlog.Column) {
	for row, v := range column.Ints[:len(dst)] {
		dst[row] = T(v)
	}
}

func markNulls(vector mapping.Vector, null []bool) {
	var mask []uint64 // a vector without NULLs needs none
	for row, is := range null {
		if !is {
			continue
		}
		if mask == nil {
			mask = validity(vector, len(null))
		}
		mask[row/64] &^= 1 << (row % 64)
	}
}

// inlined is the longest text that stands in the vector itself.
const inlined = 12

// stringT is duckdb_string_t: the text when it is short, otherwise its first
// four bytes and a pointer to memory that the vector owns.
type stringT struct {
	length uint32
	rest   [inlined]byte
}

// fillText writes text, which must be UTF-8. DuckDB copies each long text once:
// ids and addresses repeat, and rows of one vector may share it.
func fillText(vector mapping.Vector, spans []flowlog.Span, text []byte) {
	dst := vectorData[stringT](vector, len(spans))
	var seen [256]uint16 // by hash: a row with such a text, plus one
	for row, s := range spans {
		t := text[s.Begin:s.End]
		if len(t) <= inlined {
			v := stringT{length: uint32(len(t))}
			copy(v.rest[:], t)
			dst[row] = v
			continue
		}
		slot := &seen[binary.LittleEndian.Uint64(t[len(t)-8:])*0x9E3779B97F4A7C15>>56]
		if n := int(*slot) - 1; n >= 0 && bytes.Equal(t, text[spans[n].Begin:spans[n].End]) {
			dst[row] = dst[n]
			continue
		}
		mapping.VectorAssignStringElementLen(vector, mapping.IdxT(row), t)
		*slot = uint16(row + 1)
	}
}

// checkDriver fails when the driver's chunk is no longer laid out as vectorsOf
// expects.
func checkDriver() error {
	t := reflect.TypeFor[driver.DataChunk]()
	chunk, ok1 := t.FieldByName("chunk")
	projection, ok2 := t.FieldByName("projection")
	if !ok1 || !ok2 || chunk.Type != reflect.TypeFor[mapping.DataChunk]() || projection.Type != reflect.TypeFor[[]int]() {
		return fmt.Errorf("the DuckDB driver has changed: %v", t)
	}
	return nil
}
