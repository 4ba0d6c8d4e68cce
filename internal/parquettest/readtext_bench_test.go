//go:build cgo && !noduckdb

package parquettest

import (
	"bytes"
	"compress/gzip"
	"database/sql"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/flowlog"
)

// BenchmarkReadText reads one file of text, every column of it: Weir into
// batches, and into records, DuckDB's CSV reader with one thread. The gzip file
// is that of the standard library.
func BenchmarkReadText(b *testing.B) {
	for _, size := range []struct{ name, header string }{{"14", Header14}, {"29", Header29}} {
		f := format(b, size.header)
		text, rows := fileOf(b, f)
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		if _, err := z.Write(text); err != nil {
			b.Fatal(err)
		}
		if err := z.Close(); err != nil {
			b.Fatal(err)
		}
		for _, file := range []struct {
			name    string
			content []byte
		}{{"plain", text}, {"gzip", packed.Bytes()}} {
			path := filepath.Join(b.TempDir(), "x.log")
			if file.name == "gzip" {
				path += ".gz"
			}
			if err := os.WriteFile(path, file.content, 0o600); err != nil {
				b.Fatal(err)
			}
			b.Run(size.name+"/"+file.name+"/weir-batches", func(b *testing.B) {
				p, buf := flowlog.NewParser(flowlog.Format{}, nil), make([]byte, flowlog.ChunkSize)
				for b.Loop() {
					p.Reset(flowlog.Format{})
					chunks := flowlog.NewChunks(bytes.NewReader(file.content), flowlog.Format{})
					chunk, err := chunks.Next(buf)
					for ; err == nil; chunk, err = chunks.Next(buf) {
						p.Parse(chunk)
						for batch, _ := p.Next(); batch != nil; batch, _ = p.Next() {
						}
					}
					if err != io.EOF || p.Report().Records != int64(rows) { //nolint:errorlint // it is never wrapped
						b.Fatal(err, p.Report().Records)
					}
				}
				report(b, 0)
			})
			b.Run(size.name+"/"+file.name+"/duckdb-csv", func(b *testing.B) {
				db, err := sql.Open("duckdb", "?threads=1")
				if err != nil {
					b.Fatal(err)
				}
				defer db.Close()
				query := everyColumn(f, path)
				for b.Loop() {
					var n int
					if err := db.QueryRow(query).Scan(&n); err != nil || n != rows {
						b.Fatal(n, err)
					}
				}
				report(b, 0)
			})
		}
	}
}

// fileOf is some traffic as text, with a header.
func fileOf(b *testing.B, f flowlog.Format) (text []byte, rows int) {
	text = append([]byte(f.Header()), '\n')
	for _, batch := range batches(b, f, benchBatches) {
		for row := range batch.Rows {
			text = append(batch.AppendText(text, f, row), '\n')
		}
		rows += batch.Rows
	}
	return text, rows
}

// everyColumn is a query for which DuckDB must read all of them; its answer is
// how many rows there are.
func everyColumn(f flowlog.Format, path string) string {
	var columns, counts []string
	for i, field := range f.Fields() {
		typ := [...]string{"VARCHAR", "INTEGER", "BIGINT"}[f.ColumnType(i)]
		columns = append(columns, "'"+field.Column()+"': '"+typ+"'")
		counts = append(counts, `count("`+field.Column()+`")`)
	}
	return "SELECT n FROM (SELECT count(*) n, " + strings.Join(counts, "+") + " c FROM read_csv('" + path +
		"', delim=' ', header=true, quote='', escape='', auto_detect=false, nullstr='-', columns={" + strings.Join(columns, ", ") + "})) WHERE c >= 0"
}
