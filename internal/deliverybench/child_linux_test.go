package deliverybench

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"weir/aggregate"
	"weir/deliver"
	"weir/deliver/firehose"
	"weir/deliver/logs"
	"weir/deliver/s3"
	"weir/flowlog"
	"weir/internal/delivertest"
	"weir/journal"
	"weir/vpc/flowlogs"
)

// childVariable holds a child's orders.
const childVariable = "WEIR_DELIVERYBENCH_CHILD"

func TestMain(m *testing.M) {
	text := os.Getenv(childVariable)
	if text == "" {
		os.Exit(m.Run())
	}
	debug.SetGCPercent(50) // as "weir up" does
	var o orders
	err := json.Unmarshal([]byte(text), &o)
	if err == nil {
		err = o.run(context.Background())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// orders are what a child is to do.
type orders struct {
	Traffic   traffic
	Intervals int
	// Paced lets each swap come when it has ended by the clock; otherwise it comes
	// as soon as the one before is stored.
	Paced    bool
	Publish  time.Duration
	Dir      string // of the journal and of local buckets
	FlowLogs []subscription
	Sink     string // URL of Logs and Firehose
	S3       string // URL
	Deadline time.Duration
}

// subscription is one flow log.
type subscription struct {
	ID       string
	Resource string
	To       string // directory, parquet, s3, logs or firehose
	Records  int64  // that it gets
}

// outcome is what a child has to say.
type outcome struct {
	Arrivals map[string][]arrival // by flow log
	Bytes    map[string]int64     // as they lie or travel there
	Wall     time.Duration        // from the first swap until all is delivered
	Appended []time.Time          // when the last swap of each interval was durable
	CPU      time.Duration        // of the process, without making swaps up
	Peak     int64                // bytes of memory
	Problems []string
}

// child is a Weir without a kernel.
type child struct {
	orders
	clock func() time.Time
	begin time.Time // of the first interval
	timed map[string]*timed
	made  time.Duration // processor time spent on making swaps up

	journal    *journal.Journal
	dispatcher *deliver.Dispatcher
	logs       *logs.Endpoint
	firehose   *firehose.Endpoint
	s3         *s3.Endpoint
}

func (o *orders) run(ctx context.Context) (err error) {
	c := &child{orders: *o, timed: map[string]*timed{}}
	// An interval begins right now, by a clock that is shifted by less than one.
	now := time.Now()
	c.begin = now.Truncate(o.Traffic.Interval).UTC()
	shift := now.Sub(c.begin)
	c.clock = func() time.Time { return time.Now().Add(-shift) }
	if c.journal, err = journal.Open(ctx, journal.Config{Dir: filepath.Join(o.Dir, "journal"), Host: "local", Now: c.clock}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.journal.Close()) }()
	if err := c.open(ctx); err != nil {
		return err
	}
	var list []flowlogs.FlowLog
	for _, s := range o.FlowLogs {
		list = append(list, s.flowLog(o.Traffic.Interval))
	}
	c.dispatcher, err = deliver.NewDispatcher(ctx, deliver.Config{
		Journal: c.journal, Catalogue: c.journal.Catalogue(), Topology: aggregate.Always(o.Traffic.topology()),
		Destination: c.destination, Publish: o.Publish, Now: c.clock,
		Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	}, list)
	if err != nil {
		return err
	}
	defer c.dispatcher.Close()
	out, err := c.measure(ctx)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(out)
}

func (c *child) open(ctx context.Context) (err error) {
	var errs [3]error
	c.logs, errs[0] = logs.OpenEndpoint(ctx, logs.EndpointConfig{URL: c.Sink})
	c.firehose, errs[1] = firehose.OpenEndpoint(ctx, firehose.EndpointConfig{URL: c.Sink})
	if c.S3 != "" {
		c.s3, errs[2] = s3.OpenEndpoint(ctx, s3.EndpointConfig{URL: c.S3, Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: delivertest.RootKey, SecretAccessKey: delivertest.RootSecret}, nil
		})})
	}
	return errors.Join(errs[:]...)
}

func (s *subscription) flowLog(interval time.Duration) flowlogs.FlowLog {
	f := flowlogs.FlowLog{
		ID: s.ID, AccountID: accountID, Region: region, ResourceID: s.Resource, Traffic: flowlogs.All,
		Format: flowlog.DefaultFormat().String(), Interval: int(interval / time.Second), FileFormat: flowlogs.PlainText,
	}
	if s.To == "parquet" {
		f.FileFormat = flowlogs.Parquet
	}
	return f
}

// destination is where a flow log delivers to: what it names after its id.
func (c *child) destination(f flowlogs.FlowLog) (deliver.Destination, error) {
	format, err := flowlog.ParseFormat(f.Format)
	if err != nil {
		return nil, err
	}
	var d deliver.Destination
	switch to := c.to(f.ID); to {
	case "logs":
		d, err = logs.New(logs.Config{Endpoint: c.logs, Group: f.ID, Traffic: f.Traffic, Format: format})
	case "firehose":
		d, err = firehose.New(firehose.Config{Endpoint: c.firehose, Stream: f.ID, Format: format})
	default:
		o := s3.Options{AccountID: f.AccountID, Region: f.Region, FlowLogID: f.ID, JournalID: "bench", Format: format, Encoding: flowlog.Text}
		if f.FileFormat == flowlogs.Parquet {
			o.Encoding = flowlog.Parquet
		}
		if to == "s3" {
			o.Bucket = c.s3.Bucket(f.ID)
		} else {
			o.Bucket = s3.OpenDirectory(filepath.Join(c.Dir, f.ID))
		}
		d, err = s3.NewDestination(o)
	}
	if err != nil {
		return nil, err
	}
	t := &timed{Destination: d, interval: int64(f.Interval), now: c.clock}
	c.timed[f.ID] = t
	return t, nil
}

func (c *child) to(id string) string {
	for _, s := range c.FlowLogs {
		if s.ID == id {
			return s.To
		}
	}
	return ""
}

// measure stores all swaps and waits until their records are delivered.
func (c *child) measure(ctx context.Context) (*outcome, error) {
	out := &outcome{Arrivals: map[string][]arrival{}, Bytes: map[string]int64{}}
	began, computed := c.clock(), processorTime(syscall.RUSAGE_SELF)
	for i := range c.Intervals {
		for s := range c.Traffic.Swaps {
			if err := c.append(ctx, i, s); err != nil {
				return nil, err
			}
		}
		out.Appended = append(out.Appended, c.clock())
	}
	if err := c.await(); err != nil {
		return nil, err
	}
	out.Wall = c.clock().Sub(began)
	out.CPU = processorTime(syscall.RUSAGE_SELF) - computed - c.made
	for _, s := range c.dispatcher.Status() {
		if s.Error != "" || s.Totals.Retries+s.Totals.Refused+s.Totals.Doubtful > 0 {
			out.Problems = append(out.Problems, fmt.Sprintf("%s: %s %+v", s.FlowLog.ID, s.Error, s.Totals))
		}
	}
	for id, t := range c.timed {
		out.Arrivals[id], out.Bytes[id] = t.arrivals, t.bytes
	}
	var err error
	out.Peak, err = peakMemory()
	return out, err
}

// append makes a swap up and stores it, as soon as it is its time.
func (c *child) append(ctx context.Context, interval, s int) error {
	runtime.LockOSThread()
	before := processorTime(syscall.RUSAGE_THREAD)
	swap := c.Traffic.swap(interval, s, c.begin.Add(time.Duration(interval)*c.Traffic.Interval))
	c.made += processorTime(syscall.RUSAGE_THREAD) - before
	runtime.UnlockOSThread()
	if c.Paced {
		time.Sleep(swap.End.Sub(c.clock()))
	}
	return c.journal.Append(ctx, swap)
}

// await waits until every flow log has delivered what it is to deliver.
func (c *child) await() error {
	for end := time.Now().Add(cmp.Or(c.Deadline, 5*time.Minute)); ; time.Sleep(2 * time.Millisecond) {
		missing := ""
		for _, s := range c.FlowLogs {
			if got := c.timed[s.ID].taken(); got < s.Records {
				missing = fmt.Sprintf("%s has %d of %d records", s.ID, got, s.Records)
				break
			}
		}
		if missing == "" {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("not delivered in time: %s; %+v", missing, c.dispatcher.Status()[0])
		}
	}
}

func processorTime(who int) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(who, &u); err != nil {
		panic(err) // who is a constant
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peakMemory is the most that this process has had resident. The figure of
// getrusage begins with that of the process it was forked from.
func peakMemory() (int64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	return kib << 10, err
}
