//go:build cgo && !noduckdb

package delivertest

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"

	_ "github.com/duckdb/duckdb-go/v2" //nolint:depguard // the witness; this package has no code that is built in
	"github.com/google/go-cmp/cmp"

	"weir/flowlog"
)

// TestDuckDBReadsObjects reads what was delivered with DuckDB's own readers.
func TestDuckDBReadsObjects(t *testing.T) {
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	eachFormat(t, func(t *testing.T, f flowlog.Format, maxObject int64) {
		rs, want := traffic(t, f, 12_000)
		for _, encoding := range []flowlog.Encoding{flowlog.Text, flowlog.Parquet} {
			var got []string
			for _, path := range deliverTo(t, f, encoding, maxObject, rs) {
				got = append(got, ask(t, db, f, encoding, path)...)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: records (-want +got):\n%.3000s", encoding, diff)
			}
		}
	})
}

// ask is the rows of an object as text, as DuckDB reads them.
func ask(t *testing.T, db *sql.DB, f flowlog.Format, encoding flowlog.Encoding, path string) (text []string) {
	t.Helper()
	var names, types []string
	for i, field := range f.Fields() {
		name := `"` + field.Column() + `"`
		names = append(names, "coalesce("+name+"::VARCHAR, '-')")
		kind := map[flowlog.Type]string{flowlog.Int32: "INTEGER", flowlog.Int64: "BIGINT", flowlog.String: "VARCHAR"}[f.ColumnType(i)]
		types = append(types, fmt.Sprintf("'%s': '%s'", field.Column(), kind))
	}
	from := fmt.Sprintf("read_parquet('%s')", path)
	if encoding == flowlog.Text {
		from = fmt.Sprintf("read_csv('%s', delim=' ', header=true, quote='', escape='', auto_detect=false, nullstr='-', columns={%s})", path, strings.Join(types, ", "))
	}
	rows, err := db.QueryContext(t.Context(), fmt.Sprintf("SELECT concat_ws(' ', %s) FROM %s", strings.Join(names, ", "), from))
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var row string
		if err := rows.Scan(&row); err != nil {
			t.Fatal(err)
		}
		text = append(text, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return text
}
