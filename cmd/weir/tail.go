package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"weir/control"
	"weir/flowlog"
	"weir/vpc/flowlogs"
)

// tailFlags are the flags of weir tail.
type tailFlags struct {
	flowLogs []string
	filters  []string
	fields   []string
	count    int
}

func newTail(a *app) *cobra.Command {
	var f tailFlags
	cmd := &cobra.Command{
		Use:   "tail",
		Short: "Show records as they are delivered",
		Long: `Tail shows what the running weir delivers from now on, of all flow logs or of some,
until Ctrl-C, COUNT records, or the end of weir. A record comes when its flow log's
destination has it: after the aggregation interval, and after the publish interval
of a bucket. One that two flow logs record comes twice.

The first line names the fields; another one comes when the format changes, with
flow logs of several formats. On a terminal columns are aligned and refused traffic
is red; elsewhere lines are as they were delivered. Whoever reads too slowly misses
records, which is said: delivery does not wait.

A filter is FIELD=VALUE[,VALUE], or FIELD!=VALUE[,VALUE] for none of them.
Addresses may be ranges (10.0.0.0/8), protocols names. Of several filters, all must
match; a record without the field matches none of them.`,
		Example: `  weir tail
  weir tail --filter action=REJECT --fields srcaddr,dstaddr,dstport,protocol
  weir tail --filter srcaddr=10.0.0.0/8 --filter 'dstport!=443,80' -n 20
  weir tail --flow-log fl-0123456789abcdef0 --json | jq -r .srcaddr`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v, err := a.tailView(&f)
			if err != nil {
				return &usageError{err: err, command: cmd.CommandPath()}
			}
			return a.tail(cmd.Context(), f.flowLogs, v)
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&f.flowLogs, "flow-log", nil, "id of a flow log (may be repeated; default: all)")
	flags.StringArrayVar(&f.filters, "filter", nil, "FIELD=VALUE[,VALUE] or FIELD!=VALUE[,VALUE]: only such records (may be repeated)")
	flags.StringSliceVar(&f.fields, "fields", nil, "only these fields, in this order: a,b,c")
	flags.IntVarP(&f.count, "count", "n", 0, "end after so many records (0: never)")
	// They fail for flags that do not exist.
	_ = cmd.RegisterFlagCompletionFunc("flow-log", a.completeFlowLogs(false))
	_ = cmd.RegisterFlagCompletionFunc("fields", completeFieldList)
	_ = cmd.RegisterFlagCompletionFunc("filter", completeFieldFilter)
	return cmd
}

// tailView is what the flags ask for.
func (a *app) tailView(f *tailFlags) (*recordView, error) {
	v := newRecordView(a.out, a.json)
	if f.count < 0 {
		return nil, fmt.Errorf("--count %d is less than 0", f.count)
	}
	v.left = f.count
	for _, name := range f.fields {
		field, err := findField(name)
		if err != nil {
			return nil, fmt.Errorf("--fields: %w", err)
		}
		v.fields = append(v.fields, field)
	}
	for _, s := range f.filters {
		filter, err := parseRecordFilter(s)
		if err != nil {
			return nil, err
		}
		v.filters = append(v.filters, filter)
	}
	return v, nil
}

// errEnough ends a tail that has shown what it should.
var errEnough = errors.New("enough")

func (a *app) tail(ctx context.Context, ids []string, v *recordView) error {
	status, err := a.running(ctx)
	if err != nil {
		return err
	}
	list := status.FlowLogs
	if len(ids) > 0 {
		if list, err = chosen(list, ids); err != nil {
			return a.asked(err)
		}
	}
	if err := v.canMatch(list); err != nil {
		return err
	}
	a.announceTail(list)
	err = control.Watch(ctx, a.dataDir, ids, func(d control.Delivered) error {
		if d.Missed > 0 {
			fmt.Fprintf(a.err, "warning: %d %s delivered too fast to be shown\n", d.Missed, wereRecords(d.Missed))
		}
		return v.show(&d)
	})
	switch {
	case errors.Is(err, errEnough), err == nil && ctx.Err() != nil:
		return nil
	case err == nil:
		fmt.Fprintln(a.err, "the running Weir has ended")
		return nil
	}
	return a.asked(err)
}

func wereRecords(n int) string {
	if n == 1 {
		return "record was"
	}
	return "records were"
}

// chosen are the flow logs with these ids, all of which must be there.
func chosen(list []control.FlowLog, ids []string) ([]control.FlowLog, error) {
	var some []control.FlowLog
	var missing []string
	for _, id := range ids {
		f, err := find(list, id)
		if err != nil {
			missing = append(missing, id)
			continue
		}
		some = append(some, *f)
	}
	if missing != nil {
		return nil, flowlogs.NotFound(missing...)
	}
	return some, nil
}

// announceTail says to those who wait in front of a terminal what they wait for.
func (a *app) announceTail(list []control.FlowLog) {
	switch {
	case len(list) == 0:
		fmt.Fprintln(a.err, "there is no flow log yet: weir flow-logs create --resource all --to s3://flow-logs")
	case isTerminal(a.err):
		fmt.Fprintf(a.err, "showing what is delivered to %s; Ctrl-C ends\n", joinedTargets(list))
	}
}

// joinedTargets names some of the destinations, and counts the rest.
func joinedTargets(list []control.FlowLog) string {
	const most = 4
	var each []string
	for i := range list {
		if s := fmt.Sprintf("%s (every %d s)", list[i].To, list[i].Interval); !slices.Contains(each, s) {
			each = append(each, s)
		}
	}
	if more := len(each) - most; more > 0 {
		each = append(each[:most], fmt.Sprintf("%d more", more))
	}
	return strings.Join(each, ", ")
}

// canMatch wants one flow log at least that has every field that is filtered by,
// and one of those that are to be shown: else there would be nothing for ever. Of
// flow logs that are made later nobody knows.
func (v *recordView) canMatch(list []control.FlowLog) error {
	var formats []flowlog.Format
	for i := range list {
		if f, err := flowlog.ParseFormat(list[i].Format); err == nil {
			formats = append(formats, f)
		}
	}
	if len(formats) == 0 {
		return nil
	}
	for _, filter := range v.filters {
		if !slices.ContainsFunc(formats, func(f flowlog.Format) bool { return f.Has(filter.field.Name) }) {
			return noSuchField("--filter", filter.field)
		}
	}
	for _, field := range v.fields {
		if !slices.ContainsFunc(formats, func(f flowlog.Format) bool { return f.Has(field.Name) }) {
			return noSuchField("--fields", field)
		}
	}
	return nil
}

func noSuchField(flag string, field *flowlog.Field) error {
	return withHint(fmt.Errorf("%s: no flow log here records the field %s", flag, field.Name),
		"weir flow-logs show ID prints a flow log's format; one with the field: weir flow-logs create … --format '… ${%s}'", field.Name)
}

// completeFieldList completes the last of a,b,c.
func completeFieldList(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	before := typed[:strings.LastIndexByte(typed, ',')+1]
	all, directive := completeFields(nil, strings.Split(before, ","), typed[len(before):])
	for i := range all {
		all[i] = before + all[i]
	}
	return all, directive | cobra.ShellCompDirectiveNoSpace
}

// completeFieldFilter completes the field of a filter.
func completeFieldFilter(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	all, directive := completeFields(nil, nil, typed)
	for i, s := range all {
		name, about, _ := strings.Cut(s, "\t")
		all[i] = name + "=\t" + about
	}
	return all, directive | cobra.ShellCompDirectiveNoSpace
}
