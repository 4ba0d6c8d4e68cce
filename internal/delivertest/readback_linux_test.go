package delivertest

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	pq "github.com/parquet-go/parquet-go"

	"weir/deliver"
	"weir/deliver/s3"
	"weir/flowlog"
	"weir/internal/parquettest"
)

// traffic is records as text in a format of at most 29 fields, NODATA among
// them, in one slot.
func traffic(t testing.TB, f flowlog.Format, n int) (rs []flowlog.Record, text []string) {
	t.Helper()
	all, err := flowlog.FormatFromHeader(parquettest.Header29)
	if err != nil {
		t.Fatal(err)
	}
	source := parquettest.NewTraffic()
	rs = make([]flowlog.Record, n)
	for i := range rs {
		if err := all.ParseText(&rs[i], source.Line()); err != nil {
			t.Fatal(err)
		}
		rs[i].Version = int64(f.Version())
		rs[i].End = noon.Unix() + int64(i%300)
		text = append(text, string(f.AppendText(nil, &rs[i])))
	}
	return rs, text
}

// deliverTo writes records to a directory and gives the paths of the objects.
func deliverTo(t testing.TB, f flowlog.Format, e flowlog.Encoding, maxObject int64, rs []flowlog.Record) (paths []string) {
	t.Helper()
	dir := t.TempDir()
	d := s3Destination(t, s3.OpenDirectory(dir), func(o *s3.Options) { o.Format, o.Encoding, o.MaxObject = f, e, maxObject })
	enc := d.Begin(deliver.Begin{})
	for i := range rs {
		enc.Add(&rs[i])
	}
	parts, err := enc.Finish()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range parts {
		r, err := p.Send(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, filepath.Join(dir, r.Name))
	}
	var found int
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			found++
		}
		return err
	})
	if err != nil || found != len(paths) {
		t.Errorf("%d files, %v, want %d", found, err, len(paths))
	}
	return paths
}

// formats are those of the tests that read back; objects of several row groups
// and blocks, and several objects.
func eachFormat(t *testing.T, test func(t *testing.T, f flowlog.Format, maxObject int64)) {
	t.Helper()
	for name, c := range map[string]struct {
		header string
		max    int64
	}{
		"14 fields": {parquettest.Header14, 0}, "29 fields": {parquettest.Header29, 0}, "29 fields, small objects": {parquettest.Header29, 300_000},
		"reordered": {"end log-status srcaddr bytes traffic-path start pkt-dstaddr", 0},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := flowlog.FormatFromHeader(c.header)
			if err != nil {
				t.Fatal(err)
			}
			test(t, f, c.max)
		})
	}
}

// parquet-go is not the library that wrote the file.
func TestParquetGoReadsObjects(t *testing.T) {
	eachFormat(t, func(t *testing.T, f flowlog.Format, maxObject int64) {
		rs, want := traffic(t, f, 12_000)
		var got []string
		for _, path := range deliverTo(t, f, flowlog.Parquet, maxObject, rs) {
			got = append(got, readParquet(t, f, path)...)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("records (-want +got):\n%.3000s", diff)
		}
	})
}

func readParquet(t *testing.T, f flowlog.Format, path string) (text []string) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	opened, err := pq.OpenFile(file, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	for i, column := range opened.Schema().Columns() {
		if want := f.Fields()[i].Column(); column[0] != want {
			t.Errorf("column %d is %s, want %s", i, column, want)
		}
	}
	r := pq.NewReader(opened) //nolint:staticcheck // the one that reads rows without a Go type
	defer r.Close()
	rows := make([]pq.Row, 500)
	for {
		n, err := r.ReadRows(rows)
		for _, row := range rows[:n] {
			words := make([]string, len(row))
			for i, v := range row {
				if words[i] = v.String(); v.IsNull() {
					words[i] = "-"
				}
			}
			text = append(text, strings.Join(words, " "))
		}
		if err != nil {
			break // the rows tell whether it was the end
		}
	}
	return text
}
