//go:build cgo && !noduckdb

package duckdb_test

import (
	"errors"
	"strings"
	"testing"

	"weir/query"
	"weir/query/duckdb"
)

func TestErrorsNameTheirPlace(t *testing.T) {
	db := open(t, duckdb.Config{}, generated{}, query.Window{})
	long := strings.Repeat("x", 200)
	for _, tt := range []struct {
		name, sql    string
		line, column int // 0: no place
		word         string
		msg, hint    string
	}{
		{"column", "select srcadr from flow_logs", 1, 8, "srcadr", `"srcadr" not found`, `"srcaddr"`},
		{"keyword", "selct 1", 1, 1, "selct", "syntax error", ""},
		{"third line", "select\n1,\nfoo\nfrom flow_logs", 3, 1, "foo", "foo", ""},
		{"behind tabs", "select 1,\n\t\tsum(foo)\nfrom flow_logs", 2, 7, "foo", "foo", ""},
		{"behind wide letters", "select 'äö日本', foo from flow_logs", 1, 16, "foo", "foo", ""},
		{"in a long line", "select '" + long + "', foo, '" + long + "' from flow_logs", 1, 212, "foo", "foo", ""},
		{"end", "select end from flow_logs", 1, 8, "end", "syntax error", "double quotes"},
		{"end at the end", "select * from flow_logs order by end", 1, 34, "end", "", "double quotes"},
		{"hyphen", "select vpc-id from flow_logs", 1, 8, "vpc", "", "vpc_id"},
		{"table", "select 1 from nowhere", 1, 15, "nowhere", "nowhere", "flow_logs"},
		{"file", "copy flow_logs to 'x.csv'", 0, 0, "", "queries read the view flow_logs only", ""},
		{"no SQL", "-- nothing", 0, 0, "", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ask(t, db, tt.sql)
			if tt.name == "no SQL" {
				if err == nil {
					t.Error("no error")
				}
				return
			}
			e, ok := errors.AsType[*query.Error](err)
			if !ok {
				t.Fatalf("error %v (%T), want a query.Error", err, err)
			}
			if e.Line != tt.line || e.Column != tt.column || e.Width != len(tt.word) {
				t.Errorf("line %d, column %d, width %d; want %d, %d, %d\n%s", e.Line, e.Column, e.Width, tt.line, tt.column, len(tt.word), e.Detail())
			}
			if !strings.Contains(e.Msg, tt.msg) || strings.Contains(e.Msg, "\n") || !strings.Contains(e.Hint(), tt.hint) {
				t.Errorf("message %q, hint %q; want %q, %q", e.Msg, e.Hint(), tt.msg, tt.hint)
			}
		})
	}
}
