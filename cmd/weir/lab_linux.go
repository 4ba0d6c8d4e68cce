package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"weir/capture/ebpf"
	"weir/control"
	"weir/flowlog"
	"weir/lab"
	"weir/netns"
)

// labFlags are those of "lab" alone.
type labFlags struct {
	captureFlags
	duration time.Duration // 0: until Ctrl-C
	rate     float64
	topology bool
}

func newLab(a *app) *cobra.Command {
	var f labFlags
	cmd := &cobra.Command{
		Use:   "lab",
		Short: "Build a VPC of network namespaces with traffic, and record it",
		Long: `Lab makes a VPC on this machine: a router, public and private subnets with the
instances web, app, db, bastion and nat, and an internet with visitors, an
administrator, attackers and a port scanner. Its security groups and network ACLs
are in force; two of their rules are wrong on purpose. Traffic runs until Ctrl-C,
or as long as --for says; then a summary is asked of the flow log. Nothing is left
behind; after kill -9, "weir lab --clean" removes the rest. The firewall of this
host is not touched.

While it runs: weir check, weir query '…', weir explain app db 5432, weir policy
status, ip netns exec weir-lab-web …`,
		Example: `  weir lab --for 60s
  weir lab --rate 3 --data /tmp/lab
  weir lab --topology > lab.yaml && weir policy render lab.yaml
  weir lab --clean`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			format, err := f.check()
			if err == nil && f.rate <= 0 {
				err = fmt.Errorf("--rate %v: want more than 0", f.rate)
			}
			if err != nil {
				return &usageError{err: err, command: cmd.CommandPath()}
			}
			switch {
			case f.topology:
				return a.labTopology(&f)
			case f.clean:
				return a.labClean(cmd.Context(), &f)
			}
			return a.lab(cmd.Context(), &f, format)
		},
	}
	f.add(cmd, defaultLabAggregation, defaultLabPublish, defaultLabRunDir)
	f.format = defaultLabFormat
	cmd.Flag("format").DefValue = "the default format, then direction, TCP flags and the refusing rule"
	cmd.Flags().DurationVar(&f.duration, "for", 0, "end after this time (0: at Ctrl-C)")
	cmd.Flags().Float64Var(&f.rate, "rate", 1, "how busy the traffic is")
	cmd.Flags().BoolVar(&f.topology, "topology", false, "print the lab's topology, with its security groups and network ACLs, and end")
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

func (f *labFlags) config() lab.Config {
	return lab.Config{AccountID: f.account, Region: f.region, Rate: f.rate}
}

func (a *app) labTopology(f *labFlags) error {
	text, err := lab.Topology(f.config())
	if err == nil {
		_, err = io.WriteString(a.out, text)
	}
	return err
}

// labClean removes what a killed lab left: programs, namespaces, and the book's
// belief that its policy is in force.
func (a *app) labClean(ctx context.Context, f *labFlags) error {
	err := errors.Join(ebpf.Clean(f.runDir), lab.Clean(lab.DefaultPrefix))
	if err != nil {
		return err
	}
	return a.labPolicy().remove(ctx)
}

func (a *app) labPolicy() *labPolicy {
	return &labPolicy{book: a.book(), router: filepath.Join(netns.Dir, lab.DefaultPrefix+"-router")}
}

func (a *app) lab(ctx context.Context, f *labFlags, format flowlog.Format) (err error) {
	if os.Geteuid() != 0 {
		return withHint(errors.New("the lab makes network namespaces and loads eBPF programs, which takes root"), "sudo weir lab")
	}
	data, err := control.LockDataDir(a.dataDir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, data.Close()) }()
	p := a.labPolicy()
	if err := p.free(); err != nil {
		return err
	}
	log := a.log()
	now := &policyNow{enforcer: &enforcer{book: p.book}, log: log}
	own, err := f.flowLog(format)
	if err != nil {
		return err
	}
	cfg := f.station(a, own, nil, false, log)
	cfg.Rules, cfg.Policy, cfg.Describe = p.book, now.current, now.describe
	s, err := openStation(ctx, cfg)
	if err != nil {
		return err
	}
	began := time.Now()
	labCfg := f.config()
	labCfg.Logger = log
	l, err := lab.Up(ctx, labCfg)
	if err != nil {
		return errors.Join(err, s.close(false))
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	s.subscriptions.describe(l.Topology())
	// Like weir up: counting begins first, so that every refusal is recorded.
	if err := s.watch(l.Topology().Interfaces); err != nil {
		return errors.Join(err, s.close(false))
	}
	defer func() { err = errors.Join(err, p.remove(context.WithoutCancel(ctx))) }()
	if err := p.apply(ctx, l.Topology()); err != nil {
		return errors.Join(err, s.close(false))
	}
	now.refresh(ctx)
	fmt.Fprintf(a.err, "the lab is up after %.2f s: %s; namespaces %s-…\n", time.Since(began).Seconds(), names(l.Topology().Interfaces), lab.DefaultPrefix)
	if inForce, _ := now.state(); inForce != nil {
		fmt.Fprintf(a.err, "its policy is in force: %v; weir lab --topology prints it\n", figuresOf(inForce.Policy, p.router))
	}
	if err := a.labRun(ctx, f, s, l, now); err != nil {
		return err
	}
	return a.summary(context.WithoutCancel(ctx), s, l, a.bucketPath(f.bucket))
}

// labRun has traffic and records it until ctx is done or the time is over.
func (a *app) labRun(ctx context.Context, f *labFlags, s *station, l *lab.Lab, now *policyNow) error {
	if f.duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, f.duration)
		defer cancel()
	}
	var looking sync.WaitGroup
	look, stopLooking := context.WithCancel(ctx)
	looking.Go(func() { now.run(look) })
	defer looking.Wait()
	defer stopLooking()
	// Traffic ends first, then what was counted is brought home.
	recording, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	recorded := make(chan error, 1)
	go func() { recorded <- s.run(recording, nil) }()
	traffic := make(chan error, 1)
	trafficCtx, stopTraffic := context.WithCancel(ctx)
	defer stopTraffic()
	go func() { traffic <- l.Traffic(trafficCtx) }()
	a.wait(ctx, f.duration, recorded, traffic)
	stopTraffic()
	trafficErr := <-traffic
	stop()
	return errors.Join(trafficErr, <-recorded)
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
