package ddl

import (
	"path"
	"strings"

	"weir/flowlog"
)

// Sources: DuckDB documentation, "CSV Import" and "Parquet". The definition is
// run in internal/derive.

var duckDB = Engine{
	Name: "duckdb", About: "DuckDB, text or Parquet, a bucket or a directory: CREATE VIEW",
	Local: true, single: true,
	adjust: func(t *Table) {
		if path.Ext(t.Location) == ".parquet" {
			t.Encoding = flowlog.Parquet
		}
	},
	write: writeDuckDB,
}

var duckTypes = map[flowlog.Type]string{flowlog.String: "VARCHAR", flowlog.Int32: "INTEGER", flowlog.Int64: "BIGINT"}

func writeDuckDB(t *Table) string {
	var b strings.Builder
	b.WriteString(t.title("DuckDB"))
	if strings.HasPrefix(t.Location, "s3://") {
		b.WriteString("-- For s3://: INSTALL httpfs; LOAD httpfs; CREATE SECRET (TYPE s3, PROVIDER credential_chain);\n")
	}
	b.WriteString("CREATE OR REPLACE VIEW " + quote(t.Name, `"`) + " AS\n")
	if t.Encoding == flowlog.Parquet {
		t.duckParquet(&b)
	} else {
		t.duckText(&b)
	}
	return b.String()
}

// duckText reads text and casts the numbers. Columns with types and nullstr are
// no way: strings would lose their "-" too, and force_not_null turns it into ""
// (DuckDB 1.5).
func (t *Table) duckText(b *strings.Builder) {
	var columns, raw []string
	for _, c := range t.columns() {
		name := quote(c.name, `"`)
		raw = append(raw, "    "+text(c.name)+": 'VARCHAR'")
		if c.kind != flowlog.String {
			name = "CAST(nullif(" + name + ", '-') AS " + duckTypes[c.kind] + ") AS " + name
		}
		columns = append(columns, name)
	}
	t.duckSelect(b, columns)
	b.WriteString("FROM read_csv(\n  " + t.duckFiles() + ",\n")
	b.WriteString("  columns = {\n" + strings.Join(raw, ",\n") + "\n  },\n")
	b.WriteString("  auto_detect = false, header = true, delim = ' ', quote = '', escape = '',\n")
	b.WriteString("  " + t.duckPartitions() + "\n);\n")
}

func (t *Table) duckParquet(b *strings.Builder) {
	var columns []string
	for _, c := range t.columns() {
		columns = append(columns, quote(c.name, `"`))
	}
	t.duckSelect(b, columns)
	b.WriteString("FROM read_parquet(\n  " + t.duckFiles() + ",\n  " + t.duckPartitions() + "\n);\n")
}

// duckSelect names the columns, the partitions last.
func (t *Table) duckSelect(b *strings.Builder, columns []string) {
	if t.duckHive() {
		for _, p := range t.partitions() {
			columns = append(columns, quote(p.name, `"`))
		}
	}
	b.WriteString("SELECT\n  " + strings.Join(columns, ",\n  ") + "\n")
}

func (t *Table) duckFiles() string {
	if t.files {
		return text(t.Location)
	}
	return list(t.patterns())
}

// duckHive: folders called name=value are columns, by which whole folders are
// left out. Of plain folders DuckDB can make none.
func (t *Table) duckHive() bool { return t.hive() && !t.files }

func (t *Table) duckPartitions() string {
	if t.duckHive() {
		return "hive_partitioning = true, hive_types_autocast = false"
	}
	return "hive_partitioning = false"
}

// text is an SQL string, of what checkText has let pass.
func text(s string) string { return "'" + s + "'" }

func list(values []string) string { return "['" + strings.Join(values, "', '") + "']" }
