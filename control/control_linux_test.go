package control

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"weir/vpc/flowlogs"
)

var full = Status{
	Process: Process{PID: 7, Version: "dev", Started: time.Unix(1795272615, 0).UTC(), Data: "/data", AccountID: "123456789012", Region: "us-east-1"},
	Capture: Capture{
		Interfaces: []Interface{{
			ID: "eni-1", Name: "eth0", Device: "eth0", Side: "own",
			Ingress: Counts{AcceptedPackets: 10, AcceptedBytes: 1000, RejectedPackets: 2, RejectedBytes: 120},
			Egress:  Counts{AcceptedPackets: 8, AcceptedBytes: 800},
			Lost:    Loss{FullPackets: 3, FullBytes: 300, UnreadPackets: 1, UnreadBytes: 9, RefusedPackets: 2, RefusedBytes: 80},
		}},
		Swaps: 4, LastSwap: time.Unix(1795272620, 0).UTC(), SwapTime: 42 * time.Millisecond, Flows: 5, Occupancy: 0.25, MaxFlows: 1024,
	},
	Journal: Journal{
		Place: "/data/journal", Swaps: 4, Flows: 50, Bytes: 4000, Stored: 9000, MaxBytes: 4 << 30, Oldest: time.Unix(1795272500, 0).UTC(),
		Append: 3 * time.Millisecond, Failures: 1, Repeated: 2, Damaged: 7, Gaps: 8, GivenUp: Skipped{Swaps: 1, Packets: 70, Bytes: 7000},
	},
	Records: []Records{
		{Interval: 10 * time.Second, Open: 2, Made: 5},
		{Interval: time.Minute, Open: 6, Made: 20, NoData: 3, SkipData: 1},
	},
	FlowLogs: []FlowLog{{
		FlowLog: flowlogs.FlowLog{
			ID: "fl-1", AccountID: "123456789012", Region: "us-east-1", Created: time.Unix(1795272000, 0).UTC(), MadeBy: flowlogs.ByHand,
			ResourceID: "vpc-1", ResourceType: flowlogs.VPC, Traffic: flowlogs.All,
			DestinationType: flowlogs.S3, Destination: "arn:aws:s3:::b", Format: "${srcaddr}", FileFormat: flowlogs.Parquet, Hive: true, Interval: 60,
			Tags: []flowlogs.Tag{{Key: "Name", Value: "everyday"}}, TagFields: []flowlogs.TagField{{ResourceType: "instance", Keys: []string{"Name"}}},
			Retention: flowlogs.Retention{Age: 24 * time.Hour, Bytes: 1 << 30},
		},
		To: "s3://b", Status: "FAILED", Message: "Access error", Error: "no space left on device", Hint: "free space",
		FailedSince: time.Unix(1795272610, 0).UTC(), LastDelivery: time.Unix(1795272600, 0).UTC(), Delivered: time.Unix(1795272540, 0).UTC(),
		Lag: 75 * time.Second, Backlog: 9, Waiting: 4, Held: 440, Records: 16, Bytes: 900, Parts: 2, Retries: 1, Doubtful: 3, Refused: 5,
		Skipped: Skipped{Swaps: 1, Packets: 70, Bytes: 7000},
	}},
	Lost: Lost{Packets: 6, Bytes: 389, Records: 5},
}

// serve runs a server over a new directory until the test ends, or end is called.
func serve(t *testing.T, s Server) (data string, end func()) {
	t.Helper()
	data = t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	s.Data, s.Status = data, func() Status { return full }
	go func() { done <- s.Run(ctx) }()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if _, err := Ask(ctx, data); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the server does not answer")
		}
	}
	end = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(Socket(data)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the socket stays behind: %v", err)
		}
	})
	t.Cleanup(end)
	return data, end
}

// freeAddress is a TCP address of loopback that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Skip("cannot listen on loopback:", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return l.Addr().String()
}

// direct asks loopback without a proxy.
var direct = http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

func TestAskReturnsTheStatus(t *testing.T) {
	data, _ := serve(t, Server{})
	got, err := Ask(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(full, got); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
}

func TestAskWithoutAServer(t *testing.T) {
	data := t.TempDir()
	if _, err := Ask(t.Context(), data); !errors.Is(err, ErrNotRunning) {
		t.Errorf("error %v, want ErrNotRunning", err)
	}
	// A killed server leaves its socket.
	l, err := net.Listen("unix", Socket(data))
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Ask(t.Context(), data); !errors.Is(err, ErrNotRunning) {
		t.Errorf("error %v, want ErrNotRunning", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- Server{Data: data, Status: func() Status { return full }}.Run(ctx) }()
	for range 1000 {
		if _, err = Ask(t.Context(), data); err == nil {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if err != nil {
		t.Errorf("a server over a dead one's socket: %v", err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestMetrics(t *testing.T) {
	addr := freeAddress(t)
	serve(t, Server{Metrics: addr})
	resp, err := direct.Get("http://" + addr + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`weir_capture_packets_total{action="ACCEPT",direction="ingress",interface_id="eni-1",name="eth0"} 10`,
		`weir_capture_packets_total{action="REJECT",direction="ingress",interface_id="eni-1",name="eth0"} 2`,
		`weir_capture_bytes_total{action="ACCEPT",direction="egress",interface_id="eni-1",name="eth0"} 800`,
		`weir_capture_lost_packets_total{cause="full",interface_id="eni-1",name="eth0"} 3`,
		`weir_capture_lost_bytes_total{cause="unread",interface_id="eni-1",name="eth0"} 9`,
		`weir_capture_swap_seconds 0.042`,
		`weir_journal_stored_bytes 9000`,
		`weir_journal_oldest_timestamp_seconds 1.7952725e+09`,
		`weir_journal_damaged_messages_total 7`,
		`weir_journal_missing_swaps_total 8`,
		`weir_aggregate_records_total{interval="10s",log_status="OK"} 5`,
		`weir_aggregate_records_total{interval="60s",log_status="OK"} 16`,
		`weir_aggregate_records_total{interval="60s",log_status="SKIPDATA"} 1`,
		`weir_aggregate_open_flows{interval="60s"} 6`,
		`weir_deliver_records_total{destination="s3://b",flow_log_id="fl-1"} 16`,
		`weir_deliver_waiting_records{destination="s3://b",flow_log_id="fl-1"} 4`,
		`weir_deliver_backlog_messages{destination="s3://b",flow_log_id="fl-1"} 9`,
		`weir_deliver_lag_seconds{destination="s3://b",flow_log_id="fl-1"} 75`,
		`weir_deliver_failed{destination="s3://b",flow_log_id="fl-1"} 1`,
		`weir_deliver_refused_records_total{destination="s3://b",flow_log_id="fl-1"} 5`,
		`weir_deliver_skipped_packets_total{destination="s3://b",flow_log_id="fl-1"} 70`,
		`weir_deliver_last_success_timestamp_seconds{destination="s3://b",flow_log_id="fl-1"} 1.7952726e+09`,
		`weir_lost_records_total 5`,
		`weir_lost_packets_total 6`,
	} {
		if !strings.Contains(string(text), want+"\n") {
			t.Errorf("no line %q", want)
		}
	}
	if t.Failed() {
		t.Log(string(text))
	}
}

// Names, units and help are as Prometheus wants them, and every metric is of the
// pedantic kind: no label set twice, one type each.
func TestMetricsAreWellFormed(t *testing.T) {
	described := full
	described.Topology = &Topology{Loaded: time.Unix(1795272000, 0), Problem: "x", Waiting: []string{"eth1"}}
	described.Policy = &Policy{Since: time.Unix(1795272000, 0), Rules: 3, Differs: "x"}
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(metrics{func() Status { return described }})
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	for _, f := range families {
		if help := f.GetHelp(); !strings.HasPrefix(f.GetName(), "weir_") || !strings.HasSuffix(help, ".") || help == "." {
			t.Errorf("%s: help %q", f.GetName(), help)
		}
	}
	// A Weir that has done nothing yet has nothing to say, and can say so.
	empty := prometheus.NewPedanticRegistry()
	empty.MustRegister(metrics{func() Status { return Status{} }})
	if _, err := empty.Gather(); err != nil {
		t.Error(err)
	}
}

func TestSocketOfALongPath(t *testing.T) {
	data := filepath.Join(t.TempDir(), strings.Repeat("long", 30))
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Ask(t.Context(), data); !errors.Is(err, ErrNotRunning) {
		t.Errorf("error %v, want ErrNotRunning", err)
	}
	err := Server{Data: data}.Run(t.Context())
	var h interface{ Hint() string }
	if !errors.As(err, &h) || !strings.Contains(err.Error(), "more than a socket can have") || !strings.Contains(h.Hint(), "--data") {
		t.Errorf("error %v, want one about the path", err)
	}
}

func TestLockDataDir(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "data")
	first, err := LockDataDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, err = LockDataDir(dir)
	if !errors.Is(err, ErrLocked) {
		t.Errorf("second lock: %v, want ErrLocked", err)
	}
	var h interface{ Hint() string }
	if !errors.As(err, &h) || h.Hint() == "" {
		t.Errorf("no hint in %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := LockDataDir(dir)
	if err != nil {
		t.Fatalf("after the first has gone: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}

	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LockDataDir(filepath.Join(file, "below")); err == nil || !errors.As(err, &h) {
		t.Errorf("below a file: %v, want an error with a hint", err)
	}
}
