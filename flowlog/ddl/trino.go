package ddl

import (
	"fmt"
	"strings"

	"weir/flowlog"
)

// Sources: Trino documentation, "Hive connector" (table and column properties,
// "Athena partition projection"); its text reader gives NULL for a number that
// is none, so that "-" needs no null_format, which would take it from strings too.

// trinoYears is how many years of name=value folders a table has: Trino's
// projection of times knows no step longer than a day, so a year is a number.
const trinoYears = 20

var trino = Engine{
	Name: "trino", About: "Trino, Hive connector, text or Parquet: CREATE TABLE with projected partitions",
	write: writeTrino,
}

func writeTrino(t *Table) string {
	var b strings.Builder
	b.WriteString(t.title("Trino, Hive connector"))
	b.WriteString("-- The catalog needs hive.partition-projection-enabled = true.\n")
	if t.hive() {
		fmt.Fprintf(&b, "-- The years end with %d: Trino takes no open end here.\n", t.Since.UTC().Year()+trinoYears)
	}
	b.WriteString(t.regionNote())

	fmt.Fprintf(&b, "CREATE TABLE IF NOT EXISTS %s (\n", quote(t.Name, `"`))
	var lines []string
	for _, c := range t.columns() {
		lines = append(lines, "  "+quote(c.name, `"`)+" "+trinoTypes[c.kind])
	}
	partitions := t.partitions()
	for _, p := range partitions {
		lines = append(lines, "  "+quote(p.name, `"`)+" varchar WITH (\n    "+strings.Join(t.trinoProjection(p), ",\n    ")+"\n  )")
	}
	b.WriteString(strings.Join(lines, ",\n") + "\n)\nWITH (\n")
	lines = []string{"external_location = '" + t.root() + "'"}
	if t.Encoding == flowlog.Parquet {
		lines = append(lines, "format = 'PARQUET'")
	} else {
		lines = append(lines, "format = 'TEXTFILE'", "textfile_field_separator = ' '", "skip_header_line_count = 1")
	}
	lines = append(lines, "partitioned_by = "+array(names(partitions)), "partition_projection_enabled = true")
	if !t.hive() {
		lines = append(lines, "partition_projection_location_template = '"+t.template()+"'")
	}
	b.WriteString("  " + strings.Join(lines, ",\n  ") + "\n);\n")
	return b.String()
}

var trinoTypes = map[flowlog.Type]string{flowlog.String: "varchar", flowlog.Int32: "integer", flowlog.Int64: "bigint"}

func (t *Table) trinoProjection(p partition) []string {
	digits := 2
	switch {
	case p.values != nil:
		return []string{"partition_projection_type = 'enum'", "partition_projection_values = " + array(p.values)}
	case p.unit == "YEARS":
		p.from = t.Since.UTC().Year()
		p.to, digits = p.from+trinoYears, 4
	case p.format != "":
		return []string{
			"partition_projection_type = 'date'",
			"partition_projection_format = '" + p.format + "'",
			"partition_projection_range = " + array([]string{t.since(p), "NOW"}),
			"partition_projection_interval = 1",
			"partition_projection_interval_unit = '" + p.unit + "'",
		}
	}
	return []string{
		"partition_projection_type = 'integer'",
		fmt.Sprintf("partition_projection_range = ARRAY['%d', '%d']", p.from, p.to),
		fmt.Sprintf("partition_projection_digits = %d", digits),
	}
}

// array is an SQL array of strings.
func array(values []string) string {
	return "ARRAY['" + strings.Join(values, "', '") + "']"
}
