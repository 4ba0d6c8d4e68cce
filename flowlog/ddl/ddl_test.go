package ddl

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/flowlog"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// article is the format of a public article about flow logs and Athena.
const article = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status vpc-id subnet-id instance-id tcp-flags flow-direction"

func formatOf(t *testing.T, names ...string) flowlog.Format {
	t.Helper()
	f, err := flowlog.FormatOf(names...)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// vpcFields are those of a version and before.
func vpcFields(version int) (names []string) {
	for _, f := range flowlog.Fields() {
		if f.Family&flowlog.VPC != 0 && !f.Extension() && f.Version <= version {
			names = append(names, f.Name)
		}
	}
	return names
}

func sample(f flowlog.Format) Table {
	return Table{
		Format: f, Location: "s3://my-flow-logs-bucket/vpc-flow-logs/", AccountID: "123456789012",
		Regions: []string{"us-east-1"}, Since: time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC),
	}
}

func TestGolden(t *testing.T) {
	parquet := func(t *Table) { t.Encoding = flowlog.Parquet }
	variants := map[string]struct {
		format flowlog.Format
		change func(*Table)
	}{
		"default":   {format: flowlog.DefaultFormat()},
		"article":   {format: formatOf(t, strings.Fields(article)...)},
		"v5":        {format: formatOf(t, vpcFields(5)...)},
		"v11":       {format: formatOf(t, vpcFields(11)...)},
		"tgw":       {format: flowlog.GatewayFormat()},
		"extension": {format: formatOf(t, "version", "srcaddr", "dstaddr", "action", "weir-rule-id", "weir-rule", "weir-drop-reason")},
		"parquet":   {format: flowlog.DefaultFormat(), change: parquet},
		"tgw-hive-parquet": {format: flowlog.GatewayFormat(), change: func(t *Table) {
			parquet(t)
			t.Layout = flowlog.TGWHiveDaily
		}},
		"hive-hourly":    {format: flowlog.DefaultFormat(), change: func(t *Table) { t.Layout = flowlog.HiveHourly }},
		"hourly-regions": {format: flowlog.DefaultFormat(), change: func(t *Table) { t.Layout, t.Regions = flowlog.PlainHourly, []string{"us-east-1", "eu-west-1"} }},
	}
	for name, v := range variants {
		for _, e := range Engines() {
			t.Run(e.Name+"-"+name, func(t *testing.T) {
				table := sample(v.format)
				if v.change != nil {
					v.change(&table)
				}
				got, err := e.Define(table)
				if err != nil {
					t.Fatal(err)
				}
				golden(t, e.Name+"-"+name+".sql", got)
			})
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (go test ./flowlog/ddl -update writes it)", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func TestRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		engine *Engine
		change func(*Table)
		want   string
	}{
		"no format":         {&athena, func(t *Table) { t.Format = flowlog.Format{} }, "without a format"},
		"no location":       {&athena, func(t *Table) { t.Location = "" }, "without a location"},
		"no bucket":         {&athena, func(t *Table) { t.Location = "s3:///x" }, "names no bucket"},
		"directory":         {&trino, func(t *Table) { t.Location = "/var/lib" }, "trino reads s3://bucket/prefix/, no directories"},
		"AWSLogs":           {&athena, func(t *Table) { t.Location = "s3://b/AWSLogs/123456789012/" }, `is too deep: want what stands before AWSLogs/, "s3://b/"`},
		"placeholder":       {&athena, func(t *Table) { t.Location = "s3://b/${x}/" }, `'$' cannot stand there`},
		"quote":             {&duckDB, func(t *Table) { t.Location = "/tmp/it's/" }, `cannot stand there`},
		"quote in a file":   {&duckDB, func(t *Table) { t.Location = "/tmp/it's.parquet" }, `cannot stand there`},
		"name":              {&athena, func(t *Table) { t.Name = "my-logs" }, `table name "my-logs"`},
		"name, digit first": {&athena, func(t *Table) { t.Name = "a.1b" }, `table name "a.1b"`},
		"name, injected":    {&duckDB, func(t *Table) { t.Name = `x" AS SELECT 1; --` }, "table name"},
		"no region":         {&athena, func(t *Table) { t.Regions = nil }, "without a region"},
		"region":            {&athena, func(t *Table) { t.Regions = []string{"us east"} }, `region "us east"`},
		"account":           {&athena, func(t *Table) { t.AccountID = "" }, `account id ""`},
		"layout":            {&athena, func(t *Table) { t.Layout = flowlog.NoLayout }, "layout none"},
	} {
		t.Run(name, func(t *testing.T) {
			table := sample(flowlog.DefaultFormat())
			tt.change(&table)
			sql, err := tt.engine.Define(table)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q; SQL:\n%s", err, tt.want, sql)
			}
		})
	}
}

func TestNameInSchema(t *testing.T) {
	table := sample(flowlog.DefaultFormat())
	table.Name = "logs.flows"
	for _, e := range Engines() {
		sql, err := e.Define(table)
		if err != nil || !strings.Contains(sql, `"logs"."flows"`) && !strings.Contains(sql, "`logs`.`flows`") {
			t.Errorf("%s: %v\n%s", e.Name, err, sql)
		}
	}
}

// A partition must not have the name of a column.
func TestPartitionsAreNoFields(t *testing.T) {
	for _, f := range []flowlog.Format{formatOf(t, vpcFields(11)...), flowlog.GatewayFormat()} {
		for layout := range flowlog.NoLayout {
			table := sample(f)
			table.Layout = layout
			for _, p := range table.partitions() {
				if field, ok := flowlog.FieldByColumn(p.name); ok && f.Has(field.Name) {
					t.Errorf("%s: partition %s is a column of the format", layout, p.name)
				}
			}
		}
	}
}

func TestEngines(t *testing.T) {
	for _, e := range Engines() {
		if found, ok := EngineByName(e.Name); !ok || found != e {
			t.Errorf("EngineByName(%q) does not find it", e.Name)
		}
		if e.About == "" {
			t.Errorf("%s says nothing about itself", e.Name)
		}
	}
	if _, ok := EngineByName("mysql"); ok {
		t.Error("there is an engine mysql")
	}
}
