package ddl

import (
	"slices"
	"strings"
	"time"

	"weir/flowlog"
)

// reference is the time that the standard library spells layouts with: a folder
// of this time shows which of its parts is what.
var reference = time.Date(2006, time.January, 2, 15, 0, 0, 0, time.UTC)

func (t *Table) key(region string) flowlog.ObjectKey {
	return flowlog.ObjectKey{AccountID: t.AccountID, Region: region, Slot: reference, Layout: t.Layout}
}

// folder is that of a region, and the folders below it for a day or an hour.
// Both end with a slash.
func (t *Table) folder(region string) (root, date string) {
	whole := t.key(region).Folder()
	at := strings.LastIndex(whole[:strings.LastIndex(whole, "2006")], "/") + 1
	return whole[:at], whole[at:]
}

// hive reports whether the folders are called name=value: engines then find
// the partitions by themselves.
func (t *Table) hive() bool { return strings.Contains(t.key("").Folder(), "=") }

// patterns are the objects, one pattern for each region.
func (t *Table) patterns() []string {
	suffix := "**/*.log.gz"
	if t.Encoding == flowlog.Parquet {
		suffix = "**/*.log.parquet"
	}
	var list []string
	for _, region := range t.Regions {
		root, _ := t.folder(region)
		list = append(list, t.Location+root+suffix)
	}
	return list
}

// partition is a column that no object has: its value is the name of a folder,
// always text. One of values, format and to is set.
type partition struct {
	name   string
	values []string // these and no others
	format string   // a time from Table.Since to now, as Java's DateTimeFormatter takes it
	unit   string   // of the steps between times
	from   int      // numbers up to to, of two digits
	to     int
}

// partitions are in the order of the folders.
func (t *Table) partitions() []partition {
	if !t.hive() {
		return t.plainPartitions()
	}
	var list []partition
	for folder := range strings.SplitSeq(t.key("").Folder(), "/") {
		name, value, ok := strings.Cut(folder, "=")
		if !ok {
			continue // AWSLogs, and what follows the last slash
		}
		p := partition{name: name}
		switch name {
		case "aws-region":
			p.values = t.Regions
		case "year":
			p.format, p.unit = "yyyy", "YEARS"
		case "month":
			p.from, p.to = 1, 12
		case "day":
			p.from, p.to = 1, 31
		case "hour":
			p.from, p.to = 0, 23
		default:
			p.values = []string{value}
		}
		list = append(list, p)
	}
	return list
}

// plainPartitions are those of AWS's own example: the region, and the day or
// hour as one value, "2006/01/02".
func (t *Table) plainPartitions() []partition {
	_, date := t.folder("")
	when := partition{name: "day", format: "yyyy/MM/dd", unit: "DAYS"}
	if strings.Count(date, "/") > 3 {
		when = partition{name: "hour", format: "yyyy/MM/dd/HH", unit: "HOURS"}
	}
	return []partition{{name: t.regionPartition(), values: t.Regions}, when}
}

// regionPartition avoids the name of the field.
func (t *Table) regionPartition() string {
	if t.Format.Has("region") {
		return "aws_region"
	}
	return "region"
}

// template is the address of a partition, with its placeholders.
func (t *Table) template() string {
	list := t.partitions()
	root, _ := t.folder("${" + list[0].name + "}")
	return t.Location + root + "${" + list[1].name + "}/"
}

// root is the longest folder that all objects are in.
func (t *Table) root() string {
	if t.hive() {
		return t.Location + "AWSLogs/"
	}
	below := t.key("").Folder()
	service := "/vpcflowlogs/"
	return t.Location + below[:strings.Index(below, service)+len(service)]
}

// since is the first value of a partition of times.
func (t *Table) since(p partition) string {
	layout := strings.NewReplacer("yyyy", "2006", "MM", "01", "dd", "02", "HH", "15").Replace(p.format)
	return t.Since.UTC().Format(layout)
}

// regionNote says why a partition is not called as elsewhere.
func (t *Table) regionNote() string {
	if t.hive() || !t.Format.Has("region") {
		return ""
	}
	return "-- The format has the field region, so the partition is called aws_region: ask for\n-- aws_region = '…' to read the objects of one region only.\n"
}

func names(list []partition) []string {
	var all []string
	for _, p := range list {
		all = append(all, p.name)
	}
	return slices.Clip(all)
}
