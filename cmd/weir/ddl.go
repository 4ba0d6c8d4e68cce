package main

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weir/flowlog"
	"weir/flowlog/ddl"
)

// ddlFlags are the flags of weir ddl.
type ddlFlags struct {
	format   string
	parquet  bool
	location string
	name     string
	account  string
	regions  []string
	layout   string
	since    string
}

// layouts are the values of --layout.
var layouts = []struct {
	name          string
	hive, perHour bool
}{
	{"daily", false, false},
	{"hourly", false, true},
	{"hive-daily", true, false},
	{"hive-hourly", true, true},
}

// formatNames stand for formats that have a name.
var formatNames = []struct {
	name, about string
	format      func() flowlog.Format
}{
	{"default", "the default format of VPC flow logs, version 2", flowlog.DefaultFormat},
	{"tgw", "the default format of transit gateway flow logs, version 6", flowlog.GatewayFormat},
}

func newDDL(a *app) *cobra.Command {
	var f ddlFlags
	cmd := &cobra.Command{
		Use:   "ddl ENGINE",
		Short: "Print the table definition of a flow log for another engine",
		Long: `Ddl prints the SQL by which another engine reads the objects of a flow log where
they lie. The engines:

` + engineList() + `
The columns are the fields of --format, which must be the flow log's: engines
read text by position. "-" is NULL in numbers and stays "-" in strings.`,
		Example: `  weir ddl duckdb | duckdb flows.db
  weir ddl athena --location s3://my-bucket/prefix/ --account-id 123456789012 --region eu-west-1
  weir ddl trino --parquet --layout hive-hourly --location s3://my-bucket --format tgw
  weir ddl clickhouse --format "$(zcat x.log.gz | head -1)"`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeEngines,
		RunE: func(cmd *cobra.Command, args []string) error {
			engine, text, err := a.define(args[0], &f)
			if err != nil {
				return &usageError{err: err, command: cmd.CommandPath()}
			}
			if a.json {
				out := json.NewEncoder(a.out)
				out.SetEscapeHTML(false)
				return out.Encode(map[string]string{"engine": engine.Name, "sql": text})
			}
			_, err = io.WriteString(a.out, text)
			return err
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.format, "format", "default", "fields of a record: '${version} ${srcaddr} …', the header of an object, default or tgw")
	flags.BoolVar(&f.parquet, "parquet", false, "the objects are Parquet")
	flags.StringVar(&f.location, "location", "", "what stands before AWSLogs/: s3://bucket/prefix/, or a directory where the engine reads one (default s3://"+defaultBucket+"/, or that bucket's directory)")
	flags.StringVar(&f.name, "name", ddl.DefaultName, "name of the table, with or without a schema")
	flags.StringVar(&f.account, "account-id", defaultAccountID, "account that owns the flow log; also --account")
	flags.StringSliceVar(&f.regions, "region", []string{defaultRegion}, "region of the network interfaces (may be repeated)")
	flags.StringVar(&f.layout, "layout", layouts[0].name, "folders of the objects: "+strings.Join(layoutNames(), ", "))
	flags.StringVar(&f.since, "since", "", "first day that the table has, where days are listed: 2024-02-29; a later one makes queries without a day faster (default: all)")
	flags.StringVar(&f.account, "account", defaultAccountID, "")
	_ = flags.MarkHidden("account") // it exists
	completeChoices(cmd, "layout", layoutNames())
	return cmd
}

func engineList() string {
	var s strings.Builder
	for _, e := range ddl.Engines() {
		fmt.Fprintf(&s, "  %-14s  %s\n", e.Name, e.About)
	}
	return s.String()
}

func layoutNames() (names []string) {
	for _, l := range layouts {
		names = append(names, l.name)
	}
	return names
}

// define is the definition that the flags describe.
func (a *app) define(engineName string, f *ddlFlags) (*ddl.Engine, string, error) {
	engine, ok := ddl.EngineByName(engineName)
	if !ok {
		return nil, "", unknownEngine(engineName)
	}
	t := ddl.Table{Name: f.name, AccountID: f.account, Regions: f.regions, Location: a.ddlLocation(engine, f.location)}
	if f.parquet {
		t.Encoding = flowlog.Parquet
	}
	var err error
	if t.Format, err = namedFormat(f.format); err != nil {
		return nil, "", err
	}
	if t.Layout, err = f.keyLayout(t.Format.Family()); err != nil {
		return nil, "", err
	}
	if f.since != "" {
		if t.Since, err = parseTime(f.since, time.Now()); err != nil {
			return nil, "", fmt.Errorf("--since: %w", err)
		}
	}
	text, err := engine.Define(t)
	return engine, text, err
}

func unknownEngine(name string) error {
	var names []string
	for _, e := range ddl.Engines() {
		names = append(names, e.Name)
	}
	err := fmt.Errorf("unknown engine %.60q", name)
	if near := nearest(name, names); near != "" {
		return withHint(err, "did you mean %s?", near)
	}
	return withHint(err, "want one of %s", strings.Join(names, ", "))
}

// nearest is the name that was probably meant, or "". The command line's library
// has an edit distance, for commands.
func nearest(word string, names []string) string {
	menu := cobra.Command{SuggestionsMinimumDistance: 2}
	for _, n := range names {
		menu.AddCommand(&cobra.Command{Use: n, Run: func(*cobra.Command, []string) {}})
	}
	if near := menu.SuggestionsFor(word); len(near) > 0 {
		return near[0]
	}
	return ""
}

// namedFormat reads a format string, a header or one of formatNames.
func namedFormat(s string) (flowlog.Format, error) {
	for _, known := range formatNames {
		if s == known.name {
			return known.format(), nil
		}
	}
	parse := flowlog.FormatFromHeader
	if s == "" || strings.Contains(s, "$") {
		parse = flowlog.ParseFormat
	}
	format, err := parse(s)
	if err != nil {
		return format, withHint(fmt.Errorf("--format: %w", err), "weir fields lists the fields")
	}
	return format, nil
}

// keyLayout spells the folders as the family's guide does.
func (f *ddlFlags) keyLayout(family flowlog.Family) (flowlog.KeyLayout, error) {
	for _, l := range layouts {
		if l.name == f.layout {
			return flowlog.KeyLayoutFor(l.hive, l.perHour, family == flowlog.TransitGateway), nil
		}
	}
	return 0, withHint(fmt.Errorf("--layout %q: there is no such layout", f.layout), "write one of %s", strings.Join(layoutNames(), ", "))
}

// ddlLocation is by default where weir up writes: the bucket, or its directory
// where the engine reads one. A view must find a directory from anywhere.
func (a *app) ddlLocation(e *ddl.Engine, location string) string {
	switch {
	case location == "" && e.Local:
		location = a.bucketPath(defaultBucket)
	case location == "":
		return "s3://" + defaultBucket + "/"
	}
	if !e.Local || strings.Contains(location, "://") {
		return location
	}
	if whole, err := filepath.Abs(location); err == nil {
		return whole
	}
	return location
}
