package derive

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/flowlog"
)

const pagePath = "../../docs/fields.md"

func TestPage(t *testing.T) {
	if *update {
		if err := os.WriteFile(pagePath, []byte(page()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(pagePath)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(page(), string(got)); diff != "" {
		t.Errorf("docs/fields.md is not what the field table gives; go test ./internal/derive -update writes it (-want +got):\n%s", diff)
	}
}

// undocumented are facts of the table that AWS's guides do not have, by field.
var undocumented = map[string]string{
	"reject-reason":     "type",
	"resource-id":       "type; when it is `-`",
	"encryption-status": "type",
	"interface-type":    "when it is `-`",
}

// page is docs/fields.md.
func page() string {
	var p pageWriter
	p.text(`<!-- Written from the field table (flowlog/fields.go) by "go test ./internal/derive -update". -->

# The fields of a flow log record

%d fields of VPC flow logs, %d of transit gateway flow logs (%d of them in both), %d of Weir's own. The same list, on a terminal: `+"`weir fields`, `weir fields tcp-flags`, `weir fields --json`"+`.

Sources: Amazon VPC User Guide, "Flow log records", "Flow log record examples" and "Flow log files" (versions 8 to 11: as of June 2026); Transit Gateway guide, "Transit gateway flow log records"; CloudWatch Logs User Guide, "Supported logs and discovered fields". **†** marks what they do not say and Weir had to choose.
`, count(ofVPC), count(ofGateway), count(ofBoth), count(isExtension))
	p.text(`
## A record

- **Text.** The values of one record, in the order of the format, with exactly one space between them. Nothing is quoted or escaped. Numbers are decimal, without sign and leading zeros; times are Unix seconds, UTC; IPv6 addresses are compressed and in lower case. An object begins with a header: the fields' names, as in the first column below. CloudWatch Logs and Data Firehose have no header.
- **Parquet.** One column for each field, in the order of the format, named with underscores: `+"`srcaddr`, `pkt_src_aws_service`"+`. Types are those below: `+"`int32`, `int64`"+`, or `+"`string`"+` (UTF-8). Every column may have NULLs. †
- **Logs Insights** discovers the fields of a record under the names in the column *Insights*. AWS documents those of version 2, where its table has `+"`startTime` and `endTime`"+` for what queries call `+"`start` and `end`"+`; the others follow the same rule and are seen in public queries. †
- **Percent-encoding.** The values of tags are percent-encoded, because nothing separates fields but the space; so is `+"`weir-rule`"+`. Which characters AWS encodes besides the space is not documented. †

## `+"`-`"+`: no value

A value that does not apply or could not be computed is `+"`-`"+`. How it reads:

| where | strings | numbers |
|---|---|---|
| text, CloudWatch Logs, Data Firehose | `+"`-` | `-`"+` |
| Parquet | `+"`-`"+` (seen in AWS's files, not documented †) | NULL † |
| `+"`weir query`"+` and the definitions of `+"`weir ddl`"+` | `+"`-`"+` | NULL |
| a field that the object's format does not have, in `+"`weir query`"+` | NULL | NULL |

`+"`NODATA` and `SKIPDATA`"+` records are about an interval, not about a flow. They have the fields marked **kept** below, whose values are the interface's or the interval's; every other field is `+"`-`"+`. AWS's examples show %s; that the rest of the interface's own fields (`+"`region`, `az-id`"+`, tags, …) are kept too is a choice. †

## Versions

`+"`version`"+` is the highest version among the fields of the format, the same in every record of a flow log. Without a field list a flow log has the default format. There is no version 1, and version 6 is of transit gateways only. Weir's own fields have no version: they do not raise a record's.

| version | VPC fields that came with it | VPC fields up to it |
|---|---|---|
`, "`version`, `account-id`, `interface-id`, `start`, `end`, `log-status`, `vpc-id`, `subnet-id` and `instance-id`")
	for _, v := range versions() {
		isNew := count(func(f flowlog.Field) bool { return ofVPC(f) && f.Version == v })
		if isNew > 0 {
			p.text("| %d | %d | %d |\n", v, isNew, count(func(f flowlog.Field) bool { return ofVPC(f) && f.Version <= v }))
		}
	}
	p.text("\n## Default formats\n\nVPC, subnet and network interface (version %d):\n\n```\n%s\n```\n", flowlog.DefaultFormat().Version(), flowlog.DefaultFormat())
	p.text("\nTransit gateway (version %d), all of its fields:\n\n```\n%s\n```\n", flowlog.GatewayFormat().Version(), flowlog.GatewayFormat())
	p.text("\n`protocol` is `int32` in the Parquet of VPC flow logs and `int64` in that of transit gateways.\n")
	p.table("Fields of VPC flow logs", "Those marked **both** are in transit gateway flow logs too.", ofVPC)
	p.table("Fields of transit gateway flow logs only", "There is no `action`: what a transit gateway drops is in the counters of lost packets.",
		func(f flowlog.Field) bool { return f.Family == flowlog.TransitGateway })
	p.table("Fields of Weir", "Only in a format that asks for them.", isExtension)
	return p.String()
}

type pageWriter struct{ strings.Builder }

func (p *pageWriter) text(format string, args ...any) { fmt.Fprintf(p, format, args...) }

func (p *pageWriter) table(title, note string, in func(flowlog.Field) bool) {
	p.text("\n## %s\n\n%s\n\n| field | version | type | unit | Insights | meaning | `-` when |\n|---|---|---|---|---|---|---|\n", title, note)
	for _, f := range flowlog.Fields() {
		if !in(f) {
			continue
		}
		version := fmt.Sprint(f.Version)
		if f.Extension() {
			version = ""
		}
		meaning, dash := f.Meaning, f.Dash
		if f.Kept() {
			dash += "; **kept**"
		}
		if ofBoth(f) {
			meaning += " (**both**)"
		}
		if what, ok := undocumented[f.Name]; ok {
			meaning += " (†: " + what + ")"
		}
		p.text("| `%s` | %s | %s | %s | `%s` | %s | %s |\n", f.Name, version, f.Type, f.Unit, f.Insights(), meaning, dash)
	}
}

func count(in func(flowlog.Field) bool) int {
	n := 0
	for _, f := range flowlog.Fields() {
		if in(f) {
			n++
		}
	}
	return n
}

func ofVPC(f flowlog.Field) bool       { return f.Family&flowlog.VPC != 0 && !f.Extension() }
func ofGateway(f flowlog.Field) bool   { return f.Family&flowlog.TransitGateway != 0 && !f.Extension() }
func ofBoth(f flowlog.Field) bool      { return ofVPC(f) && ofGateway(f) }
func isExtension(f flowlog.Field) bool { return f.Extension() }

// versions are those that brought a field, in order.
func versions() (list []int) {
	for v := 1; v <= 255; v++ {
		if count(func(f flowlog.Field) bool { return f.Version == v }) > 0 {
			list = append(list, v)
		}
	}
	return list
}

func TestUndocumentedFieldsExist(t *testing.T) {
	for name := range undocumented {
		if _, ok := flowlog.FieldByName(name); !ok {
			t.Errorf("there is no field %s", name)
		}
	}
}
