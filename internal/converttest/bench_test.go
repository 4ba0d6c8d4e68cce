//go:build cgo && !noduckdb && linux

package converttest

import (
	"bufio"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "github.com/duckdb/duckdb-go/v2" //nolint:depguard // the baseline and the witness; this package has no code that is built in
	"github.com/klauspost/compress/gzip"
	"golang.org/x/sync/errgroup"

	"weir/flowlog"
)

const (
	// envRecords is how many records the benchmark converts.
	envRecords = "WEIR_BENCH_RECORDS"
	// envCopy makes the test binary DuckDB: a process of its own has a peak of
	// memory of its own.
	envCopy = "WEIR_BENCH_COPY"

	defaultRecords = 1_000_000
	textFiles      = 8
	rounds         = 3
)

func TestMain(m *testing.M) {
	if statement := os.Getenv(envCopy); statement != "" {
		if err := copyOut(statement); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// copyOut lets DuckDB convert, by the fastest settings that it has for it.
func copyOut(statement string) (err error) {
	db, err := sql.Open("duckdb", "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	for _, s := range []string{"SET preserve_insertion_order = false", statement} {
		if _, err := db.Exec(s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}

// contender is a way to make Parquet of text, and its best round.
type contender struct {
	name   string
	duckdb bool
	codec  string

	spent time.Duration
	cpu   time.Duration // of the same round
	peak  int64         // bytes of memory
	size  int64         // bytes of output
}

func (c *contender) run(b *testing.B, weir, in, out string) {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), weir, "convert", in, out, "--force", "--codec", c.codec)
	if c.duckdb {
		cmd = exec.CommandContext(b.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), envCopy+"="+copyStatement(in, out, c.codec))
	}
	began := time.Now()
	if said, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%s: %v\n%s", c.name, err, said)
	}
	spent := time.Since(began)
	info, err := os.Stat(out)
	if err != nil {
		b.Fatal(err)
	}
	c.size = info.Size()
	c.peak = max(c.peak, cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss<<10)
	if c.spent == 0 || spent < c.spent {
		c.spent, c.cpu = spent, cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime()
	}
}

func copyStatement(in, out, codec string) string {
	var columns []string
	f := flowlog.DefaultFormat()
	for i, field := range f.Fields() {
		kind := map[flowlog.Type]string{flowlog.Int32: "INTEGER", flowlog.Int64: "BIGINT", flowlog.String: "VARCHAR"}[f.ColumnType(i)]
		columns = append(columns, fmt.Sprintf("'%s': '%s'", field.Column(), kind))
	}
	return fmt.Sprintf(`COPY (SELECT * FROM read_csv('%s/*.log.gz', delim=' ', header=true, quote='', escape='', auto_detect=false, nullstr='-', columns={%s})) TO '%s' (FORMAT parquet, COMPRESSION %s)`,
		in, strings.Join(columns, ", "), out, codec)
}

// BenchmarkConvert converts text.gz to Parquet, each way in turn, and reports
// the best of three rounds of each, process start included, and the largest peak
// of its memory. x-duckdb is the time beside that of DuckDB's fastest.
func BenchmarkConvert(b *testing.B) {
	records := defaultRecords
	if s := os.Getenv(envRecords); s != "" {
		var err error
		if records, err = strconv.Atoi(s); err != nil {
			b.Fatalf("%s: %v", envRecords, err)
		}
	}
	dir := b.TempDir()
	in, weir := filepath.Join(dir, "in"), filepath.Join(dir, "weir")
	if said, err := exec.CommandContext(b.Context(), "go", "build", "-buildvcs=false", "-o", weir, "weir/cmd/weir").CombinedOutput(); err != nil {
		b.Fatalf("go build: %v\n%s", err, said)
	}
	if err := generate(in, records); err != nil {
		b.Fatal(err)
	}
	contenders := []*contender{
		{name: "weir/gzip", codec: "gzip"},
		{name: "weir/zstd", codec: "zstd"},
		{name: "weir/snappy", codec: "snappy"},
		{name: "duckdb/gzip", codec: "gzip", duckdb: true},
		{name: "duckdb/zstd", codec: "zstd", duckdb: true},
		{name: "duckdb/snappy", codec: "snappy", duckdb: true},
		{name: "duckdb/uncompressed", codec: "uncompressed", duckdb: true},
	}
	var outputs []string
	for round := range rounds {
		for _, c := range contenders {
			out := filepath.Join(dir, strings.ReplaceAll(c.name, "/", "-")+".parquet")
			c.run(b, weir, in, out)
			if round == 0 {
				outputs = append(outputs, out)
			}
		}
	}
	sameRows(b, records, outputs)
	fastest := time.Duration(1<<63 - 1)
	for _, c := range contenders {
		if c.duckdb {
			fastest = min(fastest, c.spent)
		}
	}
	for _, c := range contenders {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() { //nolint:revive // measured above: the ways take turns
			}
			b.ReportMetric(c.spent.Seconds(), "s")
			b.ReportMetric(c.cpu.Seconds(), "cpu-s")
			b.ReportMetric(float64(records)/c.spent.Seconds()/1e6, "Mrecords/s")
			b.ReportMetric(c.spent.Seconds()/fastest.Seconds(), "x-duckdb")
			b.ReportMetric(float64(c.size)/1e6, "MB-written")
			b.ReportMetric(float64(c.peak)/1e6, "MB-peak")
		})
	}
}

// sameRows compares the rows of files whatever their order: how many, and the
// sum of a hash of each.
func sameRows(b *testing.B, records int, paths []string) {
	b.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	var columns []string
	for _, field := range flowlog.DefaultFormat().Fields() {
		columns = append(columns, `"`+field.Column()+`"::VARCHAR`)
	}
	want := ""
	for _, path := range paths {
		var n int
		var sum, packets, bytes string
		err := db.QueryRowContext(b.Context(), fmt.Sprintf("SELECT count(*), sum(hash(%s))::VARCHAR, sum(packets)::VARCHAR, sum(bytes)::VARCHAR FROM '%s'", strings.Join(columns, ", "), path)).Scan(&n, &sum, &packets, &bytes)
		if err != nil {
			b.Fatal(err)
		}
		got := fmt.Sprintf("%d rows, %s packets, %s bytes, hash %s", n, packets, bytes, sum)
		if want == "" {
			want = got
		}
		if n != records || got != want {
			b.Errorf("%s holds %s; want %d rows, the first %s", path, got, records, want)
		}
	}
}

// generate writes records in the default format to some files, always the same.
func generate(dir string, records int) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var group errgroup.Group
	for i := range textFiles {
		group.Go(func() (err error) {
			f, err := os.Create(filepath.Join(dir, fmt.Sprintf("%02d.log.gz", i)))
			if err != nil {
				return err
			}
			z := gzip.NewWriter(f)
			n := records/textFiles + (i+1)*(records%textFiles)/textFiles - i*(records%textFiles)/textFiles
			return errors.Join(lines(z, uint64(i), n), z.Close(), f.Close())
		})
	}
	return group.Wait()
}

// lines writes what a busy VPC has: dozens of interfaces, a /16 of sources, a
// third of the destinations public, ephemeral source ports, most flows small,
// one in twenty refused.
func lines(w io.Writer, seed uint64, n int) error {
	r := rand.New(rand.NewPCG(seed, 14))
	out := bufio.NewWriter(w)
	fmt.Fprintln(out, flowlog.DefaultFormat().Header())
	services := [...]int{443, 443, 443, 443, 80, 80, 53, 22, 5432, 3306, 6379, 8080, 9092, 123}
	var line []byte
	number := func(v int) { line = strconv.AppendInt(append(line, ' '), int64(v), 10) }
	for i := range n {
		eni := r.IntN(48)
		source := netip.AddrFrom4([4]byte{10, 7, byte(r.IntN(256)), byte(r.IntN(256))})
		target := netip.AddrFrom4([4]byte{10, 7, byte(r.IntN(16)), byte(r.IntN(256))})
		if r.IntN(3) == 0 {
			target = netip.AddrFrom4([4]byte{byte(11 + r.IntN(180)), byte(r.IntN(256)), byte(r.IntN(256)), byte(r.IntN(256))})
		}
		service := services[r.IntN(len(services))]
		protocol := 6
		if service == 53 || service == 123 {
			protocol = 17
		}
		packets := 1 + int(r.ExpFloat64()*r.ExpFloat64()*12)
		start := 1_700_000_000 + i*600/n + r.IntN(60)
		line = fmt.Appendf(line[:0], "2 123456789012 eni-0a1b2c3d4e5f6%04x ", 0x7000+eni*37)
		line = target.AppendTo(append(source.AppendTo(line), ' '))
		for _, v := range [...]int{32768 + r.IntN(28232), service, protocol, packets, packets * (40 + r.IntN(1420)), start, start + r.IntN(60)} {
			number(v)
		}
		action := " ACCEPT OK\n"
		if r.IntN(20) == 0 {
			action = " REJECT OK\n"
		}
		if _, err := out.Write(append(line, action...)); err != nil {
			return err
		}
	}
	return out.Flush()
}
