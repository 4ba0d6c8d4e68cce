package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"weir/flowlog"
)

// fieldsFlags are the flags of weir fields.
type fieldsFlags struct {
	family  string
	version int // negative: any
	wide    bool
}

// families are the values of --family.
var families = []struct {
	name   string
	family flowlog.Family
}{
	{"vpc", flowlog.VPC},
	{"tgw", flowlog.TransitGateway},
}

func newFields(a *app) *cobra.Command {
	var f fieldsFlags
	cmd := &cobra.Command{
		Use:   "fields [FIELD...]",
		Short: "Print the fields of a flow log record",
		Long: `Fields prints every field that a format may have: the version that introduced
it, its type in Parquet and in SQL, the flow logs that have it, and what it means.
With the name of a field, as in a format, in SQL or in Logs Insights, it prints
all there is to say about it.`,
		Example: `  weir fields
  weir fields tcp-flags
  weir fields --family tgw --version 6
  weir fields --json | jq -r .column`,
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: completeFields,
		RunE: func(cmd *cobra.Command, args []string) error {
			list, err := f.choose(args, cmd.Flags().Changed("version"))
			if err != nil {
				return &usageError{err: err, command: cmd.CommandPath()}
			}
			switch {
			case a.json:
				return a.printFieldsJSON(list)
			case len(args) > 0:
				return a.describeFields(list)
			}
			return a.printFields(list, f.wide)
		},
	}
	cmd.Flags().StringVar(&f.family, "family", "", "only fields of vpc or of tgw (transit gateway) flow logs")
	cmd.Flags().IntVar(&f.version, "version", 0, "only fields that came with this version; 0 is Weir's own")
	cmd.Flags().BoolVar(&f.wide, "wide", false, "every column, each field on one line")
	completeChoices(cmd, "family", []string{families[0].name, families[1].name})
	return cmd
}

// choose finds the fields that were asked for, in the order of the table or of
// the arguments.
func (f *fieldsFlags) choose(names []string, byVersion bool) ([]*flowlog.Field, error) {
	family, err := f.parseFamily()
	if err != nil {
		return nil, err
	}
	var all []*flowlog.Field
	if len(names) == 0 {
		for i := range flowlog.Fields() {
			all = append(all, &flowlog.Fields()[i])
		}
	}
	for _, name := range names {
		field, err := findField(name)
		if err != nil {
			return nil, err
		}
		all = append(all, field)
	}
	var list []*flowlog.Field
	for _, field := range all {
		if field.Family&family != 0 && (!byVersion || field.Version == f.version) {
			list = append(list, field)
		}
	}
	if list == nil {
		return nil, withHint(f.noField(len(names) > 0, byVersion), "weir fields lists all, with versions and families")
	}
	return list, nil
}

// noField says what nothing is.
func (f *fieldsFlags) noField(named, byVersion bool) error {
	s := "no field"
	if named {
		s = "none of these fields"
	}
	if f.family != "" {
		s += " is of " + f.family + " flow logs"
	}
	if f.family != "" && byVersion {
		s += " and"
	}
	if byVersion {
		s += " came with version " + strconv.Itoa(f.version)
	}
	return errors.New(s)
}

func (f *fieldsFlags) parseFamily() (flowlog.Family, error) {
	if f.family == "" {
		return flowlog.VPC | flowlog.TransitGateway, nil
	}
	for _, known := range families {
		if f.family == known.name {
			return known.family, nil
		}
	}
	return 0, withHint(fmt.Errorf("--family %q: there is no such family", f.family), "write vpc or tgw")
}

// findField takes the name as it is in a format, in SQL or in Logs Insights.
func findField(name string) (*flowlog.Field, error) {
	bare := strings.TrimSuffix(strings.TrimPrefix(name, "${"), "}")
	if f, ok := flowlog.FieldByName(bare); ok {
		return f, nil
	}
	if f, ok := flowlog.FieldByColumn(bare); ok {
		return f, nil
	}
	for i := range flowlog.Fields() {
		if f := &flowlog.Fields()[i]; f.Insights() == bare {
			return f, nil
		}
	}
	err := fmt.Errorf("unknown field %.60q", name)
	_, unknown := flowlog.FormatOf(bare)
	if e, ok := errors.AsType[*flowlog.FormatError](unknown); ok && e.Hint != "" {
		return nil, withHint(err, "did you mean %s?", e.Hint)
	}
	return nil, withHint(err, "weir fields lists them")
}

// printFields prints the table. For people it is as wide as their terminal says
// (COLUMNS), or 80; piped, each field stays on its line, for grep.
func (a *app) printFields(list []*flowlog.Field, wide bool) error {
	header := []string{"FIELD", "SINCE", "TYPE", "OF", "MEANING"}
	if wide {
		header = append(header[:4:4], "UNIT", "INSIGHTS", "COLUMN", `"-" WHEN`, "MEANING")
	}
	t := newTable(a.out, header, make([]bool, len(header)))
	room := 0
	if isTerminal(a.out) && !wide {
		room = terminalWidth() - meaningColumn(list)
	}
	for _, f := range list {
		cells := []string{f.Name, since(f), f.Type.String(), familyOf(f)}
		if wide {
			cells = append(cells, f.Unit, f.Insights(), f.Column(), f.Dash)
		}
		cells = append(cells, f.Meaning)
		if err := rowWrapped(t, cells, room); err != nil {
			return err
		}
	}
	if err := t.Close(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(a.out, "\n%s\n", countFields(list))
	return err
}

// meaningColumn is where the last column begins, given the widths of the others.
func meaningColumn(list []*flowlog.Field) int {
	longest := len("FIELD")
	for _, f := range list {
		longest = max(longest, len(f.Name))
	}
	return longest + len("  SINCE  string  both  ")
}

// rowWrapped adds a row whose last cell goes on below itself when it is wider
// than room; 0 is any width.
func rowWrapped(t *table, cells []string, room int) error {
	last := len(cells) - 1
	lines := []string{cells[last]}
	if room > 0 {
		lines = wrap(cells[last], max(room, 20))
	}
	for _, line := range lines {
		cells[last] = line
		if err := t.Row(cells); err != nil {
			return err
		}
		cells = make([]string, len(cells))
	}
	return nil
}

// wrap breaks s at blanks into lines of at most width bytes; longer words stay
// whole.
func wrap(s string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(s) {
		switch {
		case line == "":
			line = word
		case len(line)+1+len(word) <= width:
			line += " " + word
		default:
			lines, line = append(lines, line), word
		}
	}
	return append(lines, line)
}

// terminalWidth is in characters.
func terminalWidth() int {
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n > 0 {
		return n
	}
	return 80
}

func since(f *flowlog.Field) string {
	if f.Extension() {
		return "weir"
	}
	return "v" + strconv.Itoa(f.Version)
}

func familyOf(f *flowlog.Field) string {
	if len(familiesOf(f)) == len(families) {
		return "both"
	}
	return familiesOf(f)[0]
}

func familiesOf(f *flowlog.Field) (names []string) {
	for _, known := range families {
		if f.Family&known.family != 0 {
			names = append(names, known.name)
		}
	}
	return names
}

// countFields says how many fields of which kind are in the list.
func countFields(list []*flowlog.Field) string {
	var vpc, gateway, shared, own int
	for _, f := range list {
		switch {
		case f.Extension():
			own++
		case f.Family == flowlog.VPC:
			vpc++
		case f.Family == flowlog.TransitGateway:
			gateway++
		default:
			shared++
		}
	}
	fields := func(n int) string { return fmt.Sprintf("%d %s", n, plural(int64(n), "field")) }
	return fmt.Sprintf("%s of VPC flow logs, %d of transit gateway flow logs (%d of them in both), %d of Weir's own",
		fields(vpc+shared), gateway+shared, shared, own)
}

// describeFields prints all there is to say about each field.
func (a *app) describeFields(list []*flowlog.Field) error {
	for i, f := range list {
		if i > 0 {
			fmt.Fprintln(a.out)
		}
		if err := a.describeField(f); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) describeField(f *flowlog.Field) error {
	version := fmt.Sprintf("%d: a record with it has this version or a higher one", f.Version)
	if f.Extension() {
		version = "none: the field is Weir's, and does not raise a record's version"
	}
	kind := f.Type.String()
	if gateway := f.TypeIn(flowlog.TransitGateway); gateway != f.Type {
		kind += ", in transit gateway flow logs " + gateway.String()
	}
	kept := "no: it is \"-\" there"
	if f.Kept() {
		kept = "yes"
	}
	rows := [][2]string{
		{"meaning", f.Meaning},
		{`"-" when`, f.Dash},
		{"in NODATA", kept},
		{"unit", f.Unit},
		{"type", kind},
		{"version", version},
		{"flow logs", strings.Join(familiesOf(f), ", ")},
		{"in a format", "${" + f.Name + "}"},
		{"in SQL", f.Column()},
		{"in Insights", f.Insights()},
	}
	var text strings.Builder
	text.WriteString(f.Name + "\n")
	room := 0
	if isTerminal(a.out) {
		room = terminalWidth() - len("  in Insights  ")
	}
	for _, row := range rows {
		if row[1] == "" {
			continue
		}
		lines := []string{row[1]}
		if room > 0 {
			lines = wrap(row[1], max(room, 20))
		}
		for _, line := range lines {
			fmt.Fprintf(&text, "  %-11s  %s\n", row[0], line)
			row[0] = ""
		}
	}
	_, err := a.out.Write([]byte(text.String()))
	return err
}

// fieldJSON is a field for machines.
type fieldJSON struct {
	Name        string   `json:"name"`
	Version     int      `json:"version"` // 0 for Weir's own
	Extension   bool     `json:"extension,omitempty"`
	Type        string   `json:"type"`
	GatewayType string   `json:"tgw_type,omitempty"` // where it differs
	Families    []string `json:"families"`
	Unit        string   `json:"unit,omitempty"`
	Column      string   `json:"column"`
	Insights    string   `json:"insights"`
	Kept        bool     `json:"in_nodata"`
	Meaning     string   `json:"meaning"`
	Dash        string   `json:"dash"`
}

// printFieldsJSON prints one object per field and line.
func (a *app) printFieldsJSON(list []*flowlog.Field) error {
	out := json.NewEncoder(a.out)
	out.SetEscapeHTML(false)
	for _, f := range list {
		j := fieldJSON{
			Name: f.Name, Version: f.Version, Extension: f.Extension(), Type: f.Type.String(), Families: familiesOf(f),
			Unit: f.Unit, Column: f.Column(), Insights: f.Insights(), Kept: f.Kept(), Meaning: f.Meaning, Dash: f.Dash,
		}
		if gateway := f.TypeIn(flowlog.TransitGateway); gateway != f.Type && f.Family&flowlog.TransitGateway != 0 {
			j.GatewayType = gateway.String()
		}
		if err := out.Encode(j); err != nil {
			return err
		}
	}
	return nil
}
