package flowlog_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"weir/flowlog"
)

// fataler is what testing and rapid have in common.
type fataler interface {
	Helper()
	Fatalf(string, ...any)
}

// checkAccount holds what a way of reading made of a text against the reference.
func checkAccount(t fataler, way string, want account, got file) {
	t.Helper()
	r := &got.report
	if got.err != nil {
		t.Fatalf("%s: %v", way, got.err)
	}
	if r.Lines != int64(want.lines) || r.Headers != int64(want.headers) || r.Malformed != int64(want.malformed) || r.Records != int64(len(want.rows)) {
		t.Fatalf("%s: %+v\nwant %d lines, %d headers, %d records, %d malformed", way, *r, want.lines, want.headers, len(want.rows), want.malformed)
	}
	if r.Records+r.Malformed+r.Headers != r.Lines || len(got.rows) != len(want.rows) {
		t.Fatalf("%s: %+v does not add up, or not to %d records", way, *r, len(got.rows))
	}
	for i, w := range want.rows {
		if g := got.rows[i]; g.record != w.record || !g.format.Equal(w.format) {
			t.Fatalf("%s: line %d is in format %s, want %s; record (-want +got):\n%s", way, w.line, g.format, w.format, cmp.Diff(w.record, g.record, compareRecords))
		}
	}
}

// sameReport holds the reports of two ways against each other.
func sameReport(t fataler, a, b file) {
	t.Helper()
	if diff := cmp.Diff(a.report, b.report); diff != "" {
		t.Fatalf("reports of two ways differ:\n%s", diff)
	}
	if (a.err == nil) != (b.err == nil) {
		t.Fatalf("errors of two ways differ: %v, %v", a.err, b.err)
	}
}

// parseCut parses a text in chunks of some lines each.
func parseCut(text string, given flowlog.Format, lines func() int) file {
	var f file
	p := flowlog.NewParser(given, nil)
	p.Doubts = true
	for text = strings.TrimPrefix(text, "\ufeff"); text != ""; {
		n := 0
		for range lines() {
			if end := strings.IndexByte(text[n:], '\n'); end >= 0 {
				n += end + 1
			} else {
				n = len(text)
			}
		}
		p.Parse(flowlog.Chunk{Text: []byte(text[:n])})
		f.rows = append(f.rows, parsed(p)...)
		text = text[n:]
	}
	f.report = *p.Report()
	return f
}

// No line is lost and all ways agree, however the text is cut into reads and
// chunks.
func TestFilesAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := anyFile(t)
		given := rapid.SampledFrom([]flowlog.Format{{}, flowlog.DefaultFormat(), flowlog.GatewayFormat()}).Draw(t, "given")
		want := refFile(text, given)
		byRecord := readAll(strings.NewReader(text), given)
		checkAccount(t, "Reader", want, byRecord)
		checkAccount(t, "Reader, byte by byte", want, readAll(iotest.OneByteReader(strings.NewReader(text)), given))
		checkAccount(t, "Reader, by halves", want, readAll(iotest.HalfReader(strings.NewReader(text)), given))
		checkAccount(t, "Reader, error with data", want, readAll(iotest.DataErrReader(strings.NewReader(text)), given))
		byBatch := parseAll(strings.NewReader(text), given, flowlog.ChunkSize)
		checkAccount(t, "Parser", want, byBatch)
		sameReport(t, byRecord, byBatch)
		cut := parseCut(text, given, func() int { return rapid.IntRange(1, 5).Draw(t, "cut") })
		checkAccount(t, "Parser, cut", want, cut)
		sameReport(t, byRecord, cut)
		packed := parseAll(bytes.NewReader(pack(t, text, rapid.IntRange(1, 3).Draw(t, "members"))), given, flowlog.ChunkSize)
		checkAccount(t, "Parser, gzip", want, packed)
	})
}

// pack makes a gzip file of some members.
func pack(t fataler, text string, members int) []byte {
	t.Helper()
	var b bytes.Buffer
	for i := range members {
		w, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed)
		_, err := io.WriteString(w, text[i*len(text)/members:(i+1)*len(text)/members])
		if err := errors.Join(err, w.Close()); err != nil {
			t.Fatalf("pack: %v", err)
		}
	}
	return b.Bytes()
}

// bigFile is some chunks long: records of several formats, headers, junk.
func bigFile(t testing.TB) string {
	t.Helper()
	var b strings.Builder
	all := shapes(t)
	for i := range 16 {
		s := all[i%len(all)]
		b.WriteString(s.format.Header() + "\n")
		for j := range 400 {
			b.WriteString(s.line + "\n")
			switch (i*400 + j) % 97 {
			case 0:
				b.WriteString("bogus line\r\n")
			case 1:
				b.WriteString(s.format.Header() + "\r\n")
			case 2:
				b.WriteString(strings.Repeat("long ", 11*i*j%80_000) + "\n")
			case 3:
				b.WriteString(s.line + "\r\n")
			case 4:
				b.WriteString("srcaddr srcaddr\n" + s.line + "\n" + s.format.Header() + "\n")
			}
		}
	}
	return b.String()
}

func TestBigFileInAnyBuffers(t *testing.T) {
	text := bigFile(t)
	want := refFile(text, flowlog.Format{})
	byRecord := readAll(iotest.HalfReader(strings.NewReader(text)), flowlog.Format{})
	checkAccount(t, "Reader", want, byRecord)
	for _, size := range []int{2 * flowlog.MaxLine, 2*flowlog.MaxLine + 1, 150_001, flowlog.ChunkSize, 3 * flowlog.ChunkSize} {
		got := parseAll(strings.NewReader(text), flowlog.Format{}, size)
		checkAccount(t, "Parser", want, got)
		sameReport(t, byRecord, got)
	}
	// Buffers of changing sizes lose nothing either.
	var b bytes.Buffer
	chunks := flowlog.NewChunks(strings.NewReader(text), flowlog.Format{})
	for i := 0; ; i++ {
		c, err := chunks.Next(make([]byte, 2*flowlog.MaxLine<<(i%3)))
		if err != nil {
			break
		}
		b.Write(c.Text)
	}
	checkAccount(t, "Chunks", want, readAll(&b, flowlog.Format{}))
}

// A line is as long as it is, wherever a buffer ends: its beginning alone may
// look like a record, and end in what Windows would have put there.
func TestLongLineIsNoRecord(t *testing.T) {
	longest := "2 1 eni-" + strings.Repeat("1", flowlog.MaxLine-len("2 1 eni- - - - - - - - 1 2 - NODATA")) + " - - - - - - - 1 2 - NODATA"
	text := longest + "\n" + longest + "\r\n" + longest + "\r" + strings.Repeat("x", 4*flowlog.ChunkSize) + "\n" + longest + "1\n" + longest
	want := refFile(text, flowlog.Format{})
	if len(want.rows) != 3 || want.malformed != 2 {
		t.Fatalf("%d records, %d malformed, want 3 and 2", len(want.rows), want.malformed)
	}
	checkAccount(t, "Reader", want, readAll(strings.NewReader(text), flowlog.Format{}))
	for size := 2 * flowlog.MaxLine; size <= flowlog.ChunkSize; size += 9973 {
		checkAccount(t, "Parser", want, parseAll(iotest.HalfReader(strings.NewReader(text)), flowlog.Format{}, size))
	}
}

// Chunks that were skimmed can be parsed side by side, in any order.
func TestParallelIsSequential(t *testing.T) {
	for name, text := range map[string]string{
		"headers": bigFile(t),
		"none":    strings.Repeat("bogus line\n", 10) + strings.Repeat(lines[0].line+"\n", 7000) + strings.Repeat(lines[2].line+"\n", 7000),
	} {
		t.Run(name, func(t *testing.T) {
			want := parseAll(strings.NewReader(text), flowlog.Format{}, flowlog.ChunkSize)
			chunks := flowlog.NewChunks(strings.NewReader(text), flowlog.Format{})
			var cs []flowlog.Chunk
			for {
				c, err := chunks.Next(make([]byte, 2*flowlog.MaxLine))
				if err != nil {
					break
				}
				chunks.Skim(&c)
				cs = append(cs, c)
			}
			if len(cs) < 10 {
				t.Fatalf("%d chunks are too few to tell", len(cs))
			}
			parts := make([]file, len(cs))
			next := make(chan int)
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					p := flowlog.NewParser(flowlog.Format{}, nil)
					p.Doubts = true
					for i := range next {
						p.Reset(flowlog.Format{})
						p.Parse(cs[i])
						parts[i].rows = parsed(p)
						parts[i].report = *p.Report()
					}
				})
			}
			for i := range slices.Backward(cs) {
				next <- i
			}
			close(next)
			wg.Wait()
			var got file
			for i := range parts {
				got.rows = append(got.rows, parts[i].rows...)
				got.report.Add(&parts[i].report)
			}
			sameReport(t, want, got)
			checkAccount(t, "parallel", refFile(text, flowlog.Format{}), got)
		})
	}
}

// Columns of a newer AWS are passed over, named, and lose nobody's record; so
// does the same header further down, where files stand one after the other.
func TestUnknownColumns(t *testing.T) {
	header := "version future-field srcaddr other-field log-status\n"
	text := header + "2 x 10.0.0.1 y OK\n2 x 10.0.0.1  OK\n2 x 10.0.0.1 OK\n" + header + "2 - 10.0.0.2 - OK\n"
	for way, f := range map[string]file{
		"Reader": readAll(strings.NewReader(text), flowlog.Format{}),
		"Parser": parseAll(strings.NewReader(text), flowlog.Format{}, flowlog.ChunkSize),
	} {
		checkAccount(t, way, refFile(text, flowlog.Format{}), f)
		if diff := cmp.Diff([]string{"future-field", "other-field"}, f.report.Unknown); diff != "" {
			t.Errorf("%s: unknown (-want +got):\n%s", way, diff)
		}
		if f.report.Headers != 2 || f.report.Records != 2 || f.report.Malformed != 2 {
			t.Errorf("%s: %+v", way, f.report)
		}
	}
}

// Below a header that is none, lines are of no format; the next header mends it.
func TestBrokenHeader(t *testing.T) {
	text := "srcaddr interface-id tgw-id\n10.0.0.1 eni-1 tgw-1\nversion version\nsrcaddr\n10.0.0.1\n"
	f := readAll(strings.NewReader(text), flowlog.Format{})
	checkAccount(t, "Reader", refFile(text, flowlog.Format{}), f)
	want := []flowlog.Problem{
		{Line: 1, Reason: `of no format: its header has "tgw-id" beside fields of VPC flow logs`},
		{Line: 2, Reason: `of no format: its header has "tgw-id" beside fields of VPC flow logs`},
		{Line: 3, Reason: `of no format: its header names "version" twice`},
	}
	if diff := cmp.Diff(want, f.report.Problems); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

// An object that breaks off is an error, after all the records before that.
func TestBrokenInput(t *testing.T) {
	text := strings.Repeat(lines[0].line+"\n", 100)
	packed := pack(t, text, 1)
	disk := errors.New("disk on fire")
	for _, tt := range []struct {
		name    string
		in      io.Reader
		records int // at least
		msg     string
	}{
		{"read error", io.MultiReader(strings.NewReader(text), iotest.ErrReader(disk)), 100, "after line 100: disk on fire"},
		{"read error at once", iotest.ErrReader(disk), 0, "disk on fire"},
		{"gzip cut short", bytes.NewReader(packed[:len(packed)-20]), 0, "inflate: unexpected EOF"},
		{"gzip of another sum", bytes.NewReader(append(bytes.Clone(packed[:len(packed)-8]), 1, 2, 3, 4, 5, 6, 7, 8)), 100, "inflate: gzip: invalid checksum"},
		{"gzip header cut short", bytes.NewReader(packed[:5]), 0, "inflate: "},
		{"gzip, then garbage", bytes.NewReader(append(bytes.Clone(packed), "garbage"...)), 100, "inflate: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := readAll(tt.in, flowlog.Format{})
			if f.err == nil || !strings.Contains(f.err.Error(), tt.msg) || len(f.rows) < tt.records {
				t.Errorf("%d records, error %v, want %d and %q", len(f.rows), f.err, tt.records, tt.msg)
			}
			if strings.Contains(tt.msg, "disk") && !errors.Is(f.err, disk) {
				t.Errorf("error %v does not wrap the reader's", f.err)
			}
		})
	}
}

// Every problem reaches the callback, with its line; the report lists the first.
func TestProblemsAreListed(t *testing.T) {
	const n = 3 * flowlog.MaxProblems
	doubtful := strings.Replace(lines[0].line, "2 ", "9 ", 1)
	text := strings.Repeat("bogus line\n"+doubtful+"\n", n)
	p := flowlog.NewParser(flowlog.DefaultFormat(), nil)
	p.Doubts = true
	told := map[string]int{}
	p.Line = func(problem flowlog.Problem, line []byte) {
		told[string(line)]++
		if problem.Doubt != (string(line) == doubtful) || problem.Line != told["bogus line"]+told[doubtful] {
			t.Errorf("%v for %q", problem, line)
		}
	}
	p.Parse(flowlog.Chunk{Text: []byte(text)})
	parsed(p)
	if told["bogus line"] != n || told[doubtful] != n {
		t.Errorf("told of %v, want %d each", told, n)
	}
	r := p.Report()
	if r.Malformed != n || r.Doubtful != n || r.Records != n || len(r.Problems) != 2*flowlog.MaxProblems {
		t.Errorf("%d malformed, %d doubtful of %d, %d listed", r.Malformed, r.Doubtful, r.Records, len(r.Problems))
	}
	if got := r.Problems[0].String(); got != `line 1: 2 fields, want 14` {
		t.Errorf("first problem: %s", got)
	}
}

func FuzzFile(f *testing.F) {
	for _, s := range samples {
		f.Add(s.text(f))
	}
	for _, s := range junk {
		if len(s) < 1000 {
			f.Add([]byte(s + "\n" + lines[0].line + "\n"))
		}
	}
	f.Add([]byte("version future-field log-status\n2 - OK\r\n\n2 x NODATA\nversion future-field log-status\n2 x SKIPDATA"))
	f.Add(append(pack(f, lines[0].line+"\n", 2), 0))
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) > 64<<10 {
			t.Skip("large")
		}
		byRecord := readAll(bytes.NewReader(in), flowlog.Format{})
		byBatch := parseAll(iotest.HalfReader(bytes.NewReader(in)), flowlog.Format{}, 2*flowlog.MaxLine)
		sameReport(t, byRecord, byBatch)
		r := &byRecord.report
		if r.Records+r.Malformed+r.Headers != r.Lines || int64(len(byRecord.rows)) != r.Records {
			t.Fatalf("%+v does not add up", *r)
		}
		if byRecord.err != nil {
			if !bytes.HasPrefix(in, []byte{0x1f, 0x8b}) {
				t.Fatalf("%v", byRecord.err)
			}
			return
		}
		text := string(unpack(t, in))
		want := refFile(text, flowlog.Format{})
		checkAccount(t, "Reader", want, byRecord)
		checkAccount(t, "Parser", want, byBatch)
		for i, w := range want.rows {
			if byBatch.rows[i].text != w.text {
				t.Fatalf("line %d: %q was written as %q", w.line, w.text, byBatch.rows[i].text)
			}
		}
		// The records of one format, written to a file, read back the same.
		if len(want.rows) == 0 {
			return
		}
		format := want.rows[0].format
		var out bytes.Buffer
		w := flowlog.NewGzipWriter(&out, format)
		var written []flowlog.Record
		for i := range want.rows {
			// A record of nothing but names of fields would be read as a header.
			line := string(format.AppendText(nil, &want.rows[i].record))
			if want.rows[i].format.Equal(format) && !refIsHeader(line, false) {
				written = append(written, want.rows[i].record)
				if err := w.Write(&want.rows[i].record); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		again := readAll(&out, flowlog.Format{})
		if len(again.rows) != len(written) || again.report.Headers != 1 {
			t.Fatalf("%d records were written, read back: %+v", len(written), again.report)
		}
		for i := range written {
			if again.rows[i].record != written[i] {
				t.Fatalf("record %d written and read back:\n%s", i, cmp.Diff(written[i], again.rows[i].record, compareRecords))
			}
		}
	})
}
