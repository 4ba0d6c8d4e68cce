package flowlog_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/flowlog"
)

var update = flag.Bool("update", false, "write the golden files")

// sample is a file of testdata/samples and what is in it. Its README says where
// each is from. Those that are real or documented are whole and beyond doubt.
type sample struct {
	file                                           string
	lines, headers, records, malformed, doubtfully int64
	fields                                         int // of the last record's format
	version                                        int
}

var samples = []sample{
	{"aws-docs-default-v2.log", 7, 0, 7, 0, 0, 14, 2},
	{"aws-docs-nat-gateway.log", 7, 1, 6, 0, 0, 6, 3},
	{"aws-docs-service-path-v5.log", 3, 1, 2, 0, 0, 29, 5},
	{"aws-docs-tcp-flags-v3.log", 9, 1, 8, 0, 0, 21, 3},
	{"aws-docs-vpc-through-tgw-v3.log", 5, 1, 4, 0, 0, 17, 3},
	{"cwl-subscription-events.log", 4, 0, 0, 4, 0, 0, 0}, // JSON: see TestSubscriptionEvents
	{"flowlogs-reader-v2-cwl.log", 5, 0, 5, 0, 0, 14, 2},
	{"flowlogs-reader-v3-s3.log", 3, 1, 2, 0, 0, 18, 3},
	{"flowlogs-reader-v4-s3.log", 3, 1, 2, 0, 0, 22, 4},
	{"flowlogs-reader-v5-s3.log", 4, 1, 2, 1, 0, 29, 5},
	{"flowlogs-reader-v6-s3.log", 2, 1, 1, 0, 1, 18, 6}, // ids that are none
	{"malformed-in-the-wild.log", 9, 0, 2, 7, 2, 14, 2},
	{"otel-s3-default-multi.log", 3, 1, 2, 0, 0, 14, 2},
	{"otel-s3-default-nodata.log", 4, 1, 3, 0, 0, 14, 2},
	{"otel-s3-ecs.log", 2, 1, 1, 0, 1, 24, 7}, // says it has version 5
	{"otel-s3-tgw-v6.log", 2, 1, 1, 0, 0, 31, 6},
	{"tgw-default-header-v6.log", 1, 1, 0, 0, 0, 0, 0},

	{"made-bom.log", 4, 1, 3, 0, 0, 14, 2},
	{"made-bpa-v8.log", 4, 1, 3, 0, 0, 15, 8},
	{"made-crlf.log", 4, 1, 3, 0, 0, 14, 2},
	{"made-default.log.gz", 4, 1, 3, 0, 0, 14, 2},
	{"made-encryption-v10.log", 7, 1, 6, 0, 0, 15, 10},
	{"made-no-last-newline.log", 4, 1, 3, 0, 0, 14, 2},
	{"made-regional-nat-v9.log", 4, 1, 3, 0, 0, 20, 9},
	{"made-skipdata-v5.log", 4, 1, 3, 0, 0, 29, 5},
	{"made-tags-v11.log", 3, 1, 2, 0, 0, 11, 11},
	{"made-tgw-default-nodata.log", 3, 0, 3, 0, 0, 36, 6},
	{"made-two-headers.log", 8, 4, 4, 0, 0, 14, 2},
	{"made-two-members.log.gz", 6, 2, 4, 0, 0, 14, 2},
	{"made-unknown-account.log", 3, 1, 2, 0, 0, 14, 2},
	{"made-v11-all-fields.log", 6, 1, 5, 0, 0, 54, 11},
}

func sampleText(t testing.TB, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "samples", file))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func (s sample) text(t testing.TB) []byte {
	t.Helper()
	return sampleText(t, s.file)
}

// plain is the file as lines that end in a line feed.
func (s sample) plain(t testing.TB) []string {
	t.Helper()
	text := unpack(t, s.text(t))
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// unpack inflates with the standard library what is gzip.
func unpack(t testing.TB, b []byte) []byte {
	t.Helper()
	if !bytes.HasPrefix(b, []byte{0x1f, 0x8b}) {
		return b
	}
	r, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	b, err = io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestEverySampleIsInTheTable(t *testing.T) {
	files, err := filepath.Glob("testdata/samples/*log*")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !slices.ContainsFunc(samples, func(s sample) bool { return s.file == filepath.Base(f) }) {
			t.Errorf("%s is not in the table", f)
		}
	}
	for _, s := range samples {
		if !bytes.Contains(sampleText(t, "README.md"), []byte(s.file)) &&
			!strings.HasPrefix(s.file, "made-") && !strings.HasPrefix(s.file, "flowlogs-reader-") {
			t.Errorf("%s is not in the README", s.file)
		}
	}
}

// file is all that a way of reading makes of a text.
type file struct {
	rows   []row
	report flowlog.Report
	err    error
}

func readAll(r io.Reader, given flowlog.Format) file {
	var f file
	reader := flowlog.NewReader(r, given)
	for {
		var rec flowlog.Record
		if err := reader.Read(&rec); err != nil {
			if !errors.Is(err, io.EOF) {
				f.err = err
			}
			f.report = *reader.Report()
			return f
		}
		f.rows = append(f.rows, row{format: reader.Format, record: rec, text: string(reader.Format.AppendText(nil, &rec))})
	}
}

// parseAll reads through chunks, with buffers of a size.
func parseAll(r io.Reader, given flowlog.Format, buffer int) file {
	var f file
	chunks := flowlog.NewChunks(r, given)
	p := flowlog.NewParser(given, nil)
	p.Doubts = true
	buf := make([]byte, buffer)
	for {
		c, err := chunks.Next(buf)
		if err != nil {
			if !errors.Is(err, io.EOF) {
				f.err = err
			}
			f.report = *p.Report()
			return f
		}
		p.Parse(c)
		f.rows = append(f.rows, parsed(p)...)
	}
}

// parsed is the records of a parser's chunk.
func parsed(p *flowlog.Parser) []row {
	var rows []row
	for b, format := p.Next(); b != nil; b, format = p.Next() {
		for i := range b.Rows {
			var rec flowlog.Record
			b.Record(i, &rec)
			rows = append(rows, row{format: format, record: rec, text: string(b.AppendText(nil, format, i))})
		}
	}
	return rows
}

func TestSamples(t *testing.T) {
	for _, s := range samples {
		t.Run(s.file, func(t *testing.T) {
			byRecord := readAll(bytes.NewReader(s.text(t)), flowlog.Format{})
			byBatch := parseAll(bytes.NewReader(s.text(t)), flowlog.Format{}, flowlog.ChunkSize)
			for way, f := range map[string]file{"Reader": byRecord, "Parser": byBatch} {
				r := f.report
				got := sample{file: s.file, lines: r.Lines, headers: r.Headers, records: r.Records, malformed: r.Malformed, doubtfully: r.Doubtful}
				if n := len(f.rows); n > 0 {
					got.fields, got.version = len(f.rows[n-1].format.Fields()), f.rows[n-1].format.Version()
				}
				if f.err != nil || got != s {
					t.Errorf("%s: %+v, %v\nwant %+v", way, got, f.err, s)
				}
				if int64(len(f.rows)) != r.Records || r.Unknown != nil {
					t.Errorf("%s: %d records, report %+v", way, len(f.rows), r)
				}
				for _, p := range r.Problems {
					t.Logf("%s: %s", way, p)
				}
				// What was read is written back to the byte.
				var want []string
				bad := map[int]bool{}
				for _, p := range r.Problems {
					bad[p.Line] = !p.Doubt
				}
				for i, line := range s.plain(t) {
					if _, err := flowlog.FormatFromHeader(line); err != nil && !bad[i+1] {
						want = append(want, line)
					}
				}
				var texts []string
				for _, row := range f.rows {
					texts = append(texts, row.text)
					agree(t, row.format, row.text)
				}
				if diff := cmp.Diff(want, texts); diff != "" {
					t.Errorf("%s: text (-want +got):\n%s", way, diff)
				}
			}
			if diff := cmp.Diff(byRecord.report, byBatch.report); diff != "" {
				t.Errorf("reports of both ways (-Reader +Parser):\n%s", diff)
			}
			for i := range byRecord.rows {
				if a, b := byRecord.rows[i].record, byBatch.rows[i].record; a != b {
					t.Errorf("record %d (-Reader +Parser):\n%s", i, cmp.Diff(a, b, compareRecords))
				}
			}
		})
	}
}

// A file that was read and written is the same file, plain and packed.
func TestSamplesThroughWriter(t *testing.T) {
	for _, s := range samples {
		plain := s.plain(t)
		want := strings.Join(plain, "\n") + "\n"
		header, err := flowlog.FormatFromHeader(plain[0])
		if s.headers != 1 || s.malformed > 0 || err != nil {
			continue
		}
		t.Run(s.file, func(t *testing.T) {
			var out, packed, batched bytes.Buffer
			w, g, bw := flowlog.NewWriter(&out, header), flowlog.NewGzipWriter(&packed, header), flowlog.NewWriter(&batched, header)
			b := flowlog.NewBatch(header)
			for _, row := range readAll(bytes.NewReader(s.text(t)), flowlog.Format{}).rows {
				if err := errors.Join(w.Write(&row.record), g.Write(&row.record)); err != nil {
					t.Fatal(err)
				}
				b.Append(&row.record)
			}
			if err := errors.Join(bw.WriteBatch(b), w.Close(), g.Close(), bw.Close()); err != nil {
				t.Fatal(err)
			}
			for way, got := range map[string]string{"Writer": out.String(), "NewGzipWriter": string(unpack(t, packed.Bytes())), "WriteBatch": batched.String()} {
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", way, diff)
				}
			}
		})
	}
}

// The fate of each bad line, without a format and in the format that it nearly
// has, is a golden file.
func TestMalformedInTheWild(t *testing.T) {
	var b strings.Builder
	for _, way := range []struct {
		name  string
		given flowlog.Format
	}{{"no format given", flowlog.Format{}}, {"default format given", flowlog.DefaultFormat()}} {
		fmt.Fprintf(&b, "# %s\n", way.name)
		text := sampleText(t, "malformed-in-the-wild.log")
		problems := map[int]flowlog.Problem{}
		for _, p := range readAll(bytes.NewReader(text), way.given).report.Problems {
			problems[p.Line] = p
		}
		for i, line := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
			fate := "record"
			if p, ok := problems[i+1]; ok && p.Doubt {
				fate = "record in doubt: " + p.Reason
			} else if ok {
				fate = "malformed: " + p.Reason
			}
			fmt.Fprintf(&b, "%s\n\t%s\n", line, fate)
		}
	}
	const golden = "testdata/malformed.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", golden, diff)
	}
}

// CloudWatch Logs hands messages over in envelopes; a message has no header, so
// whoever unwraps it must know the format.
func TestSubscriptionEvents(t *testing.T) {
	formats := []flowlog.Format{
		flowlog.DefaultFormat(),
		flowlog.DefaultFormat(),
		formatOf(t, "version interface-id srcaddr dstaddr"),
		formatOf(t, "version account-id tgw-id tgw-attachment-id tgw-src-vpc-id tgw-dst-vpc-id tgw-src-subnet-id tgw-dst-subnet-id "+
			"tgw-src-eni tgw-dst-eni tgw-src-az-id tgw-dst-az-id tgw-pair-attachment-id srcaddr dstaddr srcport dstport protocol "+
			"packets bytes start end log-status type tcp-flags flow-direction region"),
	}
	read := 0
	for i, line := range strings.Split(strings.TrimSpace(string(sampleText(t, "cwl-subscription-events.log"))), "\n") {
		var envelope struct {
			LogEvents []struct {
				Timestamp int64
				Message   string
			}
		}
		if err := json.Unmarshal([]byte(line), &envelope); err != nil {
			t.Fatal(err)
		}
		for _, e := range envelope.LogEvents {
			var r flowlog.Record
			if err := formats[i].ParseText(&r, e.Message); err != nil {
				t.Errorf("line %d: %v", i+1, err)
			}
			if got := string(formats[i].AppendText(nil, &r)); got != e.Message {
				t.Errorf("line %d: written as %s\nwant %s", i+1, got, e.Message)
			}
			if i < 2 && r.Start*1000 != e.Timestamp {
				t.Errorf("line %d: start %d, timestamp %d", i+1, r.Start, e.Timestamp)
			}
			if doubt := formats[i].Doubt(&r); doubt != "" {
				t.Errorf("line %d: doubt: %s", i+1, doubt)
			}
			agree(t, formats[i], e.Message)
			read++
		}
	}
	if read != 6 {
		t.Errorf("%d messages, want 6", read)
	}
}
