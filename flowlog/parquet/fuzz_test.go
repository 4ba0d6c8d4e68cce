package parquet_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/flowlog"
	"weir/flowlog/parquet"
	"weir/internal/parquettest"
)

// FuzzReader reads any bytes: no panic, no more memory than promised, and what
// can be read can be written and read again. It begins with files of ours and of
// DuckDB (testdata, made by internal/parquettest with -update).
func FuzzReader(f *testing.F) {
	small := mustFormat(f, "version srcaddr dstport bytes log-status traffic-path")
	for _, codec := range everyCodec {
		file := write(f, small, parquet.Options{Codec: codec, Sort: true, Bloom: true}, short(traffic(f, small, 1)[0], 40))
		f.Add(file)
		f.Add(file[:len(file)/2])
	}
	all := mustFormat(f, parquettest.Header29)
	f.Add(write(f, all, parquet.Options{Codec: parquet.Uncompressed, RowGroupRows: 10}, short(traffic(f, all, 1)[0], 8), short(traffic(f, all, 1)[0], 8)))
	seeds, err := filepath.Glob("testdata/*.parquet")
	if err != nil || len(seeds) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, path := range seeds {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(b[len(b)/3:])
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r, err := parquet.NewReader(bytes.NewReader(file), int64(len(file)), parquet.ReadOptions{})
		if err != nil {
			return
		}
		var out bytes.Buffer
		w, err := parquet.NewWriter(&out, r.Format(), parquet.Options{Codec: parquet.Snappy})
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for range 8 { // a small file may say that it has any number of rows
			b, err := r.Next()
			if err != nil {
				if errors.Is(err, io.EOF) && r.Malformed() < int64(len(r.Problems())) {
					t.Fatalf("%d rows malformed, %d listed", r.Malformed(), len(r.Problems()))
				}
				break
			}
			if b.Rows == 0 || b.Rows > flowlog.BatchRows {
				t.Fatalf("a batch of %d rows", b.Rows)
			}
			if len(want) < 5000 {
				want = lines(want, b, r.Format())
				if err := w.WriteBatch(b); err != nil {
					t.Fatal(err)
				}
			}
		}
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 1<<30 {
			t.Fatalf("%d MiB allocated", n>>20)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		got := readAll(t, open(t, out.Bytes(), parquet.ReadOptions{}))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("read, written and read again: %.1000s", diff)
		}
	})
}

// short is the first rows of a batch.
func short(b *flowlog.Batch, rows int) *flowlog.Batch {
	b.Rows = rows
	return b
}
