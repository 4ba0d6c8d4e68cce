package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weir/capture/ebpf"
	"weir/control"
	"weir/flowlog"
	"weir/vpc"
	"weir/vpc/discover"
)

// captureFlags are what "up" and "lab" have in common.
type captureFlags struct {
	bucket   string
	account  string
	region   string
	format   string
	interval time.Duration
	publish  time.Duration
	maxFlows int
	metrics  string
	runDir   string
	clean    bool
}

func (f *captureFlags) add(cmd *cobra.Command, interval, publish time.Duration, runDir string) {
	flags := cmd.Flags()
	flags.StringVar(&f.bucket, "bucket", defaultBucket, "local bucket that gets the flow log")
	flags.StringVar(&f.account, "account-id", defaultAccountID, "account that owns the network interfaces, 12 digits")
	flags.StringVar(&f.region, "region", defaultRegion, "region of the network interfaces")
	flags.StringVar(&f.format, "format", flowlog.DefaultFormat().String(), "fields of a record")
	flags.DurationVar(&f.interval, "interval", interval, "aggregation interval: 1m or 10m as on AWS, or 1s to 59s")
	flags.DurationVar(&f.publish, "publish", publish, "how often objects are published")
	flags.IntVar(&f.maxFlows, "max-flows", defaultMaxFlows, "room for flows of each address family between two hand-overs")
	flags.StringVar(&f.metrics, "metrics", "", "address that serves Prometheus metrics, such as 127.0.0.1:9599")
	flags.StringVar(&f.runDir, "run", runDir, "directory of the capture's lock and pins")
	flags.BoolVar(&f.clean, "clean", false, "remove what a killed run left in the kernel, and end")
	cmd.Flag("format").DefValue = "the default format, version 2"
}

// check finds what is wrong with the flags.
func (f *captureFlags) check() (flowlog.Format, error) {
	format, err := flowlog.ParseFormat(f.format)
	if err != nil {
		return format, err
	}
	seconds := f.interval / time.Second
	if f.interval%time.Second != 0 || seconds < 1 || seconds > 60 && seconds != 600 {
		return format, fmt.Errorf("--interval %v: want 1m or 10m, or whole seconds from 1s to 59s", f.interval)
	}
	if f.publish < time.Second {
		return format, fmt.Errorf("--publish %v: want at least 1s", f.publish)
	}
	if f.maxFlows < 1024 || f.maxFlows > 1<<24 {
		return format, fmt.Errorf("--max-flows %d: want 1024 to %d", f.maxFlows, 1<<24)
	}
	if len(f.account) != 12 || strings.Trim(f.account, "0123456789") != "" {
		return format, fmt.Errorf("--account-id %q: want 12 digits", f.account)
	}
	if f.region == "" || strings.ContainsAny(f.region, " /_") {
		return format, fmt.Errorf("--region %q: want a name such as us-east-1", f.region)
	}
	if f.bucket == "" || f.bucket != filepath.Base(f.bucket) || strings.HasPrefix(f.bucket, ".") {
		return format, fmt.Errorf("--bucket %q: want the name of a bucket, not a path", f.bucket)
	}
	return format, nil
}

func newUp(a *app) *cobra.Command {
	var f captureFlags
	var only []string
	var keep bool
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Record the traffic of this host's network interfaces",
		Long: `Up counts every packet at the network interfaces of this host: its own cards,
the ports of its bridges, the far ends of its containers and virtual machines.
Their records go to a local bucket, laid out as AWS lays flow logs out. It needs
no configuration. Interfaces that appear are picked up, those that vanish are let
go. Ctrl-C stops it; what was counted by then is delivered first.`,
		Example: `  weir up
  weir up --interface eth0 --interval 10s --publish 10s
  weir up --keep-counting     # a later "weir up" has what passed meanwhile`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			format, err := f.check()
			if err != nil {
				return &usageError{err: err, command: cmd.CommandPath()}
			}
			if f.clean {
				return ebpf.Clean(f.runDir)
			}
			return a.up(cmd.Context(), &f, format, only, keep)
		},
	}
	f.add(cmd, defaultAggregation, defaultPublish, defaultRunDir)
	cmd.Flags().StringSliceVar(&only, "interface", nil, "only these devices (may be repeated)")
	cmd.Flags().BoolVar(&keep, "keep-counting", false, "leave the kernel counting after a stop, for the next run to pick up")
	return cmd
}

func (a *app) up(ctx context.Context, f *captureFlags, format flowlog.Format, only []string, keep bool) (err error) {
	host := discover.Host{AccountID: f.account, Region: f.region, ZoneID: f.region + "-az1", Only: only}
	list, err := host.Interfaces()
	if errors.Is(err, discover.ErrNoDevice) {
		return withHint(err, "the devices of this host: ip link; what weir would watch: weir check")
	}
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return withHint(errors.New("this host has no network interface to watch"), "what weir looks for: weir check")
	}
	data, err := control.LockDataDir(a.dataDir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, data.Close()) }()

	log := a.log()
	s, err := openStation(f.station(a, format, keep, log))
	if err != nil {
		return err
	}
	if err := s.watch(list); err != nil {
		return errors.Join(err, s.capture.Close(false))
	}
	changes, err := discover.Changes(ctx)
	if err != nil {
		return errors.Join(err, s.capture.Close(false))
	}
	log.Info("counting", "interfaces", names(list), "interval", f.interval, "bucket", s.cfg.Bucket, "publish_every", f.publish)
	err = s.run(ctx, a.follow(ctx, host, changes, log))
	if err == nil {
		a.farewell(s)
	}
	return err
}

func (f *captureFlags) station(a *app, format flowlog.Format, keep bool, log *slog.Logger) stationConfig {
	return stationConfig{
		Data: a.dataDir, RunDir: f.runDir, Bucket: a.bucketPath(f.bucket),
		AccountID: f.account, Region: f.region,
		FlowLogID: discover.StableID("fl-", f.bucket),
		Format:    format, Interval: f.interval, Publish: f.publish,
		MaxFlows: f.maxFlows, Keep: keep, Metrics: f.metrics, Log: log,
	}
}

// log is for people who run weir in a terminal or under systemd: to standard
// error, without the time where the journal has it.
func (a *app) log() *slog.Logger {
	return slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{ReplaceAttr: func(groups []string, attr slog.Attr) slog.Attr {
		if len(groups) == 0 && attr.Key == slog.TimeKey && os.Getenv("JOURNAL_STREAM") != "" {
			return slog.Attr{}
		}
		return attr
	}}))
}

// follow sends the list of interfaces whenever a device has changed.
func (a *app) follow(ctx context.Context, host discover.Host, changes <-chan struct{}, log *slog.Logger) <-chan []vpc.Interface {
	lists := make(chan []vpc.Interface)
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-changes:
			}
			discover.Settle(ctx)
			list, err := host.Interfaces()
			if err != nil && !errors.Is(err, discover.ErrNoDevice) {
				log.Warn("cannot list the network devices", "err", err)
				continue
			}
			select {
			case lists <- list:
			case <-ctx.Done():
				return
			}
		}
	}()
	return lists
}

func names(list []vpc.Interface) string {
	var all []string
	for _, i := range list {
		all = append(all, i.Name)
	}
	return strings.Join(all, ",")
}

// farewell says what became of everything.
func (a *app) farewell(s *station) {
	st := s.finalStatus()
	fl := st.FlowLogs[0]
	fmt.Fprintf(a.err, "delivered %d records in %d objects to %s; lost %d packets, %d records\n",
		fl.Records, fl.Objects, fl.Destination, st.Lost.Packets, st.Lost.Records)
	if s.cfg.Keep {
		fmt.Fprintln(a.err, "the kernel goes on counting; weir up picks it up, weir up --clean ends it")
	}
}
