package convert

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"weir/flowlog"
)

// names is what is in a directory, hidden files too.
func names(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			below, _ := filepath.Rel(dir, path)
			out = append(out, below)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestInputs(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{
		"AWSLogs/year=2024/b.log.gz", "AWSLogs/year=2024/a.log", "AWSLogs/x.snappy.parquet", "AWSLogs/y.txt.gz",
		"AWSLogs/.weir-convert-1", "AWSLogs/.hidden/c.log", "AWSLogs/README", "AWSLogs/.log", "elsewhere/d.log",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name), nil)
	}
	for from, to := range map[string]string{"AWSLogs/link.log": "../elsewhere/d.log", "AWSLogs/dir": "../elsewhere", "AWSLogs/none.log": "nowhere", "root": "AWSLogs"} {
		if err := os.Symlink(to, filepath.Join(dir, from)); err != nil {
			t.Fatal(err)
		}
	}
	for _, root := range []string{"AWSLogs", "AWSLogs/", "root", "./root/"} {
		found, passed, err := Inputs(dir + "/" + root)
		if err != nil {
			t.Fatal(err)
		}
		var below []string
		for _, in := range found {
			below = append(below, in.Below)
		}
		if want := []string{"link.log", "none.log", "x.snappy.parquet", "y.txt.gz", "year=2024/a.log", "year=2024/b.log.gz"}; !slices.Equal(below, want) {
			t.Errorf("%s: found %q, want %q", root, below, want)
		}
		if len(passed) != 2 || filepath.Base(passed[0]) != "README" || filepath.Base(passed[1]) != "dir" {
			t.Errorf("%s: passed over %q, want README and dir", root, passed)
		}
	}
	if found, _, err := Inputs(dir + "/AWSLogs/README"); err != nil || len(found) != 1 {
		t.Errorf("a file that is named: %v, %v", found, err)
	}
}

func TestOutputName(t *testing.T) {
	for in, want := range map[string]string{
		"a.log.gz": "a.log.parquet", "d/a.log": "d/a.log.parquet", "a.log.parquet": "a.log.parquet", "a.parquet": "a.log.parquet",
		"a.txt.gz": "a.log.parquet", "a": "a.log.parquet", ".gz": ".gz.log.parquet", "d/.gz": "d/.gz.log.parquet", "x.log.1": "x.log.1.log.parquet",
	} {
		if got := OutputName(Input{Below: in}, Config{Parquet: true}); got != want {
			t.Errorf("%s becomes %s, want %s", in, got, want)
		}
	}
}

func TestToFile(t *testing.T) {
	r := newTraffic(7)
	dir, out := t.TempDir(), t.TempDir()
	s := r.textFile(t, dir, "in", v2, 500)
	want := text(v2, []sample{s})
	target := filepath.Join(out, "out.log")
	convert := func(path string, force bool) error {
		_, err := ToFile(t.Context(), inputsOf(s), path, force, Config{})
		return err
	}
	check := func(path string) {
		t.Helper()
		got, err := os.ReadFile(path)
		if err != nil || string(got) != string(want) {
			t.Errorf("%s is not what it should be: %v", path, err)
		}
	}
	if err := convert(target, false); err != nil {
		t.Fatal(err)
	}
	check(target)

	if err := convert(target, false); !isA[*ExistsError](err) {
		t.Errorf("over a file: %v", err)
	}
	write(t, target, []byte("old"))
	if err := os.Chmod(target, 0o640); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(out, "link.log")
	if err := os.Symlink("out.log", link); err != nil {
		t.Fatal(err)
	}
	if err := convert(link, true); err != nil {
		t.Fatal(err)
	}
	check(target)
	if info, _ := os.Lstat(link); info.Mode()&fs.ModeSymlink == 0 {
		t.Error("a link was replaced, not what it leads to")
	}
	if info, _ := os.Stat(target); info.Mode().Perm() != 0o640 {
		t.Errorf("the file that was replaced had the mode 640, now %v", info.Mode())
	}

	for _, path := range []string{s.path, filepath.Join(dir, ".", "..", filepath.Base(dir), filepath.Base(s.path))} {
		if err := convert(path, true); err == nil || !strings.Contains(err.Error(), "an input and the output") {
			t.Errorf("onto the input: %v", err)
		}
	}
	if err := convert(filepath.Join(out, "none", "out.log"), false); !errors.Is(err, fs.ErrNotExist) || !isA[*OutputError](err) {
		t.Errorf("in no directory: %v", err)
	}
	if err := convert(out, true); err == nil {
		t.Error("onto a directory: no error")
	}
	if err := convert(os.DevNull, false); err != nil {
		t.Errorf("to %s: %v", os.DevNull, err)
	}
	if got, want := names(t, out), []string{"link.log", "out.log"}; !slices.Equal(got, want) {
		t.Errorf("there are %q, want %q", got, want)
	}
}

func isA[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// What fails leaves nothing behind, and what it would have replaced stays.
func TestToFileThatFails(t *testing.T) {
	r := newTraffic(8)
	dir, out := t.TempDir(), t.TempDir()
	a, b := r.textFile(t, dir, "a", v2, 9000), r.textFile(t, dir, "b", v5, 10)
	target := filepath.Join(out, "out.log.gz")
	write(t, target, []byte("old"))
	if _, err := ToFile(t.Context(), inputsOf(a, b), target, true, Config{Gzip: true}); !isA[*FormatError](err) {
		t.Errorf("error %v, want a FormatError", err)
	}
	got, _ := os.ReadFile(target)
	if left := names(t, out); len(left) != 1 || string(got) != "old" {
		t.Errorf("there are %q, want the old file as it was", left)
	}
}

func TestToDirectory(t *testing.T) {
	r := newTraffic(9)
	dir, out := t.TempDir(), filepath.Join(t.TempDir(), "new", "dir")
	var samples []sample
	var inputs []Input
	var sum Report
	for i := range 20 {
		s := r.textFile(t, dir, fmt.Sprint(i), []flowlog.Format{v2, v5}[i%2], 10+i*20)
		samples = append(samples, s)
		inputs = append(inputs, Input{Path: s.path, Below: fmt.Sprintf("day=%d/%s", i%3, filepath.Base(s.path))})
		sum.Lines, sum.Malformed, sum.Records = sum.Lines+s.lines, sum.Malformed+s.malformed, sum.Records+int64(len(s.records))
	}
	none, gone := filepath.Join(dir, "none.log"), filepath.Join(dir, "gone.log")
	write(t, none, nil)
	inputs = append(inputs, Input{Path: none, Below: "none.log"}, Input{Path: gone, Below: "gone.log"})

	got, err := ToDirectory(t.Context(), inputs, out, false, Config{Gzip: true, Workers: 3})
	if err != nil {
		t.Fatal(err)
	}
	if got.Files != 22 || got.Lines != sum.Lines || got.Malformed != sum.Malformed || got.Records != sum.Records {
		t.Errorf("%+v, want %+v", got, sum)
	}
	if !slices.Equal(got.Empty, []string{none}) || len(got.Damaged) != 1 || got.Damaged[0].Path != gone {
		t.Errorf("empty %q, damaged %v", got.Empty, got.Damaged)
	}
	for i, s := range samples {
		b, err := os.ReadFile(filepath.Join(out, OutputName(inputs[i], Config{Gzip: true})))
		if err != nil {
			t.Fatal(err)
		}
		if want := text([]flowlog.Format{v2, v5}[i%2], samples[i:i+1]); string(asText(t, b)) != string(want) {
			t.Errorf("%s: other records", s.path)
		}
	}
	if left := names(t, out); len(left) != 20 {
		t.Errorf("there are %q, want 20 files", left)
	}

	if _, err = ToDirectory(t.Context(), inputs, out, false, Config{Gzip: true}); !isA[*ExistsError](err) {
		t.Errorf("again: %v", err)
	}
	if _, err = ToDirectory(t.Context(), inputs, out, true, Config{Gzip: true}); err != nil {
		t.Errorf("again, by force: %v", err)
	}
	clash := append(slices.Clone(inputs), Input{Path: "other", Below: "gone.parquet"})
	if _, err = ToDirectory(t.Context(), clash, t.TempDir(), false, Config{}); !isA[*ClashError](err) {
		t.Errorf("two of a name: %v", err)
	}
}
