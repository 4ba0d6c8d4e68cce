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
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var full = Status{
	Process: Process{PID: 7, Version: "dev", Started: time.Unix(1795272615, 0).UTC(), Data: "/data"},
	Capture: Capture{
		Interfaces: []Interface{{
			ID: "eni-1", Name: "eth0", Device: "eth0", Side: "own",
			Ingress: Counts{AcceptedPackets: 10, AcceptedBytes: 1000, RejectedPackets: 2, RejectedBytes: 120},
			Egress:  Counts{AcceptedPackets: 8, AcceptedBytes: 800},
			Lost:    Loss{FullPackets: 3, FullBytes: 300, UnreadPackets: 1, UnreadBytes: 9, RefusedPackets: 2, RefusedBytes: 80},
		}},
		Swaps: 4, LastSwap: time.Unix(1795272620, 0).UTC(), SwapTime: 42 * time.Millisecond, Flows: 5, Occupancy: 0.25, MaxFlows: 1024,
	},
	Records: Records{Interval: time.Minute, Open: 6, Made: 20, NoData: 3, SkipData: 1},
	FlowLogs: []FlowLog{{
		ID: "fl-1", Destination: "/data/buckets/b", Status: "FAILED", LastError: "no space left on device",
		LastDelivery: time.Unix(1795272600, 0).UTC(), Objects: 2, Records: 16, Bytes: 900, Failures: 1, PendingRecords: 4, PendingBytes: 440, LostRecords: 5,
	}},
	Lost: Lost{Packets: 6, Bytes: 389, Records: 5},
}

// serve runs a server over a new directory until the test ends.
func serve(t *testing.T, metrics string) string {
	t.Helper()
	data := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- Server{Data: data, Metrics: metrics, Status: func() Status { return full }}.Run(ctx)
	}()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if _, err := Ask(ctx, data); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the server does not answer")
		}
	}
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(Socket(data)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the socket stays behind: %v", err)
		}
	})
	return data
}

func TestAskReturnsTheStatus(t *testing.T) {
	data := serve(t, "")
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
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Skip("cannot listen on loopback:", err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	serve(t, addr)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // no proxy for loopback
	resp, err := client.Get("http://" + addr + "/metrics")
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
		`weir_aggregate_records_total{log_status="OK"} 16`,
		`weir_aggregate_records_total{log_status="SKIPDATA"} 1`,
		`weir_deliver_pending_records{flow_log_id="fl-1"} 4`,
		`weir_deliver_last_success_timestamp_seconds{flow_log_id="fl-1"} 1.7952726e+09`,
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
