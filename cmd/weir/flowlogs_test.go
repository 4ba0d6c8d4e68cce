package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/control"
	"weir/vpc/flowlogs"
)

// someWeir answers as a running Weir does, and records nothing.
type someWeir struct {
	list    []control.FlowLog
	asked   flowlogs.Request
	err     error
	probe   error
	deleted []string
	show    []control.Delivered
	stays   bool // goes on after it has shown all
}

func (w *someWeir) Create(_ context.Context, r flowlogs.Request) (flowlogs.Result, error) {
	w.asked = r
	if w.err != nil {
		return flowlogs.Result{}, w.err
	}
	facts := flowlogs.Facts{AccountID: "111122223333", Region: "eu-west-1", Local: true, NewID: func() string { return "fl-0123456789abcdef0" }}
	if w.probe != nil {
		facts.Probe = func(flowlogs.Place) error { return w.probe }
	}
	return flowlogs.New(r, facts)
}

func (w *someWeir) Delete(_ context.Context, ids []string) error {
	w.deleted = ids
	return w.err
}

func (w *someWeir) Watch(ctx context.Context, _ []string) <-chan control.Delivered {
	out := make(chan control.Delivered)
	go func() {
		defer close(out)
		for _, d := range w.show {
			select {
			case out <- d:
			case <-ctx.Done():
			}
		}
		if w.stays {
			<-ctx.Done()
		}
	}()
	return out
}

// run starts it over a new data directory until the test ends.
func (w *someWeir) run(t *testing.T) (data string) {
	t.Helper()
	data = filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	status := control.Status{Process: control.Process{AccountID: "111122223333", Region: "eu-west-1"}, FlowLogs: w.list}
	go func() {
		done <- control.Server{Data: data, FlowLogs: w, Status: func() control.Status { return status }}.Run(ctx)
	}()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if _, err := control.Ask(ctx, data); err == nil {
			return data
		}
		if time.Now().After(deadline) {
			t.Fatal("it does not answer")
		}
	}
}

// command is what "weir ARGS --data DATA" prints, and its exit status.
func command(t *testing.T, data string, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	var out, errs bytes.Buffer
	err := run(t.Context(), append(args, "--data", data), strings.NewReader(""), &out, &errs)
	status = report(&errs, err)
	return out.String(), errs.String(), status
}

func TestCreateAsksForAll(t *testing.T) {
	w := &someWeir{}
	data := w.run(t)
	out, errs, status := command(t, data, "flow-logs", "create", "--resource", "vpc-01078ea8bb6160e83", "--traffic", "reject", "--to", "s3://flow-logs/shop",
		"--format", "${srcaddr} ${instance-tag}", "--file-format", "parquet", "--hive", "--hourly", "--interval", "10m", "--tag", "team=a=b", "--tag", "Name=x, y",
		"--tag-field", "instance=Name,team", "--retain-age", "30d", "--retain-size", "10GB", "--token", "once")
	if out != "fl-0123456789abcdef0\n" || errs != "" || status != exitDone {
		t.Errorf("printed %q, %q, status %d", out, errs, status)
	}
	want := flowlogs.Request{
		ResourceIDs: []string{"vpc-01078ea8bb6160e83"}, ResourceType: flowlogs.VPC, Traffic: flowlogs.Reject,
		DestinationType: flowlogs.S3, Destination: "arn:aws:s3:::flow-logs/shop/",
		Format: "${srcaddr} ${instance-tag}", FileFormat: flowlogs.Parquet, Hive: true, PerHour: true, Interval: 600,
		Tags:      []flowlogs.Tag{{Key: "team", Value: "a=b"}, {Key: "Name", Value: "x, y"}},
		TagFields: []flowlogs.TagField{{ResourceType: "instance", Keys: []string{"Name", "team"}}},
		Retention: flowlogs.Retention{Age: 30 * 24 * time.Hour, Bytes: 10e9}, Token: "once",
	}
	if diff := cmp.Diff(want, w.asked); diff != "" {
		t.Errorf("asked for (-want +got):\n%s", diff)
	}
}

// What was not given is AWS's default, and the owner is the running Weir's.
func TestCreateDefaults(t *testing.T) {
	w := &someWeir{}
	data := w.run(t)
	for to, want := range map[string]flowlogs.Request{
		"logs:/shop":     {DestinationType: flowlogs.Logs, LogGroup: "/shop"},
		"firehose:flows": {DestinationType: flowlogs.Firehose, Destination: "arn:aws:firehose:eu-west-1:111122223333:deliverystream/flows"},
	} {
		out, errs, status := command(t, data, "flow-logs", "create", "--json", "--resource", "all", "--to", to)
		if out != `{"flow_log_ids":["fl-0123456789abcdef0"]}`+"\n" || errs != "" || status != exitDone {
			t.Errorf("printed %q, %q, status %d", out, errs, status)
		}
		want.ResourceIDs, want.ResourceType = []string{flowlogs.Everything}, flowlogs.EveryInterface
		want.Traffic, want.FileFormat, want.Interval = flowlogs.All, flowlogs.PlainText, flowlogs.DefaultInterval
		if diff := cmp.Diff(want, w.asked); diff != "" {
			t.Errorf("%s: asked for (-want +got):\n%s", to, diff)
		}
	}
}

func TestCreateRefused(t *testing.T) {
	for name, test := range map[string]struct {
		w    someWeir
		args []string
		want string
	}{
		"AWS's text, our hint": {
			args: []string{"--to", "s3://flow-logs", "--interval", "61"},
			want: "error: InvalidParameter: Invalid Flow Log Max Aggregation Interval\nhint: 61 is neither 60 nor 600 seconds, nor 1 to 59 as Weir also takes\n",
		},
		"a destination that is none": {
			args: []string{"--to", "flow-logs"},
			want: "error: InvalidParameterValue: Value ( flow-logs ) for parameter logDestination is invalid. It is no destination.\nhint: write s3://BUCKET/PREFIX, logs:GROUP, firehose:STREAM, or an ARN\n",
		},
		"files in a log group": {
			args: []string{"--to", "logs:x", "--hive"},
			want: "error: InvalidParameter: DestinationOptions.HiveCompatiblePartitions is not applicable for cloud-watch-logs delivery\nhint: only buckets have files and folders: leave --file-format, --hive and --hourly out\n",
		},
		"the destination refuses": {
			w:    someWeir{probe: flowlogs.AccessDenied("flow-logs")},
			args: []string{"--to", "s3://flow-logs"},
			want: "error: no flow log of all: Access Denied for LogDestination: flow-logs. Please check LogDestination permission\nhint: let Weir's credentials, or for a bucket that is a directory the user who runs it, list the bucket and write to it; then once more\n",
		},
		"there is no destination": {
			w:    someWeir{probe: flowlogs.NoDestination("flow-logs")},
			args: []string{"--to", "s3://flow-logs"},
			want: "error: no flow log of all: LogDestination: flow-logs does not exist\nhint: make the bucket where destinations.s3 of Weir's file says that buckets are, or name another one; then once more\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			data := test.w.run(t)
			out, errs, status := command(t, data, append([]string{"flow-logs", "create", "--resource", "all"}, test.args...)...)
			if diff := cmp.Diff(test.want, errs); diff != "" || out != "" || status != exitFailed {
				t.Errorf("printed %q, status %d, errors (-want +got):\n%s", out, status, diff)
			}
		})
	}
	w := someWeir{probe: flowlogs.AccessDenied("flow-logs")}
	out, _, status := command(t, w.run(t), "flow-logs", "create", "--json", "--resource", "all", "--to", "s3://flow-logs")
	const want = `{"flow_log_ids":[],"unsuccessful":[{"resource_id":"*","code":"400","message":"Access Denied for LogDestination: flow-logs. Please check LogDestination permission"}]}` + "\n"
	if out != want || status != exitFailed {
		t.Errorf("printed %q, status %d; want %q", out, status, want)
	}
}

// two are a flow log that works and one that does not.
func two(now time.Time) []control.FlowLog {
	return []control.FlowLog{{
		FlowLog: flowlogs.FlowLog{
			ID: "fl-0123456789abcdef0", AccountID: "111122223333", Region: "eu-west-1", Created: now.Add(-3 * time.Hour), MadeBy: flowlogs.ByHand,
			ResourceID: flowlogs.Everything, ResourceType: flowlogs.EveryInterface, Traffic: flowlogs.All,
			DestinationType: flowlogs.S3, Destination: "arn:aws:s3:::b/x/", FileFormat: flowlogs.Parquet, Hive: true, PerHour: true, Interval: 60,
			Format: "${srcaddr} ${dstaddr} ${vpc-id} ${weir-rule}", Tags: []flowlogs.Tag{{Key: "Name", Value: "archive"}, {Key: "team", Value: "shop\x1b[2J"}},
			TagFields: []flowlogs.TagField{{ResourceType: "instance", Keys: []string{"Name"}}}, Retention: flowlogs.Retention{Age: 30 * 24 * time.Hour, Bytes: 10e9},
		},
		To: "s3://b/x", Status: "SUCCESS", LastDelivery: now.Add(-5 * time.Second), Delivered: now.Add(-time.Minute).Truncate(time.Minute),
		Lag: 75 * time.Second, Backlog: 4, Waiting: 1, Held: 2000, Records: 1200, Bytes: 34_000, Parts: 3, Retries: 2,
	}, {
		FlowLog: flowlogs.FlowLog{
			ID: "fl-00000000000000001", AccountID: "111122223333", Region: "eu-west-1", MadeBy: flowlogs.ByFile,
			ResourceID: "vpc-01078ea8bb6160e83", ResourceType: flowlogs.VPC, Traffic: flowlogs.Reject,
			DestinationType: flowlogs.Logs, LogGroup: "/shop", FileFormat: flowlogs.PlainText, Interval: 600,
			Format: "${version} ${account-id} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} ${protocol} ${packets} ${bytes} ${start} ${end} ${action} ${log-status}",
		},
		To: "logs:/shop", Status: "FAILED", Message: "Access error", Error: "put events: logs:/shop: AccessDeniedException", Hint: "allow logs:PutLogEvents",
		FailedSince: now.Add(-10 * time.Minute), Lag: 3 * time.Hour, Backlog: 900, Waiting: 50, Held: 5000, Doubtful: 7, Refused: 1,
		Skipped: control.Skipped{Swaps: 2, Packets: 33, Bytes: 4000},
	}}
}

func TestListAndShow(t *testing.T) {
	now := time.Now()
	w := &someWeir{list: two(now)}
	data := w.run(t)
	list, errs, status := command(t, data, "flow-logs", "list")
	const wantList = `FLOW LOG              NAME     RESOURCE               TRAFFIC  INTERVAL  FORMAT        FILES                  DESTINATION  MADE BY  STATUS   LAST DELIVERY   LAG  BACKLOG
fl-0123456789abcdef0  archive  all                    ALL      60 s      4 fields, v3  parquet, hive, hourly  s3://b/x     hand     SUCCESS  5 s ago        75 s        4
fl-00000000000000001  -        vpc-01078ea8bb6160e83  REJECT   600 s     default       -                      logs:/shop   file     FAILED   never           3 h      900
fl-00000000000000001: Access error since 10 min ago: put events: logs:/shop: AccessDeniedException
  hint: allow logs:PutLogEvents
  given up because the journal was full: 33 packets, told as SKIPDATA
  lost: 1 record that the destination does not take
`
	if diff := cmp.Diff(wantList, list); diff != "" || errs != "" || status != exitDone {
		t.Errorf("errors %q, status %d, list (-want +got):\n%s", errs, status, diff)
	}
	list, _, _ = command(t, data, "flow-logs", "list", "--json", "--filter", "deliver-log-status=FAILED")
	if strings.Count(list, "\n") != 1 || !strings.HasPrefix(list, `{"id":"fl-00000000000000001",`) || !strings.Contains(list, `"hint":"allow logs:PutLogEvents"`) {
		t.Errorf("JSON of those that failed: %s", list)
	}
	if _, errs, status = command(t, data, "flow-logs", "list", "--filter", "traffic-type=ACCEPT"); errs != "none of 2 flow logs passes the filter\n" || status != exitDone {
		t.Errorf("nothing found: %q, status %d", errs, status)
	}

	got, _, _ := command(t, data, "flow-logs", "show", "fl-0123456789abcdef0")
	moment := func(t time.Time) string { return t.UTC().Format(time.RFC3339) }
	wantShow := `fl-0123456789abcdef0
  resource        all: every interface there is
  traffic         ALL
  destination     s3://b/x (arn:aws:s3:::b/x/)
  format          ${srcaddr} ${dstaddr} ${vpc-id} ${weir-rule} (4 fields, v3)
  files           parquet, hive, hourly
  interval        60 s
  tags            Name=archive, team=shop` + "\uFFFD" + `[2J
  tag fields      instance: Name
  retention       30d, at most 10GB
  made by         hand, ` + moment(now.Add(-3*time.Hour)) + ` (3 h ago)
  owner           account 111122223333, eu-west-1
  status          SUCCESS
  delivered       1200 records in 3 objects, 34 kB; all that ended by ` + moment(now.Add(-time.Minute).Truncate(time.Minute)) + `
  last delivery   ` + moment(now.Add(-5*time.Second)) + ` (5 s ago)
  waiting         1 record (2.0 kB of memory), and 4 messages of the journal
  lag             75 s
  retries         2
`
	if diff := cmp.Diff(wantShow, got); diff != "" {
		t.Errorf("show (-want +got):\n%s", diff)
	}
	got, _, _ = command(t, data, "flow-logs", "show", "fl-00000000000000001")
	for _, want := range []string{
		"  status          FAILED since " + moment(now.Add(-10*time.Minute)) + " (10 min ago): Access error\n",
		"  error           put events: logs:/shop: AccessDeniedException\n  hint            allow logs:PutLogEvents\n",
		"  delivered       0 records in 0 calls, 0 B\n  last delivery   never\n",
		"  perhaps twice   7 records: the destination did not answer\n",
		"  lost            1 records that the destination does not take\n",
		"  given up        33 packets (4.0 kB) because the journal was full, told as SKIPDATA\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("show has no %q:\n%s", want, got)
		}
	}
	if _, errs, status = command(t, data, "flow-logs", "show", "fl-2"); status != exitFailed || !strings.Contains(errs, "InvalidFlowLogId.NotFound: ") || !strings.Contains(errs, "hint: weir flow-logs list ") {
		t.Errorf("an unknown one: %q, status %d", errs, status)
	}
}

func TestListOfNothing(t *testing.T) {
	data := (&someWeir{}).run(t)
	out, errs, status := command(t, data, "flow-logs", "list")
	if out != "" || !strings.HasPrefix(errs, "there is no flow log: weir flow-logs create ") || status != exitDone {
		t.Errorf("printed %q, %q, status %d", out, errs, status)
	}
}

func TestDelete(t *testing.T) {
	w := &someWeir{list: two(time.Now())}
	data := w.run(t)
	out, errs, status := command(t, data, "flow-logs", "delete", "fl-0123456789abcdef0", "fl-2", "fl-0123456789abcdef0")
	const warning = "fl-0123456789abcdef0: 1 record waited for delivery and will not be delivered\n"
	if out != "fl-0123456789abcdef0\nfl-2\n" || errs != warning || status != exitDone {
		t.Errorf("printed %q, %q, status %d", out, errs, status)
	}
	if diff := cmp.Diff([]string{"fl-0123456789abcdef0", "fl-2"}, w.deleted); diff != "" {
		t.Errorf("deleted (-want +got):\n%s", diff)
	}
	w.err = withHint(errors.New("flow log fl-00000000000000001 is declared in the configuration's file"), "take it out of the file")
	out, errs, status = command(t, data, "flow-logs", "delete", "fl-00000000000000001")
	const refused = "error: flow log fl-00000000000000001 is declared in the configuration's file\nhint: take it out of the file\n"
	if out != "" || errs != refused || status != exitFailed {
		t.Errorf("printed %q, %q, status %d", out, errs, status)
	}
}

func TestCompletions(t *testing.T) {
	w := &someWeir{list: two(time.Now())}
	data := w.run(t)
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"flow logs":                     {[]string{"flow-logs", "show", ""}, "fl-0123456789abcdef0\tall to s3://b/x\nfl-00000000000000001\tvpc-01078ea8bb6160e83 to logs:/shop\n"},
		"those that can be deleted":     {[]string{"flow-logs", "delete", ""}, "fl-0123456789abcdef0\tall to s3://b/x\n"},
		"those that are not there yet":  {[]string{"flow-logs", "delete", "fl-0123456789abcdef0", ""}, ""},
		"resources":                     {[]string{"flow-logs", "create", "--resource", ""}, "all\tevery interface there is\nvpc-01078ea8bb6160e83\tVPC\n"},
		"the last of a list of fields":  {[]string{"tail", "--fields", "dstport,srca"}, "dstport,srcaddr\t"},
		"the field of a filter":         {[]string{"tail", "--filter", "acti"}, "action=\t"},
		"the next field of a format":    {[]string{"flow-logs", "create", "--format", "${srcaddr} ${srcp"}, "${srcaddr} ${srcport}\t"},
		"the flow logs that are tailed": {[]string{"tail", "--flow-log", ""}, "fl-0123456789abcdef0\t"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errs bytes.Buffer
			// The directory stands first: what is typed is the last argument.
			args := append([]string{"__complete", "--data", data}, test.args...)
			if err := run(t.Context(), args, strings.NewReader(""), &out, &errs); err != nil || !strings.HasPrefix(out.String(), test.want) {
				t.Errorf("error %v, completions %q, want %q", err, out.String(), test.want)
			}
		})
	}
}
