package traffic

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Kind is what a task does.
type Kind string

// The kinds; the fields they use stand at [Task].
const (
	HTTPServer   Kind = "http-server"   // pages at /, files at /file
	HTTPClient   Kind = "http-client"   // pages over a connection that stays open
	HTTPShort    Kind = "http-short"    // one connection per page
	HTTPDownload Kind = "http-download" // a file of Bytes
	DBServer     Kind = "db-server"     // answers to length-prefixed requests
	DBLoad       Kind = "db-load"       // one request of Bytes, on its own connection
	DNSServer    Kind = "dns-server"    // over UDP
	DNSClient    Kind = "dns-client"    // a new port per question
	SSHServer    Kind = "ssh-server"    // a banner, then an echo
	SSHClient    Kind = "ssh-client"    // a session of a few seconds
	Ping         Kind = "ping"          // ICMP or ICMPv6 echo, by the address's family
	Attempt      Kind = "attempt"       // a TCP connection of which only the Outcome counts
	Scan         Kind = "scan"          // TCP connects to the ports 1 to 1024, round and round
)

// kinds is the one list of what can be done. Each function returns when its
// context ends, or an error when it can never succeed (an address in use).
var kinds = map[Kind]func(context.Context, *task) error{
	HTTPServer:   httpServer,
	HTTPClient:   httpClient,
	HTTPShort:    httpClient,
	HTTPDownload: httpClient,
	DBServer:     dbServer,
	DBLoad:       dbLoad,
	DNSServer:    dnsServer,
	DNSClient:    dnsClient,
	SSHServer:    sshServer,
	SSHClient:    sshClient,
	Ping:         ping,
	Attempt:      attempt,
	Scan:         scan,
}

// Task is one server or one client.
type Task struct {
	Name  string         `json:"name"` // unique in its role; results carry it
	Kind  Kind           `json:"kind"`
	Addr  netip.AddrPort `json:"addr"`           // a server: where it listens; a client: whom it calls
	From  netip.Addr     `json:"from,omitzero"`  // a client's source address; zero: the kernel chooses
	Every time.Duration  `json:"every,omitzero"` // a client's mean pause between two actions; of a scan, between two ports
	Bytes int64          `json:"bytes,omitzero"` // what a download or a load moves
	Want  Outcome        `json:"want,omitzero"`  // what an attempt expects

	// An HTTP server that needs others for a page: another HTTP server, or a
	// database that it keeps one connection to.
	Upstream netip.AddrPort `json:"upstream,omitzero"`
	Database netip.AddrPort `json:"database,omitzero"`
}

// Role is everything that one process does.
type Role struct {
	Seed  uint64 `json:"seed"`
	Tasks []Task `json:"tasks"`
}

// Result is what became of a task so far. A server counts what it served.
type Result struct {
	Task        string `json:"task"`
	Done        uint64 `json:"done"`                   // actions that ended as they should
	Failed      uint64 `json:"failed"`                 // actions that did not
	Bytes       uint64 `json:"bytes"`                  // payload moved by those done
	LastFailure string `json:"last_failure,omitempty"` // of the last one that failed
}

// Run does a role until ctx ends (then the error is nil) or a task cannot go on.
// report gets every task's result, in the role's order, once a second and a
// last time before Run returns; it is never called twice at a time.
func Run(ctx context.Context, role Role, report func([]Result)) error {
	tasks := make([]*task, len(role.Tasks))
	for i, t := range role.Tasks {
		if kinds[t.Kind] == nil {
			return fmt.Errorf("task %s: no such kind of traffic: %q", t.Name, t.Kind)
		}
		tasks[i] = newTask(t, role.Seed)
	}
	results := func() []Result {
		rs := make([]Result, len(tasks))
		for i, t := range tasks {
			rs[i] = t.snapshot()
		}
		return rs
	}

	g, gctx := errgroup.WithContext(ctx)
	for _, t := range tasks {
		g.Go(func() error {
			if err := kinds[t.Kind](gctx, t); err != nil && ctx.Err() == nil {
				return fmt.Errorf("task %s: %w", t.Name, err)
			}
			return nil
		})
	}
	g.Go(func() error {
		every := time.NewTicker(time.Second)
		defer every.Stop()
		for {
			select {
			case <-gctx.Done():
				return nil
			case <-every.C:
				report(results())
			}
		}
	})
	err := g.Wait()
	report(results())
	return err
}

// task is a Task that runs: its randomness and its result.
type task struct {
	Task
	rng *rand.Rand // for the client's own goroutine only

	mu     sync.Mutex // protects result
	result Result
}

// newTask gives each task its own random numbers, so that one more task in a
// role does not change what the others do.
func newTask(t Task, seed uint64) *task {
	h := fnv.New64a()
	_, _ = h.Write([]byte(t.Name))
	return &task{Task: t, rng: rand.New(rand.NewPCG(seed, h.Sum64())), result: Result{Task: t.Name}}
}

func (t *task) snapshot() Result {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.result
}

// count notes one action that moved n bytes or failed.
func (t *task) count(n int64, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		t.result.Failed++
		t.result.LastFailure = err.Error()
		return
	}
	t.result.Done++
	t.result.Bytes += uint64(n)
}

// pace does act again and again until ctx ends, with pauses between half and
// one and a half of Every, and counts what becomes of it. act returns the bytes
// it moved.
func (t *task) pace(ctx context.Context, act func(context.Context) (int64, error)) error {
	// The first one comes soon, but not everybody's at once.
	pause := time.Duration(t.rng.Float64() * float64(min(t.Every, 500*time.Millisecond)))
	for wait(ctx, pause) {
		n, err := act(ctx)
		if ctx.Err() != nil {
			break // cut off, which is nobody's failure
		}
		t.count(n, err)
		pause = time.Duration((0.5 + t.rng.Float64()) * float64(t.Every))
	}
	return nil
}

// between is a random number in [low, high).
func (t *task) between(low, high int) int { return low + t.rng.IntN(high-low) }

// dialer dials from the task's own address.
func (t *task) dialer(timeout time.Duration) *net.Dialer {
	d := &net.Dialer{Timeout: timeout}
	if t.From.IsValid() {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(t.From, 0))
	}
	return d
}

// wait is false when ctx ended before d had passed.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
