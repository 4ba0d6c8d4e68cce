package traffic

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// freePort finds a port of the loopback that was free a moment ago.
func freePort(t *testing.T) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return netip.MustParseAddrPort(l.Addr().String())
}

// runUntilAllDone runs a role until every task has done something, and returns the
// last results by task.
func runUntilAllDone(t *testing.T, role Role) map[string]Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	last := map[string]Result{}
	err := Run(ctx, role, func(rs []Result) {
		all := true
		for _, r := range rs {
			last[r.Task] = r
			all = all && r.Done > 0
		}
		if all {
			cancel()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return last
}

func TestEveryTCPAndUDPKind(t *testing.T) {
	const soon = 10 * time.Millisecond
	web, app, db, ssh, dns, nobody := freePort(t), freePort(t), freePort(t), freePort(t), freePort(t), freePort(t)
	results := runUntilAllDone(t, Role{Seed: 1, Tasks: []Task{
		{Name: "db", Kind: DBServer, Addr: db},
		{Name: "app", Kind: HTTPServer, Addr: app, Database: db},
		{Name: "web", Kind: HTTPServer, Addr: web, Upstream: app},
		{Name: "ssh", Kind: SSHServer, Addr: ssh},
		{Name: "dns", Kind: DNSServer, Addr: dns},
		{Name: "keep-alive", Kind: HTTPClient, Addr: web, Every: soon},
		{Name: "short", Kind: HTTPShort, Addr: web, Every: soon, From: netip.MustParseAddr("127.0.0.2")},
		{Name: "download", Kind: HTTPDownload, Addr: web, Every: soon, Bytes: 5 << 20},
		{Name: "load", Kind: DBLoad, Addr: db, Every: soon, Bytes: 5 << 20},
		{Name: "session", Kind: SSHClient, Addr: ssh, Every: soon},
		{Name: "question", Kind: DNSClient, Addr: dns, Every: soon},
		{Name: "open", Kind: Attempt, Addr: web, Every: soon, Want: Open},
		{Name: "reset", Kind: Attempt, Addr: nobody, Every: soon, Want: Reset},
		{Name: "scan", Kind: Scan, Addr: netip.AddrPortFrom(web.Addr(), 0), Every: soon},
	}})
	for name, r := range results {
		t.Logf("%-10s done %4d failed %d bytes %d %s", name, r.Done, r.Failed, r.Bytes, r.LastFailure)
		if r.Done == 0 {
			t.Errorf("task %s did nothing: %s", name, r.LastFailure)
		}
	}
	if got := results["download"]; got.Bytes < got.Done*5<<20 {
		t.Errorf("%d downloads moved %d bytes", got.Done, got.Bytes)
	}
}

func TestAttemptCountsWhatItDidNotExpect(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var last Result
	err := Run(ctx, Role{Tasks: []Task{
		{Name: "a", Kind: Attempt, Addr: freePort(t), Every: time.Millisecond, Want: Silent},
	}}, func(rs []Result) {
		if last = rs[0]; last.Failed > 0 {
			cancel()
		}
	})
	if err != nil || last.Failed == 0 || !strings.Contains(last.LastFailure, "reset, want silent") {
		t.Errorf("got %v, %+v", err, last)
	}
}

func TestRunEndsWithATaskThatCannotGoOn(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for name, tt := range map[string]struct {
		task Task
		want string
	}{
		"address in use": {Task{Name: "a", Kind: SSHServer, Addr: netip.MustParseAddrPort(taken.Addr().String())}, "task a: listen tcp"},
		"unknown kind":   {Task{Name: "a", Kind: "telepathy"}, `no such kind of traffic: "telepathy"`},
	} {
		t.Run(name, func(t *testing.T) {
			err := Run(t.Context(), Role{Tasks: []Task{{Name: "b", Kind: SSHServer, Addr: freePort(t)}, tt.task}}, func([]Result) {})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestSeedDecides(t *testing.T) {
	numbers := func(name string, seed uint64) (ns [4]int) {
		task := newTask(Task{Name: name}, seed)
		for i := range ns {
			ns[i] = task.between(0, 1_000_000)
		}
		return ns
	}
	if again := numbers("a", 1); again != numbers("a", 1) {
		t.Error("equal seeds, different numbers")
	}
	if numbers("a", 1) == numbers("a", 2) || numbers("a", 1) == numbers("b", 1) {
		t.Error("different seeds or tasks, equal numbers")
	}
}
