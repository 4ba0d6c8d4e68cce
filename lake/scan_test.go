package lake_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/flowlog"
	"weir/flowlog/parquet"
	"weir/lake"
)

const (
	header = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n"
	ssh    = "2 123456789010 eni-1235b8ca123456789 172.31.16.139 172.31.16.21 20641 22 6 20 4249 1418530010 1418530070 ACCEPT OK\n"
	rdp    = "2 123456789010 eni-1235b8ca123456789 172.31.9.69 172.31.9.12 49761 3389 6 20 4249 1418530010 1418530070 REJECT OK\n"
	noData = "2 123456789010 eni-1235b8ca123456789 - - - - - - - 1431280876 1431280934 - NODATA\n"
)

func zip(t testing.TB, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func write(t testing.TB, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// rows reads objects and writes each record as its present columns: "srcaddr=1.2.3.4".
func rows(t testing.TB, scan *lake.Scan, want []bool) (all []string) {
	t.Helper()
	for i := range scan.Parts() {
		r, err := scan.Open(i, want)
		if err != nil {
			t.Fatal(err)
		}
		for {
			b, err := r.Next(t.Context())
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if b.Rows == 0 {
				t.Fatal("an empty batch")
			}
			for row := range b.Rows {
				all = append(all, rowText(b, row))
			}
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func rowText(b *flowlog.Batch, row int) string {
	var parts []string
	for i := range b.Columns {
		c := &b.Columns[i]
		if !c.Present {
			continue
		}
		value := "NULL"
		switch {
		case flowlog.Fields()[i].Type == flowlog.String:
			value = string(b.Text[c.Spans[row].Begin:c.Spans[row].End])
		case !c.Null[row]:
			value = strconv.FormatInt(c.Ints[row], 10)
		}
		parts = append(parts, flowlog.Fields()[i].Name+"="+value)
	}
	return strings.Join(parts, " ")
}

// only wants the named fields.
func only(names ...string) []bool {
	want := make([]bool, len(flowlog.Fields()))
	for i := range want {
		for _, n := range names {
			want[i] = want[i] || flowlog.Fields()[i].Name == n
		}
	}
	return want
}

func TestScan(t *testing.T) {
	long := strings.Repeat("x", 70_000)
	for _, tt := range []struct {
		name    string
		content []byte
		want    []string // srcport, action
		report  lake.Report
		reason  []string // of the problems, with their lines
	}{
		{"default format", zip(t, header+ssh+noData), []string{"srcport=20641 action=ACCEPT", "srcport=NULL action=-"}, lake.Report{Records: 2}, nil},
		{"not compressed", []byte(header + ssh), []string{"srcport=20641 action=ACCEPT"}, lake.Report{Records: 1}, nil},
		{"no header", []byte(ssh + rdp), []string{"srcport=20641 action=ACCEPT", "srcport=49761 action=REJECT"}, lake.Report{Records: 2}, nil},
		{"no line feed at the end", []byte(header + strings.TrimSuffix(ssh, "\n")), []string{"srcport=20641 action=ACCEPT"}, lake.Report{Records: 1}, nil},
		{"carriage returns", []byte(strings.ReplaceAll(header+ssh, "\n", "\r\n")), []string{"srcport=20641 action=ACCEPT"}, lake.Report{Records: 1}, nil},
		{"nothing", nil, nil, lake.Report{}, nil},
		{"header only", zip(t, header), nil, lake.Report{}, nil},
		{"a field unknown to us", []byte("flow-colour srcport action\n8 80 ACCEPT\n- - -\n"), []string{"srcport=80 action=ACCEPT", "srcport=NULL action=-"}, lake.Report{Records: 2, UnknownFields: []string{"flow-colour"}}, nil},
		{"two objects in one", append(zip(t, header+ssh), zip(t, "action srcport\nREJECT 1\n")...), []string{"srcport=20641 action=ACCEPT", "srcport=1 action=REJECT"}, lake.Report{Records: 2}, nil},
		{
			"malformed lines between good ones",
			[]byte(header + ssh + "bogus line\n" + "\n" + strings.Replace(ssh, " OK", " OK more", 1) + strings.Replace(ssh, " 22 ", " 022 ", 1) +
				strings.Replace(ssh, " 22 ", "  ", 1) + strings.Replace(ssh, "eni-", "\xff", 1) + long + "\n" + rdp),
			[]string{"srcport=20641 action=ACCEPT", "srcport=49761 action=REJECT"},
			lake.Report{Records: 2, Malformed: 7},
			[]string{
				"3: 2 fields, want 14", "4: an empty line", "5: 15 fields, want 14",
				`6: field dstport: "022" is not a number`, "7: field dstport: nothing between two spaces",
				"8: not UTF-8", "9: longer than 65536 bytes",
			},
		},
		{"a header that names a field twice", []byte("srcport srcport\n1 1\n"), nil, lake.Report{Malformed: 2}, []string{`1: of no format: its header names "srcport" twice`, `2: of no format: its header names "srcport" twice`}},
		{"cut short", zip(t, header+strings.Repeat(ssh, 3))[:60], nil, lake.Report{Damaged: 1}, []string{"0: inflate: unexpected EOF"}},
		{"not gzip", []byte("\x1f\x8bmore than ten bytes of garbage"), nil, lake.Report{Damaged: 1}, []string{"0: inflate: gzip: invalid header"}},
		{"garbage behind it", append(zip(t, header+ssh), "more than ten bytes of garbage"...), []string{"srcport=20641 action=ACCEPT"}, lake.Report{Records: 1, Damaged: 1}, []string{"0: inflate: gzip: invalid header after 2 whole lines"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := write(t, "x.log.gz", tt.content)
			scan := lake.NewScan([]lake.Object{{Path: path}})
			if diff := cmp.Diff(tt.want, rows(t, scan, only("srcport", "action"))); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
			got := scan.Report()
			var reasons []string
			for _, p := range got.Problems {
				reasons = append(reasons, fmt.Sprintf("%d: %s", p.Line, p.Reason))
				if p.Path != path {
					t.Errorf("problem %+v names another file", p)
				}
			}
			if diff := cmp.Diff(tt.reason, reasons); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			tt.report.Objects, got.Problems = 1, nil
			if diff := cmp.Diff(tt.report, got); diff != "" {
				t.Errorf("report (-want +got):\n%s", diff)
			}
		})
	}
}

// What stands before the damage is kept; where it begins depends on gzip's blocks.
func TestDamagedObjectKeepsWhatIsWhole(t *testing.T) {
	var text strings.Builder
	text.WriteString(header)
	const n = 50_000
	for i := range n {
		fmt.Fprintf(&text, "2 123456789012 eni-1 10.0.%d.%d 10.1.0.1 %d 443 6 1 %d 1 2 ACCEPT OK\n", i>>8&255, i&255, i%65536, i*7919%100_000)
	}
	whole := zip(t, text.String())
	for _, at := range []int{len(whole) / 2, len(whole) - 4} {
		scan := lake.NewScan([]lake.Object{{Path: write(t, "x.log.gz", whole[:at])}})
		got := rows(t, scan, only("srcport"))
		if len(got) < n/3 || len(got) > n {
			t.Errorf("cut at %d of %d: %d rows", at, len(whole), len(got))
		}
		for i, row := range got {
			if want := fmt.Sprintf("srcport=%d", i%65536); row != want {
				t.Fatalf("row %d is %s, want %s", i, row, want)
			}
		}
		if r := scan.Report(); r.Damaged != 1 || r.Malformed != 0 || r.Records != int64(len(got)) || len(r.Problems) != 1 {
			t.Errorf("report %+v", r)
		}
	}
}

func TestUnreadableObjectIsReported(t *testing.T) {
	scan := lake.NewScan([]lake.Object{{Path: filepath.Join(t.TempDir(), "vanished.log.gz")}})
	if got := rows(t, scan, flowlog.EveryField()); got != nil {
		t.Errorf("rows %v", got)
	}
	if r := scan.Report(); r.Damaged != 1 || len(r.Problems) != 1 || !strings.Contains(r.Problems[0].String(), "no such file") {
		t.Errorf("report %+v", r)
	}
}

// TestScanParquet: the content says what an object is, and its rows are the same.
func TestScanParquet(t *testing.T) {
	parser := flowlog.NewParser(flowlog.Format{}, nil)
	parser.Parse(flowlog.Chunk{Text: []byte(ssh + rdp + noData)})
	batch, format := parser.Next()
	var file bytes.Buffer
	w, err := parquet.NewWriter(&file, format, parquet.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.WriteBatch(batch), w.Close()); err != nil {
		t.Fatal(err)
	}
	scan := lake.NewScan([]lake.Object{{Path: write(t, "x.log.gz", file.Bytes())}, {Path: write(t, "y.log.gz", file.Bytes()[:200])}})
	want := []string{"srcport=20641 action=ACCEPT", "srcport=49761 action=REJECT", "srcport=NULL action=-"}
	if diff := cmp.Diff(want, rows(t, scan, only("srcport", "action"))); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if r := scan.Report(); r.Records != 3 || r.Objects != 2 || r.Damaged != 1 || len(r.Problems) != 1 {
		t.Errorf("report %+v, want three records, and the object that is cut short", r)
	}
}

// A bomb of empty lines: counted, listed in part, and little memory.
func TestProblemsAreCountedAndListedInPart(t *testing.T) {
	scan := lake.NewScan([]lake.Object{{Path: write(t, "x.log.gz", zip(t, header+strings.Repeat("\n", 5_000_000)))}})
	rows(t, scan, flowlog.EveryField())
	if r := scan.Report(); r.Malformed != 5_000_000 || len(r.Problems) != 100 {
		t.Errorf("%d malformed, %d listed", r.Malformed, len(r.Problems))
	}
}

func TestALineWithoutEnd(t *testing.T) {
	scan := lake.NewScan([]lake.Object{{Path: write(t, "x.log.gz", zip(t, header+ssh+strings.Repeat("2 ", 5_000_000)+"\n"+rdp))}})
	if got := rows(t, scan, only("dstport")); len(got) != 2 {
		t.Errorf("rows %v, want the two around it", got)
	}
	if r := scan.Report(); r.Malformed != 1 || r.Problems[0].Line != 3 {
		t.Errorf("report %+v", r)
	}
}

func TestNextStopsWhenCancelled(t *testing.T) {
	scan := lake.NewScan([]lake.Object{{Path: write(t, "x.log", []byte(header+ssh))}})
	r, err := scan.Open(0, flowlog.EveryField())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
}

// FuzzObject reads anything as an object: no crash, and every line is a record,
// a header or counted.
func FuzzObject(f *testing.F) {
	f.Add(zip(f, header+ssh))
	f.Add([]byte(header + ssh + rdp))
	f.Add(zip(f, header+ssh)[:40])
	f.Add([]byte("action srcport\nACCEPT 1\naction\nREJECT\n"))
	f.Add([]byte("\x1f\x8b\x08\x00"))
	f.Fuzz(func(t *testing.T, content []byte) {
		scan := lake.NewScan([]lake.Object{{Path: write(t, "x.log.gz", content)}})
		n := int64(len(rows(t, scan, flowlog.EveryField())))
		if r := scan.Report(); r.Records != n {
			t.Fatalf("%d rows, report %+v", n, r)
		}
	})
}

func BenchmarkScan(b *testing.B) {
	var text strings.Builder
	text.WriteString(header)
	const n = 200_000
	for i := range n {
		fmt.Fprintf(&text, "2 123456789012 eni-0a1b2c3d4e5f6071%d 10.0.%d.%d 203.0.113.%d %d 443 6 %d %d %d %d ACCEPT OK\n",
			i%8, i>>8&255, i&255, i*7%250, 1024+i*40503%60000, i%50, i*7919%100_000, 1700000000+i%60, 1700000030+i%60)
	}
	for _, tt := range []struct {
		name    string
		content []byte
		want    []bool
	}{
		{"plain/every column", []byte(text.String()), flowlog.EveryField()},
		{"gzip/every column", zip(b, text.String()), flowlog.EveryField()},
		{"gzip/three columns", zip(b, text.String()), only("srcaddr", "bytes", "action")},
	} {
		b.Run(tt.name, func(b *testing.B) {
			scan := lake.NewScan([]lake.Object{{Path: write(b, "x.log.gz", tt.content)}})
			b.SetBytes(int64(text.Len()))
			b.ReportAllocs()
			for b.Loop() {
				r, err := scan.Open(0, tt.want)
				if err != nil {
					b.Fatal(err)
				}
				for err == nil {
					_, err = r.Next(b.Context())
				}
				if !errors.Is(err, io.EOF) {
					b.Fatal(err)
				}
				if err := r.Close(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "records/s")
		})
	}
}
