package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"weir/control"
	"weir/flowlog"
	"weir/vpc/flowlogs"
)

// allResources is what people write for flowlogs.Everything.
const allResources = "all"

// createFlags are the flags of weir flow-logs create.
type createFlags struct {
	resources   []string
	traffic     string
	to          string
	format      string
	fileFormat  string
	hive        bool
	hourly      bool
	interval    string
	tags        []string
	tagFields   []string
	retainAge   string
	retainSize  string
	role        string
	crossRole   string
	clientToken string
}

func newFlowLogsCreate(a *app) *cobra.Command {
	var f createFlags
	cmd := &cobra.Command{
		Use:   "create --resource ID --to TARGET",
		Short: "Make flow logs, as CreateFlowLogs does",
		Long: `Create makes a flow log for each --resource and prints the ids. A resource is a VPC,
a subnet or a network interface by its id, all of one type, or "all": every
interface there is, now and later. TARGET is s3://BUCKET/PREFIX, logs:GROUP,
firehose:STREAM, or the ARN of one.

The defaults are AWS's: all traffic, the default format, text, an aggregation
interval of 600 seconds. Two flow logs with one resource need two destinations,
such as two prefixes. Nothing but tags and retention of a flow log ever changes:
make another one, and delete the first. All options: docs/flow-logs.md.

Exit status: 0 all are made, 1 some or none, 2 wrong usage.`,
		Example: `  weir flow-logs create --resource all --to s3://flow-logs --interval 60
  weir flow-logs create --resource vpc-01078ea8bb6160e83 --to s3://flow-logs/shop --file-format parquet --hive --hourly
  weir flow-logs create --resource eni-03ac117edcce0a76e --traffic REJECT --to logs:/shop/refused --interval 10s
  weir flow-logs create --resource all --to firehose:flows --format '${srcaddr} ${dstaddr} ${bytes}' --tag team=shop`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := f.request()
			if err != nil {
				return &usageError{err: err, command: cmd.CommandPath()}
			}
			return a.createFlowLogs(cmd.Context(), r, f.to)
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&f.resources, "resource", nil, "id of a VPC, subnet or network interface, or all (may be repeated)")
	flags.StringVar(&f.traffic, "traffic", flowlogs.All, "ALL, ACCEPT or REJECT")
	flags.StringVar(&f.to, "to", "", "destination: s3://BUCKET/PREFIX, logs:GROUP, firehose:STREAM, or an ARN")
	flags.StringVar(&f.format, "format", "", "fields of a record: '${version} ${srcaddr} …' (default: the default format, version 2)")
	flags.StringVar(&f.fileFormat, "file-format", "text", "of objects in a bucket: text or parquet")
	flags.BoolVar(&f.hive, "hive", false, "Hive-compatible folders in a bucket")
	flags.BoolVar(&f.hourly, "hourly", false, "a folder for each hour in a bucket")
	flags.StringVar(&f.interval, "interval", "600", "aggregation interval: 60 or 600 seconds (60s, 10m), or 1 to 59 as Weir's own")
	flags.StringArrayVar(&f.tags, "tag", nil, "KEY=VALUE, a tag of the flow log (may be repeated)")
	flags.StringArrayVar(&f.tagFields, "tag-field", nil, "TYPE=KEY[,KEY]: which tags become fields; TYPE is "+strings.Join(flowlogs.TagFieldTypes(), ", ")+" (may be repeated)")
	flags.StringVar(&f.retainAge, "retain-age", "", "remove a local bucket's objects that are older: 30d, 12h (default: keep all)")
	flags.StringVar(&f.retainSize, "retain-size", "", "remove a local bucket's oldest objects beyond this size: 10GB, 512MiB (default: keep all)")
	flags.StringVar(&f.role, "role", "", "ARN of the role that delivers (default: Weir's own credentials)")
	flags.StringVar(&f.crossRole, "cross-account-role", "", "ARN of the role of a delivery stream's own account")
	flags.StringVar(&f.clientToken, "token", "", "client token: the same request with the same token makes nothing twice")
	completeChoices(cmd, "traffic", []string{flowlogs.All, flowlogs.Accept, flowlogs.Reject})
	completeChoices(cmd, "file-format", []string{"text", "parquet"})
	completeChoices(cmd, "interval", []string{"60", "600"})
	// They fail for flags that do not exist.
	_ = cmd.RegisterFlagCompletionFunc("resource", a.completeResources)
	_ = cmd.RegisterFlagCompletionFunc("format", func(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		return completeFormat(flowlog.VPC, typed), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	})
	_ = cmd.RegisterFlagCompletionFunc("to", cobra.FixedCompletions([]string{"s3://", "logs:", "firehose:"}, cobra.ShellCompDirectiveNoSpace|cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// request reads the flags into a request, which has no destination yet. What
// AWS has an error for is left to the running Weir.
func (f *createFlags) request() (r flowlogs.Request, err error) {
	if err := f.resource(&r); err != nil {
		return r, err
	}
	if f.to == "" {
		return r, withHint(errors.New("--to is missing: where do the records go?"), "write --to s3://BUCKET/PREFIX, logs:GROUP or firehose:STREAM")
	}
	r.Traffic, r.Format, r.FileFormat = strings.ToUpper(f.traffic), f.format, strings.ToLower(f.fileFormat)
	if gateway := r.ResourceType == flowlogs.TransitGateway || r.ResourceType == flowlogs.TransitGatewayAttachment; gateway && r.Traffic == flowlogs.All {
		r.Traffic = "" // it has no such option
	}
	if r.FileFormat == "text" {
		r.FileFormat = flowlogs.PlainText
	}
	r.Hive, r.PerHour = f.hive, f.hourly
	r.DeliverRole, r.CrossAccountRole, r.Token = f.role, f.crossRole, f.clientToken
	if r.Interval, err = parseInterval(f.interval); err != nil {
		return r, err
	}
	if r.Tags, err = parseTags(f.tags); err != nil {
		return r, err
	}
	if r.TagFields, err = parseTagFields(f.tagFields); err != nil {
		return r, err
	}
	if r.Retention.Age, err = parseAge("--retain-age", f.retainAge); err != nil {
		return r, err
	}
	r.Retention.Bytes, err = parseSize("--retain-size", f.retainSize)
	return r, err
}

// resource wants ids of one type, which a request has.
func (f *createFlags) resource(r *flowlogs.Request) error {
	const hint = "write the id of a VPC (vpc-…), a subnet (subnet-…) or a network interface (eni-…), or all"
	if len(f.resources) == 0 {
		return withHint(errors.New("--resource is missing: whose traffic?"), hint)
	}
	for _, id := range f.resources {
		if id == allResources {
			id = flowlogs.Everything
		}
		kind := flowlogs.TypeOf(id)
		switch {
		case kind == "":
			return withHint(fmt.Errorf("--resource %.60q is no id of a resource", id), hint)
		case r.ResourceType != "" && kind != r.ResourceType:
			return withHint(fmt.Errorf("--resource %s and %s are of different types", resourceWord(r.ResourceIDs[0]), resourceWord(id)), "make them by one command for each type")
		}
		r.ResourceType, r.ResourceIDs = kind, append(r.ResourceIDs, id)
	}
	return nil
}

func parseTags(list []string) (tags []flowlogs.Tag, err error) {
	for _, s := range list {
		key, value, ok := strings.Cut(s, "=")
		if !ok {
			return nil, withHint(fmt.Errorf("--tag %.60q has no value", s), "write --tag KEY=VALUE")
		}
		tags = append(tags, flowlogs.Tag{Key: key, Value: value})
	}
	return tags, nil
}

func parseTagFields(list []string) (fields []flowlogs.TagField, err error) {
	for _, s := range list {
		kind, keys, ok := strings.Cut(s, "=")
		if !ok {
			return nil, withHint(fmt.Errorf("--tag-field %.60q has no keys", s), "write --tag-field instance=Name,team")
		}
		fields = append(fields, flowlogs.TagField{ResourceType: kind, Keys: strings.Split(keys, ",")})
	}
	return fields, nil
}

func (a *app) createFlowLogs(ctx context.Context, r flowlogs.Request, to string) error {
	status, err := a.running(ctx)
	if err != nil {
		return err
	}
	account, region := owner(&status)
	d, err := flowlogs.ParseTarget(to, account, region)
	if err != nil {
		return err
	}
	r.DestinationType, r.Destination, r.LogGroup = d.Type, d.ARN, d.LogGroup
	created, err := control.CreateFlowLogs(ctx, a.dataDir, r)
	if err != nil {
		return a.asked(err)
	}
	if err := a.printCreated(&created); err != nil {
		return err
	}
	return unsuccessful(created.Unsuccessful)
}

func (a *app) printCreated(c *control.Created) error {
	if a.json {
		out := createdJSON{FlowLogIDs: append([]string{}, c.FlowLogIDs...)}
		for _, u := range c.Unsuccessful {
			out.Unsuccessful = append(out.Unsuccessful, unsuccessfulJSON(u))
		}
		return json.NewEncoder(a.out).Encode(out)
	}
	for _, id := range c.FlowLogIDs {
		if _, err := fmt.Fprintln(a.out, id); err != nil {
			return err
		}
	}
	return nil
}

// createdJSON is what became of a request, for machines.
type createdJSON struct {
	FlowLogIDs   []string           `json:"flow_log_ids"`
	Unsuccessful []unsuccessfulJSON `json:"unsuccessful,omitempty"`
}

type unsuccessfulJSON struct {
	ResourceID string `json:"resource_id"`
	Code       string `json:"code"`
	Message    string `json:"message"`
}

// unsuccessful is the error of resources that got no flow log because of the
// destination. It is the same for all of them.
func unsuccessful(list []flowlogs.Unsuccessful) error {
	if len(list) == 0 {
		return nil
	}
	var of []string
	for _, u := range list {
		of = append(of, resourceWord(u.ResourceID))
	}
	err := fmt.Errorf("no flow log of %s: %s", strings.Join(of, ", "), list[0].Message)
	if strings.Contains(list[0].Message, "does not exist") {
		return withHint(err, "make the bucket where destinations.s3 of Weir's file says that buckets are, or name another one; then once more")
	}
	return withHint(err, "let Weir's credentials, or for a bucket that is a directory the user who runs it, list the bucket and write to it; then once more")
}
