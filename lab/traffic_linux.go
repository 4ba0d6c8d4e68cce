package lab

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"weir/lab/traffic"
)

// patience is how long an agent may take to end when it is asked to.
const patience = 3 * time.Second

// run is traffic under way.
type run struct {
	stop context.CancelFunc
	done chan struct{} // closed when all agents are gone
}

// Traffic runs the agents until ctx is done, waits for them all, and returns
// the first failure that is not of ctx's making. Only one call at a time.
//
// The executable is started again in each namespace: it must hand
// [AgentCommand] to [RunAgent].
func (l *Lab) Traffic(ctx context.Context) error {
	return l.run(ctx, l.plan.roles(l.config))
}

// run starts one agent per role, by place.
func (l *Lab) run(ctx context.Context, roles map[string]traffic.Role) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	running := &run{stop: cancel, done: make(chan struct{})}
	l.mu.Lock()
	busy, closed := l.running != nil, l.closed
	if !busy && !closed {
		l.running = running
	}
	l.mu.Unlock()
	if closed {
		return fmt.Errorf("traffic of lab %s: %w", l.config.Prefix, os.ErrClosed)
	}
	if busy {
		return fmt.Errorf("traffic of lab %s is running already", l.config.Prefix)
	}
	defer func() {
		l.mu.Lock()
		l.running = nil
		l.mu.Unlock()
		close(running.done)
	}()

	g, gctx := errgroup.WithContext(ctx)
	for place, role := range roles {
		g.Go(func() error {
			if err := l.runAgent(gctx, place, role); err != nil {
				return fmt.Errorf("traffic of %s: %w", namespaceName(l.config.Prefix, place), err)
			}
			return nil
		})
	}
	return g.Wait()
}

// runAgent runs one agent until ctx is done.
func (l *Lab) runAgent(ctx context.Context, place string, role traffic.Role) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	message, err := json.Marshal(role)
	if err != nil {
		return err
	}
	cmd := exec.Command(self, AgentCommand, l.config.Prefix, place)
	// Its own process group: Ctrl-C is for us, and we end it in order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = patience
	output := &agentOutput{report: func(rs []traffic.Result) { l.keep(place, rs) }}
	cmd.Stderr = output
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := l.namespaces[place].Start(cmd); err != nil {
		return fmt.Errorf("start agent: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	_, _ = stdin.Write(message) // an error means that it has ended: Wait says why

	select {
	case err = <-ended:
		err = cmp.Or(err, errors.New("it ended by itself"))
	case <-ctx.Done():
		_ = stdin.Close()
		select {
		case err = <-ended:
		case <-time.After(patience):
			_ = cmd.Process.Kill()
			err = fmt.Errorf("it did not end within %v and was killed: %w", patience, <-ended)
		}
	}
	state := cmd.ProcessState
	l.config.Logger.Debug("agent ended", "lab", l.config.Prefix, "place", place,
		"user_cpu", state.UserTime(), "system_cpu", state.SystemTime())
	if err != nil {
		return fmt.Errorf("agent (process %d): %w%s", state.Pid(), err, output.said())
	}
	return nil
}

// agentOutput takes apart what an agent writes: reports, and what it says when
// something is wrong. It is written to by one goroutine and read after that.
type agentOutput struct {
	report func([]traffic.Result)
	rest   []byte // a line that has not ended yet
	last   []string
}

// maxSaid is how many lines are kept of what an agent says: a panic's first
// lines name it, its last ones are of other goroutines.
const maxSaid = 20

func (o *agentOutput) Write(p []byte) (int, error) {
	o.rest = append(o.rest, p...)
	for {
		line, rest, ok := bytes.Cut(o.rest, []byte("\n"))
		if !ok {
			return len(p), nil
		}
		o.rest = rest
		var r report
		switch {
		case json.Unmarshal(line, &r) == nil:
			o.report(r.Results)
		case len(o.last) < maxSaid:
			o.last = append(o.last, string(line))
		}
	}
}

func (o *agentOutput) said() string {
	if len(o.last) == 0 {
		return ""
	}
	return ": " + strings.Join(o.last, "\n")
}

func (l *Lab) keep(place string, results []traffic.Result) {
	list := make([]TaskResult, len(results))
	for i, r := range results {
		list[i] = TaskResult{place, r}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.results[place] = list
}

// Results is what the agents have done, by place, at most a second old. After
// Traffic has returned it is complete.
func (l *Lab) Results() []TaskResult {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []TaskResult
	for _, place := range slices.Sorted(maps.Keys(l.results)) {
		all = append(all, l.results[place]...)
	}
	return all
}
