//go:build cgo && !noduckdb

package derive

import (
	"compress/gzip"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	// Weir's own engine reads no files, which is what a definition is for.
	_ "github.com/duckdb/duckdb-go/v2" //nolint:depguard // a test; the binary has it from query/duckdb alone
	"github.com/google/go-cmp/cmp"

	"weir/flowlog"
	"weir/flowlog/ddl"
	"weir/query"
	"weir/query/duckdb"
)

// lines are of the default format: two flows, one of them with a quotation mark
// for an account, and an interval without traffic.
const lines = `2 123456789012 eni-1 10.0.0.1 10.0.0.2 40000 443 6 10 5000 1709208010 1709208059 ACCEPT OK
2 un"known eni-1 10.0.0.9 10.0.0.2 40001 22 6 1 40 1709208011 1709208070 REJECT OK
2 123456789012 eni-2 - - - - - - - 1709208000 1709208060 - NODATA
`

func object(layout flowlog.KeyLayout, encoding flowlog.Encoding) flowlog.ObjectKey {
	return flowlog.ObjectKey{
		AccountID: "123456789012", Region: "us-east-1", FlowLogID: "fl-1", Hash: 1,
		Slot: time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC), Layout: layout, Encoding: encoding,
	}
}

func write(t *testing.T, dir string, key flowlog.ObjectKey, header, lines string) string {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(key.String()))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(f)
	_, err = z.Write([]byte(header + "\n" + lines))
	if err := errors.Join(err, z.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t *testing.T) *sql.DB {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// define makes the view of a table.
func define(t *testing.T, db *sql.DB, table ddl.Table) {
	t.Helper()
	text, err := ddl.DuckDB(table)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), text); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
}

// ask gives the answer as text: rows by line, values by blank.
func ask(t *testing.T, db *sql.DB, query string) string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	values, targets := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		targets[i] = &values[i]
	}
	var answer strings.Builder
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			t.Fatal(err)
		}
		for i, v := range values {
			if i > 0 {
				answer.WriteByte(' ')
			}
			if v == nil {
				v = "NULL"
			}
			fmt.Fprint(&answer, v)
		}
		answer.WriteByte('\n')
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return answer.String()
}

// Every column of text and Parquet, in each layout, reads as Weir reads it.
func TestDuckDBDefinition(t *testing.T) {
	for layout := range flowlog.NoLayout {
		for _, encoding := range []flowlog.Encoding{flowlog.Text, flowlog.Parquet} {
			t.Run(layout.String()+", "+encoding.String(), func(t *testing.T) {
				db := open(t)
				dir := t.TempDir()
				table := ddl.Table{
					Format: flowlog.DefaultFormat(), Encoding: encoding, Location: dir,
					AccountID: "123456789012", Regions: []string{"us-east-1"}, Layout: layout,
				}
				source := write(t, dir, object(layout, flowlog.Text), flowlog.DefaultFormat().Header(), lines)
				if encoding == flowlog.Parquet {
					copyToParquet(t, db, table, source, filepath.Join(dir, filepath.FromSlash(object(layout, encoding).String())))
				}
				define(t, db, table)
				columns := strings.Join(columnNames(flowlog.DefaultFormat()), `", "`)
				got := ask(t, db, `SELECT "`+columns+`" FROM vpc_flow_logs ORDER BY start DESC`)
				want := `2 un"known eni-1 10.0.0.9 10.0.0.2 40001 22 6 1 40 1709208011 1709208070 REJECT OK
2 123456789012 eni-1 10.0.0.1 10.0.0.2 40000 443 6 10 5000 1709208010 1709208059 ACCEPT OK
2 123456789012 eni-2 - - NULL NULL NULL NULL NULL 1709208000 1709208060 - NODATA
`
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("rows (-want +got):\n%s", diff)
				}
				if layout == flowlog.HiveHourly {
					got := ask(t, db, `SELECT count(*) FROM vpc_flow_logs WHERE "aws-region"='us-east-1' AND year='2024' AND month='02' AND day='29' AND hour='12'`)
					if got != "3\n" {
						t.Errorf("by the partitions: %s rows, want 3", got)
					}
				}
				theArticlesQueries(t, db)
			})
		}
	}
}

// copyToParquet lets DuckDB write what AWS would.
func copyToParquet(t *testing.T, db *sql.DB, table ddl.Table, source, to string) {
	t.Helper()
	table.Encoding, table.Location, table.Name = flowlog.Text, source, "source"
	define(t, db, table)
	if _, err := db.ExecContext(t.Context(), "COPY (SELECT * FROM source) TO '"+to+"' (FORMAT parquet, COMPRESSION gzip)"); err != nil {
		t.Fatal(err)
	}
}

// theArticlesQueries are those that AWS documents for Athena (Athena User
// Guide, "Query Amazon VPC flow logs"), in DuckDB's words for time.
func theArticlesQueries(t *testing.T, db *sql.DB) {
	t.Helper()
	for _, tt := range []struct{ query, want string }{
		{`SELECT count(*) FROM (SELECT * FROM vpc_flow_logs WHERE to_timestamp(start)::DATE = DATE '2024-02-29' LIMIT 100)`, "3\n"},
		{
			`SELECT dayofweek(to_timestamp(start)) AS day, interface_id, srcaddr, action, protocol FROM vpc_flow_logs WHERE action = 'REJECT' AND protocol = 6 LIMIT 100`,
			"4 eni-1 10.0.0.9 REJECT 6\n",
		},
		{
			`SELECT sum(packets) AS packetcount, dstaddr FROM vpc_flow_logs WHERE dstport = 443 AND to_timestamp(start) > TIMESTAMP '2024-02-22' GROUP BY dstaddr ORDER BY packetcount DESC LIMIT 10`,
			"10 10.0.0.2\n",
		},
		{`SELECT count(*) FROM vpc_flow_logs WHERE srcaddr = '10.0.0.1' AND start BETWEEN 1709164800 AND 1709251199`, "1\n"},
		{`SELECT count(*) FROM vpc_flow_logs WHERE split_part(srcaddr, '.', 1) = '10'`, "2\n"},
		{
			`SELECT strftime(to_timestamp(start) AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%SZ'), strftime(to_timestamp("end") AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%SZ') FROM vpc_flow_logs WHERE log_status = 'NODATA'`,
			"2024-02-29T12:00:00Z 2024-02-29T12:01:00Z\n",
		},
	} {
		if got := ask(t, db, tt.query); got != tt.want {
			t.Errorf("%s:\n%swant:\n%s", tt.query, got, tt.want)
		}
	}
}

// A single object needs no folders, and any format is read.
func TestDuckDBDefinitionOfEveryFormat(t *testing.T) {
	for name, format := range formats(t) {
		t.Run(name, func(t *testing.T) {
			db := open(t)
			var line []string
			for i := range format.Fields() {
				line = append(line, map[flowlog.Type]string{flowlog.String: "x", flowlog.Int32: "255", flowlog.Int64: "9223372036854775807"}[format.ColumnType(i)])
			}
			dash := strings.TrimSpace(strings.Repeat("- ", len(line)))
			path := write(t, t.TempDir(), object(flowlog.NoLayout, flowlog.Text), format.Header(), strings.Join(line, " ")+"\n"+dash+"\n")
			define(t, db, ddl.Table{Format: format, Location: path})
			var want []string
			for i, f := range format.Fields() {
				want = append(want, f.Column()+" "+map[flowlog.Type]string{flowlog.String: "VARCHAR", flowlog.Int32: "INTEGER", flowlog.Int64: "BIGINT"}[format.ColumnType(i)])
			}
			got := strings.Split(strings.TrimSpace(ask(t, db, "SELECT column_name, column_type FROM (DESCRIBE vpc_flow_logs)")), "\n")
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("columns (-want +got):\n%s", diff)
			}
			if got, want := strings.Count(ask(t, db, "SELECT * FROM vpc_flow_logs"), "-"), stringsOf(format); got != want {
				t.Errorf("%d of the strings are \"-\", want %d", got, want)
			}
		})
	}
}

// stringsOf is how many columns of strings a format has.
func stringsOf(f flowlog.Format) (n int) {
	for i := range f.Fields() {
		if f.ColumnType(i) == flowlog.String {
			n++
		}
	}
	return n
}

// nothing is a source without records.
type nothing struct{}

func (nothing) Parts() int { return 0 }

func (nothing) Open(int, []bool) (query.Reader, error) { return nil, errors.New("nothing to open") }

// The view of Weir's own engine has every field, in the order of the table.
func TestQueryView(t *testing.T) {
	engine, err := duckdb.Open(t.Context(), duckdb.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	if err := engine.FlowLogs(t.Context(), nothing{}, query.Window{}); err != nil {
		t.Fatal(err)
	}
	rows, err := engine.Query(t.Context(), "SELECT column_name, column_type FROM (DESCRIBE "+query.View+")")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var got, want []string
	for rows.Next() {
		got = append(got, fmt.Sprint(rows.Values()...))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	for _, f := range flowlog.Fields() {
		want = append(want, fmt.Sprint(f.Column(), map[flowlog.Type]string{flowlog.String: "VARCHAR", flowlog.Int32: "INTEGER", flowlog.Int64: "BIGINT"}[f.Type]))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("view %s (-want +got):\n%s", query.View, diff)
	}
}
