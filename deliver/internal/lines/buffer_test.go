package lines

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

func TestLinesComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sizes := rapid.SliceOfN(rapid.OneOf(
			rapid.IntRange(0, 300),
			rapid.SampledFrom([]int{firstBlock - prefix, firstBlock, blockSize - prefix, blockSize - prefix + 1, 2 * blockSize}),
		), 1, 12).Draw(t, "sizes")
		var b Buffer
		var refs []Ref
		var held int64
		for i, n := range sizes {
			refs = append(refs, b.Add(bytes.Repeat([]byte{byte('a' + i%26)}, n)))
			held += int64(n)
		}
		for i, n := range sizes {
			want := string(bytes.Repeat([]byte{byte('a' + i%26)}, n))
			if got := b.Text(refs[i]); got != want {
				t.Fatalf("line %d: %d bytes, want %d", i, len(got), n)
			}
			if i+1 < len(refs) && b.Next(refs[i]) != refs[i+1] {
				t.Fatalf("line %d: the next one is at %x, want %x", i, b.Next(refs[i]), refs[i+1])
			}
		}
		if b.Held() < held {
			t.Fatalf("holds %d bytes in %d", held, b.Held())
		}
	})
}

func TestEmptyBufferIsSmall(t *testing.T) {
	var b Buffer
	if b.Held() != 0 {
		t.Errorf("an empty buffer holds %d bytes", b.Held())
	}
	b.Add([]byte("one"))
	if b.Held() > firstBlock {
		t.Errorf("one line takes %d bytes", b.Held())
	}
}
