package deliverybench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"

	"weir/internal/delivertest"
	"weir/vpc/flowlogs"
)

// harness is a run in the making.
type harness struct {
	orders
	sink   *sink
	server *delivertest.S3Server
}

func newHarness(t testing.TB, made traffic) *harness {
	h := &harness{orders: orders{Traffic: made, Intervals: 1, Publish: time.Second, Dir: t.TempDir()}, sink: newSink(t)}
	h.Sink = h.sink.server.URL
	return h
}

// subscribe adds a flow log that gets so many records of each interval.
func (h *harness) subscribe(to, resource string, records int) {
	h.FlowLogs = append(h.FlowLogs, subscription{ID: fmt.Sprintf("fl-%s-%d", to, len(h.FlowLogs)), Resource: resource, To: to, Records: int64(records)})
}

// serveS3 starts versitygw, where it is built.
func (h *harness) serveS3(t testing.TB) bool {
	if _, err := os.Stat("../../bin/versitygw"); err != nil {
		fmt.Println("  (bin/versitygw is not built: no S3 server is measured; see scripts/versitygw)")
		return false
	}
	h.server = delivertest.StartS3(t)
	h.S3 = h.server.URL
	return true
}

func (h *harness) makeBuckets(t testing.TB) {
	if h.server == nil {
		return
	}
	client := sdk.New(sdk.Options{
		BaseEndpoint: &h.S3, UsePathStyle: true, Region: region,
		Credentials: credentials.NewStaticCredentialsProvider(delivertest.RootKey, delivertest.RootSecret, ""),
	})
	for _, s := range h.FlowLogs {
		if s.To == "s3" {
			if _, err := client.CreateBucket(t.Context(), &sdk.CreateBucketInput{Bucket: aws.String(s.ID)}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// records are all that are delivered.
func (h *harness) records() (n int64) {
	for _, s := range h.FlowLogs {
		n += s.Records
	}
	return n
}

// run runs the child, and holds what is in the destinations against what was
// counted.
func (h *harness) run(t testing.TB) *outcome {
	t.Helper()
	h.makeBuckets(t)
	for i := range h.FlowLogs {
		h.FlowLogs[i].Records *= int64(h.Intervals)
	}
	text, err := json.Marshal(&h.orders)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+string(text),
		"AWS_ACCESS_KEY_ID=AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY=secret", "AWS_SESSION_TOKEN=", "AWS_REGION="+region, "AWS_PROFILE=",
		"AWS_ENDPOINT_URL=", "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null", "AWS_EC2_METADATA_DISABLED=true")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var said bytes.Buffer
	cmd.Stderr = &said
	answer, err := cmd.Output()
	if err != nil || said.Len() > 0 {
		t.Fatalf("%v\n%s", err, said.String())
	}
	var out outcome
	if err := json.Unmarshal(answer, &out); err != nil {
		t.Fatal(err)
	}
	for _, p := range out.Problems {
		t.Error(p)
	}
	h.check(t)
	return &out
}

// check reads every destination.
func (h *harness) check(t testing.TB) {
	t.Helper()
	wanted := map[string]sums{}
	for _, s := range h.FlowLogs {
		want, ok := wanted[s.Resource]
		if !ok {
			want = h.Traffic.want(h.Intervals, func(i int) bool { return s.Resource == flowlogs.Everything || s.Resource == subnetOf(i) })
			wanted[s.Resource] = want
		}
		var got sums
		switch s.To {
		case "logs", "firehose":
			got = h.sink.found(t, s.ID)
		case "s3":
			got = foundIn(t, filepath.Join(h.server.Dir, s.ID))
		default:
			got = foundIn(t, filepath.Join(h.Dir, s.ID))
		}
		if got != want {
			t.Errorf("%s has %+v, want %+v", s.ID, got, want)
		}
	}
}

// TestEveryRecordArrives is the benchmarks' rig with little to do.
func TestEveryRecordArrives(t *testing.T) {
	h := newHarness(t, traffic{Interfaces: 20, Flows: 2_000, Swaps: 6, Each: 2, Interval: time.Minute})
	h.Intervals = 2
	for _, to := range []string{"directory", "parquet", "logs", "firehose"} {
		h.subscribe(to, flowlogs.Everything, h.Traffic.Flows)
		h.subscribe(to, subnetOf(perSubnet), h.Traffic.Flows/h.Traffic.Interfaces*perSubnet)
	}
	h.run(t)
}
