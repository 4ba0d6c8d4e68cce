package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"weir/lab/traffic"
)

// AgentCommand is the hidden subcommand by which the lab starts its own
// executable inside a namespace: "weir lab-agent PREFIX PLACE". The words stand
// on the command line for [Clean] and for people with ps(1).
const AgentCommand = "lab-agent"

// report is a line of JSON that an agent writes to its standard error, once a
// second and when it ends.
type report struct {
	Results []traffic.Result `json:"results"`
}

// TaskResult is what became of one task of one place's agent.
type TaskResult struct {
	Place string
	traffic.Result
}

// RunAgent makes the traffic of one place. args are what follows [AgentCommand].
// It reads its role as JSON from stdin, and ends without an error when stdin
// ends, which it does with the lab whatever becomes of that, or when ctx does;
// the caller ends ctx on SIGTERM. One goroutine may stay in a read of stdin:
// the process is expected to exit. An error is for the caller to print.
func RunAgent(ctx context.Context, args []string, stdin io.Reader, stderr io.Writer) error {
	if len(args) != 2 {
		return fmt.Errorf("%s: want PREFIX and PLACE, got %q: it is started by the lab, not by hand", AgentCommand, args)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	roles := make(chan traffic.Role, 1)
	failed := make(chan error, 1)
	// Not pdeathsig: that is bound to the thread that forks, and the lab's
	// thread inside a namespace ends at once.
	go func() {
		var role traffic.Role
		if err := json.NewDecoder(stdin).Decode(&role); err != nil {
			failed <- fmt.Errorf("read role from standard input: %w", err)
			return
		}
		roles <- role
		_, _ = io.Copy(io.Discard, stdin)
		cancel()
	}()
	var role traffic.Role
	select {
	case role = <-roles:
	case err := <-failed:
		return err
	case <-ctx.Done():
		return nil
	}

	encoder := json.NewEncoder(stderr)
	return traffic.Run(ctx, role, func(results []traffic.Result) {
		if encoder.Encode(report{results}) != nil {
			cancel() // nobody listens any more
		}
	})
}
