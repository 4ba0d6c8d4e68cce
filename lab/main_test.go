package lab

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"
)

// holdCommand makes the test binary a lab with traffic, to be killed.
const holdCommand = "hold-lab"

// TestMain lets the test binary be what the lab starts: an agent.
func TestMain(m *testing.M) {
	if len(os.Args) < 2 || os.Args[1] != AgentCommand && os.Args[1] != holdCommand {
		os.Exit(m.Run())
	}
	if err := other(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// other is what the binary does when it does not test.
func other(command string, args []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if command == AgentCommand {
		return RunAgent(ctx, args, os.Stdin, os.Stderr)
	}
	return hold(ctx, args[0])
}

// hold runs a lab and says so on standard output.
func hold(ctx context.Context, prefix string) error {
	l, err := Up(ctx, Config{Prefix: prefix})
	if err != nil {
		return err
	}
	defer l.Close()
	fmt.Println("up")
	return l.Traffic(ctx)
}
