package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"weir/flowlog"
)

// file is what the footer says, as far as flow logs need it. It does not change
// once it is read, so sections of a reader share it.
type file struct {
	in      io.ReaderAt
	size    int64
	format  flowlog.Format
	unknown []string
	sources []source
	wanted  int // how many of them are
	groups  []group
}

// source is a column of the file that is a field.
type source struct {
	place    int // in flowlog.Fields
	name     string
	kind     flowlog.Type // of the field
	wanted   bool
	index    int // among the wanted ones
	leaf     int // among the column chunks of a row group
	physical int
	unsigned bool
	optional bool
}

// group is a row group.
type group struct {
	first, rows int64
	chunks      []chunkPlace // of the wanted sources
}

// chunkPlace is where a column chunk stands.
type chunkPlace struct {
	offset, size int64
	codec        int8
}

// element is a SchemaElement.
type element struct {
	name       string
	children   int64
	physical   int // -1 for a group
	repetition int
	converted  int // -1 for none
	unsigned   bool
}

func openFile(in io.ReaderAt, size int64, want []bool) (*file, error) {
	footer, err := readFooter(in, size)
	if err != nil {
		return nil, err
	}
	f := &file{in: in, size: size}
	if err := f.parse(footer, want); err != nil {
		return nil, fmt.Errorf("footer: %w", err)
	}
	return f, nil
}

func readFooter(in io.ReaderAt, size int64) ([]byte, error) {
	const ends = 2*len(magic) + 4
	if size < int64(ends) {
		return nil, fmt.Errorf("a file of %d bytes is no Parquet file", size)
	}
	var head [len(magic)]byte
	var tail [4 + len(magic)]byte
	if err := readAt(in, head[:], 0); err != nil {
		return nil, fmt.Errorf("first bytes: %w", err)
	}
	if err := readAt(in, tail[:], size-int64(len(tail))); err != nil {
		return nil, fmt.Errorf("last bytes: %w", err)
	}
	switch end := string(tail[4:]); {
	case string(head[:]) == "PARE" || end == "PARE":
		return nil, errors.New("the footer is encrypted")
	case string(head[:]) != magic:
		return nil, fmt.Errorf("the file begins with %q, want %q: it is no Parquet file", head, magic)
	case end != magic:
		return nil, fmt.Errorf("the file ends with %q, want %q: it is cut off", end, magic)
	}
	n := int64(binary.LittleEndian.Uint32(tail[:]))
	switch {
	case n > size-int64(ends):
		return nil, fmt.Errorf("footer: its length is given as %d bytes, the file has %d", n, size)
	case n > maxFooter:
		return nil, fmt.Errorf("footer: it has %d bytes, more than the %d that are allowed", n, maxFooter)
	}
	footer := make([]byte, n)
	if err := readAt(in, footer, size-int64(len(tail))-n); err != nil {
		return nil, fmt.Errorf("footer: %w", err)
	}
	return footer, nil
}

// readAt fills b.
func readAt(in io.ReaderAt, b []byte, off int64) error {
	n, err := in.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// parse reads FileMetaData.
func (f *file) parse(footer []byte, want []bool) error {
	r := thriftReader{b: footer}
	var elements []element
	rows := int64(-1)
	leaves := 0
	r.structure(func(id int, kind byte) {
		switch id {
		case 2:
			elements = r.schema(kind)
			if r.err == nil {
				var err error
				if leaves, err = f.columns(elements, want); err != nil {
					r.fail(err)
				}
			}
		case 3:
			rows = r.int(kind)
		case 4:
			if leaves == 0 {
				r.fail(errors.New("the row groups come without a schema"))
				return
			}
			r.list(kind, thriftStruct, func() { f.group(&r, leaves) })
		default:
			r.skip(kind)
		}
	})
	if r.err != nil {
		return r.err
	}
	if leaves == 0 {
		return errors.New("it has no schema")
	}
	if sum := f.rows(0, len(f.groups)); sum != rows {
		return fmt.Errorf("it counts %d rows, its row groups have %d", rows, sum)
	}
	return nil
}

// rows is how many rows some row groups have.
func (f *file) rows(from, to int) int64 {
	if from == to {
		return 0
	}
	last := &f.groups[to-1]
	return last.first + last.rows - f.groups[from].first
}

func (r *thriftReader) schema(kind byte) []element {
	var elements []element
	r.list(kind, thriftStruct, func() {
		if len(elements) > maxColumns {
			r.fail(fmt.Errorf("the schema has more than %d columns", maxColumns))
			return
		}
		e := element{physical: -1, repetition: required, converted: -1}
		r.structure(func(id int, kind byte) {
			switch id {
			case 1:
				e.physical = int(r.int(kind))
			case 3:
				e.repetition = int(r.int(kind))
			case 4:
				e.name = string(r.bytes(kind))
			case 5:
				e.children = r.int(kind)
			case 6:
				e.converted = int(r.int(kind))
			case 10:
				e.unsigned = r.isUnsigned(kind)
			default:
				r.skip(kind)
			}
		})
		if e.converted >= convertedUint8 && e.converted <= convertedUint64 {
			e.unsigned = true
		}
		elements = append(elements, e)
	})
	return elements
}

// isUnsigned reads a LogicalType and looks for an unsigned INTEGER.
func (r *thriftReader) isUnsigned(kind byte) (unsigned bool) {
	if kind != thriftStruct {
		r.skip(kind)
		return false
	}
	r.structure(func(id int, kind byte) {
		if id != 10 || kind != thriftStruct {
			r.skip(kind)
			return
		}
		r.structure(func(id int, kind byte) {
			if id == 2 {
				unsigned = !r.boolean(kind)
				return
			}
			r.skip(kind)
		})
	})
	return unsigned
}

// columns finds the fields among the columns, and returns how many leaves the
// schema has: a row group has one chunk for each.
func (f *file) columns(elements []element, want []bool) (leaves int, err error) {
	if len(elements) == 0 {
		return 0, errors.New("the schema is empty")
	}
	fields := fieldsByColumn()
	var names []string
	seen := map[int]bool{}
	at := 1
	for range max(0, elements[0].children) {
		if at >= len(elements) {
			return 0, errors.New("the schema has fewer columns than it says")
		}
		top := &elements[at]
		leaf := leaves
		if at, leaves = skipColumn(elements, at, leaves); at < 0 {
			return 0, errors.New("the schema has fewer columns than it says")
		}
		// Tables made from text files have the names of the header.
		field, ok := fields[strings.ReplaceAll(top.name, "-", "_")]
		if !ok {
			f.unknown = append(f.unknown, top.name)
			continue
		}
		place := field.Place()
		if seen[place] {
			return 0, fmt.Errorf("there are two columns %s", top.name)
		}
		seen[place] = true
		s := source{
			place: place, name: top.name, kind: field.Type, leaf: leaf,
			physical: top.physical, unsigned: top.unsigned, optional: top.repetition == optional,
			wanted: want == nil || place < len(want) && want[place],
		}
		if s.wanted {
			if err := s.check(top); err != nil {
				return 0, fmt.Errorf("column %s %w", top.name, err)
			}
			s.index = f.wanted
			f.wanted++
		}
		f.sources = append(f.sources, s)
		names = append(names, field.Name)
	}
	if at != len(elements) {
		return 0, errors.New("the schema has more columns than it says")
	}
	if len(names) == 0 {
		return 0, errors.New("none of its columns is a field of a flow log")
	}
	if f.format, err = flowlog.FormatFromHeader(strings.Join(names, " ")); err != nil {
		return 0, err
	}
	for i := range f.sources { // in some format a number may be wider
		f.sources[i].kind = f.format.ColumnType(i)
	}
	return leaves, nil
}

// skipColumn passes over a column with everything below it; at is -1 when
// elements are missing.
func skipColumn(elements []element, at, leaves int) (after, leavesAfter int) {
	for open := int64(1); open > 0; open-- {
		if at >= len(elements) {
			return -1, 0
		}
		e := &elements[at]
		at++
		switch {
		case e.physical >= 0:
			leaves++
		case e.children < 0 || e.children > maxColumns:
			return -1, 0
		default:
			open += e.children
		}
	}
	return at, leaves
}

// check says why a column cannot hold its field's values.
func (s *source) check(e *element) error {
	switch {
	case e.physical < 0:
		return errors.New("is a group of columns, want a plain one")
	case e.repetition != required && e.repetition != optional:
		return errors.New("is repeated, want one value for each row")
	case e.physical == physicalByteArray:
		return nil // numbers too: as text
	case s.kind != flowlog.String && (e.physical == physicalInt32 || e.physical == physicalInt64):
		return nil
	}
	name := fmt.Sprint("type ", e.physical)
	if e.physical < len(physicals) {
		name = physicals[e.physical]
	}
	if s.kind == flowlog.String {
		return fmt.Errorf("is %s, want BYTE_ARRAY", name)
	}
	return fmt.Errorf("is %s, want INT32, INT64 or BYTE_ARRAY", name)
}

// group reads a RowGroup.
func (f *file) group(r *thriftReader, leaves int) {
	ordinal := len(f.groups)
	g := group{first: f.rows(0, ordinal), rows: -1, chunks: make([]chunkPlace, f.wanted)}
	values := int64(-1) // of the wanted chunks
	n := -1
	next := 0 // source
	r.structure(func(id int, kind byte) {
		switch id {
		case 1:
			n = 0
			r.list(kind, thriftStruct, func() {
				for next < len(f.sources) && f.sources[next].leaf < n {
					next++
				}
				if s := next; s < len(f.sources) && f.sources[s].leaf == n && f.sources[s].wanted {
					f.chunk(r, &f.sources[s], &g.chunks[f.sources[s].index], &values)
				} else {
					r.skip(thriftStruct)
				}
				n++
			})
		case 3:
			g.rows = r.int(kind)
		default:
			r.skip(kind)
		}
	})
	switch {
	case r.err != nil:
	case n != leaves:
		r.fail(fmt.Errorf("it has %d column chunks, the schema %d columns", n, leaves))
	case g.rows < 0 || g.first+g.rows < 0:
		r.fail(fmt.Errorf("it has %d rows", g.rows))
	case values >= 0 && values != g.rows:
		r.fail(fmt.Errorf("it has %d rows, a column chunk of it %d values", g.rows, values))
	}
	if r.err != nil {
		r.err = fmt.Errorf("row group %d: %w", ordinal, r.err)
	}
	f.groups = append(f.groups, g)
}

// chunk reads a ColumnChunk. All wanted ones must agree on the number of values.
func (f *file) chunk(r *thriftReader, s *source, c *chunkPlace, values *int64) {
	meta := false
	r.structure(func(id int, kind byte) {
		switch id {
		case 1:
			if len(r.bytes(kind)) > 0 {
				r.fail(errors.New("it stands in another file"))
			}
		case 3:
			if kind != thriftStruct {
				r.skip(kind)
				return
			}
			meta = true
			f.chunkMeta(r, s, c, values)
		case 8, 9:
			r.fail(errors.New("it is encrypted"))
		default:
			r.skip(kind)
		}
	})
	if r.err == nil && !meta {
		r.fail(errors.New("it has no metadata"))
	}
	if r.err != nil {
		r.err = fmt.Errorf("chunk of column %s: %w", s.name, r.err)
	}
}

func (f *file) chunkMeta(r *thriftReader, s *source, c *chunkPlace, values *int64) {
	codec, count, data, dictionary := int64(-1), int64(-1), int64(-1), int64(0)
	physical := int64(-1)
	r.structure(func(id int, kind byte) {
		switch id {
		case 1:
			physical = r.int(kind)
		case 4:
			codec = r.int(kind)
		case 5:
			count = r.int(kind)
		case 7:
			c.size = r.int(kind)
		case 9:
			data = r.int(kind)
		case 11:
			dictionary = r.int(kind)
		default:
			r.skip(kind)
		}
	})
	if r.err != nil {
		return
	}
	c.offset = data
	if dictionary > 0 && dictionary < data {
		c.offset = dictionary
	}
	c.codec = int8(codec)
	switch {
	case physical != int64(s.physical):
		r.fail(errors.New("its type is not that of the schema"))
	case codec < 0 || codec > 127:
		r.fail(fmt.Errorf("there is no codec %d", codec))
	case c.offset < int64(len(magic)) || c.size < 0 || c.size > f.size || c.offset > f.size-c.size:
		r.fail(fmt.Errorf("%d bytes at %d are not in the file, which has %d", c.size, c.offset, f.size))
	case *values >= 0 && *values != count:
		r.fail(fmt.Errorf("it has %d values, another one of its row group %d", count, *values))
	}
	*values = count
}
