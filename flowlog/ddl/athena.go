package ddl

import (
	"fmt"
	"strings"

	"weir/flowlog"
)

// Sources: Amazon Athena User Guide, "Query Amazon VPC flow logs" and
// "Partition projection".

var athena = Engine{
	Name: "athena", About: "Amazon Athena, text: CREATE EXTERNAL TABLE with projected partitions",
	write: writeAthena,
}

var athenaParquet = Engine{
	Name: "athena-parquet", About: "Amazon Athena, Parquet",
	write: writeAthena, adjust: func(t *Table) { t.Encoding = flowlog.Parquet },
}

func writeAthena(t *Table) string {
	var b strings.Builder
	b.WriteString(t.title("Athena"))
	if t.Encoding == flowlog.Parquet {
		b.WriteString("-- Columns are found by name; their types are those of the files.\n")
	} else {
		b.WriteString("-- Columns are found by position: their order is that of the flow log's format.\n")
	}
	b.WriteString(t.regionNote())

	fmt.Fprintf(&b, "CREATE EXTERNAL TABLE IF NOT EXISTS %s (\n", quote(t.Name, "`"))
	var lines []string
	for _, c := range t.columns() {
		lines = append(lines, "  "+quote(c.name, "`")+" "+t.athenaType(c))
	}
	b.WriteString(strings.Join(lines, ",\n"))
	b.WriteString("\n)\nPARTITIONED BY (\n")
	lines = nil
	for _, p := range t.partitions() {
		lines = append(lines, "  "+quote(p.name, "`")+" string")
	}
	b.WriteString(strings.Join(lines, ",\n") + "\n)\n")
	if t.Encoding == flowlog.Parquet {
		b.WriteString(`ROW FORMAT SERDE 'org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe'
STORED AS INPUTFORMAT 'org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat'
OUTPUTFORMAT 'org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat'
`)
	} else {
		b.WriteString("ROW FORMAT DELIMITED FIELDS TERMINATED BY ' '\nSTORED AS TEXTFILE\n")
	}
	fmt.Fprintf(&b, "LOCATION '%s'\nTBLPROPERTIES (\n%s\n);\n", t.root(), strings.Join(t.athenaProperties(), ",\n"))
	return b.String()
}

// athenaType: in text, protocol is a bigint as in AWS's own definition; Parquet
// wants the type of the files.
func (t *Table) athenaType(c column) string {
	switch {
	case c.kind == flowlog.String:
		return "string"
	case c.kind == flowlog.Int64, c.name == "protocol" && t.Encoding == flowlog.Text:
		return "bigint"
	}
	return "int"
}

func (t *Table) athenaProperties() []string {
	var list []string
	add := func(name, format string, args ...any) {
		list = append(list, fmt.Sprintf("  '%s' = '%s'", name, fmt.Sprintf(format, args...)))
	}
	if t.Encoding == flowlog.Text {
		add("skip.header.line.count", "1")
	}
	add("projection.enabled", "true")
	for _, p := range t.partitions() {
		projection := "projection." + p.name + "."
		switch {
		case p.values != nil:
			add(projection+"type", "enum")
			add(projection+"values", "%s", strings.Join(p.values, ","))
		case p.format != "":
			add(projection+"type", "date")
			add(projection+"format", "%s", p.format)
			add(projection+"range", "%s,NOW", t.since(p))
			add(projection+"interval", "1")
			add(projection+"interval.unit", "%s", p.unit)
		default:
			add(projection+"type", "integer")
			add(projection+"range", "%d,%d", p.from, p.to)
			add(projection+"digits", "2")
		}
	}
	if !t.hive() { // name=value is what Athena expects anyhow
		add("storage.location.template", "%s", t.template())
	}
	return list
}
