package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"

	"weir/internal/soak"
	"weir/lab"
)

// Names under which the soak starts the test binary, beside what the lab starts.
const (
	steeredWeir = "weir-steered" // weir by the clock of the file that steeredClock names
	soakNATS    = "soak-nats"    // a NATS server: DIR PORT

	steeredClock = "WEIR_SOAK_CLOCK"
)

// otherProgram is what the test binary is when a test has started it as another
// program, nil when it is the tests.
func otherProgram() func() {
	switch name := filepath.Base(os.Args[0]); {
	case name == steeredWeir:
		return func() { exitWith(steered()) }
	case name == soakNATS:
		return func() { exitWith(natsServer(os.Args[1:])) }
	case len(os.Args) > 1 && os.Args[1] == lab.AgentCommand:
		return main
	}
	return nil
}

func exitWith(err error) { os.Exit(report(os.Stderr, err)) }

// steered is main with another clock.
func steered() error {
	clock, err := soak.OpenClock(os.Getenv(steeredClock))
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	a := &app{streams: streams{in: os.Stdin, out: os.Stdout, err: os.Stderr}, now: clock.Now}
	root := a.root()
	root.SetArgs(os.Args[1:])
	return root.ExecuteContext(ctx)
}

func natsServer(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("%s: want DIR PORT", soakNATS)
	}
	port, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return soak.RunNATS(ctx, args[0], port, os.Stdout)
}
