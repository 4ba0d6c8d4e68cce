package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"weir/capture/ebpf"
	"weir/control"
	"weir/flowlog"
	"weir/lab"
)

func newLab(a *app) *cobra.Command {
	var f captureFlags
	var duration time.Duration
	var rate float64
	cmd := &cobra.Command{
		Use:   "lab",
		Short: "Build a VPC of network namespaces with traffic, and record it",
		Long: `Lab makes a VPC on this machine: a router, two public and private subnets with
the instances web, app, db, bastion and nat, and an internet with visitors, an
administrator, attackers and a port scanner. Traffic runs between them until
Ctrl-C, or as long as --for says; then a summary is asked of the flow log.
Nothing is left behind; after kill -9, "weir lab --clean" removes the rest.

While it runs: weir check, weir query '…', ip netns exec weir-lab-web …`,
		Example: `  weir lab --for 60s
  weir lab --rate 3 --data /tmp/lab
  weir lab --clean`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			format, err := f.check()
			if err == nil && rate <= 0 {
				err = fmt.Errorf("--rate %v: want more than 0", rate)
			}
			if err != nil {
				return &usageError{err: err, command: cmd.CommandPath()}
			}
			if f.clean {
				return errors.Join(ebpf.Clean(f.runDir), lab.Clean(lab.DefaultPrefix))
			}
			return a.lab(cmd.Context(), &f, format, duration, rate)
		},
	}
	f.add(cmd, defaultLabAggregation, defaultLabPublish, defaultLabRunDir)
	cmd.Flags().DurationVar(&duration, "for", 0, "end after this time (0: at Ctrl-C)")
	cmd.Flags().Float64Var(&rate, "rate", 1, "how busy the traffic is")
	return cmd
}

// newLabAgent is the lab's own process inside a namespace.
func newLabAgent(a *app) *cobra.Command {
	return &cobra.Command{
		Use:    lab.AgentCommand + " PREFIX PLACE",
		Hidden: true,
		Args:   cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return lab.RunAgent(cmd.Context(), args, a.in, a.err)
		},
	}
}

func (a *app) lab(ctx context.Context, f *captureFlags, format flowlog.Format, duration time.Duration, rate float64) (err error) {
	if os.Geteuid() != 0 {
		return withHint(errors.New("the lab makes network namespaces and loads eBPF programs, which takes root"), "sudo weir lab")
	}
	data, err := control.LockDataDir(a.dataDir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, data.Close()) }()
	log := a.log()
	s, err := openStation(f.station(a, format, false, log))
	if err != nil {
		return err
	}
	began := time.Now()
	l, err := lab.Up(ctx, lab.Config{AccountID: f.account, Region: f.region, Rate: rate, Logger: log})
	if err != nil {
		return errors.Join(err, s.capture.Close(false))
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	if err := s.watch(l.Interfaces()); err != nil {
		return errors.Join(err, s.capture.Close(false))
	}
	fmt.Fprintf(a.err, "the lab is up after %.2f s: %s; namespaces %s-…\n", time.Since(began).Seconds(), names(l.Interfaces()), lab.DefaultPrefix)

	if duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, duration)
		defer cancel()
	}
	// Traffic ends first, then what was counted is brought home.
	recording, stop := context.WithCancel(context.WithoutCancel(ctx))
	recorded := make(chan error, 1)
	go func() { recorded <- s.run(recording, nil) }()
	traffic := make(chan error, 1)
	trafficCtx, stopTraffic := context.WithCancel(ctx)
	defer stopTraffic()
	go func() { traffic <- l.Traffic(trafficCtx) }()
	a.wait(ctx, duration, recorded, traffic)
	stopTraffic()
	trafficErr := <-traffic
	stop()
	if err := errors.Join(trafficErr, <-recorded); err != nil {
		return err
	}
	return a.summary(context.WithoutCancel(ctx), s, l.Interfaces())
}

// wait returns when the time is over or something has ended before it, and shows
// meanwhile how long it still takes. What it receives is put back.
func (a *app) wait(ctx context.Context, duration time.Duration, ends ...chan error) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	began := time.Now()
	shown := isTerminal(a.err) && duration > 0
	for {
		for _, end := range ends {
			select {
			case err := <-end:
				end <- err
				return
			default:
			}
		}
		select {
		case <-ctx.Done():
			if shown {
				fmt.Fprint(a.err, "\r\x1b[K")
			}
			return
		case now := <-tick.C:
			if shown {
				fmt.Fprintf(a.err, "\r\x1b[Krecording, %.0f s left", (duration - now.Sub(began)).Seconds())
			}
		}
	}
}
