//go:build cgo && !noduckdb

package duckdb_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"weir/flowlog"
	"weir/query"
	"weir/query/duckdb"
)

// generated is a source of n records in equal parts, without any file.
type generated struct{ parts, rows int }

func (g generated) Parts() int { return g.parts }

func (g generated) Open(i int, want []bool) (query.Reader, error) {
	b := &flowlog.Batch{Columns: make([]flowlog.Column, len(want))}
	for c := range want {
		if !want[c] || flowlog.Fields()[c].Version > 2 {
			continue
		}
		b.Columns[c].Present = true
		if flowlog.Fields()[c].Type == flowlog.String {
			b.Columns[c].Spans = make([]flowlog.Span, flowlog.BatchRows)
		} else {
			b.Columns[c].Ints, b.Columns[c].Null = make([]int64, flowlog.BatchRows), make([]bool, flowlog.BatchRows)
		}
	}
	return &generator{batch: b, left: g.rows, row: i * g.rows}, nil
}

type generator struct {
	batch     *flowlog.Batch
	left, row int
}

func (g *generator) Next(context.Context) (*flowlog.Batch, error) {
	if g.left == 0 {
		return nil, io.EOF
	}
	b := g.batch
	b.Rows, b.Text = min(g.left, flowlog.BatchRows), b.Text[:0]
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
					b.Text = append(b.Text, address(g.row)...)
				}
				column.Spans[row] = flowlog.Span{Begin: uint32(begin), End: uint32(len(b.Text))}
			default:
				column.Ints[row], column.Null[row] = int64(g.row), g.row%10 == 9
			}
		}
		g.row++
	}
	return b, nil
}

func (g *generator) Close() error { return nil }

// address is short for some rows and longer than DuckDB's 12 bytes for others.
func address(row int) string {
	return "10." + strconv.Itoa(row>>16&255) + "." + strconv.Itoa(row>>8&255) + "." + strconv.Itoa(row&255)
}

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

// ask returns all rows, each as its values by fmt with bars between.
func ask(t testing.TB, db query.Engine, sql string) ([]string, error) {
	t.Helper()
	rows, err := db.Query(t.Context(), sql)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var cells []string
		for _, v := range rows.Values() {
			cells = append(cells, fmt.Sprint(v))
		}
		all = append(all, strings.Join(cells, "|"))
	}
	return all, rows.Err()
}

// TestValuesArriveWhole reads every kind of value back: short and long text,
// both widths of numbers, NULLs, absent columns, more than one batch.
func TestValuesArriveWhole(t *testing.T) {
	const rows = 5000
	db := open(t, duckdb.Config{Threads: 2}, generated{parts: 3, rows: rows}, query.Window{})
	got, err := ask(t, db, `select srcaddr, srcport, bytes, action, vpc_id, tcp_flags from flow_logs order by bytes nulls first, srcaddr`)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, row := range got {
		seen[row] = true
	}
	for row := range 3 * rows {
		number := fmt.Sprint(row)
		if row%10 == 9 {
			number = "<nil>"
		}
		if want := strings.Join([]string{address(row), number, number, "ACCEPT", "<nil>", "<nil>"}, "|"); !seen[want] {
			t.Fatalf("no row %s among %d, such as %s", want, len(got), got[0])
		}
	}
	if len(got) != 3*rows {
		t.Errorf("%d rows, want %d", len(got), 3*rows)
	}
}

// Columns reach DuckDB in the order it asks for, not in the table's.
func TestColumnsInAnyOrder(t *testing.T) {
	db := open(t, duckdb.Config{}, generated{parts: 1, rows: 3}, query.Window{})
	for _, tt := range []struct{ sql, want string }{
		{`select action, bytes, srcaddr, packets, account_id from flow_logs where srcport = 2`, "ACCEPT|2|" + address(2) + "|2|" + address(2)},
		{`select count(*) from flow_logs`, "3"},
		{`select max(a.bytes), count(*) from flow_logs a, flow_logs b`, "2|9"},
		{`select sum(bytes), typeof(any_value(srcport)), typeof(any_value(bytes)), typeof(any_value(srcaddr)) from flow_logs`, "3|INTEGER|BIGINT|VARCHAR"},
	} {
		if got, err := ask(t, db, tt.sql); err != nil || len(got) != 1 || got[0] != tt.want {
			t.Errorf("%s: %v, %v; want %s", tt.sql, got, err, tt.want)
		}
	}
}

func TestWindow(t *testing.T) {
	db := open(t, duckdb.Config{}, generated{parts: 1, rows: 100}, query.Window{From: time.Unix(9, 1), To: time.Unix(20, 0)})
	// "end" is the row's number, NULL for 9, 19, …: 10 to 18.
	if got, err := ask(t, db, `select min("end"), max("end"), count(*) from flow_logs`); err != nil || got[0] != "10|18|9" {
		t.Errorf("%v, %v; want 10|18|9", got, err)
	}
}

func TestLimitClosesWhatWasBegun(t *testing.T) {
	src := &counted{Source: generated{parts: 8, rows: 100_000}}
	db := open(t, duckdb.Config{Threads: 2}, src, query.Window{})
	if got, err := ask(t, db, `select * from flow_logs limit 3`); err != nil || len(got) != 3 {
		t.Fatalf("%d rows, %v", len(got), err)
	}
	if opened, closed := src.opened.Load(), src.closed.Load(); opened == 0 || opened != closed {
		t.Errorf("%d readers opened, %d closed", opened, closed)
	}
}

// counted counts the readers of a source.
type counted struct {
	query.Source
	opened, closed atomic.Int64
}

func (c *counted) Open(i int, want []bool) (query.Reader, error) {
	r, err := c.Source.Open(i, want)
	c.opened.Add(1)
	return &countedReader{r, c}, err
}

type countedReader struct {
	query.Reader
	c *counted
}

func (r *countedReader) Close() error {
	r.c.closed.Add(1)
	return r.Reader.Close()
}

func TestCancelInterrupts(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	src := onOpen{generated{parts: 1000, rows: 1 << 40}, cancel} // the query is at work when it opens a part
	db := open(t, duckdb.Config{}, src, query.Window{})
	_, err := db.Query(ctx, `select count(*), max(srcaddr) from flow_logs`)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
	if got, err := ask(t, db, "select 1"); err != nil || got[0] != "1" {
		t.Errorf("afterwards: %v, %v", got, err)
	}
}

// onOpen is a source that tells when it is read.
type onOpen struct {
	query.Source
	tell func()
}

func (o onOpen) Open(i int, want []bool) (query.Reader, error) {
	o.tell()
	return o.Source.Open(i, want)
}

// What does not fit into memory goes to the directory given, or fails clearly.
func TestMemoryLimit(t *testing.T) {
	const sql = `select count(*) from (select distinct bytes, srcaddr || bytes, dstaddr || packets, interface_id || start from flow_logs)`
	src := generated{parts: 2, rows: 500_000}
	dir := filepath.Join(t.TempDir(), "spill")
	db := open(t, duckdb.Config{MemoryLimit: 96 << 20, Threads: 2, TempDir: dir}, src, query.Window{})
	if got, err := ask(t, db, sql); err != nil || len(got) != 1 {
		t.Errorf("with a directory: %v, %v", got, err)
	}
	db = open(t, duckdb.Config{MemoryLimit: 48 << 20, Threads: 2}, src, query.Window{})
	_, err := ask(t, db, sql)
	if e, ok := errors.AsType[*query.Error](err); !ok || !strings.Contains(e.Hint(), "--from") {
		t.Errorf("without one: error %v, want one with a hint", err)
	}
}

func TestSeveralQueriesAtOnce(t *testing.T) {
	db := open(t, duckdb.Config{Threads: 2}, generated{parts: 4, rows: 10_000}, query.Window{})
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			if got, err := ask(t, db, `select count(*) from flow_logs where action = 'ACCEPT'`); err != nil || got[0] != "40000" {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
	wait.Wait()
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
