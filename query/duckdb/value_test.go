//go:build cgo && !noduckdb

package duckdb_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/query"
	"weir/query/duckdb"
)

// Every kind of value comes out as one of those that query.Rows promises.
func TestValues(t *testing.T) {
	db := open(t, duckdb.Config{}, generated{}, query.Window{})
	for _, tt := range []struct {
		sql  string
		want any
	}{
		{"null", nil},
		{"true", true},
		{"1::tinyint", int64(1)},
		{"-2::smallint", int64(-2)},
		{"3::integer", int64(3)},
		{"4::bigint", int64(4)},
		{"5::utinyint", int64(5)},
		{"6::usmallint", int64(6)},
		{"7::uinteger", int64(7)},
		{"8::ubigint", int64(8)},
		{"18446744073709551615::ubigint", json.Number("18446744073709551615")},
		{"sum(9::bigint)", int64(9)}, // HUGEINT
		{"170141183460469231731687303715884105727::hugeint", json.Number("170141183460469231731687303715884105727")},
		{"1.25::decimal(4,2)", json.Number("1.25")},
		{"0.5::float", 0.5},
		{"0.25::double", 0.25},
		{"'text'", "text"},
		{"'ab\\x00'::blob", `ab\x00`},
		{"date '2024-02-29'", "2024-02-29"},
		{"time '12:34:56'", "12:34:56"},
		{"timestamp '2024-02-29 12:34:56.789'", "2024-02-29 12:34:56.789"},
		{"to_timestamp(1709210096)", "2024-02-29 12:34:56Z"},
		{"interval '1 month 2 days 3 seconds'", "1 months 2 days 3s"},
		{"'0123abcd-0000-0000-0000-0000000000ff'::uuid", "0123abcd-0000-0000-0000-0000000000ff"},
		{"[1, 2]", []any{int64(1), int64(2)}},
		{"{'a': 1, 'b': [2.5::double]}", map[string]any{"a": int64(1), "b": []any{2.5}}},
		{"map {'k': 1::hugeint}", map[string]any{"k": int64(1)}},
		{"'x'::enum('x', 'y')", "x"},
	} {
		rows, err := db.Query(t.Context(), "select "+tt.sql)
		if err != nil {
			t.Errorf("%s: %v", tt.sql, err)
			continue
		}
		if !rows.Next() {
			t.Errorf("%s: no row: %v", tt.sql, rows.Err())
		} else if diff := cmp.Diff([]any{tt.want}, rows.Values()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.sql, diff)
		}
		if err := rows.Close(); err != nil {
			t.Errorf("%s: close: %v", tt.sql, err)
		}
	}
}
