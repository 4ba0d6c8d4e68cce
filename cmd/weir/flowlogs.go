package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weir/control"
	"weir/vpc/flowlogs"
)

func newFlowLogs(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "flow-logs",
		Short: "Flow logs: create, list, show, delete",
		Long: `A flow log says whose traffic is recorded, which of it, with which fields, how
often and where to. These commands ask the weir that runs with the data directory;
its options, defaults and errors are those of AWS. Flow logs can stand in the file
that "weir up FILE" follows, too.

How to use them: docs/flow-logs.md.`,
		Example: `  weir flow-logs create --resource all --to s3://flow-logs/all --interval 60
  weir flow-logs list
  weir flow-logs show fl-0123456789abcdef0
  weir flow-logs delete fl-0123456789abcdef0`,
	}
	group(cmd)
	cmd.AddCommand(newFlowLogsCreate(a), newFlowLogsList(a), newFlowLogsShow(a), newFlowLogsDelete(a))
	return cmd
}

// running asks the running Weir for its page of status.
func (a *app) running(ctx context.Context) (control.Status, error) {
	s, err := control.Ask(ctx, a.dataDir)
	return s, a.asked(err)
}

// asked gives an error of the running Weir its next step, where that is one of
// these commands: the API, which has the same errors, has none.
func (a *app) asked(err error) error {
	if errors.Is(err, control.ErrNotRunning) {
		return withHint(fmt.Errorf("%w: %s", err, a.dataDir),
			"start it: weir up; or name its directory: --data DIR. A file can declare flow logs beforehand: docs/flow-logs.md")
	}
	e, ok := errors.AsType[*flowlogs.Error](err)
	switch {
	case !ok || e.Hint() != "":
	case e.Code == flowlogs.FlowLogNotFound:
		return withHint(err, "weir flow-logs list shows those that there are")
	case e.Code == flowlogs.InvalidParameter && strings.HasPrefix(e.Param, "DestinationOptions."):
		return withHint(err, "only buckets have files and folders: leave --file-format, --hive and --hourly out")
	}
	return err
}

// owner is the account and region that own what the running Weir records.
func owner(s *control.Status) (account, region string) {
	account, region = s.Process.AccountID, s.Process.Region
	for _, f := range s.FlowLogs {
		account, region = cmp.Or(account, f.AccountID), cmp.Or(region, f.Region)
	}
	return cmp.Or(account, defaultAccountID), cmp.Or(region, defaultRegion)
}

// find is a flow log by its id.
func find(list []control.FlowLog, id string) (*control.FlowLog, error) {
	for i := range list {
		if list[i].ID == id {
			return &list[i], nil
		}
	}
	return nil, flowlogs.NotFound(id)
}

// completing is what the running Weir says while somebody types: at once, or not
// at all.
func (a *app) completing(ctx context.Context) control.Status {
	const patience = time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	s, err := control.Ask(ctx, a.dataDir)
	if err != nil {
		return control.Status{}
	}
	return s
}

// completeFlowLogs completes ids of flow logs, those that may be deleted or all.
func (a *app) completeFlowLogs(byHand bool) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		var all []string
		for _, f := range a.completing(cmd.Context()).FlowLogs {
			there := byHand && f.MadeBy != flowlogs.ByHand
			for _, id := range args {
				there = there || id == f.ID
			}
			if !there {
				all = append(all, f.ID+"\t"+resourceWord(f.ResourceID)+" to "+f.To)
			}
		}
		return all, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeResources completes what a flow log can be of: all, the interfaces, and
// the VPCs and subnets that have one already.
func (a *app) completeResources(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	all := []string{allResources + "\tevery interface there is"}
	s := a.completing(cmd.Context())
	seen := map[string]bool{flowlogs.Everything: true}
	for _, i := range s.Capture.Interfaces {
		seen[i.ID] = true
		all = append(all, i.ID+"\t"+i.Name)
	}
	for _, f := range s.FlowLogs {
		if !seen[f.ResourceID] {
			seen[f.ResourceID] = true
			all = append(all, f.ResourceID+"\t"+f.ResourceType)
		}
	}
	return all, cobra.ShellCompDirectiveNoFileComp
}
