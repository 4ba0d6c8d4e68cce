//go:build cgo && !noduckdb

package duckdb_test

import (
	"context"
	"fmt"
	"io"
	"testing"

	"weir/flowlog"
	"weir/query"
	"weir/query/duckdb"
)

// generated is a source of n records in equal parts, without any file.
type generated struct{ parts, rows int }

func (g generated) Parts() int { return g.parts }

func (g generated) Open(i int, want []bool) (query.Reader, error) {
	b := &query.Batch{Columns: make([]query.Column, len(want))}
	for c := range want {
		if !want[c] || flowlog.Fields()[c].Version > 2 {
			continue
		}
		b.Columns[c].Present = true
		if flowlog.Fields()[c].Type == flowlog.String {
			b.Columns[c].Spans = make([]query.Span, query.BatchRows)
		} else {
			b.Columns[c].Ints, b.Columns[c].Null = make([]int64, query.BatchRows), make([]bool, query.BatchRows)
		}
	}
	return &generator{batch: b, left: g.rows, row: i * g.rows}, nil
}

type generator struct {
	batch     *query.Batch
	left, row int
}

func (g *generator) Next(context.Context) (*query.Batch, error) {
	if g.left == 0 {
		return nil, io.EOF
	}
	b := g.batch
	b.Rows, b.Text = min(g.left, query.BatchRows), b.Text[:0]
	g.left -= b.Rows
	for row := range b.Rows {
		for c := range b.Columns {
			switch column := &b.Columns[c]; {
			case !column.Present:
			case column.Spans != nil:
				begin := len(b.Text)
				if flowlog.Fields()[c].Name == "action" {
					b.Text = append(b.Text, "ACCEPT"...)
				} else {
					b.Text = fmt.Appendf(b.Text, "10.0.%d.%d", g.row>>8&255, g.row&255)
				}
				column.Spans[row] = query.Span{Begin: uint32(begin), End: uint32(len(b.Text))}
			default:
				column.Ints[row], column.Null[row] = int64(g.row), g.row%10 == 9
			}
		}
		g.row++
	}
	return b, nil
}

func (g *generator) Close() error { return nil }

func open(t testing.TB, cfg duckdb.Config, src query.Source, w query.Window) query.Engine {
	t.Helper()
	db, err := duckdb.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := db.FlowLogs(t.Context(), src, w); err != nil {
		t.Fatal(err)
	}
	return db
}

// ask returns all rows, each as its values by fmt.
func ask(t testing.TB, db query.Engine, sql string) ([]string, error) {
	t.Helper()
	rows, err := db.Query(t.Context(), sql)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		all = append(all, fmt.Sprint(rows.Values()...))
	}
	return all, rows.Err()
}

func BenchmarkQuery(b *testing.B) {
	src := generated{parts: 8, rows: 50_000}
	for _, tt := range []struct{ name, sql string }{
		{"count", "select count(*) from flow_logs"},
		{"three columns", "select srcaddr, sum(bytes) b from flow_logs where action='ACCEPT' group by 1 order by b desc limit 10"},
		{"every column", "create or replace temp table t as select * from flow_logs"},
	} {
		b.Run(tt.name, func(b *testing.B) {
			db := open(b, duckdb.Config{}, src, query.Window{})
			for b.Loop() {
				if _, err := ask(b, db, tt.sql); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(src.parts*src.rows)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
		})
	}
}
