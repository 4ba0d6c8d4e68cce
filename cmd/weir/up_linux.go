package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"weir/capture/ebpf"
	"weir/control"
	"weir/flowlog"
	"weir/vpc"
	"weir/vpc/declare"
	"weir/vpc/flowlogs"
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

// upFlags are those of "up" alone.
type upFlags struct {
	captureFlags
	only    []string // devices; all when empty
	keep    bool
	file    string // of a topology; empty: what there is on the host
	enforce bool
	yes     bool
}

// checkFile finds what does not go together.
func (f *upFlags) checkFile() error {
	switch {
	case f.file != "" && len(f.only) > 0:
		return errors.New("--interface and a file both say which interfaces to watch")
	case f.file == "-":
		return errors.New("standard input cannot be followed: write the topology to a file")
	case f.file == "" && f.enforce:
		return errors.New("--enforce wants a topology's file: weir up FILE --enforce")
	case f.yes && !f.enforce:
		return errors.New("--yes goes with --enforce")
	}
	return nil
}

func newUp(a *app) *cobra.Command {
	var f upFlags
	cmd := &cobra.Command{
		Use:   "up [FILE]",
		Short: "Record the traffic of this host's network interfaces",
		Long: `Up counts every packet at the network interfaces of this host: its own cards,
the ports of its bridges, the far ends of its containers and virtual machines.
Their records go to a local bucket, laid out as AWS lays flow logs out. It needs
no configuration. Interfaces that appear are picked up, those that vanish are let
go. Ctrl-C stops it; what was counted by then is delivered first.

With a topology's file (docs/topology.md) it watches the interfaces that the file
declares, under the ids and names that it gives them, and waits for devices that
do not exist yet. The file is read again when it changes, without losing a packet;
a content that cannot be used leaves the former in use.

Nothing is filtered unless asked for: --enforce puts the file's security groups and
network ACLs into force, as "weir policy apply" does, at the start and with each
change. They stay in force when weir stops; "weir policy remove" takes them away.`,
		Example: `  weir up
  weir up --interface eth0 --interval 10s --publish 10s
  weir up --keep-counting     # a later "weir up" has what passed meanwhile
  weir up shop.yaml
  weir up shop.yaml --enforce --format '${version} ${interface-id} ${srcaddr} ${dstaddr} ${dstport} ${protocol} ${packets} ${action} ${weir-rule-id} ${weir-rule}'`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			format, err := f.check()
			if len(args) == 1 {
				f.file = args[0]
			}
			if err = errors.Join(err, f.checkFile()); err != nil {
				return &usageError{err: err, command: cmd.CommandPath()}
			}
			if f.clean {
				return ebpf.Clean(f.runDir)
			}
			return a.up(cmd.Context(), &f, format)
		},
		ValidArgsFunction: completeTopologies,
	}
	f.add(cmd, defaultAggregation, defaultPublish, defaultRunDir)
	cmd.Flags().StringSliceVar(&f.only, "interface", nil, "only these devices (may be repeated)")
	cmd.Flags().BoolVar(&f.keep, "keep-counting", false, "leave the kernel counting after a stop, for the next run to pick up")
	cmd.Flags().BoolVar(&f.enforce, "enforce", false, "put the file's security groups and network ACLs into force")
	cmd.Flags().BoolVar(&f.yes, "yes", false, "enforce also what would lock you out of this host")
	return cmd
}

func (a *app) up(ctx context.Context, f *upFlags, format flowlog.Format) (err error) {
	log := a.log()
	now := &policyNow{enforcer: a.enforcer(f.yes), log: log}
	from, err := a.interfaceSource(f, now, log)
	if err != nil {
		return err
	}
	data, err := control.LockDataDir(a.dataDir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, data.Close()) }()

	own, err := f.flowLog(format)
	if err != nil {
		return err
	}
	cfg := f.station(a, own, from.content(), f.keep, log)
	cfg.Rules, cfg.Policy = now.enforcer.book, now.current
	cfg.Describe = func(st *control.Status) {
		now.describe(st)
		if from.described != nil {
			from.described.describe(st)
		}
	}
	s, err := openStation(ctx, cfg)
	if err != nil {
		return err
	}
	from.tell(s, own)
	changes, err := from.begin(ctx, s)
	if err != nil {
		return errors.Join(err, s.close(false))
	}
	log.Info("counting", "interfaces", names(from.list), "flow_logs", len(s.subscriptions.all()), "publish_every", cfg.Publish)
	err = a.record(ctx, s, now, from, changes)
	if err == nil {
		a.farewell(s)
		a.stays(now)
	}
	return err
}

// record works until ctx is done; what runs beside the station ends with it.
func (a *app) record(ctx context.Context, s *station, now *policyNow, from *interfaceSource, changes <-chan struct{}) error {
	beside, stop := context.WithCancel(ctx)
	lists := make(chan []vpc.Interface)
	var running sync.WaitGroup
	running.Go(func() { now.run(beside) })
	running.Go(func() { from.follow(beside, changes, lists) })
	defer running.Wait()
	defer stop()
	return s.run(ctx, lists)
}

// stays says that the rules outlive weir: a firewall that ended with its
// observer would open the host whenever that is updated.
func (a *app) stays(now *policyNow) {
	if inForce, _ := now.state(); inForce != nil {
		fmt.Fprintf(a.err, "the policy stays in force (version %s); weir policy remove takes it away\n", inForce.Entry.Version)
	}
}

// flowLog is the flow log that the flags describe: of everything, to a local
// bucket.
func (f *captureFlags) flowLog(format flowlog.Format) (flowlogs.FlowLog, error) {
	return defaultFlowLog(f.account, f.region, f.bucket, format, f.interval)
}

// station configures a station with the flags' own flow log, or with what a file
// says; file may be nil.
func (f *captureFlags) station(a *app, own flowlogs.FlowLog, file *declare.File, keep bool, log *slog.Logger) stationConfig {
	cfg := stationConfig{
		Data: a.dataDir, RunDir: f.runDir, Buckets: a.bucketsDir(),
		AccountID: f.account, Region: f.region, FlowLogs: []flowlogs.FlowLog{own},
		Publish: f.publish, MaxFlows: f.maxFlows, Keep: keep, Metrics: f.metrics, Log: log,
		Now: a.now,
	}
	if file == nil {
		return cfg
	}
	cfg.AccountID, cfg.Region = cmp.Or(file.AccountID, f.account), cmp.Or(file.Region, f.region)
	cfg.FlowLogs = wantedFlowLogs(own, file)
	cfg.MostSpecific, cfg.Settings = file.MostSpecific, file.Settings
	cfg.Publish = cmp.Or(file.Settings.S3.PublishEvery, f.publish)
	return cfg
}

// wantedFlowLogs are those of a file; one that says nothing about flow logs leaves
// the default one.
func wantedFlowLogs(own flowlogs.FlowLog, file *declare.File) []flowlogs.FlowLog {
	if !file.HasFlowLogs {
		return []flowlogs.FlowLog{own}
	}
	return file.FlowLogs
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

func names(list []vpc.Interface) string {
	var all []string
	for _, i := range list {
		all = append(all, i.Name)
	}
	return strings.Join(all, ",")
}

// farewell says what became of everything.
func (a *app) farewell(s *station) {
	st := s.status()
	for _, f := range st.FlowLogs {
		fmt.Fprintf(a.err, "delivered %d records in %d %s to %s\n", f.Records, f.Parts, partsOf(&f), f.To)
	}
	fmt.Fprintf(a.err, "lost %d packets, %d records\n", st.Lost.Packets, st.Lost.Records)
	if list := waiting(&st); list != "" {
		fmt.Fprintf(a.err, "not delivered yet, and safe in the journal for the next weir up: the rest of %s\n", list)
	}
	if s.cfg.Keep {
		fmt.Fprintln(a.err, "the kernel goes on counting; weir up picks it up, weir up --clean ends it")
	}
}

// partsOf is what a flow log delivers in.
func partsOf(f *control.FlowLog) string {
	if f.DestinationType == flowlogs.S3 {
		return "objects"
	}
	return "calls"
}
