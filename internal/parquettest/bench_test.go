//go:build cgo && !noduckdb

package parquettest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	parquetgo "github.com/parquet-go/parquet-go"

	"weir/flowlog"
	"weir/flowlog/parquet"
)

// The same records written and read by flowlog/parquet, by parquet-go's row
// writer and by DuckDB, each on one core (-cpu 1; DuckDB has threads=1):
//
//	go test ./internal/parquettest -run '^$' -bench . -cpu 1
//
// What goes in is a batch, rows of parquet-go's values, or a table in memory.

const benchBatches = 64 // 128 Ki records: one row group

var benchFormats = []struct{ name, header string }{{"14", Header14}, {"29", Header29}}

var benchCodecs = []struct {
	codec parquet.Codec
	other parquetgo.WriterOption
}{
	{parquet.Snappy, parquetgo.Compression(&parquetgo.Snappy)},
	{parquet.Zstd, parquetgo.Compression(&parquetgo.Zstd)},
	{parquet.Gzip, parquetgo.Compression(&parquetgo.Gzip)},
}

func report(b *testing.B, size int) {
	const rows = benchBatches * flowlog.BatchRows
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
	if size > 0 {
		b.ReportMetric(float64(size)/rows, "B/record")
	}
}

func BenchmarkWrite(b *testing.B) {
	for _, codec := range benchCodecs {
		for _, columns := range benchFormats {
			f := format(b, columns.header)
			rows := batches(b, f, benchBatches)
			name := fmt.Sprintf("%s/%s/", codec.codec, columns.name)
			b.Run(name+"weir", func(b *testing.B) {
				var out bytes.Buffer
				for b.Loop() {
					out.Reset()
					w, err := parquet.NewWriter(&out, f, parquet.Options{Codec: codec.codec})
					if err != nil {
						b.Fatal(err)
					}
					for _, batch := range rows {
						if err := w.WriteBatch(batch); err != nil {
							b.Fatal(err)
						}
					}
					if err := w.Close(); err != nil {
						b.Fatal(err)
					}
				}
				report(b, out.Len())
			})
			b.Run(name+"parquet-go", func(b *testing.B) {
				schema, values := parquetGoRows(f, rows)
				var out bytes.Buffer
				for b.Loop() {
					out.Reset()
					w := parquetgo.NewGenericWriter[any](&out, schema, codec.other)
					for at := 0; at < len(values); at += flowlog.BatchRows {
						if _, err := w.WriteRows(values[at : at+flowlog.BatchRows]); err != nil {
							b.Fatal(err)
						}
					}
					if err := w.Close(); err != nil {
						b.Fatal(err)
					}
				}
				report(b, out.Len())
			})
			b.Run(name+"duckdb", func(b *testing.B) {
				db := duckdb(b)
				exec(b, db, "SET threads=1")
				exec(b, db, "CREATE TABLE logs AS FROM '%s'", writeFile(b, f, parquet.Options{}, rows...))
				path := filepath.Join(b.TempDir(), "duckdb.parquet")
				for b.Loop() {
					exec(b, db, "COPY logs TO '%s' (FORMAT parquet, CODEC %s, ROW_GROUP_SIZE 131072)", path, codec.codec)
				}
				info, err := os.Stat(path)
				if err != nil {
					b.Fatal(err)
				}
				report(b, int(info.Size()))
			})
		}
	}
}

func BenchmarkRead(b *testing.B) {
	for _, codec := range benchCodecs {
		for _, columns := range benchFormats {
			f := format(b, columns.header)
			path := writeFile(b, f, parquet.Options{Codec: codec.codec}, batches(b, f, benchBatches)...)
			file, err := os.ReadFile(path)
			if err != nil {
				b.Fatal(err)
			}
			name := fmt.Sprintf("%s/%s/", codec.codec, columns.name)
			b.Run(name+"weir", func(b *testing.B) {
				for b.Loop() {
					r, err := parquet.NewReader(bytes.NewReader(file), int64(len(file)), parquet.ReadOptions{})
					if err != nil {
						b.Fatal(err)
					}
					for {
						if _, err := r.Next(); errors.Is(err, io.EOF) {
							break
						} else if err != nil {
							b.Fatal(err)
						}
					}
				}
				report(b, 0)
			})
			b.Run(name+"parquet-go", func(b *testing.B) {
				rows := make([]parquetgo.Row, 1024)
				for b.Loop() {
					r := parquetgo.NewGenericReader[any](bytes.NewReader(file))
					for {
						if _, err := r.ReadRows(rows); errors.Is(err, io.EOF) {
							break
						} else if err != nil {
							b.Fatal(err)
						}
					}
					r.Close()
				}
				report(b, 0)
			})
			b.Run(name+"duckdb", func(b *testing.B) {
				db := duckdb(b)
				exec(b, db, "SET threads=1")
				for b.Loop() { // into a table in memory
					exec(b, db, "CREATE OR REPLACE TEMP TABLE logs AS FROM '%s'", path)
				}
				report(b, 0)
			})
		}
	}
}

// parquetGoRows is batches as rows of parquet-go, with its dictionaries for
// strings and no encoding for numbers, which is how it is mostly used.
func parquetGoRows(f flowlog.Format, batches []*flowlog.Batch) (*parquetgo.Schema, []parquetgo.Row) {
	group := parquetgo.Group{}
	for i, field := range f.Fields() {
		switch f.ColumnType(i) {
		case flowlog.Int32:
			group[field.Column()] = parquetgo.Optional(parquetgo.Int(32))
		case flowlog.Int64:
			group[field.Column()] = parquetgo.Optional(parquetgo.Int(64))
		default:
			group[field.Column()] = parquetgo.Optional(parquetgo.Encoded(parquetgo.String(), &parquetgo.RLEDictionary))
		}
	}
	schema := parquetgo.NewSchema("schema", group)
	places := map[string]*flowlog.Field{}
	for _, field := range f.Fields() {
		places[field.Column()] = field
	}
	var rows []parquetgo.Row
	for _, b := range batches {
		for i := range b.Rows {
			var row parquetgo.Row
			for j, path := range schema.Columns() {
				field := places[path[0]]
				c := &b.Columns[field.Place()]
				var v parquetgo.Value
				switch {
				case field.Type == flowlog.String:
					v = parquetgo.ByteArrayValue(b.Text[c.Spans[i].Begin:c.Spans[i].End])
				case c.Null[i]:
					row = append(row, v.Level(0, 0, j))
					continue
				case field.Type == flowlog.Int32:
					v = parquetgo.Int32Value(int32(c.Ints[i]))
				default:
					v = parquetgo.Int64Value(c.Ints[i])
				}
				row = append(row, v.Level(0, 1, j))
			}
			rows = append(rows, row)
		}
	}
	return schema, rows
}
