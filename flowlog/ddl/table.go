package ddl

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"weir/flowlog"
)

// DefaultName is the name of a table that has been given none; AWS's own
// examples use it.
const DefaultName = "vpc_flow_logs"

// began is the day on which flow logs were announced: no object is older.
var began = time.Date(2015, time.June, 10, 0, 0, 0, 0, time.UTC)

// Table says what to define. Format, Location, AccountID and Regions must be
// set; the zero value of the others is a default.
type Table struct {
	Name     string // "vpc_flow_logs", or in a schema "logs.vpc_flow_logs"; empty is [DefaultName]
	Format   flowlog.Format
	Encoding flowlog.Encoding

	// Location is what stands before AWSLogs/ in the objects' addresses:
	// s3://bucket/ or s3://bucket/prefix/. Where [Engine].Local is true it may
	// be a directory, too; for DuckDB also a file or a pattern of files, which
	// ends in .log, .gz or .parquet.
	Location string

	AccountID string // owner of the flow logs
	Regions   []string
	Layout    flowlog.KeyLayout

	// Since is the first day whose objects the table has, for engines that
	// derive the folders from a range of days. Zero is the first of all days.
	Since time.Time

	files bool // Location names files instead of what AWSLogs/ is in
}

// prepare fills the defaults in and refuses what cannot be written as SQL.
func (t Table) prepare(e *Engine) (Table, error) {
	if t.Name == "" {
		t.Name = DefaultName
	}
	if t.Since.IsZero() {
		t.Since = began
	}
	if err := checkName(t.Name); err != nil {
		return t, err
	}
	if t.Format.IsZero() {
		return t, errors.New("table without a format: its fields are the columns")
	}
	if t.Encoding > flowlog.Parquet {
		return t, fmt.Errorf("encoding %s: want %s or %s", t.Encoding, flowlog.Text, flowlog.Parquet)
	}
	if t.files = e.files(t.Location); t.files {
		return t, checkText("location", t.Location, "")
	}
	if err := t.checkFolders(); err != nil {
		return t, err
	}
	location, err := cleanLocation(t.Location, e)
	t.Location = location
	return t, err
}

// checkName wants one identifier, or a schema's and a table's.
func checkName(name string) error {
	for part := range strings.SplitSeq(name, ".") {
		first := strings.IndexFunc(part, func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') })
		rest := strings.Trim(part, "_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
		if part == "" || first == 0 || rest != "" {
			return fmt.Errorf("table name %q: want letters, digits and underscores, perhaps after a schema and a dot", name)
		}
	}
	return nil
}

func (t *Table) checkFolders() error {
	if len(t.Regions) == 0 {
		return errors.New("table without a region: the objects' folders are named for it")
	}
	for _, region := range t.Regions {
		// An empty range: only the parts of the folders are checked.
		if _, err := t.key(region).Folders(t.Since, t.Since); err != nil {
			return err
		}
	}
	return nil
}

// cleanLocation ends the location with a slash.
func cleanLocation(location string, e *Engine) (string, error) {
	address, isS3 := strings.CutPrefix(location, "s3://")
	bucket, folder, _ := strings.Cut(address, "/")
	before, _, deep := strings.Cut(location+"/", "/AWSLogs/")
	switch {
	case location == "":
		return "", errors.New("table without a location: want s3://bucket/prefix/")
	case deep:
		return "", fmt.Errorf("location %q is too deep: want what stands before AWSLogs/, %q", location, before+"/")
	case isS3 && bucket == "":
		return "", fmt.Errorf("location %q names no bucket: want s3://bucket/prefix/", location)
	case isS3:
		prefix, err := flowlog.CleanPrefix(folder)
		if err != nil {
			return "", fmt.Errorf("location %q: %w", location, err)
		}
		location = "s3://" + bucket + "/" + prefix
	case !e.Local:
		return "", fmt.Errorf("location %q: %s reads s3://bucket/prefix/, no directories", location, e.Name)
	default:
		location = strings.TrimRight(location, "/") + "/"
	}
	// What an engine takes for a pattern, a placeholder or an escape.
	return location, checkText("location", location, `*?[]{}$\`)
}

// checkText refuses what would not stand in an SQL string as it is.
func checkText(what, s, reserved string) error {
	for _, r := range s {
		if unicode.IsControl(r) || r == '\'' || r == '"' || strings.ContainsRune(reserved, r) {
			return fmt.Errorf("%s %q: %q cannot stand there", what, s, r)
		}
	}
	return nil
}

// quote writes an identifier, each part of it between quotes, so that nobody
// must know the engine's reserved words.
func quote(name, mark string) string {
	return mark + strings.ReplaceAll(name, ".", mark+"."+mark) + mark
}

// column is a column of the objects.
type column struct {
	field *flowlog.Field
	name  string
	kind  flowlog.Type // as it is in Parquet
}

func (t *Table) columns() []column {
	var list []column
	for i, f := range t.Format.Fields() {
		list = append(list, column{f, f.Column(), t.Format.ColumnType(i)})
	}
	return list
}

// title is the first line of every definition.
func (t *Table) title(engine string) string {
	holds := "text"
	if t.Encoding == flowlog.Parquet {
		holds = "Parquet"
	}
	n, noun := len(t.Format.Fields()), "fields"
	if n == 1 {
		noun = "field"
	}
	return fmt.Sprintf("-- %s: flow logs as %s, version %d, %d %s.\n", engine, holds, t.Format.Version(), n, noun)
}
