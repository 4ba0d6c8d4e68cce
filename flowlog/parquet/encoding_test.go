package parquet

import (
	"math/bits"
	"slices"
	"testing"

	"github.com/parquet-go/parquet-go/encoding/delta"
	"github.com/parquet-go/parquet-go/encoding/rle"
	"pgregory.net/rapid"
)

// runs draws values that repeat as often as not.
func runs[T any](value *rapid.Generator[T]) *rapid.Generator[[]T] {
	return rapid.Custom(func(t *rapid.T) []T {
		var out []T
		for range rapid.IntRange(0, 12).Draw(t, "runs") {
			v := value.Draw(t, "value")
			n := rapid.SampledFrom([]int{1, 1, 1, 2, 7, 8, 9, 40}).Draw(t, "times")
			for range n {
				out = append(out, v)
			}
		}
		return out
	})
}

func TestHybrid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		width := rapid.IntRange(0, 32).Draw(t, "width")
		values := runs(rapid.Uint32Range(0, uint32(uint64(1)<<width-1))).Draw(t, "values")
		b := appendHybrid(nil, values, width)

		h, err := newHybrid(b, width)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]uint32, len(values))
		for at := 0; at < len(got); {
			v, n, err := h.repeat(min(5, len(got)-at))
			if err != nil {
				t.Fatal(err)
			}
			for i := range n {
				got[at+i] = v
			}
			if n == 0 {
				n = h.unpack(got[at:min(len(got), at+11)])
			}
			at += n
		}
		if !slices.Equal(got, values) {
			t.Fatalf("got %v, want %v", got, values)
		}

		if width == 0 {
			return // the other decoder wants at least one bit
		}
		other, err := (&rle.Encoding{BitWidth: width}).DecodeInt32(nil, b)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range values {
			if uint32(other[i]) != v {
				t.Fatalf("the other decoder has %v, want %v", other[:len(values)], values)
			}
		}
	})
}

func TestDelta(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		narrow := rapid.Bool().Draw(t, "narrow")
		top := uint(rapid.IntRange(1, 63).Draw(t, "bits"))
		if narrow {
			top = min(top, 31)
		}
		values := runs(rapid.Int64Range(-1<<(top-1), 1<<(top-1)-1+1<<(top-1))).Draw(t, "values")
		if rapid.Bool().Draw(t, "many") && len(values) > 0 {
			for len(values) < 300 {
				values = append(values, values...)
			}
		}
		b := appendDelta(nil, values, narrow)
		r, err := newDeltaReader(append(b, "rest"...), narrow)
		if err != nil {
			t.Fatal(err)
		}
		ahead := r
		if rest, err := ahead.rest(); err != nil || string(rest) != "rest" {
			t.Fatalf("rest %q, %v", rest, err)
		}
		got := make([]int64, len(values))
		for at := 0; at < len(got); {
			n := min(len(got)-at, 37)
			if err := r.read(got[at : at+n]); err != nil {
				t.Fatal(err)
			}
			at += n
		}
		if !slices.Equal(got, values) {
			t.Fatalf("got %v, want %v", got, values)
		}
		if narrow {
			other, err := new(delta.BinaryPackedEncoding).DecodeInt32(nil, b)
			if err != nil {
				t.Fatal(err)
			}
			for i, v := range values {
				if int64(other[i]) != v {
					t.Fatalf("the other decoder has %v, want %v", other, values)
				}
			}
			return
		}
		other, err := new(delta.BinaryPackedEncoding).DecodeInt64(nil, b)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(other, values) && len(values) > 0 {
			t.Fatalf("the other decoder has %v, want %v", other, values)
		}
	})
}

func TestSortedBy(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keys := rapid.SliceOf(rapid.Uint64Range(0, 1<<30)).Draw(t, "keys")
		want := make([]uint32, len(keys))
		width := 0
		for i := range want {
			want[i] = uint32(i)
			width = max(width, bits.Len64(keys[i]))
		}
		slices.SortStableFunc(want, func(a, b uint32) int { return int(keys[a]) - int(keys[b]) })
		if got := sortedBy(keys, width); !slices.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}

func TestRefuse(t *testing.T) {
	for v, want := range map[string]string{
		"":                            "",
		"10.0.0.1":                    "",
		"arn:aws:ecs:eu-central-1:12": "",
		"grün":                        "",
		"日本語のタグ":                      "",
		"a b":                         "has a space in it",
		"12345678 ":                   "has a space in it",
		"1234567\t":                   "has a control character in it",
		"12345678\x00":                "has a control character in it",
		"\x7f2345678":                 "has a control character in it",
		"x\u0085y":                    "",
		"12345678\xff":                "is not UTF-8",
		"\xc3":                        "is not UTF-8",
	} {
		if got := refuse([]byte(v)); got != want {
			t.Errorf("%q: %q, want %q", v, got, want)
		}
	}
	for c := range 256 {
		want := ""
		if c < 0x80 && (c <= ' ' || c == 0x7f) || c >= 0x80 {
			want = "no"
		}
		v := []byte("12345678")
		v[3] = byte(c)
		if got := refuse(v); (got == "") != (want == "") {
			t.Errorf("byte %#x: %q", c, got)
		}
	}
}
