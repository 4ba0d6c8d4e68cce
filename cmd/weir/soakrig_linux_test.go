package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"golang.org/x/sys/unix"

	"weir/capture/ebpf"
	"weir/flowlog"
	"weir/internal/delivertest"
	"weir/internal/faults"
	"weir/internal/soak"
	"weir/lab"
	"weir/netns"
)

// soakRig is all that a soak needs around Weir. It belongs to the test's
// goroutine, whose thread starts the children: they are killed when it ends.
type soakRig struct {
	t    *testing.T
	out  io.Writer
	seed uint64

	prefix string // of the lab
	dir    string // of everything that is kept after a failure
	data   string // Weir's, on a file system of its own
	run    string // the capture's

	lab       *lab.Lab
	instances []*netns.Namespace
	witness   *soak.Witness
	storm     *soak.Storm
	clock     *soak.Clock
	format    flowlog.Format
	s3        *delivertest.S3Server
	recorder  *soak.Recorder
	text      *soak.Ledger
	parquet   *soak.Ledger
	proxies   map[soak.Target]*faults.Proxy

	weir, nats *soakChild
	natsPort   int
	counts     map[string]int // faults, by target and name
	doubtful   map[string]map[string]uint64
	failures   []string
	excused    time.Time // until when Weir may end by itself
	ended      int       // times that it did
}

const (
	soakTextBucket    = "soak-text"
	soakParquetBucket = "soak-parquet"
	soakDataSize      = "256m"
	soakFormat        = "${version} ${account-id} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} ${protocol} ${packets} ${bytes} " +
		"${start} ${end} ${action} ${log-status} ${flow-direction} ${tcp-flags} ${weir-rule-id} ${weir-rule}"
)

func (s *soakRig) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *soakRig) say(format string, args ...any) { fmt.Fprintf(s.out, format+"\n", args...) }

func (s *soakRig) fail(format string, args ...any) {
	s.failures = append(s.failures, fmt.Sprintf(format, args...))
}

// open makes everything but Weir and the traffic.
func (s *soakRig) open(ctx context.Context, rate int) {
	s.t.Helper()
	for _, name := range []string{"AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_ENDPOINT_URL"} {
		s.t.Setenv(name, "")
	}
	s.t.Setenv("AWS_ACCESS_KEY_ID", delivertest.RootKey)
	s.t.Setenv("AWS_SECRET_ACCESS_KEY", delivertest.RootSecret)
	s.t.Setenv("AWS_REGION", "us-east-1")
	s.t.Setenv("AWS_CONFIG_FILE", "/dev/null")
	s.t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
	s.t.Setenv("SSH_CONNECTION", "") // whoever runs the test may come by SSH

	var err error
	s.format, err = flowlog.ParseFormat(soakFormat)
	s.must(err)
	s.clock, err = soak.OpenClock(filepath.Join(s.dir, "clock"))
	s.must(err)
	s.t.Setenv(steeredClock, filepath.Join(s.dir, "clock"))

	s.data, s.run = filepath.Join(s.dir, "data"), "/run/"+s.prefix
	s.must(os.Mkdir(s.data, 0o700))
	s.must(unix.Mount("tmpfs", s.data, "tmpfs", 0, "size="+soakDataSize))
	s.t.Cleanup(func() {
		if err := ebpf.Clean(s.run); err != nil {
			s.t.Error(err)
		}
	})
	s.openLab(ctx, rate)
	s.openPeers(ctx)
}

func (s *soakRig) openLab(ctx context.Context, rate int) {
	l, err := lab.Up(ctx, lab.Config{Prefix: s.prefix, Seed: s.seed, BulkBytes: 4 << 20})
	s.must(err)
	s.lab = l
	s.t.Cleanup(func() {
		if err := l.Close(); err != nil {
			s.t.Error(err)
		}
	})
	streams := map[string]*soak.Stream{}
	devices := map[string]string{}
	for i := range l.Topology().Interfaces {
		in := &l.Topology().Interfaces[i]
		s.instances = append(s.instances, l.Namespace(in.Name))
		devices[in.Device.Name] = in.ID
		streams[in.Name] = &soak.Stream{From: l.Namespace(in.Name), Source: in.Primary(false), Interface: in.ID}
	}
	s.instances = append(s.instances, l.Namespace("internet"))
	s.must(soak.Quieten(l.Router(), s.instances))

	// What is let through, what is refused where it arrives, and what is refused
	// where it begins.
	stream := func(number int, from, to string, share int) *soak.Stream {
		st := &soak.Stream{Name: from + " to " + to, Number: number, Share: share, To: streams[to].Source}
		st.From, st.Source, st.Interface = streams[from].From, streams[from].Source, streams[from].Interface
		return st
	}
	s.storm = &soak.Storm{Rate: rate, Streams: []*soak.Stream{stream(0, "web", "nat", 7), stream(1, "web", "app", 2), stream(2, "db", "app", 1)}}
	s.witness, err = soak.NewWitness(l.Router(), devices)
	s.must(err)
}

// openPeers starts the destinations, and a proxy before each.
func (s *soakRig) openPeers(ctx context.Context) {
	s.s3 = delivertest.StartS3(s.t)
	client := s3.New(s3.Options{
		BaseEndpoint: &s.s3.URL, UsePathStyle: true, Region: "us-east-1",
		Credentials: credentials.NewStaticCredentialsProvider(delivertest.RootKey, delivertest.RootSecret, ""),
	})
	for _, bucket := range []string{soakTextBucket, soakParquetBucket} {
		_, err := client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(bucket)})
		s.must(err)
	}
	s.text = soak.NewLedger("s3 text.gz", false, s.storm)
	s.parquet = soak.NewLedger("s3 parquet", false, s.storm)
	s.recorder = &soak.Recorder{
		Format:   s.format,
		Logs:     soak.NewLedger("cloudwatch logs", true, s.storm),
		Firehose: soak.NewLedger("firehose", true, s.storm),
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	s.must(err)
	server := &http.Server{Handler: s.recorder, ReadHeaderTimeout: time.Minute}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) })
	s.t.Cleanup(func() {
		_ = server.Close()
		serving.Wait()
	})
	s.proxies = map[soak.Target]*faults.Proxy{}
	for target, url := range map[soak.Target]string{soak.S3: s.s3.URL, soak.Logs: "http://" + listener.Addr().String(), soak.Firehose: "http://" + listener.Addr().String()} {
		p, err := faults.Listen("127.0.0.1:0", url)
		s.must(err)
		s.proxies[target] = p
		s.t.Cleanup(func() { _ = p.Close() })
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	s.must(err)
	s.natsPort = free.Addr().(*net.TCPAddr).Port
	s.must(free.Close())
}

// configure writes the file that Weir follows in a leg.
func (s *soakRig) configure(leg *soakLeg) {
	topology, err := lab.Topology(lab.Config{Prefix: s.prefix})
	s.must(err)
	var f strings.Builder
	f.WriteString(topology)
	fmt.Fprintf(&f, "\nflow-logs:\n")
	for _, l := range []string{
		"name: text, to: s3://" + soakTextBucket + ", interval: 60",
		"name: parquet, to: s3://" + soakParquetBucket + "/lake, file-format: parquet, hive: true, hourly: true, interval: 5",
		"name: logs, to: \"logs:/soak\", interval: 5",
		"name: firehose, to: \"firehose:soak\", interval: 10",
	} {
		fmt.Fprintf(&f, "  - {resource: all, %s, format: %q}\n", l, soakFormat)
	}
	remote := ""
	if leg.S3 {
		remote = fmt.Sprintf("endpoint: %q, region: us-east-1, acl: none, ", s.proxies[soak.S3].URL())
	}
	fmt.Fprintf(&f, "destinations:\n  s3: {%spublish-every: 2s}\n", remote)
	fmt.Fprintf(&f, "  logs: {endpoint: %q, region: us-east-1}\n", s.proxies[soak.Logs].URL())
	fmt.Fprintf(&f, "  firehose: {endpoint: %q, region: us-east-1}\n", s.proxies[soak.Firehose].URL())
	if leg.NATS {
		fmt.Fprintf(&f, "journal: {url: \"nats://127.0.0.1:%d\"}\n", s.natsPort)
	}
	s.must(os.WriteFile(s.file(), []byte(f.String()), 0o600))
}

func (s *soakRig) file() string { return filepath.Join(s.dir, "soak.yaml") }

// soakChild is a process that the soak has started.
type soakChild struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
}

// child starts the test binary as another program. What it says goes to a file
// of that name, behind what those before it said.
func (s *soakRig) child(name string, stdout io.Writer, args ...string) *soakChild {
	s.t.Helper()
	self, err := os.Executable()
	s.must(err)
	log, err := os.OpenFile(s.log(name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	s.must(err)
	defer log.Close()
	c := &soakChild{cmd: &exec.Cmd{Path: self, Args: append([]string{name}, args...), Stderr: log, Stdout: stdout}, done: make(chan struct{})}
	// Its own process group: Ctrl-C is for the soak, which ends it in order.
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	s.must(c.cmd.Start())
	go func() {
		defer close(c.done)
		_ = c.cmd.Wait() // the state says it
	}()
	return c
}

func (s *soakRig) log(name string) string { return filepath.Join(s.dir, name+".log") }

func (c *soakChild) hasEnded() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// kill is kill -9.
func (c *soakChild) kill() {
	if c != nil {
		_ = c.cmd.Process.Kill()
		<-c.done
	}
}

func (s *soakRig) startWeir() {
	s.weir = s.child(steeredWeir, nil, "up", s.file(), "--data", s.data, "--run", s.run, "--keep-counting", "--max-flows", strconv.Itoa(1<<18))
}

// startNATS starts the journal's server and waits until it answers.
func (s *soakRig) startNATS() {
	s.t.Helper()
	r, w, err := os.Pipe()
	s.must(err)
	defer r.Close()
	s.nats = s.child(soakNATS, w, filepath.Join(s.dir, "nats"), strconv.Itoa(s.natsPort))
	_ = w.Close()
	if line, err := bufio.NewReader(r).ReadString('\n'); err != nil {
		s.t.Fatalf("the NATS server does not come up: %q, %v", line, err)
	}
}

// fill takes all that is left of the data directory's file system; free gives it
// back.
func (s *soakRig) fill() {
	f, err := os.Create(s.ballast())
	if err != nil {
		return // it is full already
	}
	defer f.Close()
	for size := 1 << 20; size > 0; size /= 4 {
		block := make([]byte, size)
		for err = nil; err == nil; {
			_, err = f.Write(block)
		}
		if !errors.Is(err, unix.ENOSPC) {
			s.must(err)
		}
	}
}

func (s *soakRig) free() { _ = os.Remove(s.ballast()) }

func (s *soakRig) ballast() string { return filepath.Join(s.data, "ballast") }

// still waits until nothing moves on the wires, and returns the witness's counts.
func (s *soakRig) still(ctx context.Context) map[soak.Side]soak.Sum {
	s.t.Helper()
	const calm = 2500 * time.Millisecond // beyond the pauses of what is sent again
	deadline := time.Now().Add(time.Minute)
	var last map[soak.Side]soak.Sum
	since := time.Now()
	for {
		now, err := s.witness.Counts()
		s.must(err)
		if last == nil || !maps.Equal(now, last) {
			last, since = now, time.Now()
		}
		if time.Since(since) > calm {
			return now
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			s.t.Fatal("the wires do not come to rest")
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// said is what a child said that must not be left unread.
func (s *soakRig) said(name string, marks ...string) (lines []string) {
	b, err := os.ReadFile(s.log(name))
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(b)) {
		if slices.ContainsFunc(marks, func(m string) bool { return strings.Contains(line, m) }) {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}
