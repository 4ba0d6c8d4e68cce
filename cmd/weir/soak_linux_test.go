package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"weir/control"
	"weir/internal/faults"
	"weir/internal/soak"
	"weir/vpc/flowlogs"
)

// What scripts/soak-delivery sets.
const (
	soakFor  = "WEIR_SOAK_FOR"   // how long there is traffic
	soakSeed = "WEIR_SOAK_SEED"  // of faults and traffic
	soakRate = "WEIR_SOAK_FLOWS" // a minute, of the storm
	soakKeep = "WEIR_SOAK_KEEP"  // not empty: a failure leaves its files
)

// TestSoakDelivery has a lab's traffic recorded and delivered while everything
// goes wrong that can: destinations, the disk, the clock, the journal's server,
// and Weir itself is killed. Afterwards every packet that the kernel counted is
// at each destination, once.
func TestSoakDelivery(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: it makes network namespaces and loads eBPF programs")
	}
	if _, err := exec.LookPath("nft"); err != nil {
		t.Skip("needs nft (Debian: nftables): it enforces, and it is the witness")
	}
	// Not given back: the children end with this thread.
	runtime.LockOSThread()
	s := &soakRig{t: t, out: io.Discard, counts: map[string]int{}, doubtful: map[string]map[string]uint64{}}
	length, rate := 54*time.Second, 60_000
	if testing.Short() {
		length = 18 * time.Second
	}
	var err error
	if v := os.Getenv(soakFor); v != "" {
		length, err = time.ParseDuration(v)
		s.must(err)
		s.out = os.Stdout // somebody looks on
	}
	if v := os.Getenv(soakRate); v != "" {
		rate, err = strconv.Atoi(v)
		s.must(err)
	}
	s.seed, err = strconv.ParseUint(cmp.Or(os.Getenv(soakSeed), "1"), 10, 64)
	s.must(err)
	s.place()
	s.soak(length, rate/60)
}

// keptMark is a file in a directory that is kept after a failure.
const keptMark = "kept"

func soakPrefix(pid int) string { return fmt.Sprintf("soak-%d", pid) }

// place makes the directory for everything. After a failure it stays if it is to
// be kept.
func (s *soakRig) place() {
	s.must(sweep())
	s.prefix = soakPrefix(os.Getpid())
	var err error
	s.dir, err = os.MkdirTemp("", fmt.Sprintf("weir-soak-%d-", os.Getpid()))
	s.must(err)
	s.t.Cleanup(func() {
		if s.t.Failed() && os.Getenv(soakKeep) != "" {
			_ = os.WriteFile(filepath.Join(s.dir, keptMark), nil, 0o600)
			s.t.Logf("what was delivered and said is in %[1]s; umount %[1]s/data and remove it", s.dir)
			return
		}
		unmountBelow(s.dir)
		_ = os.RemoveAll(s.dir)
	})
}

// soakLeg is a part of a soak, in which Weir keeps its configuration.
type soakLeg struct {
	soak.Leg
	name string
}

// soakLegs: first the journal inside and the S3 server, then buckets that are
// directories on the disk that fills up, then a NATS server.
func soakLegs(length time.Duration) []soakLeg {
	kills := func(d time.Duration) int { return max(2, int(d/(25*time.Second))) }
	first, second := length*35/100, length*20/100
	third := length - first - second
	return []soakLeg{
		{soak.Leg{Length: first, S3: true, Kills: kills(first)}, "the journal inside, buckets on an S3 server"},
		{soak.Leg{Length: second, Kills: kills(second)}, "the journal inside, buckets in directories"},
		{soak.Leg{Length: third, S3: true, NATS: true, Kills: kills(third)}, "the journal on a NATS server, buckets on an S3 server"},
	}
}

func (s *soakRig) soak(length time.Duration, rate int) {
	ctx, stop := signal.NotifyContext(s.t.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s.say("seed %d, %v of traffic, %d flows a minute beside the lab's", s.seed, length, rate*60)
	s.t.Logf("seed %d, %v", s.seed, length)
	s.open(ctx, rate)
	defer func() {
		s.weir.kill()
		s.nats.kill()
	}()
	s.applyPolicy()

	before := s.still(ctx)
	var traffic sendingTraffic
	defer traffic.stop()
	legs := soakLegs(length)
	for i := range legs {
		leg := &legs[i]
		s.say("\nleg %d, %v: %s", i+1, leg.Length, leg.name)
		s.configure(leg)
		if leg.NATS {
			s.startNATS()
		}
		s.startWeir()
		s.awaitWeir(ctx)
		if i == 0 {
			if now := s.still(ctx); !maps.Equal(now, before) {
				s.t.Fatalf("the wires were not still while Weir began to count: %v, then %v", before, now)
			}
			traffic.start(ctx, s)
		}
		s.play(ctx, leg, leg.Script(s.seed+uint64(i)*1000))
		if ctx.Err() != nil {
			s.t.Fatal("interrupted")
		}
		if i == len(legs)-1 {
			s.must(traffic.stop())
			s.must(soak.Hush(s.instances))
			s.still(ctx)
		}
		s.endLeg(ctx, leg)
	}
	after := s.still(ctx)
	counted := map[soak.Side]soak.Sum{}
	for side, sum := range after {
		counted[side] = soak.Sum{Packets: sum.Packets - before[side].Packets, Bytes: sum.Bytes - before[side].Bytes}
	}
	s.conclude(counted)
}

// applyPolicy puts the lab's security groups and network ACLs into force.
func (s *soakRig) applyPolicy() {
	s.configure(&soakLeg{})
	c := s.child(steeredWeir, nil, "policy", "apply", s.file(), "--data", s.data)
	<-c.done
	if !c.cmd.ProcessState.Success() {
		said, _ := os.ReadFile(s.log(steeredWeir))
		s.t.Fatalf("weir policy apply: %v\n%s", c.cmd.ProcessState, said)
	}
}

// sendingTraffic is the lab's traffic and the storm.
type sendingTraffic struct {
	end  context.CancelFunc
	done chan error
}

func (tr *sendingTraffic) start(ctx context.Context, s *soakRig) {
	ctx, tr.end = context.WithCancel(ctx)
	tr.done = make(chan error, 2)
	go func() { tr.done <- s.lab.Traffic(ctx) }()
	go func() { tr.done <- s.storm.Run(ctx) }()
}

func (tr *sendingTraffic) stop() error {
	if tr.end == nil {
		return nil
	}
	tr.end()
	tr.end = nil
	return cmp.Or(<-tr.done, <-tr.done)
}

// awaitWeir waits until Weir answers.
func (s *soakRig) awaitWeir(ctx context.Context) control.Status {
	s.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		st, err := control.Ask(ctx, s.data)
		if err == nil && len(st.Capture.Interfaces) > 0 && st.Process.PID == s.weir.cmd.Process.Pid {
			return st
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			s.t.Fatalf("weir does not answer: %v\n%s", err, s.tail())
		}
		s.lookAfter()
		time.Sleep(50 * time.Millisecond)
	}
}

// lookAfter starts Weir again when it has ended by itself, as a service manager
// would. It may while the disk is full or the journal's server is away.
func (s *soakRig) lookAfter() {
	if !s.weir.hasEnded() {
		return
	}
	s.ended++
	if time.Now().After(s.excused) {
		s.fail("weir ended by itself (%v): %s", s.weir.cmd.ProcessState, s.tail())
	}
	time.Sleep(200 * time.Millisecond)
	s.startWeir()
}

// tail is the end of what Weir said.
func (s *soakRig) tail() string {
	b, _ := os.ReadFile(s.log(steeredWeir))
	return string(b[max(0, len(b)-2000):])
}

// excuse lets Weir end by itself for a while from now on.
func (s *soakRig) excuse(d time.Duration) {
	if until := time.Now().Add(d); until.After(s.excused) {
		s.excused = until
	}
}

// play makes the faults of a leg happen, and ends them.
func (s *soakRig) play(ctx context.Context, leg *soakLeg, script []soak.Fault) {
	type step struct {
		at time.Duration
		do func()
	}
	var steps []step
	for _, f := range script {
		steps = append(steps, step{f.At, func() { s.begin(&f) }})
		if f.For > 0 {
			steps = append(steps, step{f.At + f.For, func() { s.end(&f) }})
		}
	}
	steps = append(steps, step{leg.Length, func() {}})
	slices.SortStableFunc(steps, func(a, b step) int { return cmp.Compare(a.at, b.at) })
	begin := time.Now()
	for _, st := range steps {
		for {
			s.lookAfter()
			left := st.at - time.Since(begin)
			if left <= 0 || ctx.Err() != nil {
				break
			}
			time.Sleep(min(left, 50*time.Millisecond))
		}
		if ctx.Err() != nil {
			return
		}
		st.do()
	}
}

func (s *soakRig) begin(f *soak.Fault) {
	s.say("%v  (%s)", f, s.clock.Now().UTC().Format("15:04:05.000"))
	s.counts[string(f.Target)+": "+f.Name]++
	switch f.Target {
	case soak.Weir:
		s.weir.kill()
		s.startWeir()
	case soak.Disk:
		s.excuse(f.For + 5*time.Second)
		s.fill()
	case soak.Steps:
		s.clock.Step(f.Step)
	case soak.NATS:
		s.excuse(f.For + 10*time.Second)
		s.nats.kill()
		if f.Together {
			s.counts["weir: kill -9"]++
			s.weir.kill()
			s.startWeir()
		}
	case soak.Firehose:
		if f.Partial.Every > 0 {
			s.recorder.SetPartial(f.Partial)
			return
		}
		s.proxies[f.Target].Set(f.Mode)
	default:
		s.proxies[f.Target].Set(f.Mode)
	}
}

func (s *soakRig) end(f *soak.Fault) {
	switch f.Target {
	case soak.Disk:
		s.free()
	case soak.Steps:
		s.clock.Step(-f.Step)
	case soak.NATS:
		s.startNATS()
	default:
		s.recorder.SetPartial(soak.Partial{})
		s.proxies[f.Target].Set(faults.Pass())
	}
}

// endLeg waits until every flow log is well, and stops Weir in order, until
// everything is delivered.
func (s *soakRig) endLeg(ctx context.Context, leg *soakLeg) {
	s.t.Helper()
	s.awaitHealth(ctx, leg)
	for attempt := 1; ; attempt++ {
		before := len(s.said(steeredWeir, "not delivered yet"))
		_ = s.weir.cmd.Process.Signal(os.Interrupt)
		select {
		case <-s.weir.done:
		case <-time.After(time.Minute):
			_ = s.weir.cmd.Process.Signal(syscall.SIGQUIT)
			<-s.weir.done
			s.t.Fatalf("weir does not stop:\n%s", s.tail())
		}
		if !s.weir.cmd.ProcessState.Success() {
			s.t.Fatalf("weir does not end well: %v\n%s", s.weir.cmd.ProcessState, s.tail())
		}
		if len(s.said(steeredWeir, "not delivered yet")) == before {
			return
		}
		if attempt == 3 {
			s.t.Fatalf("weir cannot deliver all, and nothing is wrong:\n%s", s.tail())
		}
		s.startWeir()
		s.awaitWeir(ctx)
		time.Sleep(2 * time.Second)
	}
}

// awaitHealth waits until all flow logs deliver again, and notes how many records
// may have come twice.
func (s *soakRig) awaitHealth(ctx context.Context, leg *soakLeg) {
	s.t.Helper()
	began := time.Now()
	for deadline := time.Now().Add(90 * time.Second); ; {
		st := s.awaitWeir(ctx)
		sick := ""
		for _, f := range st.FlowLogs {
			if f.Status != "SUCCESS" {
				sick += fmt.Sprintf("%s: %s\n", f.To, f.Error)
			}
		}
		if sick == "" {
			by := map[string]uint64{}
			for _, f := range st.FlowLogs {
				by[f.DestinationType] += f.Doubtful
			}
			s.doubtful[fmt.Sprint(leg.NATS)] = by // of the catalogue: the latest
			if st.Lost != (control.Lost{}) {
				s.fail("weir says that it lost %+v", st.Lost)
			}
			s.say("all deliver after %v", time.Since(began).Round(100*time.Millisecond))
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("nothing is wrong any more, and not everything is delivered:\n%s", sick)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// conclude reads back what was delivered and compares.
func (s *soakRig) conclude(counted map[soak.Side]soak.Sum) {
	for bucket, ledger := range map[string]*soak.Ledger{soakTextBucket: s.text, soakParquetBucket: s.parquet} {
		objects := 0
		for _, dir := range []string{filepath.Join(s.data, "buckets", bucket), filepath.Join(s.s3.Dir, bucket)} {
			n, err := soak.ReadBucket(ledger, dir, s.format)
			s.must(err)
			objects += n
		}
		s.say("%s: %d objects", bucket, objects)
	}
	s.say("\nfaults")
	for _, name := range slices.Sorted(maps.Keys(s.counts)) {
		s.say("  %4d  %s", s.counts[name], name)
	}
	s.say("  %4d  times weir ended by itself meanwhile, and was started again", s.ended)
	s.say("  %4d  records that firehose said it did not take", s.recorder.Failed())
	s.say("the storm: %d flows", s.storm.Flows())

	for _, line := range s.said(steeredWeir, "panic", "fatal error", "DATA RACE") {
		s.fail("weir said: %s", line)
	}
	var results []soak.Result
	for ledger, kind := range map[*soak.Ledger]string{s.text: flowlogs.S3, s.parquet: flowlogs.S3, s.recorder.Logs: flowlogs.Logs, s.recorder.Firehose: flowlogs.Firehose} {
		var doubtful uint64
		for _, by := range s.doubtful {
			doubtful += by[kind]
		}
		results = append(results, ledger.Compare(counted, doubtful, func(t time.Time) string {
			return t.UTC().Format("15:04:05")
		}))
	}
	slices.SortFunc(results, func(a, b soak.Result) int { return cmp.Compare(a.Name, b.Name) })
	s.say("\n%-16s %10s %8s %10s %10s %6s %8s %9s", "destination", "records", "nodata", "counted", "delivered", "lost", "doubled", "doubtful")
	for i := range results {
		r := &results[i]
		s.say("%-16s %10d %8d %10d %10d %6d %8d %9d", r.Name, r.Records, r.NoData, r.Counted, r.Delivered, r.Lost, r.Doubled, r.Doubtful)
		for _, f := range r.Faults {
			s.fail("%s: %s", r.Name, f)
		}
	}
	s.say("")
	for i := range results {
		s.say("%s", results[i].Line())
		s.t.Log(results[i].Line())
	}
	for _, f := range s.failures {
		s.t.Errorf("seed %d: %s", s.seed, f)
	}
}
