package peertest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"

	"weir/deliver/logs"
	"weir/flowlog"
	"weir/vpc/flowlogs"
)

func logsTo(t *testing.T, url, group, traffic string, f flowlog.Format) *logs.Destination {
	t.Helper()
	endpoint, err := logs.OpenEndpoint(t.Context(), logs.EndpointConfig{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { endpoint.Close() })
	d, err := logs.New(logs.Config{Endpoint: endpoint, Group: group, Traffic: traffic, Format: f})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// group is a log group as it is read: lines by stream. The time of an event must
// be the start of its record.
func group(t *testing.T, cfg aws.Config, name string) map[string][]string {
	t.Helper()
	client := cloudwatchlogs.NewFromConfig(cfg)
	got := map[string][]string{}
	streams := cloudwatchlogs.NewDescribeLogStreamsPaginator(client, &cloudwatchlogs.DescribeLogStreamsInput{LogGroupName: &name})
	for streams.HasMorePages() {
		page, err := streams.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range page.LogStreams {
			got[*s.LogStreamName] = stream(t, client, name, *s.LogStreamName)
		}
	}
	return got
}

func stream(t *testing.T, client *cloudwatchlogs.Client, group, name string) []string {
	t.Helper()
	var got []string
	var next *string
	for {
		page, err := client.GetLogEvents(t.Context(), &cloudwatchlogs.GetLogEventsInput{
			LogGroupName: &group, LogStreamName: &name, StartFromHead: aws.Bool(true), NextToken: next,
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Events {
			got = append(got, *e.Message)
			fields := strings.Fields(*e.Message)
			if want := fields[10] + "000"; fmt.Sprint(*e.Timestamp) != want {
				t.Fatalf("event %d of %s is of %d, want %s", len(got), name, *e.Timestamp, want)
			}
		}
		// The end of a stream is where the same token comes back.
		if len(page.Events) == 0 || next != nil && *next == *page.NextForwardToken {
			return got
		}
		next = page.NextForwardToken
	}
}

// same compares groups line by line.
func same(t *testing.T, want, got map[string][]string) {
	t.Helper()
	if w, g := slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got)); !slices.Equal(w, g) {
		t.Fatalf("streams %q, want %q", g, w)
	}
	for name := range want {
		if len(got[name]) != len(want[name]) {
			t.Errorf("stream %s has %d events, want %d", name, len(got[name]), len(want[name]))
		}
		for i := range min(len(got[name]), len(want[name])) {
			if got[name][i] != want[name][i] {
				t.Errorf("stream %s, event %d: %q, want %q", name, i, got[name][i], want[name][i])
				break
			}
		}
	}
}

func byInterface(f flowlog.Format, suffix string, records []flowlog.Record) map[string][]string {
	want := map[string][]string{}
	for i := range records {
		eni := records[i].InterfaceID
		if want[eni+suffix] == nil {
			want[eni+suffix] = lines(f, records, func(r *flowlog.Record) bool { return r.InterfaceID == eni })
		}
	}
	return want
}

// Two intervals in one batch, more of an interface than one call holds: the group
// and its streams are made, and hold every record once, in the order of their
// time. Another flow log for rejected traffic has streams of its own.
func TestPeersLogs(t *testing.T) {
	url, cfg := moto(t)
	f := format(t)
	records := traffic(f, 2, 3, 6_000)
	g := name(t)
	for _, r := range send(t.Context(), t, logsTo(t, url, g, flowlogs.All, f), records) {
		if r.Refused != 0 {
			t.Errorf("%+v", r)
		}
	}
	want := byInterface(f, "-all", records)
	same(t, want, group(t, cfg, g))

	few := traffic(f, 1, 2, 3)
	send(t.Context(), t, logsTo(t, url, g, flowlogs.Reject, f), few)
	maps.Copy(want, byInterface(f, "-reject", few))
	same(t, want, group(t, cfg, g))
}

// Batch after batch, by two flow logs that share the group and its streams.
func TestPeersLogsShared(t *testing.T) {
	url, cfg := moto(t)
	f := format(t)
	records := traffic(f, 4, 3, 50)
	g := name(t)
	sharing := []*logs.Destination{logsTo(t, url, g, flowlogs.All, f), logsTo(t, url, g, flowlogs.All, f)}
	for k, interval := range slices.Collect(slices.Chunk(records, len(records)/4)) {
		send(t.Context(), t, sharing[k%2], interval)
	}
	same(t, byInterface(f, "-all", records), group(t, cfg, g))
}

// Somebody deletes the group, or a stream, between two batches.
func TestPeersLogsDeleted(t *testing.T) {
	url, cfg := moto(t)
	f := format(t)
	g := name(t)
	d := logsTo(t, url, g, flowlogs.All, f)
	client := cloudwatchlogs.NewFromConfig(cfg)
	send(t.Context(), t, d, traffic(f, 1, 3, 5))

	if _, err := client.DeleteLogGroup(t.Context(), &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: &g}); err != nil {
		t.Fatal(err)
	}
	records := traffic(f, 1, 3, 7)
	send(t.Context(), t, d, records)
	want := byInterface(f, "-all", records)
	same(t, want, group(t, cfg, g))

	one := records[0].InterfaceID + "-all"
	if _, err := client.DeleteLogStream(t.Context(), &cloudwatchlogs.DeleteLogStreamInput{LogGroupName: &g, LogStreamName: &one}); err != nil {
		t.Fatal(err)
	}
	records = records[:7]
	send(t.Context(), t, d, records)
	want[one] = lines(f, records, func(*flowlog.Record) bool { return true })
	same(t, want, group(t, cfg, g))
}

// What is too old is refused, the rest of its call is there. How many were, moto
// tells wrongly: the index that AWS calls exclusive is that of the last one.
func TestPeersLogsTooOld(t *testing.T) {
	url, cfg := moto(t)
	f := format(t)
	g := name(t)
	records := traffic(f, 1, 2, 10)[:10]
	for i := range 4 {
		records[i].Start = time.Now().Add(-14*24*time.Hour - time.Hour).Unix()
	}
	old := records[:4]
	records = records[4:]
	d := logsTo(t, url, g, flowlogs.All, f)
	// A call spans a day at most: the old ones are one of their own.
	receipts := send(t.Context(), t, d, append(slices.Clone(old), records...))
	if len(receipts) != 2 || receipts[0].Refused != 3 || receipts[0].Why == "" || receipts[1].Refused != 0 {
		t.Errorf("%+v", receipts)
	}
	same(t, byInterface(f, "-all", records), group(t, cfg, g))
}

// The endpoint's role is assumed before the first call, at the STS of the
// environment.
func TestPeersLogsWithRole(t *testing.T) {
	url, cfg := moto(t)
	t.Setenv("AWS_ENDPOINT_URL_STS", url)
	endpoint, err := logs.OpenEndpoint(t.Context(), logs.EndpointConfig{URL: url, RoleARN: "arn:aws:iam::123456789012:role/flow-logs"})
	if err != nil {
		t.Fatal(err)
	}
	defer endpoint.Close()
	f, g := format(t), name(t)
	d, err := logs.New(logs.Config{Endpoint: endpoint, Group: g, Format: f})
	if err != nil {
		t.Fatal(err)
	}
	records := traffic(f, 1, 2, 3)
	send(t.Context(), t, d, records)
	same(t, byInterface(f, "-all", records), group(t, cfg, g))
}
