package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weir/control"
	"weir/vpc/declare"
	"weir/vpc/flowlogs"
)

func newFlowLogsShow(a *app) *cobra.Command {
	return &cobra.Command{
		Use:               "show ID",
		Short:             "Show all there is to say about one flow log",
		Args:              cobra.ExactArgs(1),
		RunE:              func(cmd *cobra.Command, args []string) error { return a.showFlowLog(cmd.Context(), args[0]) },
		ValidArgsFunction: a.completeFlowLogs(false),
	}
}

func (a *app) showFlowLog(ctx context.Context, id string) error {
	status, err := a.running(ctx)
	if err != nil {
		return err
	}
	f, err := find(status.FlowLogs, id)
	if err != nil {
		return a.asked(err)
	}
	if a.json {
		out := json.NewEncoder(a.out)
		out.SetEscapeHTML(false)
		out.SetIndent("", "  ")
		return out.Encode(f)
	}
	now := time.Now()
	var text strings.Builder
	text.WriteString(f.ID + "\n")
	for _, row := range append(definition(f, now), delivery(f, now)...) {
		if row[1] != "" {
			fmt.Fprintf(&text, "  %-14s  %s\n", row[0], oneLine(row[1]))
		}
	}
	_, err = a.out.Write([]byte(text.String()))
	return err
}

// definition is what a flow log is, by name.
func definition(f *control.FlowLog, now time.Time) [][2]string {
	resource := resourceWord(f.ResourceID) + " (" + f.ResourceType + ")"
	if f.ResourceID == flowlogs.Everything {
		resource = allResources + ": every interface there is"
	}
	destination := f.To
	if f.Destination != "" && f.Destination != f.To {
		destination += " (" + f.Destination + ")"
	}
	var tags, fields []string
	for _, t := range f.Tags {
		tags = append(tags, t.Key+"="+t.Value)
	}
	for _, t := range f.TagFields {
		fields = append(fields, t.ResourceType+": "+strings.Join(t.Keys, ", "))
	}
	return [][2]string{
		{"resource", resource},
		{"traffic", f.Traffic},
		{"destination", destination},
		{"format", f.Format + " (" + formatWord(f.Format) + ")"},
		{"files", filesWord(&f.FlowLog)},
		{"interval", fmt.Sprintf("%d s", f.Interval)},
		{"tags", strings.Join(tags, ", ")},
		{"tag fields", strings.Join(fields, "; ")},
		{"retention", retentionWord(f.Retention)},
		{"role", f.DeliverRole},
		{"in its account", f.CrossAccountRole},
		{"made by", madeByWord(f.MadeBy) + momentWord(", ", f.Created, now)},
		{"owner", "account " + f.AccountID + ", " + f.Region},
	}
}

// delivery is how it goes.
func delivery(f *control.FlowLog, now time.Time) [][2]string {
	status := f.Status
	if f.Status == statusFailed {
		status += momentWord(" since ", f.FailedSince, now) + ": " + f.Message
	}
	delivered := fmt.Sprintf("%d %s in %d %s, %s", f.Records, plural(int64(f.Records), "record"), f.Parts, plural(int64(f.Parts), partWord(f)), byteSize(int64(f.Bytes)))
	if !f.Delivered.IsZero() {
		delivered += "; all that ended by " + f.Delivered.UTC().Format(time.RFC3339)
	}
	last := "never"
	if !f.LastDelivery.IsZero() {
		last = momentWord("", f.LastDelivery, now)
	}
	waiting := fmt.Sprintf("%d %s (%s of memory), and %d %s of the journal", f.Waiting, plural(f.Waiting, "record"), byteSize(f.Held), f.Backlog, plural(int64(f.Backlog), "message"))
	return [][2]string{
		{"status", status},
		{"error", f.Error},
		{"hint", f.Hint},
		{"delivered", delivered},
		{"last delivery", last},
		{"waiting", waiting},
		{"lag", spanWord(f.Lag)},
		{"retries", countWord(f.Retries, "")},
		{"perhaps twice", countWord(f.Doubtful, "records: the destination did not answer")},
		{"lost", countWord(f.Refused, "records that the destination does not take")},
		{"given up", countWord(f.Skipped.Packets, fmt.Sprintf("packets (%s) because the journal was full, told as SKIPDATA", byteSize(int64(f.Skipped.Bytes))))},
	}
}

// partWord is what a flow log delivers in.
func partWord(f *control.FlowLog) string {
	if f.DestinationType == flowlogs.S3 {
		return "object"
	}
	return "call"
}

func retentionWord(r flowlogs.Retention) string {
	var parts []string
	if r.Age > 0 {
		parts = append(parts, declare.DurationText(r.Age))
	}
	if r.Bytes > 0 {
		parts = append(parts, "at most "+declare.SizeText(r.Bytes))
	}
	return strings.Join(parts, ", ")
}

// momentWord is a moment and how long ago it was; empty when there was none.
func momentWord(lead string, t, now time.Time) string {
	if t.IsZero() {
		return ""
	}
	return lead + t.UTC().Format(time.RFC3339) + " (" + agoWord(t, now) + ")"
}

// countWord is a number that is worth a line only when it is not zero.
func countWord(n uint64, what string) string {
	if n == 0 {
		return ""
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s", n, what))
}
