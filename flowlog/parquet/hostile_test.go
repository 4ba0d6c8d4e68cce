package parquet

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"

	"weir/flowlog"
)

// made is a file of one column chunk, in which everything may be a lie.
type made struct {
	name       string
	physical   int64
	repetition int64
	codec      int64
	rows       int64 // of the row group and of the file
	values     int64
	pages      []madePage
	offset     int64 // of the chunk; 0 is where it stands
	size       int64 // of the chunk; 0 is what it has
	extra      func(w *thriftWriter)
}

type madePage struct {
	kind                       int64
	values, encoding           int64
	body                       []byte
	packed, unpacked           int64 // 0 is what body has
	levelsEncoding, levelBytes int64
}

func (p madePage) append(dst []byte) []byte {
	w := thriftWriter{b: dst}
	w.begin()
	w.i32(1, p.kind)
	if p.unpacked == 0 {
		p.unpacked = int64(len(p.body))
	}
	if p.packed == 0 {
		p.packed = int64(len(p.body))
	}
	w.i32(2, p.unpacked)
	w.i32(3, p.packed)
	switch p.kind {
	case pageDictionary:
		o := w.structure(7)
		w.i32(1, p.values)
		w.i32(2, p.encoding)
		w.end(o)
	case pageDataV2:
		o := w.structure(8)
		w.i32(1, p.values)
		w.i32(2, 0)
		w.i32(3, p.values)
		w.i32(4, p.encoding)
		w.i32(5, p.levelBytes)
		w.i32(6, 0)
		w.end(o)
	default:
		o := w.structure(5)
		w.i32(1, p.values)
		w.i32(2, p.encoding)
		w.i32(3, p.levelsEncoding)
		w.i32(4, encodingRLE)
		w.end(o)
	}
	w.end(0)
	return append(w.b, p.body...)
}

func (m made) file() []byte {
	b := []byte(magic)
	for _, p := range m.pages {
		b = p.append(b)
	}
	size := int64(len(b) - len(magic))
	if m.size == 0 {
		m.size = size
	}
	if m.offset == 0 {
		m.offset = 4
	}
	if m.name == "" {
		m.name = "srcaddr"
	}
	return footed(b, func(w *thriftWriter) {
		w.i32(1, 2)
		w.list(2, thriftStruct, 2)
		o := w.begin()
		w.string(4, "root")
		w.i32(5, 1)
		w.end(o)
		o = w.begin()
		w.i32(1, m.physical)
		w.i32(3, m.repetition)
		w.string(4, m.name)
		w.end(o)
		w.i64(3, m.rows)
		w.list(4, thriftStruct, 1)
		group := w.begin()
		w.list(1, thriftStruct, 1)
		chunk := w.begin()
		meta := w.structure(3)
		w.i32(1, m.physical)
		w.i32(4, m.codec)
		w.i64(5, m.values)
		w.i64(7, m.size)
		w.i64(9, m.offset)
		w.end(meta)
		if m.extra != nil {
			m.extra(w)
		}
		w.end(chunk)
		w.i64(3, m.rows)
		w.end(group)
	})
}

// footed adds a footer to the bytes of a file.
func footed(b []byte, fields func(w *thriftWriter)) []byte {
	begin := len(b)
	w := thriftWriter{b: b}
	w.begin()
	fields(&w)
	w.end(0)
	w.b = binary.LittleEndian.AppendUint32(w.b, uint32(len(w.b)-begin))
	return append(w.b, magic...)
}

// drain reads a file and forgets it.
func drain(file []byte) (rows int, r *Reader, err error) {
	r, err = NewReader(bytes.NewReader(file), int64(len(file)), ReadOptions{})
	if err != nil {
		return 0, nil, err
	}
	for {
		b, err := r.Next()
		if errors.Is(err, io.EOF) {
			return rows, r, nil
		}
		if err != nil {
			return rows, r, err
		}
		rows += b.Rows
	}
}

// plainStrings is a page body without levels.
func plainStrings(values ...string) []byte {
	var b []byte
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(v)))
		b = append(b, v...)
	}
	return b
}

func gzipped(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func zstandard(t testing.TB, b []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	return w.EncodeAll(b, nil)
}

// a and b are two good rows; made{} with them is a good file.
func good() made {
	return made{
		physical: physicalByteArray, rows: 2, values: 2,
		pages: []madePage{{values: 2, body: plainStrings("10.0.0.1", "10.0.0.2")}},
	}
}

func TestMadeFileIsGood(t *testing.T) {
	if rows, _, err := drain(good().file()); rows != 2 || err != nil {
		t.Fatalf("%d rows, %v", rows, err)
	}
}

func with(change func(m *made)) []byte {
	m := good()
	change(&m)
	return m.file()
}

func schemaOf(columns int, column func(w *thriftWriter, i int)) []byte {
	return footed([]byte(magic), func(w *thriftWriter) {
		w.list(2, thriftStruct, columns+1)
		o := w.begin()
		w.string(4, "root")
		w.i32(5, int64(columns))
		w.end(o)
		for i := range columns {
			o := w.begin()
			column(w, i)
			w.end(o)
		}
		w.i64(3, 0)
		w.list(4, thriftStruct, 0)
	})
}

func TestHostile(t *testing.T) {
	bomb := make([]byte, maxPage)
	ours := good().file()
	dictionary := madePage{kind: pageDictionary, values: 1, body: plainStrings("10.0.0.1")}
	for _, tt := range []struct {
		name string
		file []byte
		want string
	}{
		{"nothing", nil, "a file of 0 bytes is no Parquet file"},
		{"text", []byte("version account-id interface-id\n"), "it is no Parquet file"},
		{"cut off", ours[:len(ours)-3], "it is cut off"},
		{"encrypted footer", append([]byte("PARE"), append(ours[4:len(ours)-4:len(ours)-4], "PARE"...)...), "the footer is encrypted"},
		{"footer length", append(ours[:len(ours)-8:len(ours)-8], "\xff\xff\xff\x7fPAR1"...), "footer: its length is given as 2147483647 bytes"},
		{"footer of zeros", append([]byte(magic), "\x00\x00\x00\x00\x04\x00\x00\x00PAR1"...), "footer: it has no schema"},
		{"list size", footed([]byte(magic), func(w *thriftWriter) {
			w.field(2, thriftList)
			w.b = append(w.b, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x07)
		}), "footer: it ends too early"},
		{"depth", footed([]byte(magic), func(w *thriftWriter) { w.b = append(w.b, bytes.Repeat([]byte{1<<4 | thriftStruct}, 100000)...) }), "nested too deeply"},
		{"10^6 columns", schemaOf(1e6, func(w *thriftWriter, _ int) { w.i32(1, 1); w.string(4, "x") }), "the schema has more than 4096 columns"},
		{"fewer columns", schemaOf(3, func(w *thriftWriter, _ int) { w.string(4, "x"); w.i32(5, 3) }), "fewer columns than it says"},
		{"no field", schemaOf(3, func(w *thriftWriter, _ int) { w.i32(1, 1); w.string(4, "x") }), "none of its columns is a field"},
		{"twice", schemaOf(2, func(w *thriftWriter, _ int) { w.i32(1, 6); w.string(4, "srcaddr") }), "there are two columns srcaddr"},
		{"group", schemaOf(2, func(w *thriftWriter, i int) {
			w.string(4, "srcaddr")
			if i == 0 {
				w.i32(5, 1)
			} else {
				w.i32(1, 6)
			}
		}), "column srcaddr is a group of columns"},
		{"repeated", with(func(m *made) { m.repetition = 2 }), "column srcaddr is repeated"},
		{"type", with(func(m *made) { m.physical = 5 }), "column srcaddr is DOUBLE, want BYTE_ARRAY"},
		{"number type", with(func(m *made) { m.physical, m.name = 4, "bytes" }), "column bytes is FLOAT, want INT32, INT64 or BYTE_ARRAY"},
		{"type out of range", with(func(m *made) { m.physical = 1 << 40 }), "column srcaddr is type 1099511627776"},
		{"encrypted column", with(func(m *made) { m.extra = func(w *thriftWriter) { w.end(w.structure(8)) } }), "row group 0: chunk of column srcaddr: it is encrypted"},
		{"rows", with(func(m *made) { m.rows = 3 }), "row group 0: it has 3 rows, a column chunk of it 2 values"},
		{"negative rows", with(func(m *made) { m.rows, m.values = -1, -1 }), "row group 0: it has -1 rows"},
		{"chunk offset", with(func(m *made) { m.offset = 1 << 60 }), "are not in the file"},
		{"negative offset", with(func(m *made) { m.offset = -5 }), "are not in the file"},
		{"chunk size", with(func(m *made) { m.size = math.MaxInt64 }), "are not in the file"},
		{"codec", with(func(m *made) { m.codec = 4 }), "column srcaddr: the codec BROTLI is not supported"},
		{"no such codec", with(func(m *made) { m.codec = 99 }), "there is no codec 99"},
		{"too few values", with(func(m *made) { m.rows, m.values = 5, 5 }), "column srcaddr: its pages end 3 rows too early"},
		{"too many values", with(func(m *made) { m.rows, m.values = 1, 1 }), "it has 2 values, its column chunk only 1 more"},
		{"page values", with(func(m *made) { m.rows, m.values, m.pages[0].values = math.MaxInt32, math.MaxInt32, math.MaxInt32 }), "at most 67108864 are allowed"},
		{"page size", with(func(m *made) { m.pages[0].packed = 1 << 20 }), "page at byte 4: its header: it has 1048576 bytes, its column chunk only"},
		{"page larger than allowed", with(func(m *made) { m.pages[0].unpacked = maxPage + 1 }), "at most 67108864 are allowed"},
		{"negative page size", with(func(m *made) { m.pages[0].packed = -1 }), "its header: -1 bytes"},
		{"page type", with(func(m *made) { m.pages[0].kind = 7 }), "there is no page type 7"},
		{"page encoding", with(func(m *made) { m.pages[0].encoding = 4 }), "encoding 4, which is not supported"},
		{"string length", with(func(m *made) { m.pages[0].body[0] = 200 }), "a length goes beyond its end"},
		{"levels encoding", with(func(m *made) { m.repetition, m.pages[0].levelsEncoding = optional, 4 }), "definition levels have encoding 4"},
		{"levels length", with(func(m *made) {
			m.repetition, m.pages[0].levelsEncoding = optional, encodingRLE
			m.pages[0].body[0] = 200
		}), "a length goes beyond its end"},
		{"levels too short", with(func(m *made) {
			m.repetition, m.pages[0].levelsEncoding = optional, encodingRLE
			m.pages[0].body = []byte{2, 0, 0, 0, 2, 1}
		}), "the levels or indices end too early"},
		{"version 2 levels", with(func(m *made) { m.pages[0].kind, m.pages[0].levelBytes = pageDataV2, 1<<20 }), "the sizes of its levels cannot be right"},
		{"no dictionary", with(func(m *made) { m.pages[0].encoding, m.pages[0].body = encodingRLEDictionary, []byte{1, 4, 0} }), "an index is not in the dictionary"},
		{"index out of range", with(func(m *made) {
			m.pages = []madePage{dictionary, {values: 2, encoding: encodingRLEDictionary, body: []byte{1, 3, 2}}}
		}), "an index is not in the dictionary"},
		{"run out of range", with(func(m *made) {
			m.pages = []madePage{dictionary, {values: 2, encoding: encodingRLEDictionary, body: []byte{8, 4, 7}}}
		}), "an index is not in the dictionary"},
		{"index width", with(func(m *made) {
			m.pages = []madePage{dictionary, {values: 2, encoding: encodingRLEDictionary, body: []byte{33, 4, 7}}}
		}), "wider than 32 bits"},
		{"dictionary size", with(func(m *made) {
			d := dictionary
			d.values = 1 << 25
			m.pages = []madePage{d}
		}), "the dictionary of 12 bytes cannot have 33554432 entries"},
		{"second dictionary", with(func(m *made) { m.pages = []madePage{dictionary, dictionary} }), "a dictionary must be the first page"},
		{"delta", with(func(m *made) {
			m.pages[0].encoding, m.pages[0].body = encodingDeltaLengthBytes, []byte{0x80, 1, 4, 0xff, 0xff, 0xff, 0xff, 7, 0}
		}), "the delta encoded values are broken"},
		{"delta prefix", with(func(m *made) {
			m.pages[0].encoding = encodingDeltaBytes
			m.pages[0].body = append(appendDelta(appendDelta(nil, []int64{3, 0}, true), []int64{1, 1}, true), "ab"...)
		}), "a length goes beyond its end"},
		{"gzip bomb", with(func(m *made) { m.codec = 2; m.pages[0].body = gzipped(t, bomb); m.pages[0].unpacked = 24 }), "gzip: it does not decompress to the size"},
		{"gzip shorter", with(func(m *made) { m.codec = 2; m.pages[0].body = gzipped(t, bomb[:10]); m.pages[0].unpacked = 24 }), "gzip: it does not decompress to the size"},
		{"zstd bomb", with(func(m *made) { m.codec = 6; m.pages[0].body = zstandard(t, bomb); m.pages[0].unpacked = 24 }), "zstd: "},
		{"snappy bomb", with(func(m *made) { m.codec = 1; m.pages[0].body = s2.EncodeSnappy(nil, bomb); m.pages[0].unpacked = 24 }), "snappy: it does not decompress to the size"},
		{"snappy length", with(func(m *made) {
			m.codec = 1
			m.pages[0].body = []byte{0xff, 0xff, 0xff, 0x0f, 0}
			m.pages[0].unpacked = maxPage
		}), "snappy: "},
		{"not gzip", with(func(m *made) { m.codec = 2; m.pages[0].body = []byte("no gzip at all") }), "gzip: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, _, err := drain(tt.file)
			runtime.ReadMemStats(&after)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			if n := after.TotalAlloc - before.TotalAlloc; n > 72<<20 {
				t.Errorf("%d MiB allocated", n>>20)
			}
		})
	}
}

// Many columns, each with the largest page that is allowed, do not add up.
func TestMemoryHasABound(t *testing.T) {
	body := zstandard(t, make([]byte, maxPage))
	b := []byte(magic)
	b = madePage{values: maxPage / 4, body: body, unpacked: maxPage}.append(b)
	size := int64(len(b) - len(magic))
	fields := flowlog.Fields()
	fields = fields[:29]
	file := footed(b, func(w *thriftWriter) {
		w.list(2, thriftStruct, 1+len(fields))
		o := w.begin()
		w.string(4, "root")
		w.i32(5, int64(len(fields)))
		w.end(o)
		for i := range fields {
			o := w.begin()
			w.i32(1, physicalByteArray)
			w.i32(3, required)
			w.string(4, fields[i].Column())
			w.end(o)
		}
		w.i64(3, maxPage/4)
		w.list(4, thriftStruct, 1)
		group := w.begin()
		w.list(1, thriftStruct, len(fields))
		for range fields { // all the same bytes
			chunk := w.begin()
			meta := w.structure(3)
			w.i32(1, physicalByteArray)
			w.i32(4, 6)
			w.i64(5, maxPage/4)
			w.i64(7, size)
			w.i64(9, 4)
			w.end(meta)
			w.end(chunk)
		}
		w.i64(3, maxPage/4)
		w.end(group)
	})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, _, err := drain(file)
	runtime.ReadMemStats(&after)
	if err == nil || !strings.Contains(err.Error(), "take more than 512 MiB") {
		t.Errorf("error %v", err)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 600<<20 {
		t.Errorf("%d MiB allocated", n>>20)
	}
}

// A file cut off anywhere, or with any one byte changed, is an error or other
// rows, and never more than that.
func TestDamaged(t *testing.T) {
	f, err := flowlog.FormatFromHeader("version srcaddr dstport bytes log-status")
	if err != nil {
		t.Fatal(err)
	}
	b := flowlog.NewBatch(f)
	for i := range int64(50) {
		b.Append(&flowlog.Record{Version: 5, DstPort: 443, Bytes: i * i})
	}
	for _, codec := range []Codec{Zstd, Uncompressed} {
		var out bytes.Buffer
		w, err := NewWriter(&out, f, Options{Codec: codec, Bloom: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(w.WriteBatch(b), w.Close()); err != nil {
			t.Fatal(err)
		}
		file := out.Bytes()
		for n := range file {
			if _, _, err := drain(file[:n]); err == nil {
				t.Errorf("%s, cut off at %d of %d: no error", codec, n, len(file))
			}
		}
		for n := range file {
			x := byte(1 + n%255)
			file[n] ^= x
			drain(file) //nolint:errcheck // either is fine, a panic is not
			file[n] ^= x
		}
	}
}
