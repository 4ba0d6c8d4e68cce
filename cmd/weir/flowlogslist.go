package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weir/control"
	"weir/flowlog"
	"weir/vpc/flowlogs"
)

func newFlowLogsList(a *app) *cobra.Command {
	var filters []string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Show the flow logs and how their delivery goes",
		Long: `List shows every flow log of the running weir, or those that pass all filters:
NAME=VALUE[,VALUE], where one of the values must match; * stands for any letters
and ? for one. The filters are those of DescribeFlowLogs:
` + wrapped(strings.Join(flowlogs.FilterNames(), ", "), 80) + `.

LAG is how long ago the oldest interval ended that is not delivered, BACKLOG how
many messages of the journal are not. With --json, one object per line: the flow
log, and all figures.`,
		Example: `  weir flow-logs list
  weir flow-logs list --filter traffic-type=REJECT --filter 'log-group-name=/shop/*'
  weir flow-logs list --filter deliver-log-status=FAILED
  weir flow-logs list --json --filter tag:team=shop | jq -r .id`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var parsed flowlogs.Filters
			for _, s := range filters {
				f, err := flowlogs.ParseFilter(s)
				if err != nil {
					return &usageError{err: err, command: cmd.CommandPath()}
				}
				parsed = append(parsed, f)
			}
			return a.listFlowLogs(cmd.Context(), parsed)
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	cmd.Flags().StringArrayVar(&filters, "filter", nil, "NAME=VALUE[,VALUE]: only flow logs that match (may be repeated)")
	names := flowlogs.FilterNames()
	for i, name := range names {
		if names[i] = name + "="; strings.HasSuffix(name, "KEY") {
			names[i] = strings.TrimSuffix(name, "KEY")
		}
	}
	// It fails for a flag that does not exist.
	_ = cmd.RegisterFlagCompletionFunc("filter", cobra.FixedCompletions(names, cobra.ShellCompDirectiveNoFileComp|cobra.ShellCompDirectiveNoSpace))
	return cmd
}

// wrapped breaks a list for a help text.
func wrapped(s string, width int) string { return strings.Join(wrap(s, width), "\n") }

func (a *app) listFlowLogs(ctx context.Context, filters flowlogs.Filters) error {
	status, err := a.running(ctx)
	if err != nil {
		return err
	}
	var list []control.FlowLog
	for _, f := range status.FlowLogs {
		if filters.Match(&f.FlowLog, f.Status) {
			list = append(list, f)
		}
	}
	if a.json {
		out := json.NewEncoder(a.out)
		out.SetEscapeHTML(false)
		for _, f := range list {
			if err := out.Encode(f); err != nil {
				return err
			}
		}
		return nil
	}
	switch {
	case len(status.FlowLogs) == 0:
		fmt.Fprintln(a.err, "there is no flow log: weir flow-logs create --resource all --to s3://flow-logs")
		return nil
	case len(list) == 0:
		fmt.Fprintf(a.err, "none of %d %s passes the filter\n", len(status.FlowLogs), plural(int64(len(status.FlowLogs)), "flow log"))
		return nil
	}
	return printFlowLogs(a.out, list, time.Now())
}

// printFlowLogs prints the table, and below it why some cannot deliver.
func printFlowLogs(w io.Writer, list []control.FlowLog, now time.Time) error {
	header := []string{"FLOW LOG", "NAME", "RESOURCE", "TRAFFIC", "INTERVAL", "FORMAT", "FILES", "DESTINATION", "MADE BY", "STATUS", "LAST DELIVERY", "LAG", "BACKLOG"}
	right := make([]bool, len(header))
	right[len(header)-2], right[len(header)-1] = true, true
	t := newTable(w, header, right)
	for i := range list {
		f := &list[i]
		row := []string{
			f.ID, nameTag(f.Tags), resourceWord(f.ResourceID), f.Traffic, fmt.Sprintf("%d s", f.Interval), formatWord(f.Format), filesWord(&f.FlowLog),
			f.To, madeByWord(f.MadeBy), f.Status, agoWord(f.LastDelivery, now), spanWord(f.Lag), strconv.FormatUint(f.Backlog, 10),
		}
		for i := range row {
			if row[i] == "" {
				row[i] = "-"
			}
		}
		if err := t.Row(row); err != nil {
			return err
		}
	}
	if err := t.Close(); err != nil {
		return err
	}
	return printTroubles(w, list, now)
}

// printTroubles says what is wrong with flow logs, and what each has lost.
func printTroubles(w io.Writer, list []control.FlowLog, now time.Time) error {
	for i := range list {
		f := &list[i]
		var lines []string
		if f.Status == statusFailed {
			lines = append(lines, fmt.Sprintf("%s since %s: %s", f.Message, agoWord(f.FailedSince, now), f.Error))
			if f.Hint != "" {
				lines = append(lines, "hint: "+f.Hint)
			}
		}
		if f.Skipped.Packets > 0 {
			lines = append(lines, fmt.Sprintf("given up because the journal was full: %d %s, told as SKIPDATA", f.Skipped.Packets, plural(int64(f.Skipped.Packets), "packet")))
		}
		if f.Refused > 0 {
			lines = append(lines, fmt.Sprintf("lost: %d %s that the destination does not take", f.Refused, plural(int64(f.Refused), "record")))
		}
		for n, line := range lines {
			lead := "  "
			if n == 0 {
				lead = f.ID + ": "
			}
			if _, err := fmt.Fprintln(w, lead+oneLine(line)); err != nil {
				return err
			}
		}
	}
	return nil
}

// statusFailed is DeliverLogsStatus of a flow log that cannot deliver.
const statusFailed = "FAILED"

// nameTag is the tag that AWS's console shows as the name.
func nameTag(tags []flowlogs.Tag) string {
	for _, t := range tags {
		if t.Key == "Name" {
			return t.Value
		}
	}
	return ""
}

func resourceWord(id string) string {
	if id == flowlogs.Everything {
		return allResources
	}
	return id
}

// formatWord is short for a format: "default", or "21 fields, v5".
func formatWord(format string) string {
	f, err := flowlog.ParseFormat(format)
	switch {
	case err != nil:
		return "unknown" // of a newer Weir
	case f.Equal(flowlog.DefaultFormat()):
		return "default"
	}
	n := len(f.Fields())
	return fmt.Sprintf("%d %s, v%d", n, plural(int64(n), "field"), f.Version())
}

// filesWord is how objects are written and laid out: "parquet, hive, hourly".
func filesWord(f *flowlogs.FlowLog) string {
	if f.DestinationType != flowlogs.S3 {
		return ""
	}
	s := f.FileFormat
	if s == flowlogs.PlainText {
		s = "text"
	}
	if f.Hive {
		s += ", hive"
	}
	if f.PerHour {
		s += ", hourly"
	}
	return s
}

func madeByWord(by string) string {
	if by == flowlogs.ByHand {
		return "hand"
	}
	return by
}

// spanWord is a span of time for people: "5 s", "3 min", "4 h", "9 days".
func spanWord(d time.Duration) string {
	switch d = max(d, 0); {
	case d < 2*time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d < 2*time.Hour:
		return fmt.Sprintf("%.0f min", d.Minutes())
	case d < 48*time.Hour:
		return fmt.Sprintf("%.0f h", d.Hours())
	}
	return fmt.Sprintf("%.0f days", d.Hours()/24)
}

func agoWord(t, now time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return spanWord(now.Sub(t)) + " ago"
}
