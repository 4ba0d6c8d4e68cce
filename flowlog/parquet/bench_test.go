package parquet_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"

	"weir/flowlog"
	"weir/flowlog/parquet"
	"weir/internal/parquettest"
)

var benchFormats = []struct{ name, header string }{{"14", parquettest.Header14}, {"29", parquettest.Header29}}

// BenchmarkWrite writes one row group of 128 Ki records on one core; bytes are
// those of the file.
func BenchmarkWrite(b *testing.B) {
	for _, o := range []parquet.Options{{Codec: parquet.Snappy}, {Codec: parquet.Zstd}, {Codec: parquet.Gzip}, {Codec: parquet.Snappy, Sort: true, Bloom: true}, {Codec: parquet.Zstd, Sort: true, Bloom: true}} {
		for _, format := range benchFormats {
			name := fmt.Sprintf("%s/%s", o.Codec, format.name)
			if o.Sort {
				name += "/sorted,bloom"
			}
			b.Run(name, func(b *testing.B) {
				f := mustFormat(b, format.header)
				batches := traffic(b, f, 64)
				c, err := parquet.NewCollector(f, o)
				if err != nil {
					b.Fatal(err)
				}
				rows, size := 0, 0
				b.ReportAllocs()
				for b.Loop() {
					c.Reset()
					for _, batch := range batches {
						if err := c.Add(batch); err != nil {
							b.Fatal(err)
						}
					}
					g, err := c.Encode()
					if err != nil {
						b.Fatal(err)
					}
					rows += g.Rows()
					size = g.Size()
				}
				b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "records/s")
				b.ReportMetric(float64(size)/float64(64*flowlog.BatchRows), "B/record")
			})
		}
	}
}

func BenchmarkRead(b *testing.B) {
	for _, codec := range []parquet.Codec{parquet.Snappy, parquet.Zstd, parquet.Gzip} {
		for _, format := range benchFormats {
			b.Run(fmt.Sprintf("%s/%s", codec, format.name), func(b *testing.B) {
				f := mustFormat(b, format.header)
				file := write(b, f, parquet.Options{Codec: codec}, traffic(b, f, 64)...)
				rows := 0
				b.ReportAllocs()
				for b.Loop() {
					r, err := parquet.NewReader(bytes.NewReader(file), int64(len(file)), parquet.ReadOptions{})
					if err != nil {
						b.Fatal(err)
					}
					for {
						batch, err := r.Next()
						if errors.Is(err, io.EOF) {
							break
						}
						if err != nil {
							b.Fatal(err)
						}
						rows += batch.Rows
					}
				}
				b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "records/s")
			})
		}
	}
}
