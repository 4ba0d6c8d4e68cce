package derive

import (
	"bytes"
	"flag"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	parquetgo "github.com/parquet-go/parquet-go"

	"weir/flowlog"
	"weir/flowlog/ddl"
	"weir/flowlog/parquet"
)

var update = flag.Bool("update", false, "write docs/fields.md")

// derivation is something that is made from a format and must have its fields
// as columns: all of them, no others, in order, each with its type.
type derivation struct {
	name string
	// columns gives "name type", or names only where types is nil.
	columns func(*testing.T, flowlog.Format) []string
	// types are the words for the types of the table.
	types map[flowlog.Type]string
	// wideProtocol: Athena's definition of text has a bigint, as AWS's own.
	wideProtocol bool
}

// derivations is the one list: what is made from formats somewhere else gets a
// row here.
var derivations = func() []derivation {
	var list []derivation
	for _, e := range ddl.Engines() {
		list = append(list, derivation{
			name: "weir ddl " + e.Name, types: engineTypes[e.Name], wideProtocol: e.Name == "athena",
			columns: func(t *testing.T, f flowlog.Format) []string { return definedColumns(t, e, f) },
		})
	}
	return append(list,
		derivation{name: "header", columns: func(_ *testing.T, f flowlog.Format) []string {
			return strings.Fields(strings.ReplaceAll(f.Header(), "-", "_"))
		}},
		derivation{name: "format string", columns: func(t *testing.T, f flowlog.Format) []string {
			again, err := flowlog.ParseFormat(f.String())
			if err != nil {
				t.Fatal(err)
			}
			return columnNames(again)
		}},
		derivation{name: "Parquet schema", types: parquetTypes, columns: parquetColumns},
	)
}()

var engineTypes = map[string]map[flowlog.Type]string{
	"athena":         {flowlog.String: "string", flowlog.Int32: "int", flowlog.Int64: "bigint"},
	"athena-parquet": {flowlog.String: "string", flowlog.Int32: "int", flowlog.Int64: "bigint"},
	"trino":          {flowlog.String: "varchar", flowlog.Int32: "integer", flowlog.Int64: "bigint"},
	"duckdb":         {flowlog.String: "VARCHAR", flowlog.Int32: "INTEGER", flowlog.Int64: "BIGINT"},
	"clickhouse":     {flowlog.String: "String", flowlog.Int32: "Int32", flowlog.Int64: "Int64"},
}

var parquetTypes = map[flowlog.Type]string{
	flowlog.String: "BYTE_ARRAY", flowlog.Int32: "INT32", flowlog.Int64: "INT64",
}

// parquetColumns is what another reader finds in a file of ours.
func parquetColumns(t *testing.T, f flowlog.Format) []string {
	t.Helper()
	var out bytes.Buffer
	w, err := parquet.NewWriter(&out, f, parquet.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := parquetgo.OpenFile(bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil {
		t.Fatal(err)
	}
	var columns []string
	for _, c := range file.Root().Columns() {
		columns = append(columns, c.Name()+" "+c.Type().Kind().String())
	}
	return columns
}

// formats are such that every field of the table is in one of them.
func formats(t *testing.T) map[string]flowlog.Format {
	t.Helper()
	all := func(family flowlog.Family) flowlog.Format {
		var names []string
		for _, f := range flowlog.Fields() {
			if f.Family&family != 0 {
				names = append(names, f.Name)
			}
		}
		f, err := flowlog.FormatOf(names...)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	return map[string]flowlog.Format{
		"default": flowlog.DefaultFormat(), "default of transit gateways": flowlog.GatewayFormat(),
		"every field of VPCs": all(flowlog.VPC), "every field of transit gateways": all(flowlog.TransitGateway),
	}
}

func columnNames(f flowlog.Format) []string {
	var names []string
	for _, field := range f.Fields() {
		names = append(names, field.Column())
	}
	return names
}

func TestEveryDerivationHasTheFields(t *testing.T) {
	for name, format := range formats(t) {
		for _, d := range derivations {
			t.Run(d.name+", "+name, func(t *testing.T) {
				var want []string
				for i, f := range format.Fields() {
					column := f.Column()
					if d.types != nil {
						kind := format.ColumnType(i)
						if d.wideProtocol && f.Name == "protocol" {
							kind = flowlog.Int64
						}
						column += " " + d.types[kind]
					}
					want = append(want, column)
				}
				if diff := cmp.Diff(want, d.columns(t, format)); diff != "" {
					t.Errorf("columns (-want +got):\n%s", diff)
				}
			})
		}
	}
}

func TestEveryFieldIsInAFormat(t *testing.T) {
	for _, f := range flowlog.Fields() {
		found := false
		for _, format := range formats(t) {
			found = found || format.Has(f.Name)
		}
		if !found {
			t.Errorf("%s is in no format of this test", f.Name)
		}
	}
}

var (
	// columnLine is a column in the list of a definition: name, type.
	columnLine = regexp.MustCompile("^ +[\"`']([a-z_0-9]+)[\"`']:? '?([A-Za-z0-9()]+)'?,?$")
	// castLine and nameLine are what DuckDB's list has instead.
	castLine = regexp.MustCompile(`^ +CAST\(nullif\(("[a-z_0-9]+"), '-'\) AS ([A-Z]+)\) AS "[a-z_0-9]+",?$`)
	nameLine = regexp.MustCompile(`^ +("[a-z_0-9]+"),?$`)
	wrapper  = regexp.MustCompile(`^(?:Nullable|LowCardinality)\((.*)\)$`)
)

// definedColumns reads the columns of a definition's first list back. The
// location is that of plain folders, whose partitions follow in another list or
// have options behind their type.
func definedColumns(t *testing.T, e *ddl.Engine, f flowlog.Format) []string {
	t.Helper()
	text, err := e.Define(ddl.Table{
		Format: f, Location: "s3://bucket/", AccountID: "123456789012", Regions: []string{"us-east-1"},
	})
	if err != nil {
		t.Fatal(err)
	}
	var columns []string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		line = castLine.ReplaceAllString(line, "  $1 $2")
		line = nameLine.ReplaceAllString(line, "  $1 VARCHAR")
		m := columnLine.FindStringSubmatch(line)
		if m == nil && columns != nil {
			break
		}
		if m == nil {
			continue
		}
		kind := m[2]
		if inner := wrapper.FindStringSubmatch(kind); inner != nil {
			kind = inner[1]
		}
		columns = append(columns, m[1]+" "+kind)
	}
	return columns
}

// An engine that nobody told this test about would not be compared.
func TestEveryEngineHasTypes(t *testing.T) {
	for _, e := range ddl.Engines() {
		if engineTypes[e.Name] == nil {
			t.Errorf("engine %s is not in engineTypes", e.Name)
		}
	}
	if len(engineTypes) != len(ddl.Engines()) {
		t.Errorf("engineTypes has %d engines, want %d", len(engineTypes), len(ddl.Engines()))
	}
}

// The page names each field once in its tables.
func TestPageHasEveryField(t *testing.T) {
	row := regexp.MustCompile("(?m)^\\| `([a-z0-9-]+)` \\|")
	var got, want []string
	for _, m := range row.FindAllStringSubmatch(page(), -1) {
		got = append(got, m[1])
	}
	for _, f := range flowlog.Fields() {
		want = append(want, f.Name)
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("docs/fields.md (-want +got):\n%s", diff)
	}
}
