package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"weir/control"
	"weir/vpc/flowlogs"
)

func newFlowLogsDelete(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "delete ID...",
		Short: "End flow logs",
		Long: `Delete ends flow logs that were made by hand: all that are named, or none. Records
that they delivered stay; what they have not delivered yet they never will.

A flow log of the file goes when it is taken out of the file, the default one when
the file has the key flow-logs: deleted here, they would come back.`,
		Example: `  weir flow-logs delete fl-0123456789abcdef0
  weir flow-logs list --json --filter tag:team=shop | jq -r .id | xargs weir flow-logs delete`,
		Args:              cobra.MinimumNArgs(1),
		RunE:              func(cmd *cobra.Command, args []string) error { return a.deleteFlowLogs(cmd.Context(), args) },
		ValidArgsFunction: a.completeFlowLogs(true),
	}
}

func (a *app) deleteFlowLogs(ctx context.Context, args []string) error {
	// Twice the same is once: the second would not be found.
	var ids []string
	seen := map[string]bool{}
	for _, id := range args {
		if !seen[id] {
			seen[id], ids = true, append(ids, id)
		}
	}
	status, err := a.running(ctx)
	if err != nil {
		return err
	}
	if err := control.DeleteFlowLogs(ctx, a.dataDir, ids); err != nil {
		return a.asked(err)
	}
	a.warnUndelivered(status.FlowLogs, seen)
	if a.json {
		return json.NewEncoder(a.out).Encode(struct {
			Deleted []string `json:"deleted"`
		}{ids})
	}
	for _, id := range ids {
		if _, err := fmt.Fprintln(a.out, id); err != nil {
			return err
		}
	}
	return nil
}

// warnUndelivered says of which records nobody will ever know.
func (a *app) warnUndelivered(list []control.FlowLog, deleted map[string]bool) {
	for i := range list {
		f := &list[i]
		if deleted[f.ID] && f.MadeBy == flowlogs.ByHand && f.Waiting > 0 {
			fmt.Fprintf(a.err, "%s: %d %s waited for delivery and will not be delivered\n", f.ID, f.Waiting, plural(f.Waiting, "record"))
		}
	}
}
