package main

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// timeFormat is how the policy commands write times.
const timeFormat = time.RFC3339

func newPolicy(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Security groups and network ACLs: look at them, put them into force, take them away",
		Long: `Policy makes the security groups and network ACLs of a topology's file real: it
renders them to nftables rules, applies them in every network namespace that the
file names, and remembers each version with its time, so that an old record can be
explained by the rules of its time. Nothing is filtered until "weir policy apply"
or "weir up FILE --enforce" says so, and what is in force stays until
"weir policy remove".

How to use it: docs/policy.md. The format of the file: docs/topology.md.`,
		Example: `  weir policy check shop.yaml     # is it right, and what would it do?
  weir policy diff shop.yaml      # against what is in force
  weir policy apply shop.yaml
  weir policy status`,
	}
	group(cmd)
	cmd.AddCommand(newPolicyApply(a), newPolicyCheck(a), newPolicyDiff(a), newPolicyRemove(a), newPolicyRender(a), newPolicyStatus(a))
	for _, sub := range cmd.Commands() {
		sub.ValidArgsFunction = completeTopologies
	}
	return cmd
}

// completeTopologies completes the one file of a command that takes one.
func completeTopologies(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 || !strings.Contains(cmd.Use, "FILE") {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return []string{"yaml", "yml"}, cobra.ShellCompDirectiveFilterFileExt
}

// printJSONValue prints one value for machines.
func (a *app) printJSONValue(v any) error {
	enc := json.NewEncoder(a.out)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
