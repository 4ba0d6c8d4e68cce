package parquet_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
	parquetgo "github.com/parquet-go/parquet-go"

	"weir/flowlog"
	"weir/flowlog/parquet"
	"weir/internal/parquettest"
)

// row is a record of the default format as parquet-go writes it.
type row struct {
	Version     *int32  `parquet:"version,optional"`
	AccountID   *string `parquet:"account_id,optional"`
	InterfaceID *string `parquet:"interface_id,optional,dict"`
	SrcAddr     *string `parquet:"srcaddr,optional"`
	DstAddr     *string `parquet:"dstaddr,optional,dict"`
	SrcPort     *int32  `parquet:"srcport,optional"`
	DstPort     *int32  `parquet:"dstport,optional"`
	Protocol    *int32  `parquet:"protocol,optional"`
	Packets     *int64  `parquet:"packets,optional"`
	Bytes       *int64  `parquet:"bytes,optional"`
	Start       *int64  `parquet:"start,optional"`
	End         *int64  `parquet:"end,optional"`
	Action      *string `parquet:"action,optional,dict"`
	LogStatus   *string `parquet:"log_status,optional"`
}

// deltaRow is the same with the encodings of format version 2, and columns that
// cannot be NULL; in the others the zero value is NULL.
type deltaRow struct {
	Version     int32  `parquet:"version,delta"`
	AccountID   string `parquet:"account_id,delta"`
	InterfaceID string `parquet:"interface_id,dict"`
	SrcAddr     string `parquet:"srcaddr,optional,delta"`
	DstAddr     string `parquet:"dstaddr,optional,delta"`
	SrcPort     int32  `parquet:"srcport,optional,delta"`
	DstPort     int32  `parquet:"dstport,optional,dict"`
	Protocol    int32  `parquet:"protocol,optional,delta"`
	Packets     int64  `parquet:"packets,optional,delta"`
	Bytes       int64  `parquet:"bytes,optional,delta"`
	Start       int64  `parquet:"start,delta"`
	End         int64  `parquet:"end,delta"`
	Action      string `parquet:"action,optional,delta"`
	LogStatus   string `parquet:"log_status,dict"`
}

// rowsOf are the rows of batches, "-" as NULL.
func rowsOf(t testing.TB, batches []*flowlog.Batch) []row {
	var out []row
	column := func(name string) int {
		f, ok := flowlog.FieldByName(name)
		if !ok {
			t.Fatalf("no field %s", name)
		}
		return f.Place()
	}
	for _, b := range batches {
		text := func(name string, i int) *string {
			s := b.Columns[column(name)].Spans[i]
			if v := string(b.Text[s.Begin:s.End]); v != "-" {
				return &v
			}
			return nil
		}
		wide := func(name string, i int) *int64 {
			c := &b.Columns[column(name)]
			if c.Null[i] {
				return nil
			}
			v := c.Ints[i]
			return &v
		}
		narrow := func(name string, i int) *int32 {
			if v := wide(name, i); v != nil {
				n := int32(*v)
				return &n
			}
			return nil
		}
		for i := range b.Rows {
			out = append(out, row{
				narrow("version", i), text("account-id", i), text("interface-id", i), text("srcaddr", i), text("dstaddr", i),
				narrow("srcport", i), narrow("dstport", i), narrow("protocol", i), wide("packets", i), wide("bytes", i),
				wide("start", i), wide("end", i), text("action", i), text("log-status", i),
			})
		}
	}
	return out
}

func orZero[T any](v *T) (zero T) {
	if v == nil {
		return zero
	}
	return *v
}

func writeRows[T any](t testing.TB, rows []T, options ...parquetgo.WriterOption) []byte {
	t.Helper()
	var out bytes.Buffer
	w := parquetgo.NewGenericWriter[T](&out, options...)
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestReadsParquetGo(t *testing.T) {
	batches := traffic(t, flowlog.DefaultFormat(), 3)
	var want []string
	for _, b := range batches {
		want = lines(want, b, flowlog.DefaultFormat())
	}
	rows := rowsOf(t, batches)
	delta := make([]deltaRow, len(rows))
	for i, r := range rows {
		delta[i] = deltaRow{
			*r.Version, *r.AccountID, *r.InterfaceID, orZero(r.SrcAddr), orZero(r.DstAddr), orZero(r.SrcPort), orZero(r.DstPort),
			orZero(r.Protocol), orZero(r.Packets), orZero(r.Bytes), *r.Start, *r.End, orZero(r.Action), *r.LogStatus,
		}
	}
	for _, version := range []int{1, 2} {
		options := []parquetgo.WriterOption{
			parquetgo.DataPageVersion(version), parquetgo.PageBufferSize(3000), parquetgo.Compression(&parquetgo.Zstd),
		}
		for name, file := range map[string][]byte{"rows": writeRows(t, rows, options...), "delta": writeRows(t, delta, options...)} {
			got := readAll(t, open(t, file, parquet.ReadOptions{}))
			same(t, fmt.Sprintf("%s, version %d", name, version), got, want)
		}
	}
}

func TestParquetGoReadsOurs(t *testing.T) {
	f := flowlog.DefaultFormat()
	batches := traffic(t, f, 2)
	want := rowsOf(t, batches)
	for i := range want { // strings keep "-"
		dash := "-"
		for _, s := range []**string{&want[i].AccountID, &want[i].InterfaceID, &want[i].SrcAddr, &want[i].DstAddr, &want[i].Action, &want[i].LogStatus} {
			if *s == nil {
				*s = &dash
			}
		}
	}
	for _, codec := range everyCodec {
		file := write(t, f, parquet.Options{Codec: codec, Bloom: true, RowGroupRows: 2048}, batches...)
		r := parquetgo.NewGenericReader[row](bytes.NewReader(file))
		got := make([]row, r.NumRows())
		if _, err := r.Read(got); err != nil && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %.2000s", codec, diff)
		}
		r.Close()
	}
}

// The page index says what is in each page, in the words of another reader.
func TestPageIndex(t *testing.T) {
	for _, o := range []parquet.Options{{Bloom: true}, {Sort: true, Codec: parquet.Snappy}} {
		f := mustFormat(t, parquettest.Header29)
		file := write(t, f, o, traffic(t, f, 17)...)
		p, err := parquetgo.OpenFile(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range p.RowGroups() {
			for i, c := range g.ColumnChunks() {
				name := f.Fields()[i].Column()
				if err := checkPageIndex(c); err != nil {
					t.Errorf("%+v: column %s: %v", o, name, err)
				}
				if has := c.BloomFilter() != nil; has != (o.Bloom && f.Fields()[i].Address()) {
					t.Errorf("%+v: column %s: Bloom filter %v", o, name, has)
				}
			}
		}
	}
}

func checkPageIndex(c parquetgo.ColumnChunk) error {
	index, err := c.ColumnIndex()
	if err != nil {
		return err
	}
	offsets, err := c.OffsetIndex()
	if err != nil {
		return err
	}
	pages := c.Pages()
	defer pages.Close()
	first := int64(0)
	for i := 0; ; i++ {
		p, err := pages.ReadPage()
		if errors.Is(err, io.EOF) {
			if i != index.NumPages() || i != offsets.NumPages() {
				return fmt.Errorf("%d pages, %d and %d in the indexes", i, index.NumPages(), offsets.NumPages())
			}
			return nil
		}
		if err != nil {
			return err
		}
		if offsets.FirstRowIndex(i) != first {
			return fmt.Errorf("page %d begins with row %d, the index says %d", i, first, offsets.FirstRowIndex(i))
		}
		values := make([]parquetgo.Value, p.NumValues())
		if n, err := p.Values().ReadValues(values); n != len(values) {
			return err
		}
		var least, most parquetgo.Value
		nulls, any := int64(0), false
		kind := c.Type()
		for _, v := range values {
			switch {
			case v.IsNull():
				nulls++
			case !any:
				least, most, any = v, v, true
			default:
				if kind.Compare(v, least) < 0 {
					least = v
				}
				if kind.Compare(v, most) > 0 {
					most = v
				}
			}
		}
		if nulls != index.NullCount(i) || index.NullPage(i) != !any {
			return fmt.Errorf("page %d has %d NULL, the index says %d, null page %v", i, nulls, index.NullCount(i), index.NullPage(i))
		}
		if any && (kind.Compare(least, index.MinValue(i)) != 0 || kind.Compare(most, index.MaxValue(i)) != 0) {
			return fmt.Errorf("page %d has %v to %v, the index says %v to %v", i, least, most, index.MinValue(i), index.MaxValue(i))
		}
		first += p.NumRows()
		parquetgo.Release(p)
	}
}
