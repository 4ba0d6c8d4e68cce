package parquet_test

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"testing"

	"weir/flowlog"
	"weir/flowlog/parquet"
	"weir/internal/parquettest"
)

func write(t testing.TB, f flowlog.Format, o parquet.Options, batches ...*flowlog.Batch) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := parquet.NewWriter(&out, f, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range batches {
		if err := w.WriteBatch(b); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func open(t testing.TB, file []byte, o parquet.ReadOptions) *parquet.Reader {
	t.Helper()
	r, err := parquet.NewReader(bytes.NewReader(file), int64(len(file)), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Columns of ever new values give their dictionaries up on the way.
func TestManyValuesComeBack(t *testing.T) {
	f := mustFormat(t, parquettest.Header29)
	batches := parquettest.Scan(f, 10)
	batches = append(batches, traffic(t, f, 2)...)
	var want []string
	for _, b := range batches {
		want = lines(want, b, f)
	}
	got := readAll(t, open(t, write(t, f, parquet.Options{Codec: parquet.Snappy, Bloom: true}, batches...), parquet.ReadOptions{}))
	same(t, "as they came", got, want)
	got = readAll(t, open(t, write(t, f, parquet.Options{Sort: true}, batches...), parquet.ReadOptions{}))
	slices.Sort(want)
	slices.Sort(got)
	same(t, "sorted", got, want)
}

// Long strings make pages and row groups shorter, in rows.
func TestLongStringsComeBack(t *testing.T) {
	f := mustFormat(t, "ecs-cluster-arn srcport ecs-task-arn")
	var batches []*flowlog.Batch
	var want []string
	for i := range 10 {
		b := flowlog.NewBatch(f)
		for j := range flowlog.BatchRows {
			b.Append(&flowlog.Record{ECSClusterARN: strings.Repeat("x", 4000) + strconv.Itoa(i*flowlog.BatchRows+j), SrcPort: int64(j), ECSTaskARN: "short"})
		}
		batches = append(batches, b)
		want = lines(want, b, f)
	}
	r := open(t, write(t, f, parquet.Options{Codec: parquet.Snappy}, batches...), parquet.ReadOptions{})
	same(t, "long", readAll(t, r), want)
	if r.NumRowGroups() < 2 {
		t.Errorf("%d row group for %d MB of strings", r.NumRowGroups(), 10*8)
	}
}

var everyCodec = []parquet.Codec{parquet.Gzip, parquet.Zstd, parquet.Snappy, parquet.Uncompressed}

func TestTrafficComesBack(t *testing.T) {
	f := mustFormat(t, parquettest.Header29)
	batches := traffic(t, f, 12)
	var want []string
	for _, b := range batches {
		want = lines(want, b, f)
	}
	for _, codec := range everyCodec {
		for _, o := range []parquet.Options{{}, {RowGroupRows: 10000, Bloom: true}, {Sort: true}} {
			o.Codec = codec
			file := write(t, f, o, batches...)
			r := open(t, file, parquet.ReadOptions{})
			got := readAll(t, r)
			if o.Sort {
				slices.Sort(got)
				same(t, o, got, slices.Sorted(slices.Values(want)))
				continue
			}
			same(t, o, got, want)
			if r.Malformed() != 0 || r.Rows() != int64(len(want)) || r.Format().Header() != parquettest.Header29 {
				t.Errorf("%+v: %d malformed, %d rows, format %s", o, r.Malformed(), r.Rows(), r.Format().Header())
			}
		}
	}
}
