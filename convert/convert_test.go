package convert

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"weir/flowlog"
	"weir/flowlog/parquet"
)

// encodings are the kinds of output, with jobs so small that there are many.
var encodings = map[string]Config{
	"text":          {Options: parquet.Options{RowGroupRows: 1}},
	"gzip":          {Gzip: true, Options: parquet.Options{RowGroupRows: 5000}},
	"parquet":       {Parquet: true, Options: parquet.Options{RowGroupRows: 5000, Codec: parquet.Snappy}},
	"zstd, sorted":  {Parquet: true, Options: parquet.Options{RowGroupRows: 4000, Codec: parquet.Zstd, Sort: true, Bloom: true}},
	"parquet, gzip": {Parquet: true, Options: parquet.Options{RowGroupRows: 3000}},
}

// Whatever files of whatever encodings and formats come in, the same records go
// out in the same order, and every line is accounted for. In a bubble, so that a
// goroutine that stays fails the test.
func TestMixtures(t *testing.T) {
	rounds := uint64(8)
	if testing.Short() {
		rounds = 3
	}
	for seed := range rounds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			r := newTraffic(seed)
			dir := t.TempDir()
			formats := []flowlog.Format{v2, v5, few}
			if r.IntN(3) == 0 {
				formats = append(formats, gateway)
			}
			var samples []sample
			for i := range 1 + r.IntN(8) {
				name, f, n := fmt.Sprint(i), formats[r.IntN(len(formats))], r.IntN(1+r.IntN(12_000))
				if r.IntN(3) == 0 {
					samples = append(samples, r.parquetFile(t, dir, name, f, n))
				} else {
					samples = append(samples, r.textFile(t, dir, name, f, n))
				}
			}
			output := formats[r.IntN(3)]
			want := text(output, samples)
			for name, cfg := range encodings {
				cfg.Format, cfg.Workers = output, 1+r.IntN(5)
				synctest.Test(t, func(t *testing.T) {
					checkMixture(t, name, cfg, samples, want)
				})
			}
		})
	}
}

func checkMixture(t *testing.T, name string, cfg Config, samples []sample, want []byte) {
	var out bytes.Buffer
	told := int64(0)
	cfg.Problem = func(p Problem) {
		if !p.Doubt {
			told++
		}
	}
	r, err := Convert(t.Context(), inputsOf(samples...), &out, cfg)
	var sum sample
	records := int64(0)
	for _, s := range samples {
		sum.lines, sum.headers, sum.malformed = sum.lines+s.lines, sum.headers+s.headers, sum.malformed+s.malformed
		records += int64(len(s.records))
	}
	if records == 0 && sum.malformed > 0 {
		if !errors.Is(err, ErrNoRecords) {
			t.Errorf("%s: error %v, want %v", name, err, ErrNoRecords)
		}
		return
	}
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	got := asText(t, out.Bytes())
	if cfg.Options.Sort {
		got, want = sortedLines(got), sortedLines(want)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: other records:\n%s", name, firstDifference(got, want))
	}
	if r.Lines != sum.lines || r.Headers != sum.headers || r.Malformed != sum.malformed || r.Records != records || told != sum.malformed {
		t.Errorf("%s: %+v, told %d; want %d lines, %d headers, %d malformed, %d records", name, r, told, sum.lines, sum.headers, sum.malformed, records)
	}
	if r.Records+r.Malformed+r.Headers != r.Lines || r.Files != len(samples) || r.BytesOut != int64(out.Len()) {
		t.Errorf("%s: %+v does not add up", name, r)
	}
	stored := int64(0)
	for _, s := range samples {
		info, err := os.Stat(s.path)
		if err != nil {
			t.Fatal(err)
		}
		stored += info.Size()
	}
	if r.BytesIn != stored {
		t.Errorf("%s: %d bytes read, the files have %d", name, r.BytesIn, stored)
	}
}

func sortedLines(b []byte) []byte {
	lines := bytes.Split(b, []byte("\n"))
	slices.SortFunc(lines, bytes.Compare)
	return bytes.Join(lines, []byte("\n"))
}

func firstDifference(got, want []byte) string {
	g, w := strings.Split(string(got), "\n"), strings.Split(string(want), "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			return fmt.Sprintf("line %d\n got %s\nwant %s", i+1, g[i], w[i])
		}
	}
	return fmt.Sprintf("%d lines, want %d", len(g), len(w))
}

// The output does not depend on who made which part of it when.
func TestSameBytesWhateverTheWorkers(t *testing.T) {
	r := newTraffic(1)
	dir := t.TempDir()
	var samples []sample
	for i := range 4 {
		samples = append(samples, r.textFile(t, dir, fmt.Sprint("t", i), v2, 6000), r.parquetFile(t, dir, fmt.Sprint("p", i), v2, 4000))
	}
	for name, cfg := range encodings {
		t.Run(name, func(t *testing.T) {
			var want []byte
			var problems []string
			for _, workers := range []int{1, 3, 8} {
				var out bytes.Buffer
				var told []string
				cfg.Workers = workers
				cfg.Problem = func(p Problem) { told = append(told, fmt.Sprintf("%s\t%s", p, p.Text)) }
				if _, err := Convert(t.Context(), inputsOf(samples...), &out, cfg); err != nil {
					t.Fatal(err)
				}
				if want == nil {
					want, problems = out.Bytes(), told
				}
				if !bytes.Equal(out.Bytes(), want) {
					t.Errorf("%d workers make other bytes than one", workers)
				}
				if !slices.Equal(told, problems) {
					t.Errorf("%d workers tell of the problems in another order than one", workers)
				}
			}
		})
	}
}

// failing takes n bytes and fails then.
type failing struct{ n int }

var errFull = errors.New("no room")

func (w *failing) Write(b []byte) (int, error) {
	if len(b) > w.n {
		n := w.n
		w.n = 0
		return n, errFull
	}
	w.n -= len(b)
	return len(b), nil
}

func TestWriterThatFails(t *testing.T) {
	r := newTraffic(2)
	dir := t.TempDir()
	samples := []sample{r.textFile(t, dir, "a", v2, 20_000), r.parquetFile(t, dir, "b", v2, 9000)}
	for name, cfg := range encodings {
		var whole bytes.Buffer
		if _, err := Convert(t.Context(), inputsOf(samples...), &whole, cfg); err != nil {
			t.Fatal(err)
		}
		size := whole.Len()
		for _, n := range []int{0, 1, 50, size / 3, size / 2, size - 1} {
			synctest.Test(t, func(t *testing.T) {
				_, err := Convert(t.Context(), inputsOf(samples...), &failing{n}, cfg)
				if err != errFull { //nolint:errorlint // nothing around it: the caller knows what it writes to
					t.Errorf("%s: a writer that fails at byte %d of %d gives %v", name, n, size, err)
				}
			})
		}
	}
}

// cancelling cancels when it has taken n bytes.
type cancelling struct {
	n      int
	cancel context.CancelFunc
}

func (w *cancelling) Write(b []byte) (int, error) {
	if w.n -= len(b); w.n < 0 {
		w.cancel()
	}
	return len(b), nil
}

func TestCancelled(t *testing.T) {
	r := newTraffic(3)
	dir := t.TempDir()
	samples := []sample{r.textFile(t, dir, "a", v2, 20_000), r.textFile(t, dir, "b", v2, 20_000), r.parquetFile(t, dir, "c", v2, 9000)}
	for name, cfg := range encodings {
		for _, n := range []int{-1, 0, 100_000} {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if n < 0 {
					cancel()
				}
				r, err := Convert(ctx, inputsOf(samples...), &cancelling{n, cancel}, cfg)
				if !errors.Is(err, context.Canceled) {
					t.Errorf("%s: cancelled after %d bytes: %v", name, n, err)
				}
				if len(r.Damaged) > 0 {
					t.Errorf("%s: an input counts as damaged: %v", name, r.Damaged[0])
				}
			})
		}
	}
}

// Nobody can end a read of a terminal; an interrupt must not wait for it.
func TestCancelledWhileTheInputIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, silent := io.Pipe()
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			fmt.Fprintln(silent, v2.Header())
			cancel()
		}()
		_, err := Convert(ctx, []Input{{Path: "standard input", In: in}}, io.Discard, Config{})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want %v", err, context.Canceled)
		}
		_ = silent.Close() // or the reading goroutine would stay
	})
}

// A row group may be as large as its writer likes. It is cut.
func TestLargeRowGroup(t *testing.T) {
	const rows = 300_000
	var file bytes.Buffer
	w, err := parquet.NewWriter(&file, v2, parquet.Options{Codec: parquet.Snappy, RowGroupRows: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	var rec flowlog.Record
	if err := v2.ParseText(&rec, newTraffic(4).line(v2)); err != nil {
		t.Fatal(err)
	}
	b := flowlog.NewBatch(v2)
	for i := range rows {
		rec.Bytes = int64(i)
		if b.Append(&rec); b.Rows == flowlog.BatchRows || i == rows-1 {
			if err := w.WriteBatch(b); err != nil {
				t.Fatal(err)
			}
			b.Reset()
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	want := asText(t, file.Bytes())
	for name, cfg := range map[string]Config{"text": {}, "gzip": {Gzip: true}, "parquet": {Parquet: true}} {
		var out bytes.Buffer
		r, err := Convert(t.Context(), []Input{{Path: "a stream", In: bytes.NewReader(file.Bytes())}}, &out, cfg)
		if err != nil || r.Records != rows {
			t.Fatalf("%s: %+v, %v", name, r, err)
		}
		if !bytes.Equal(asText(t, out.Bytes()), want) {
			t.Errorf("%s: other records", name)
		}
		if cfg.Parquet {
			p, err := parquet.NewReader(bytes.NewReader(out.Bytes()), int64(out.Len()), parquet.ReadOptions{})
			if err != nil || p.NumRowGroups() < 3 {
				t.Errorf("%d row groups, want some: %v", p.NumRowGroups(), err)
			}
		}
	}
}

// Lines may be long and still records. A job is bounded by their bytes, too.
func TestLongLines(t *testing.T) {
	f := mustHeader("account-id vpc-id")
	var in bytes.Buffer
	in.WriteString(f.Header() + "\n")
	for i := range 2000 {
		fmt.Fprintf(&in, "1 %s%d\n", strings.Repeat("v", 60_000), i)
	}
	for name, cfg := range map[string]Config{"text": {}, "parquet": {Parquet: true}} {
		var out bytes.Buffer
		r, err := Convert(t.Context(), []Input{{Path: "a stream", In: bytes.NewReader(in.Bytes())}}, &out, cfg)
		if err != nil || r.Records != 2000 {
			t.Fatalf("%s: %+v, %v", name, r, err)
		}
		if !bytes.Equal(asText(t, out.Bytes()), in.Bytes()) {
			t.Errorf("%s: other records", name)
		}
	}
}

func TestDamage(t *testing.T) {
	r := newTraffic(5)
	dir := t.TempDir()
	whole := r.textFile(t, dir, "whole", v2, 100)
	cut := filepath.Join(dir, "cut.log.gz")
	b := packed(text(v2, []sample{r.textFile(t, dir, "x", v2, 50_000)}))
	write(t, cut, b[:len(b)/2])
	group := r.parquetFile(t, dir, "group", v2, 20_000).path
	b, err := os.ReadFile(group)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 64 {
		b[len(b)/3+i] ^= 0xff
	}
	write(t, group, b)
	write(t, filepath.Join(dir, "cut.parquet"), b[:len(b)/2])
	var foreign bytes.Buffer
	foreign.WriteString("PAR1")
	write(t, filepath.Join(dir, "short.parquet"), foreign.Bytes())

	tests := []struct{ name, file, want string }{
		{"gzip that ends too early", "cut.log.gz", "after line"},
		{"a row group", "group.parquet", "row group"},
		{"Parquet that ends too early", "cut.parquet", "cut off"},
		{"Parquet of nothing", "short.parquet", "parquet: "},
		{"no file", "none", "no such file"},
		{"a directory", ".", "directory"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out bytes.Buffer
				inputs := []Input{{Path: filepath.Join(dir, tt.file)}, {Path: whole.path}}
				r, err := Convert(t.Context(), inputs, &out, Config{Format: v2})
				if err != nil {
					t.Fatal(err)
				}
				if len(r.Damaged) != 1 || !strings.Contains(r.Damaged[0].Error(), tt.want) {
					t.Fatalf("damage: %v, want %q", r.Damaged, tt.want)
				}
				if strings.Count(r.Damaged[0].Error(), dir) != 1 {
					t.Errorf("the path should stand there once: %v", r.Damaged[0])
				}
				if !bytes.HasSuffix(out.Bytes(), text(v2, []sample{whole})[len(v2.Header())+1:]) {
					t.Error("the whole file's records are missing")
				}
				if lines := int64(bytes.Count(out.Bytes(), []byte("\n"))); lines != r.Records+1 || r.Records+r.Malformed+r.Headers != r.Lines {
					t.Errorf("%d lines in the output; %+v", lines, r)
				}
			})
		})
	}
}

func TestFormats(t *testing.T) {
	r := newTraffic(6)
	dir := t.TempDir()
	two, five, tgw := r.textFile(t, dir, "two", v2, 10), r.textFile(t, dir, "five", v5, 10), r.textFile(t, dir, "tgw", gateway, 10)
	write(t, filepath.Join(dir, "none.log"), nil)
	write(t, filepath.Join(dir, "junk.log"), []byte("junk\n"))
	write(t, filepath.Join(dir, "custom.log"), []byte("10.0.0.1 7\n10.0.0.2 8\n"))
	write(t, filepath.Join(dir, "header.log"), []byte(v5.Header()+"\n"))
	file := func(name string) sample { return sample{path: filepath.Join(dir, name)} }
	custom := mustHeader("srcaddr bytes")
	tests := []struct {
		name    string
		inputs  []Input
		cfg     Config
		records int64
		absent  []string
		format  flowlog.Format
		err     any
	}{
		{name: "one format", inputs: inputsOf(two), records: 10, format: v2},
		{name: "two formats", inputs: inputsOf(two, five), err: new(*FormatError)},
		{name: "two formats, one wanted", inputs: inputsOf(two, five), cfg: Config{Format: few}, records: 20, format: few},
		{
			name: "absent fields", inputs: inputsOf(two), cfg: Config{Format: v5}, records: 10, format: v5,
			absent: []string{"flow-direction", "pkt-srcaddr", "tcp-flags", "vpc-id"},
		},
		{name: "of a transit gateway", inputs: inputsOf(tgw), cfg: Config{Format: v2}, records: 10, format: v2, absent: []string{"action", "interface-id"}},
		{name: "nothing in common", inputs: inputsOf(two), cfg: Config{Format: mustHeader("version tgw-id")}, err: new(*NothingInCommonError)},
		{name: "only the version", inputs: inputsOf(two), cfg: Config{Format: mustHeader("version")}, records: 10, format: mustHeader("version")},
		{name: "no inputs", err: ErrNoRecords},
		{name: "an empty file", inputs: inputsOf(file("none.log")), err: ErrNoRecords},
		{name: "an empty file in a format", inputs: inputsOf(file("none.log")), cfg: Config{Format: v5}, format: v5},
		{name: "a header", inputs: inputsOf(file("header.log")), format: v5},
		{name: "an empty file, then records", inputs: inputsOf(file("none.log"), two), records: 10, format: v2},
		{name: "junk", inputs: inputsOf(file("junk.log")), cfg: Config{Format: v2}, err: ErrNoRecords},
		{name: "junk, then records", inputs: inputsOf(file("junk.log"), two), records: 10, format: v2},
		{name: "no header", inputs: inputsOf(file("custom.log")), err: ErrNoRecords},
		{name: "no header, but a format", inputs: inputsOf(file("custom.log")), cfg: Config{Given: custom}, records: 2, format: custom},
		{name: "nothing there", inputs: inputsOf(file("nowhere.log")), cfg: Config{Format: v2}, err: ErrNoRecords},
	}
	for _, tt := range tests {
		for _, parquet := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, parquet %v", tt.name, parquet), func(t *testing.T) {
				cfg := tt.cfg
				cfg.Parquet = parquet
				var out bytes.Buffer
				r, err := Convert(t.Context(), tt.inputs, &out, cfg)
				switch want := tt.err.(type) {
				case error:
					if !errors.Is(err, want) {
						t.Errorf("error %v, want %v", err, want)
					}
					return
				case nil:
				default:
					if !errors.As(err, want) {
						t.Errorf("error %v, want a %v", err, reflect.TypeOf(want).Elem())
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if r.Records != tt.records || !r.Format.Equal(tt.format) || !slices.Equal(r.Absent, tt.absent) {
					t.Errorf("%d records, format %q, absent %q; want %d, %q, %q", r.Records, r.Format.Header(), r.Absent, tt.records, tt.format.Header(), tt.absent)
				}
				if n := int64(bytes.Count(asText(t, out.Bytes()), []byte("\n"))); n != tt.records+1 {
					t.Errorf("%d lines in the output, want a header and %d", n, tt.records)
				}
			})
		}
	}
}

// The version is the format's, unless only the order of the fields changes:
// then a record stays what it was, even a doubtful one.
func TestVersion(t *testing.T) {
	in := "version srcaddr bytes vpc-id\n5 10.0.0.1 7 vpc-1\n"
	for want, header := range map[string]string{
		"2 7\n":                "version bytes",
		"5 7 vpc-1 10.0.0.1\n": "version bytes vpc-id srcaddr",
	} {
		var out bytes.Buffer
		_, err := Convert(t.Context(), []Input{{Path: "in", In: strings.NewReader(in)}}, &out, Config{Format: mustHeader(header), Bare: true})
		if err != nil || out.String() != want {
			t.Errorf("%q, %v; want %q", out.String(), err, want)
		}
	}
}

func TestNothingAsGzip(t *testing.T) {
	var out bytes.Buffer
	if _, err := Convert(t.Context(), nil, &out, Config{Format: v2, Gzip: true, Bare: true}); err != nil {
		t.Fatal(err)
	}
	if got := asText(t, out.Bytes()); len(got) > 0 || out.Len() == 0 {
		t.Errorf("%d bytes that inflate to %d, want a gzip file of nothing", out.Len(), len(got))
	}
}
