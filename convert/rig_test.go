package convert

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/flowlog"
	"weir/flowlog/parquet"
)

// The formats of the tests: each has something that another one lacks.
var (
	v2      = flowlog.DefaultFormat()
	v5      = mustHeader("version vpc-id interface-id srcaddr dstaddr pkt-srcaddr bytes start end tcp-flags flow-direction log-status")
	few     = mustHeader("dstaddr bytes srcaddr")
	gateway = flowlog.GatewayFormat()
)

func mustHeader(s string) flowlog.Format {
	f, err := flowlog.FormatFromHeader(s)
	if err != nil {
		panic(err)
	}
	return f
}

// traffic makes lines of any format.
type traffic struct{ *rand.Rand }

func newTraffic(seed uint64) traffic { return traffic{rand.New(rand.NewPCG(seed, 9))} }

func (r traffic) line(f flowlog.Format) string {
	var words []string
	for _, field := range f.Fields() {
		word := "-"
		switch {
		case field.Name == "version":
			word = fmt.Sprint(f.Version())
		case field.Name == "log-status":
			word = "OK"
		case r.IntN(20) == 0:
		case field.Address():
			word = fmt.Sprintf("10.%d.%d.%d", r.IntN(4), r.IntN(256), r.IntN(256))
			if r.IntN(4) == 0 {
				word = fmt.Sprintf("2001:db8::%x:%x", 1+r.IntN(0xfff), 1+r.IntN(0xffff))
			}
		case f.ColumnType(indexOf(f, field)) == flowlog.String:
			word = fmt.Sprintf("%s-%d", field.Name, r.IntN(9))
		default:
			word = fmt.Sprint(r.IntN(200))
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

func indexOf(f flowlog.Format, field *flowlog.Field) int {
	for i, other := range f.Fields() {
		if other == field {
			return i
		}
	}
	panic(field.Name)
}

// malformed is a line that is no record of any of the formats.
func (r traffic) malformed() string {
	return []string{"", "bogus", "2 3 4", strings.Repeat("x", 70_000), "\x01 2 3", "\xff\xfe"}[r.IntN(6)]
}

// sample is a file and what must become of it.
type sample struct {
	path             string
	lines, malformed int64
	headers          int64
	records          []flowlog.Record
}

// textFile writes a file of text, gzip or not, with some malformed lines.
func (r traffic) textFile(t testing.TB, dir, name string, f flowlog.Format, n int) sample {
	t.Helper()
	var text bytes.Buffer
	end := []string{"\n", "\r\n"}[r.IntN(2)]
	text.WriteString(f.Header() + end)
	for range n {
		switch r.IntN(200) {
		case 0:
			text.WriteString(f.Header() + end) // files one after the other
		case 1:
			text.WriteString(r.malformed() + end)
		}
		text.WriteString(r.line(f) + end)
	}
	b := text.Bytes()
	if r.IntN(2) == 0 {
		b = bytes.TrimSuffix(b, []byte(end))
	}
	path := filepath.Join(dir, name+".log")
	content := b
	if r.IntN(2) == 0 {
		path += ".gz"
		content = packed(b)
	}
	write(t, path, content)
	return reference(t, path, b)
}

func write(t testing.TB, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

func packed(b []byte) []byte {
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	_, _ = w.Write(b)
	_ = w.Close()
	return z.Bytes()
}

// reference reads a text by the plain way, a record at a time.
func reference(t testing.TB, path string, text []byte) sample {
	t.Helper()
	s := sample{path: path}
	in := flowlog.NewReader(bytes.NewReader(text), flowlog.Format{})
	for {
		var rec flowlog.Record
		err := in.Read(&rec)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		s.records = append(s.records, rec)
	}
	r := in.Report()
	s.lines, s.headers, s.malformed = r.Lines, r.Headers, r.Malformed
	return s
}

// parquetFile writes a file of Parquet with small row groups.
func (r traffic) parquetFile(t testing.TB, dir, name string, f flowlog.Format, n int) sample {
	t.Helper()
	s := sample{path: filepath.Join(dir, name+".parquet"), lines: int64(n)}
	var out bytes.Buffer
	w, err := parquet.NewWriter(&out, f, parquet.Options{Codec: parquet.Codec(r.IntN(4)), RowGroupRows: 300 + r.IntN(3000)})
	if err != nil {
		t.Fatal(err)
	}
	b := flowlog.NewBatch(f)
	for range n {
		var rec flowlog.Record
		if err := f.ParseText(&rec, r.line(f)); err != nil {
			t.Fatal(err)
		}
		s.records = append(s.records, rec)
		if b.Append(&rec); b.Rows == 100 {
			if err := w.WriteBatch(b); err != nil {
				t.Fatal(err)
			}
			b.Reset()
		}
	}
	if err := errors.Join(w.WriteBatch(b), w.Close()); err != nil {
		t.Fatal(err)
	}
	write(t, s.path, out.Bytes())
	return s
}

// text is the records of samples in a format, as the file that is wanted.
func text(f flowlog.Format, samples []sample) []byte {
	out := []byte(f.Header() + "\n")
	for _, s := range samples {
		for _, rec := range s.records {
			rec.Version = int64(f.Version())
			rec.Missing[0] &^= 1 << versionField.Place()
			out = append(f.AppendText(out, &rec), '\n')
		}
	}
	return out
}

func inputsOf(samples ...sample) []Input {
	var inputs []Input
	for _, s := range samples {
		inputs = append(inputs, Input{Path: s.path, Below: filepath.Base(s.path)})
	}
	return inputs
}

// asText reads what a conversion wrote: text, gzip or Parquet.
func asText(t testing.TB, b []byte) []byte {
	t.Helper()
	if bytes.HasPrefix(b, []byte("\x1f\x8b")) {
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if b, err = io.ReadAll(z); err != nil {
			t.Fatal(err)
		}
	}
	if !parquet.Is(bytes.NewReader(b)) {
		return b
	}
	r, err := parquet.NewReader(bytes.NewReader(b), int64(len(b)), parquet.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	out := []byte(r.Format().Header() + "\n")
	for {
		batch, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		for row := range batch.Rows {
			out = append(batch.AppendText(out, r.Format(), row), '\n')
		}
	}
}
