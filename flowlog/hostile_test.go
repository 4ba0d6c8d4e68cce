package flowlog_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"weir/flowlog"
)

// Hostile files: large in memory's terms, or made to be slow. What is allocated
// in total is measured, which a collector cannot hide.

// repeat is n times a text, without holding more than one.
type repeat struct {
	text string
	n    int
	at   int
}

func (r *repeat) Read(b []byte) (n int, err error) {
	for n < len(b) && r.n > 0 {
		m := copy(b[n:], r.text[r.at:])
		n, r.at = n+m, r.at+m
		if r.at == len(r.text) {
			r.n, r.at = r.n-1, 0
		}
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// bomb is a gzip file that inflates to size bytes of a text: one member, as
// often as it takes.
func bomb(t testing.TB, text string, size int) io.Reader {
	t.Helper()
	member := strings.Repeat(text, 1<<20/len(text))
	return &repeat{text: string(pack(t, member, 1)), n: size / len(member)}
}

// allocated is how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// drain parses a text without keeping anything.
func drain(r io.Reader, skim bool) (flowlog.Report, error) {
	chunks, p := flowlog.NewChunks(r, flowlog.Format{}), flowlog.NewParser(flowlog.Format{}, nil)
	p.Doubts = true
	buf := make([]byte, flowlog.ChunkSize)
	for {
		c, err := chunks.Next(buf)
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return *p.Report(), err
		}
		if skim {
			chunks.Skim(&c)
		}
		p.Parse(c)
		for b, _ := p.Next(); b != nil; b, _ = p.Next() {
		}
	}
}

func TestHostileFiles(t *testing.T) {
	const mega = 1 << 20
	noise := make([]byte, 4*mega)
	rand.NewChaCha8([32]byte{1}).Read(noise)
	header, other := flowlog.DefaultFormat().Header()+"\n", awsFormat(t).Header()+"\n"
	line := lines[0].line + "\n"
	perMember := mega / len(header)
	headers := int64(64 * mega / (perMember * len(header)) * perMember)
	for _, tt := range []struct {
		name                      string
		in                        func() io.Reader
		lines, headers, malformed int64
		limit                     uint64 // of what is allocated, in bytes
	}{
		{"bomb of zeros", func() io.Reader { return bomb(t, "\x00", 256*mega) }, 1, 0, 1, 8 * mega},
		{"bomb of line feeds", func() io.Reader { return bomb(t, "\n", 4*mega) }, 4 * mega, 0, 4 * mega, 8 * mega},
		{"bomb of headers", func() io.Reader { return bomb(t, header, 64*mega) }, headers, headers, 0, 8 * mega},
		{"line of 100 MB", func() io.Reader { return &repeat{text: strings.Repeat("x", mega), n: 100} }, 1, 0, 1, 8 * mega},
		{"line of 100 MB between records", func() io.Reader {
			return io.MultiReader(strings.NewReader(line), &repeat{text: strings.Repeat("2 ", mega/2), n: 100}, strings.NewReader("\r\n"+line))
		}, 3, 0, 1, 8 * mega},
		{"carriage returns", func() io.Reader { return &repeat{text: strings.Repeat("\r", mega), n: 64} }, 1, 0, 1, 8 * mega},
		{"10⁶ columns in a line", func() io.Reader { return strings.NewReader(header + strings.Repeat("- ", 1e6) + "\n" + line) }, 3, 1, 1, 8 * mega},
		{"10⁶ columns in a header", func() io.Reader { return strings.NewReader(strings.Repeat("bytes ", 1e6) + "\n" + line) }, 2, 0, 1, 8 * mega},
		// As many unknown columns as fit, and lines that have them.
		{"wide header", func() io.Reader {
			names, values := strings.Repeat(" a", 32_000), strings.Repeat(" 1", 32_000)
			return &repeat{text: "bytes" + names + "\n" + strings.Repeat("1"+values+"\n", 100), n: 4}
		}, 404, 4, 0, 16 * mega},
		// Each is a new format: the memory is garbage at once, but must not grow
		// with the square.
		{"headers in turn", func() io.Reader { return &repeat{text: header + other, n: 5000} }, 10_000, 10_000, 0, 10_000 * 8 << 10},
		{"headers and records in turn", func() io.Reader { return &repeat{text: header + line + "srcaddr\n10.0.0.1\n", n: 5000} }, 20_000, 10_000, 0, 20_000 * 4 << 10},
		{"words", func() io.Reader { return &repeat{text: strings.Repeat("a ", 20_000) + "\n", n: 500} }, 500, 0, 500, 8 * mega},
		{"noise", func() io.Reader { return bytes.NewReader(noise) }, int64(bytes.Count(noise, []byte("\n")) + 1), 0, int64(bytes.Count(noise, []byte("\n")) + 1), 16 * mega},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, skim := range []bool{false, true} {
				in := tt.in()
				var r flowlog.Report
				var err error
				got := allocated(func() { r, err = drain(in, skim) })
				if err != nil || r.Lines != tt.lines || r.Headers != tt.headers || r.Malformed != tt.malformed || r.Records+r.Headers+r.Malformed != r.Lines {
					t.Errorf("%d lines, %d headers, %d records, %d malformed, %v; want %d, %d, …, %d",
						r.Lines, r.Headers, r.Records, r.Malformed, err, tt.lines, tt.headers, tt.malformed)
				}
				limit := tt.limit
				if skim {
					limit *= 2
				}
				if got > limit {
					t.Errorf("allocates %d KiB, want at most %d", got>>10, limit>>10)
				}
				for _, p := range r.Problems {
					if len(p.Reason) > 300 {
						t.Errorf("a reason of %d bytes", len(p.Reason))
					}
				}
			}
		})
	}
}

// A reader's records keep their chunks, so it allocates what it reads; the rest
// is bounded as above.
func TestHostileFilesThroughReader(t *testing.T) {
	const mega = 1 << 20
	for name, in := range map[string]io.Reader{
		"bomb of zeros":  bomb(t, "\x00", 128*mega),
		"line of 100 MB": &repeat{text: strings.Repeat("x", mega), n: 100},
	} {
		var f file
		if got := allocated(func() { f = readAll(in, flowlog.Format{}) }); got > 8*mega {
			t.Errorf("%s: allocates %d MiB", name, got>>20)
		}
		if f.err != nil || f.report.Malformed != 1 || f.report.Lines != 1 {
			t.Errorf("%s: %+v, %v", name, f.report, f.err)
		}
		if want := "line 1: longer than 65536 bytes"; f.report.Problems[0].String() != want {
			t.Errorf("%s: %s, want %s", name, f.report.Problems[0], want)
		}
	}
}

func TestHostileFormats(t *testing.T) {
	for name, in := range map[string]string{
		"10⁶ fields":         strings.Repeat("${bytes} ", 1e6),
		"10⁶ unknown fields": strings.Repeat("${x} ", 1e6),
		"10⁶ names":          strings.Repeat("bytes ", 1e6),
		"a long name":        "${" + strings.Repeat("x", 10<<20) + "}",
		"a long word":        strings.Repeat("x", 10<<20),
		"10⁷ spaces":         strings.Repeat(" ", 10<<20),
		"10⁷ braces":         strings.Repeat("${", 5<<20),
	} {
		t.Run(name, func(t *testing.T) {
			got := allocated(func() {
				f, err := flowlog.ParseFormat(in)
				checkFormatError(t, in, f, err)
				f, err = flowlog.FormatFromHeader(in)
				checkFormatError(t, in, f, err)
			})
			if limit := uint64(1<<20 + len(in)); got > limit {
				t.Errorf("allocates %d MiB for %d MiB, want at most %d", got>>20, len(in)>>20, limit>>20)
			}
		})
	}
}
