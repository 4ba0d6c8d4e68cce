package ddl

import (
	"fmt"
	"strings"

	"weir/flowlog"
)

// Sources: ClickHouse documentation, "s3", "file" (table functions), "CSV" and
// "Format settings".

var clickHouse = Engine{
	Name: "clickhouse", About: "ClickHouse, text or Parquet, a bucket or a directory: CREATE TABLE and INSERT",
	Local: true,
	write: writeClickHouse,
}

func writeClickHouse(t *Table) string {
	var b strings.Builder
	b.WriteString(t.title("ClickHouse"))
	fmt.Fprintf(&b, "CREATE TABLE IF NOT EXISTS %s\n(\n", quote(t.Name, "`"))
	var lines, structure []string
	for _, c := range t.columns() {
		kind := clickType(c)
		lines = append(lines, "    "+quote(c.name, "`")+" "+kind)
		structure = append(structure, "         "+quote(c.name, "`")+" "+kind)
	}
	b.WriteString(strings.Join(lines, ",\n") + "\n)\nENGINE = MergeTree\nORDER BY " + t.clickOrder() + ";\n\n")

	b.WriteString("-- Run it once for each batch of objects: it does not notice what it has read.\n")
	function, format := "s3", "CSV"
	if !strings.HasPrefix(t.Location, "s3://") {
		b.WriteString("-- file() reads below the server's user_files_path; clickhouse-local reads anywhere.\n")
		function = "file"
	}
	if t.Encoding == flowlog.Parquet {
		format = "Parquet"
	}
	fmt.Fprintf(&b, "INSERT INTO %s\nSELECT *\nFROM %s('%s', '%s',\n        '\n%s\n        ')", quote(t.Name, "`"),
		function, t.clickFiles(), format, strings.Join(structure, ",\n"))
	if t.Encoding == flowlog.Text {
		// A blank as delimiter must be allowed; a header that ClickHouse finds by
		// itself would be skipped twice; strings keep "-" because nothing that is
		// not Nullable looks for the word for NULL.
		b.WriteString(`
SETTINGS format_csv_delimiter = ' ', input_format_csv_allow_whitespace_or_tab_as_delimiter = 1,
         input_format_csv_skip_first_lines = 1, input_format_csv_detect_header = 0,
         format_csv_allow_single_quotes = 0, format_csv_allow_double_quotes = 0,
         format_csv_null_representation = '-', input_format_null_as_default = 0`)
	}
	b.WriteString(";\n")
	return b.String()
}

// clickType: numbers may be missing unless the field never is. Strings that
// repeat are kept once: what a record has of its interface, and words.
func clickType(c column) string {
	words := c.field.Unit == ""
	switch {
	case c.kind == flowlog.String && (words || c.field.Kept()):
		return "LowCardinality(String)"
	case c.kind == flowlog.String:
		return "String" // addresses too: NODATA has "-" there; toIPv6OrNull reads them
	}
	kind := "Int32"
	if c.kind == flowlog.Int64 {
		kind = "Int64"
	}
	if c.field.Dash == "never" {
		return kind
	}
	return "Nullable(" + kind + ")"
}

// clickOrder: who, then when.
func (t *Table) clickOrder() string {
	var keys []string
	for _, name := range []string{"interface-id", "tgw-attachment-id", "start"} {
		if t.Format.Has(name) {
			f, _ := flowlog.FieldByName(name)
			keys = append(keys, quote(f.Column(), "`"))
		}
	}
	if keys == nil {
		return "tuple()"
	}
	return "(" + strings.Join(keys, ", ") + ")"
}

// clickFiles is one pattern; regions become {a,b}.
func (t *Table) clickFiles() string {
	one := *t
	if len(t.Regions) > 1 {
		one.Regions = []string{"{" + strings.Join(t.Regions, ",") + "}"}
	}
	return one.patterns()[0]
}
