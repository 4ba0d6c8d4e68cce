package convert

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"weir/flowlog"
)

const samplesDir = "../flowlog/testdata/samples"

// Every sample that has records goes through Parquet and comes out as its
// records are, also through every codec's own file and back into gzip.
func TestSamples(t *testing.T) {
	files, err := filepath.Glob(samplesDir + "/*.log*")
	if err != nil || len(files) == 0 {
		t.Fatalf("no samples in %s: %v", samplesDir, err)
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			cfg := Config{}
			plain, report, err := convertTo(t, []Input{{Path: path}}, cfg)
			if other, ok := errors.AsType[*FormatError](err); ok {
				cfg.Format = other.Has // several headers
				plain, report, err = convertTo(t, []Input{{Path: path}}, cfg)
			}
			if errors.Is(err, ErrNoRecords) && report.Records == 0 {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			cfg.Parquet = true
			columns, again, err := convertTo(t, []Input{{Path: path}}, cfg)
			if err != nil {
				t.Fatal(err)
			}
			if again.Records != report.Records || again.Malformed != report.Malformed || again.Doubtful != report.Doubtful {
				t.Errorf("to Parquet %+v, to text %+v", again, report)
			}
			back, _, err := convertTo(t, []Input{{Path: "Parquet", In: bytes.NewReader(columns)}}, Config{Gzip: true})
			if err != nil {
				t.Fatal(err)
			}
			if got := asText(t, back); !bytes.Equal(got, plain) {
				t.Errorf("after Parquet:\n%s\nwant\n%s", got, plain)
			}
			checkOriginal(t, path, report, plain)
		})
	}
}

func convertTo(t *testing.T, inputs []Input, cfg Config) ([]byte, Report, error) {
	t.Helper()
	var out bytes.Buffer
	r, err := Convert(t.Context(), inputs, &out, cfg)
	return out.Bytes(), r, err
}

// checkOriginal compares the bytes, where the file is written as we write files.
func checkOriginal(t *testing.T, path string, r Report, got []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if r.Malformed > 0 || r.Headers > 1 || len(r.Unknown) > 0 || strings.HasSuffix(path, ".gz") {
		return
	}
	want := strings.ReplaceAll(strings.TrimPrefix(string(b), "\ufeff"), "\r\n", "\n")
	if r.Headers == 0 {
		want = r.Format.Header() + "\n" + want
	}
	if want = strings.TrimSuffix(want, "\n") + "\n"; string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// All samples at once, in the format that has every field of VPC flow logs.
func TestAllSamplesAsOne(t *testing.T) {
	inputs, _, err := Inputs(samplesDir)
	if err != nil {
		t.Fatal(err)
	}
	var every []*flowlog.Field
	for i := range flowlog.Fields() {
		if f := &flowlog.Fields()[i]; f.Family&flowlog.VPC != 0 {
			every = append(every, f)
		}
	}
	var header []string
	for _, f := range every {
		header = append(header, f.Name)
	}
	inputs = slices.DeleteFunc(inputs, func(in Input) bool { // it has fields of transit gateways alone
		return strings.HasPrefix(in.Below, "flowlogs-reader-v6")
	})
	out, r, err := convertTo(t, inputs, Config{Format: mustHeader(strings.Join(header, " ")), Parquet: true})
	if err != nil {
		t.Fatal(err)
	}
	if lines := int64(bytes.Count(asText(t, out), []byte("\n"))); lines != r.Records+1 || r.Records+r.Malformed+r.Headers != r.Lines || len(r.Damaged) > 0 {
		t.Errorf("%d lines, %+v", lines, r)
	}
}
