package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// streams are the command's standard input and outputs.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// app is what every command may use: the streams and the global flags.
type app struct {
	streams
	dataDir string
	json    bool // for machines: JSON instead of tables
	// now is the clock of what is recorded; nil is the machine's. Only tests have
	// another.
	now func() time.Time
}

// newRoot is the whole command tree.
func newRoot(s streams) *cobra.Command {
	return (&app{streams: s}).root()
}

// root is the command tree over an app. A command is one file and one line here.
func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "weir",
		Short: "VPC Flow Logs for any network you run",
		// Errors are reported in one place, and without the whole usage.
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	group(root)
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return &usageError{err: err, command: cmd.CommandPath()}
	})
	root.PersistentFlags().StringVar(&a.dataDir, "data", defaultDataDir(), "directory of the buckets and of all state; also "+envData)
	root.PersistentFlags().BoolVar(&a.json, "json", false, "print JSON, for machines")

	root.AddCommand(
		newConvert(a),
		newDDL(a),
		newExplain(a),
		newFields(a),
		newFlowLogs(a),
		newQuery(a),
		newTail(a),
		newVersion(a),
	)
	root.AddCommand(hostCommands(a)...)
	checkArguments(root)
	completeFormats(root)
	return root
}

// group makes a command one of subcommands: alone it says what there is, and an
// unknown one is ours to report.
func group(cmd *cobra.Command) {
	cmd.Args = cobra.ArbitraryArgs
	cmd.SuggestionsMinimumDistance = 2
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		err := fmt.Errorf("unknown command %q", args[0])
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			path := cmd.CommandPath() + " "
			err = withHint(err, "did you mean %s?", path+strings.Join(near, " or "+path))
		}
		return &usageError{err: err, command: cmd.CommandPath()}
	}
}

// checkArguments makes a wrong number of arguments wrong usage, for every command.
func checkArguments(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return &usageError{err: err, command: cmd.CommandPath()}
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		checkArguments(sub)
	}
}
