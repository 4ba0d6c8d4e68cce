package parquet_test

import (
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/flowlog"
	"weir/flowlog/parquet"
	"weir/internal/parquettest"
)

// lines are the rows of a batch as text with the fields of a format.
func lines(dst []string, b *flowlog.Batch, f flowlog.Format) []string {
	for row := range b.Rows {
		dst = append(dst, string(b.AppendText(nil, f, row)))
	}
	return dst
}

// same compares lines, of which there may be many.
func same(t testing.TB, what any, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%v: %.3000s", what, cmp.Diff(want, got))
	}
}

// readAll reads a file to lines.
func readAll(t testing.TB, r *parquet.Reader) []string {
	t.Helper()
	var out []string
	for {
		b, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		out = lines(out, b, r.Format())
	}
}

func mustFormat(t testing.TB, header string) flowlog.Format {
	t.Helper()
	f, err := flowlog.FormatFromHeader(header)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func traffic(t testing.TB, f flowlog.Format, n int) []*flowlog.Batch {
	t.Helper()
	batches, err := parquettest.NewTraffic().Batches(f, n)
	if err != nil {
		t.Fatal(err)
	}
	return batches
}
