package main

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"weir/netns"
	"weir/vpc"
)

// What a killed Weir has left counting goes on counting when the next one fails to
// start: the one after that has what was counted meanwhile.
func TestFailedStartLeavesTheKernelCounting(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: it makes a network namespace and loads eBPF programs")
	}
	ns, err := netns.Create(fmt.Sprintf("weir-i%d", os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = ns.Close()
		_ = netns.Delete(ns.Name())
	})
	if err := ns.Do(func() error {
		return netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "d0"}, PeerName: "d1"})
	}); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cfg := stationConfig{
		Data: dir, RunDir: filepath.Join(dir, "run"), Buckets: filepath.Join(dir, "buckets"),
		AccountID: defaultAccountID, Region: defaultRegion, Publish: time.Second, MaxFlows: 1024,
		Log: slog.New(slog.DiscardHandler),
	}
	for _, tt := range []struct {
		name  string
		watch bool
		keep  bool // as kill -9 does
		left  bool
	}{
		{"a first start that fails leaves nothing", true, false, false},
		{"a run that is killed leaves it counting", true, true, true},
		{"a start that fails leaves that", false, false, true},
		{"and so does another", true, false, true},
	} {
		s, err := openStation(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if tt.watch {
			if err := s.watch([]vpc.Interface{{ID: "eni-1", Device: vpc.Device{Namespace: ns.Path(), Name: "d0"}, Side: vpc.Own}}); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.close(tt.keep); err != nil {
			t.Fatal(err)
		}
		links, _ := filepath.Glob(filepath.Join(cfg.RunDir, "bpf", "links", "*-entering"))
		if (len(links) > 0) != tt.left {
			t.Errorf("%s: the programs are %q", tt.name, links)
		}
	}
	s, err := openStation(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	s.inherited = false
	if err := s.close(false); err != nil {
		t.Error(err)
	}
}
