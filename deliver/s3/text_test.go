package s3

import (
	"bytes"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/flate"
)

// A block comes out the same of a compressor that is new and of one that did
// anything before: that a batch made again has the same bytes hangs on it.
func TestCompressorsForget(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	words := [][]byte{[]byte("10.0.0.1 "), []byte("10.0.0.2 443 6 "), []byte("ACCEPT OK\n"), []byte("eni-0a1b2c3d4e5f60718 ")}
	used := compressors.New().(*compressor)
	for range 40 {
		block := make([]byte, 0, textBlock)
		for n := r.IntN(textBlock); len(block) < n; {
			if block = append(block, words[r.IntN(len(words))]...); r.IntN(3) == 0 {
				block = append(block, byte(r.Uint32()), byte(r.Uint32()))
			}
		}
		var got [2][]byte
		for i, c := range []*compressor{used, compressors.New().(*compressor)} {
			c.out.Reset()
			c.Reset(&c.out)
			if _, err := c.Write(block); err != nil {
				t.Fatal(err)
			}
			if err := c.Flush(); err != nil {
				t.Fatal(err)
			}
			got[i] = slices.Clone(c.out.Bytes())
		}
		if !bytes.Equal(got[0], got[1]) {
			t.Fatalf("a block of %d bytes comes out as %d bytes and as %d", len(block), len(got[0]), len(got[1]))
		}
		if back, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(got[0])), int64(len(block)))); err != nil || !bytes.Equal(back, block) {
			t.Fatalf("%d bytes come back, %v", len(back), err)
		}
	}
}

func TestBodyReader(t *testing.T) {
	b := &Body{}
	var whole []byte
	for i := range 50 {
		piece := bytes.Repeat([]byte{byte(i)}, i%7)
		_, _ = b.Write(piece)
		whole = append(whole, piece...)
	}
	if b.Size() != int64(len(whole)) {
		t.Errorf("%d bytes, want %d", b.Size(), len(whole))
	}
	if err := iotest.TestReader(b.NewReader(), whole); err != nil { // seeks, too
		t.Error(err)
	}
}
