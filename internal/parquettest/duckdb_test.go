//go:build cgo && !noduckdb

package parquettest

import (
	"bytes"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/duckdb/duckdb-go/v2" //nolint:depguard // the witness; this package has no code that is built in
	"github.com/google/go-cmp/cmp"

	"weir/flowlog"
	"weir/flowlog/parquet"
)

var update = flag.Bool("update", false, "write the DuckDB files that flowlog/parquet's fuzz test begins with")

func duckdb(t testing.TB) *sql.DB {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1)
	return db
}

func exec(t testing.TB, db *sql.DB, format string, args ...any) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), fmt.Sprintf(format, args...)); err != nil {
		t.Fatalf("%s: %v", fmt.Sprintf(format, args...), err)
	}
}

// query is the result as one line for each row, NULL as "-".
func query(t testing.TB, db *sql.DB, format string, args ...any) []string {
	t.Helper()
	q := fmt.Sprintf(format, args...)
	rows, err := db.QueryContext(t.Context(), q)
	if err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	cells, into := make([]any, len(names)), make([]any, len(names))
	for i := range cells {
		into[i] = &cells[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
		var line []string
		for _, c := range cells {
			if c == nil {
				c = "-"
			}
			line = append(line, fmt.Sprint(c))
		}
		out = append(out, strings.Join(line, " "))
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	return out
}

func format(t testing.TB, header string) flowlog.Format {
	t.Helper()
	f, err := flowlog.FormatFromHeader(header)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func batches(t testing.TB, f flowlog.Format, n int) []*flowlog.Batch {
	t.Helper()
	b, err := NewTraffic().Batches(f, n)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func textOf(f flowlog.Format, batches ...*flowlog.Batch) []string {
	var lines []string
	for _, b := range batches {
		for row := range b.Rows {
			lines = append(lines, string(b.AppendText(nil, f, row)))
		}
	}
	return lines
}

// writeFile writes a file of ours and returns its path.
func writeFile(t testing.TB, f flowlog.Format, o parquet.Options, batches ...*flowlog.Batch) string {
	t.Helper()
	var out bytes.Buffer
	w, err := parquet.NewWriter(&out, f, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range batches {
		if err := w.WriteBatch(b); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "ours.parquet")
	if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// readFile reads a file with our reader.
func readFile(t testing.TB, path string) (lines []string, r *parquet.Reader) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r, err = parquet.NewReader(bytes.NewReader(b), int64(len(b)), parquet.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for {
		batch, err := r.Next()
		if errors.Is(err, io.EOF) {
			return lines, r
		}
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, textOf(r.Format(), batch)...)
	}
}

func TestDuckDBReadsOurs(t *testing.T) {
	db := duckdb(t)
	f := format(t, Header29)
	rows := batches(t, f, 10)
	want := textOf(f, rows...)
	for _, o := range []parquet.Options{
		{},
		{Codec: parquet.Zstd, Bloom: true, RowGroupRows: 5000},
		{Codec: parquet.Snappy, Bloom: true},
		{Codec: parquet.Uncompressed, RowGroupRows: 4096},
	} {
		path := writeFile(t, f, o, rows...)
		if diff := cmp.Diff(want, query(t, db, "FROM '%s'", path)); diff != "" {
			t.Errorf("%+v: %.2000s", o, diff)
		}
		o.Sort = true
		path = writeFile(t, f, o, rows...)
		sorted := query(t, db, "FROM '%s' ORDER BY ALL", path)
		plain := query(t, db, "FROM '%s' ORDER BY ALL", writeFile(t, f, parquet.Options{}, rows...))
		if diff := cmp.Diff(plain, sorted); diff != "" {
			t.Errorf("%+v: %.2000s", o, diff)
		}
	}
}

// Columns of ever new values have no dictionary, and Bloom filters all the same.
func TestDuckDBReadsOursWithoutDictionary(t *testing.T) {
	db := duckdb(t)
	f := format(t, Header29)
	rows := Scan(f, 12)
	path := writeFile(t, f, parquet.Options{Bloom: true}, rows...)
	if diff := cmp.Diff(textOf(f, rows...), query(t, db, "FROM '%s'", path)); diff != "" {
		t.Errorf("%.2000s", diff)
	}
	got := query(t, db, `SELECT path_in_schema, encodings, dictionary_page_offset IS NULL, bloom_filter_length > 30000 FROM parquet_metadata('%s')
		WHERE path_in_schema IN ('srcaddr', 'srcport', 'bytes', 'start', 'end')`, path)
	want := []string{
		"srcaddr RLE, PLAIN true true", "srcport RLE, DELTA_BINARY_PACKED true -",
		"bytes RLE, DELTA_BINARY_PACKED true -", "start RLE, DELTA_BINARY_PACKED true -", "end RLE, RLE_DICTIONARY, PLAIN false -",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, addr := range query(t, db, "SELECT dstaddr FROM '%s' LIMIT 20 OFFSET 20000", path) {
		if out := query(t, db, "SELECT bloom_filter_excludes FROM parquet_bloom_probe('%s', 'dstaddr', '%s')", path, addr); out[0] != "false" {
			t.Errorf("the filter excludes %s: %s", addr, out)
		}
	}
}

// What a query engine sees of a file in the default format, and in a transit
// gateway's.
func TestDuckDBDescribesOurs(t *testing.T) {
	db := duckdb(t)
	path := writeFile(t, flowlog.DefaultFormat(), parquet.Options{}, batches(t, flowlog.DefaultFormat(), 1)...)
	got := query(t, db, "SELECT column_name, column_type FROM (DESCRIBE FROM '%s')", path)
	want := []string{
		"version INTEGER", "account_id VARCHAR", "interface_id VARCHAR", "srcaddr VARCHAR", "dstaddr VARCHAR", "srcport INTEGER", "dstport INTEGER",
		"protocol INTEGER", "packets BIGINT", "bytes BIGINT", "start BIGINT", "end BIGINT", "action VARCHAR", "log_status VARCHAR",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	got = query(t, db, "SELECT name, type, repetition_type, converted_type FROM parquet_schema('%s') LIMIT 9 OFFSET 1", path)
	want = []string{
		"version INT32 OPTIONAL INT_32",
		"account_id BYTE_ARRAY OPTIONAL UTF8",
		"interface_id BYTE_ARRAY OPTIONAL UTF8",
		"srcaddr BYTE_ARRAY OPTIONAL UTF8",
		"dstaddr BYTE_ARRAY OPTIONAL UTF8",
		"srcport INT32 OPTIONAL INT_32",
		"dstport INT32 OPTIONAL INT_32",
		"protocol INT32 OPTIONAL INT_32",
		"packets INT64 OPTIONAL INT_64",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	got = query(t, db, "SELECT created_by, num_rows, num_row_groups, format_version FROM parquet_file_metadata('%s')", path)
	if diff := cmp.Diff([]string{"weir version 1.0.0 (build flowlog/parquet) 2048 1 1"}, got); diff != "" {
		t.Error(diff)
	}

	gateway := format(t, "version resource-type account-id tgw-id srcaddr dstaddr protocol bytes packets-lost-no-route")
	path = writeFile(t, gateway, parquet.Options{}, flowlog.NewBatch(gateway))
	got = query(t, db, "SELECT column_name, column_type FROM (DESCRIBE FROM '%s')", path)
	want = []string{
		"version INTEGER", "resource_type VARCHAR", "account_id VARCHAR", "tgw_id VARCHAR", "srcaddr VARCHAR", "dstaddr VARCHAR",
		"protocol BIGINT", "bytes BIGINT", "packets_lost_no_route BIGINT",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Statistics and Bloom filters are right, or whole row groups would be missing
// from answers.
func TestDuckDBUsesOurIndexes(t *testing.T) {
	db := duckdb(t)
	f := format(t, Header29)
	path := writeFile(t, f, parquet.Options{Bloom: true, Sort: true, RowGroupRows: 4096}, batches(t, f, 8)...)
	for _, column := range [...]string{"srcaddr", "interface_id", "bytes", "start", "srcport", "tcp_flags", "sublocation_id", "traffic_path"} {
		// Of each row group: the bounds and NULLs that the footer has, and those of the rows.
		stats := query(t, db, `SELECT row_group_id, stats_min_value, stats_max_value, stats_null_count FROM parquet_metadata('%s')
			WHERE path_in_schema = '%s' ORDER BY row_group_id`, path, column)
		real := query(t, db, `SELECT file_row_number // 4096 AS g, min(%[2]s), max(%[2]s), count(*) - count(%[2]s)
			FROM read_parquet('%[1]s', file_row_number=true) GROUP BY g ORDER BY g`, path, column)
		if diff := cmp.Diff(real, stats); diff != "" {
			t.Errorf("%s: %s", column, diff)
		}
	}
	for _, column := range [...]string{"srcaddr", "dstaddr", "pkt_srcaddr", "pkt_dstaddr"} {
		for _, addr := range query(t, db, "SELECT DISTINCT %s FROM '%s' LIMIT 50", column, path) {
			has := query(t, db, "SELECT count(DISTINCT file_row_number // 4096) FROM read_parquet('%s', file_row_number=true) WHERE %s = '%s'", path, column, addr)
			kept := query(t, db, "SELECT count(*) FROM parquet_bloom_probe('%s', '%s', '%s') WHERE NOT bloom_filter_excludes", path, column, addr)
			if has[0] > kept[0] {
				t.Errorf("%s %s: in %s row groups, the filters leave %s", column, addr, has, kept)
			}
		}
		out := query(t, db, "SELECT count(*) FROM parquet_bloom_probe('%s', '%s', '203.0.113.77') WHERE bloom_filter_excludes", path, column)
		if out[0] != "4" {
			t.Errorf("%s: %s of 4 row groups are known not to have an address that none has", column, out)
		}
	}
	one := query(t, db, "SELECT interface_id FROM '%s' LIMIT 1 OFFSET 3000", path)[0]
	filtered := query(t, db, "SELECT count(*), sum(bytes) FROM '%s' WHERE interface_id = '%s'", path, one)
	all := query(t, db, "SELECT count(*) FILTER (interface_id = '%[2]s'), sum(bytes) FILTER (interface_id = '%[2]s') FROM '%[1]s'", path, one)
	if diff := cmp.Diff(all, filtered); diff != "" {
		t.Error(diff)
	}
}

// Each row group is in order, and the footer says so.
func TestDuckDBSeesOursSorted(t *testing.T) {
	db := duckdb(t)
	f := format(t, Header29)
	path := writeFile(t, f, parquet.Options{Sort: true, RowGroupRows: 6000}, batches(t, f, 5)...)
	got := query(t, db, `WITH r AS (SELECT file_row_number // 4096 AS g, file_row_number AS n, interface_id || ' ' || start AS k FROM read_parquet('%s', file_row_number=true))
		SELECT count(*) FROM (SELECT k < lag(k) OVER (PARTITION BY g ORDER BY n) AS wrong FROM r) WHERE wrong`, path)
	if got[0] != "0" {
		t.Errorf("%s rows are out of order", got)
	}
}

// What DuckDB and others with it may do to a table of flow logs.
func TestWeReadDuckDBs(t *testing.T) {
	db := duckdb(t)
	f := format(t, Header29)
	rows := batches(t, f, 6)
	exec(t, db, "CREATE TABLE logs AS FROM '%s'", writeFile(t, f, parquet.Options{}, rows...))
	want := textOf(f, rows...)
	for _, options := range [...]string{
		"", "CODEC snappy", "CODEC zstd", "CODEC gzip", "CODEC uncompressed",
		"PARQUET_VERSION V2", "PARQUET_VERSION V2, CODEC zstd, ROW_GROUP_SIZE 2500",
		"DICTIONARY_SIZE_LIMIT 10", "PARQUET_VERSION V2, DICTIONARY_SIZE_LIMIT 1", "ROW_GROUP_SIZE 2048",
	} {
		path := filepath.Join(t.TempDir(), "duckdb.parquet")
		if options != "" {
			options = ", " + options
		}
		exec(t, db, "COPY logs TO '%s' (FORMAT parquet%s)", path, options)
		got, r := readFile(t, path)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %.2000s", options, diff)
		}
		if r.Rows() != int64(len(want)) || r.Malformed() != 0 || !r.Format().Equal(f) {
			t.Errorf("%s: %d rows, %d malformed, format %s", options, r.Rows(), r.Malformed(), r.Format().Header())
		}
	}
}

func TestWeReadDuckDBsTypes(t *testing.T) {
	db := duckdb(t)
	f := flowlog.DefaultFormat()
	rows := batches(t, f, 2)
	want := textOf(f, rows...)
	ours := writeFile(t, f, parquet.Options{}, rows...)
	const version2 = ", PARQUET_VERSION V2"
	for _, tt := range []struct{ name, query string }{
		{"wide numbers", "SELECT * REPLACE (version::BIGINT AS version, srcport::BIGINT AS srcport, dstport::BIGINT AS dstport, protocol::BIGINT AS protocol) FROM '%s'"},
		{"narrow numbers", "SELECT * REPLACE (version::UTINYINT AS version, srcport::USMALLINT AS srcport, packets::INTEGER AS packets, start::UINTEGER AS start, bytes::UBIGINT AS bytes) FROM '%s'"},
		{"numbers as text", "SELECT * REPLACE (version::VARCHAR AS version, srcport::VARCHAR AS srcport, coalesce(bytes::VARCHAR, '-') AS bytes, coalesce(packets::VARCHAR, '') AS packets) FROM '%s'"},
		{"no value is NULL", "SELECT * REPLACE (nullif(srcaddr, '-') AS srcaddr, nullif(dstaddr, '-') AS dstaddr, nullif(action, '-') AS action) FROM '%s'"},
		{"no value is empty", "SELECT * REPLACE (CASE srcaddr WHEN '-' THEN '' ELSE srcaddr END AS srcaddr) FROM '%s'"},
		{"columns of others", "SELECT 1.5 AS cost, [1, 2] AS list, {'a': {'b': 1, 'c': ['x']}} AS deep, *, 'x' AS aws_region FROM '%s'"},
	} {
		for _, options := range [...]string{"", version2} {
			path := filepath.Join(t.TempDir(), "duckdb.parquet")
			exec(t, db, "COPY (%s) TO '%s' (FORMAT parquet%s)", fmt.Sprintf(tt.query, ours), path, options)
			got, r := readFile(t, path)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s%s: %.2000s", tt.name, options, diff)
			}
			if tt.name == "columns of others" {
				if diff := cmp.Diff([]string{"cost", "list", "deep", "aws_region"}, r.Unknown()); diff != "" {
					t.Error(diff)
				}
			}
		}
	}
}

// The names of a text file's header stay in a table made from it.
func TestWeReadHyphens(t *testing.T) {
	db := duckdb(t)
	path := filepath.Join(t.TempDir(), "duckdb.parquet")
	exec(t, db, `COPY (SELECT 2 AS version, 'eni-1' AS "interface-id", 'OK' AS "log-status") TO '%s' (FORMAT parquet)`, path)
	got, _ := readFile(t, path)
	if diff := cmp.Diff([]string{"2 eni-1 OK"}, got); diff != "" {
		t.Error(diff)
	}
}

// TestSeeds writes the files of DuckDB that flowlog/parquet's fuzz test begins
// with: go test ./internal/parquettest -run TestSeeds -update.
func TestSeeds(t *testing.T) {
	if !*update {
		t.Skip("nothing to do without -update")
	}
	db := duckdb(t)
	f := format(t, Header29)
	ours := writeFile(t, f, parquet.Options{}, batches(t, f, 1)...)
	for name, options := range map[string]string{
		"snappy": "CODEC snappy", "zstd": "CODEC zstd", "gzip": "CODEC gzip", "v2": "PARQUET_VERSION V2, CODEC uncompressed",
		"v2-plain": "PARQUET_VERSION V2, DICTIONARY_SIZE_LIMIT 1, CODEC zstd",
	} {
		exec(t, db, "COPY (SELECT version, srcaddr, dstport, bytes, log_status, traffic_path, coalesce(bytes::VARCHAR, '-') AS packets FROM '%s' LIMIT 60) TO '../../flowlog/parquet/testdata/duckdb-%s.parquet' (FORMAT parquet, %s)",
			ours, name, options)
	}
}
