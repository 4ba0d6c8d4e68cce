package journal

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/count"
)

// swapsIn reads all swaps of a journal behind a number.
func swapsIn(t testing.TB, j *Journal, after uint64) []count.Entry {
	t.Helper()
	r, err := j.Read(t.Context(), after)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	known, err := j.Survey(t.Context(), after, 1<<62)
	if err != nil {
		t.Fatal(err)
	}
	var list []count.Entry
	for range known {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		e, err := r.Next(ctx)
		cancel()
		if err != nil {
			t.Fatalf("after %d of %d swaps: %v", len(list), len(known), err)
		}
		list = append(list, e)
	}
	return list
}

// sameFlows reports whether two swaps hold the same flows, in any order.
func sameFlows(a, b *count.Swap) bool {
	sorted := func(s *count.Swap) []count.Flow {
		list := slices.Clone(s.Flows)
		slices.SortFunc(list, func(a, b count.Flow) int {
			return cmp.Or(cmp.Compare(a.Key.Interface, b.Key.Interface), a.Key.Compare(&b.Key))
		})
		return list
	}
	return slices.Equal(sorted(a), sorted(b))
}

// Whatever happens to a file between two runs, the journal opens, hands out what
// is whole, and reports the rest: counted is what comes out and what is lost.
func TestDamagedFiles(t *testing.T) {
	const epochs = 12
	for _, tt := range []struct {
		name string
		do   func(t *testing.T, dir string)
		// whole is how many swaps must come out untouched at least.
		whole int
	}{
		{"a byte in the middle", func(t *testing.T, dir string) { flip(t, lastBlock(t, dir), 0.5) }, epochs - 1},
		{"a byte near the beginning", func(t *testing.T, dir string) { flip(t, lastBlock(t, dir), 0.01) }, epochs - 1},
		{"a byte at the end", func(t *testing.T, dir string) { flip(t, lastBlock(t, dir), 0.999) }, epochs - 1},
		// The disk changes a byte by itself: the file's time stays.
		{"a byte in the middle, silently", func(t *testing.T, dir string) { silently(t, lastBlock(t, dir), 0.5) }, epochs/2 - 1},
		{"cut off in the middle", func(t *testing.T, dir string) { cut(t, lastBlock(t, dir), 0.5) }, epochs/2 - 1},
		{"zeroes in the middle", func(t *testing.T, dir string) { zero(t, lastBlock(t, dir), 0.4, 0.5) }, epochs - 4},
		{"the file is zeroes", func(t *testing.T, dir string) { zero(t, lastBlock(t, dir), 0, 1) }, 0},
		{"the file is empty", func(t *testing.T, dir string) { cut(t, lastBlock(t, dir), 0) }, 0},
		{"the file is gone", func(t *testing.T, dir string) { remove(t, lastBlock(t, dir)) }, 0},
		{"the index is damaged", func(t *testing.T, dir string) { flip(t, filepath.Join(msgs(dir), "index.db"), 0.5) }, epochs},
		{"the index is gone", func(t *testing.T, dir string) { remove(t, filepath.Join(msgs(dir), "index.db")) }, epochs},
		{"the description is damaged", func(t *testing.T, dir string) { flip(t, filepath.Join(msgs(dir), "../meta.inf"), 0.5) }, epochs},
		{"the description is gone", func(t *testing.T, dir string) { remove(t, filepath.Join(msgs(dir), "../meta.inf")) }, epochs},
		{"its sum is empty", func(t *testing.T, dir string) { cut(t, filepath.Join(msgs(dir), "../meta.sum"), 0) }, epochs},
	} {
		for _, clean := range []bool{true, false} {
			name := tt.name + ", after a stop"
			if !clean {
				name = tt.name + ", after a crash"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				quiet := slog.New(slog.DiscardHandler)
				j := openJournal(t, Config{Dir: dir, Log: quiet})
				last := uint64(0)
				for e := range uint64(epochs) {
					if err := j.Append(t.Context(), swapOf("a", e, 3, 100)); err != nil {
						t.Fatal(err)
					}
				}
				b, err := j.Bounds(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				last = b.Last
				j.Close()
				if !clean {
					// The server writes its index when it stops; a crash leaves none.
					remove(t, filepath.Join(dir, checkedFile))
					if !strings.Contains(tt.name, "index") {
						remove(t, filepath.Join(msgs(dir), "index.db"))
					}
				}
				tt.do(t, dir)

				var log strings.Builder
				j = openJournal(t, Config{Dir: dir, Log: slog.New(slog.NewTextHandler(&log, nil))})
				if err := j.Append(t.Context(), swapOf("a", epochs, 3, 100)); err != nil {
					t.Fatal(err)
				}
				got := swapsIn(t, j, 0)
				whole := 0
				for _, e := range got {
					if lost := lossOf(e.Swap); lost > 0 {
						if sum(e.Swap)+lost != sum(swapOf("a", e.Swap.Epoch, 3, 100)) {
							t.Errorf("epoch %d: what is left and what is lost are not what was counted", e.Swap.Epoch)
						}
						continue
					}
					if !sameFlows(swapOf("a", e.Swap.Epoch, 3, 100), e.Swap) {
						t.Errorf("epoch %d is reported as whole, and is not", e.Swap.Epoch)
					}
					whole++
				}
				if whole < tt.whole+1 {
					t.Errorf("%d whole swaps, want %d at least; log:\n%s", whole, tt.whole+1, log.String())
				}
				if end := got[len(got)-1]; end.Swap.Epoch != epochs || end.Seq <= last {
					t.Errorf("the swap after the damage is epoch %d with number %d, want %d above %d", end.Swap.Epoch, end.Seq, epochs, last)
				}
				s := j.Stats(t.Context())
				if whole < epochs+1 && s.Damaged == 0 {
					t.Errorf("%d of %d swaps are whole and nothing is reported: %+v\n%s", whole, epochs+1, s, log.String())
				}
				if whole < epochs+1 && !strings.Contains(log.String(), "level=ERROR") {
					t.Errorf("no error in the log:\n%s", log.String())
				}
				if whole == epochs+1 && s.Damaged != 0 {
					t.Errorf("everything is whole, and %d messages are reported", s.Damaged)
				}
			})
		}
	}
}

func msgs(dir string) string { return filepath.Join(streams(dir), "weir-counts", "msgs") }

func lastBlock(t *testing.T, dir string) string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(msgs(dir), "*.blk"))
	if err != nil || len(list) == 0 {
		t.Fatalf("no block files in %s: %v", dir, err)
	}
	return list[len(list)-1]
}

func edit(t *testing.T, path string, f func(b []byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, f(b), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func flip(t *testing.T, path string, where float64) {
	edit(t, path, func(b []byte) []byte { b[int(where*float64(len(b)))] ^= 0x55; return b })
}

func silently(t *testing.T, path string, where float64) {
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	flip(t, path, where)
	if err := os.Chtimes(path, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
}

func cut(t *testing.T, path string, where float64) {
	edit(t, path, func(b []byte) []byte { return b[:int(where*float64(len(b)))] })
}

func zero(t *testing.T, path string, from, to float64) {
	edit(t, path, func(b []byte) []byte {
		clear(b[int(from*float64(len(b))):int(to*float64(len(b)))])
		return b
	})
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// lossOf is what the journal lost of a swap, in packets.
func lossOf(s *count.Swap) (n uint64) {
	for i := range s.Interfaces {
		n += s.Interfaces[i].Loss.JournalPackets
	}
	return n
}

// sum is what a swap counts, in packets.
func sum(s *count.Swap) (n uint64) {
	for i := range s.Flows {
		p, _ := s.Flows[i].Sum()
		n += p
	}
	return n
}

// The catalogue's files are mended, too: what is whole is there.
func TestDamagedCatalogue(t *testing.T) {
	for _, where := range []float64{0.1, 0.5, 0.9} {
		dir := t.TempDir()
		j := openJournal(t, Config{Dir: dir, Log: quiet()})
		for n := range 20 {
			if err := j.Catalogue().Put(t.Context(), fmt.Sprintf("k.%d", n), fmt.Appendf(nil, "value %d", n)); err != nil {
				t.Fatal(err)
			}
		}
		_ = j.Close()
		flip(t, filepath.Join(streams(dir), "KV_weir-catalogue", "msgs", "1.blk"), where)

		var log strings.Builder
		j = openJournal(t, Config{Dir: dir, Log: slog.New(slog.NewTextHandler(&log, nil))})
		keys, err := j.Catalogue().Keys(t.Context(), "k.")
		if err != nil || len(keys) != 19 {
			t.Errorf("%d keys are left of 20, want 19: %v", len(keys), err)
		}
		for _, key := range keys {
			if v, err := j.Catalogue().Get(t.Context(), key); err != nil || string(v) != "value "+key[2:] {
				t.Errorf("%s is %q, %v", key, v, err)
			}
		}
		if !strings.Contains(log.String(), "as_it_was=") {
			t.Errorf("it is not said where the file is put aside:\n%s", log.String())
		}
		files, err := os.ReadDir(filepath.Join(dir, damagedDir))
		if err != nil || len(files) != 1 {
			t.Errorf("%d files are put aside, want 1: %v", len(files), err)
		}
	}
}

// Whatever stands in a block file, the damaged parts are found in order, and what
// lies between them is records.
func FuzzDamage(f *testing.F) {
	b, err := os.ReadFile("testdata/1.blk") // of two small swaps
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(b[len(b)/3:])
	f.Add(bytes.Repeat([]byte{0}, 100))
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := newBlockFile("weir-counts", 1)
		if err != nil {
			t.Fatal(err)
		}
		at := 0
		for _, d := range append(file.damage(b), span{len(b), len(b)}) {
			if d.from < at || d.to < d.from || d.to > len(b) {
				t.Fatalf("damage from %d to %d behind %d", d.from, d.to, at)
			}
			for at < d.from {
				n := file.record(b[at:d.from])
				if n == 0 {
					t.Fatalf("at %d is no record", at)
				}
				at += n
			}
			at = d.to
		}
	})
}

// Eight megabytes of anything are looked through in a moment.
func TestDamageIsFoundFast(t *testing.T) {
	file, err := newBlockFile("weir-counts", 1)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 8<<20)
	for _, fill := range []func(){
		func() {},
		func() { _, _ = rand.NewChaCha8([32]byte{}).Read(b) },
		func() {
			for i := range b {
				b[i] = byte(i % 4)
			}
		},
	} {
		fill()
		began := time.Now()
		if d := file.damage(b); len(d) != 1 || d[0] != (span{0, len(b)}) {
			t.Errorf("damage: %v", d)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("it takes %v", took)
		}
	}
}

// The layout of the server's files is as blockfile.go has it: in a file of long
// ago, and in one that the server has written just now.
func TestLayout(t *testing.T) {
	dir := t.TempDir()
	j := openJournal(t, Config{Dir: dir, Log: quiet()})
	mustAppend(t, j, swapOf("a", 0, 5, 2))
	_ = j.Close()
	for path, records := range map[string]int{"testdata/1.blk": 6, lastBlock(t, dir): 6} {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		file, err := newBlockFile("weir-counts", 1)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for at := 0; at < len(b); n++ {
			size := file.record(b[at:])
			if size == 0 {
				t.Fatalf("%s: at %d is no record", path, at)
			}
			at += size
		}
		if n != records {
			t.Errorf("%s: %d records, want %d", path, n, records)
		}
	}
	meta, err := os.ReadFile(filepath.Join(msgs(dir), "../meta.inf"))
	if err != nil {
		t.Fatal(err)
	}
	sum, err := os.ReadFile(filepath.Join(msgs(dir), "../meta.sum"))
	if err != nil || string(sum) != metaSum("weir-counts", meta) {
		t.Errorf("meta.sum is %s, %v; want %s", sum, err, metaSum("weir-counts", meta))
	}
}

// What Append returns from has been synced: no file of the stream is other than
// when it was.
func TestSynced(t *testing.T) {
	dir := t.TempDir()
	j := openJournal(t, Config{Dir: dir, Log: quiet()})
	for e := range uint64(3) {
		mustAppend(t, j, swapOf("a", e, 5, 2000))
		if err := j.Catalogue().Put(t.Context(), "k", nil); err != nil {
			t.Fatal(err)
		}
		for _, d := range []*disk{j.countsDisk, j.catalogueDisk} {
			files, err := os.ReadDir(d.dir)
			if err != nil {
				t.Fatal(err)
			}
			blocks := 0
			for _, f := range files {
				info, err := f.Info()
				if err != nil || !strings.HasSuffix(f.Name(), ".blk") {
					continue
				}
				blocks++
				if now := (stamp{info.Size(), info.ModTime()}); d.synced[f.Name()] != now {
					t.Errorf("%s is %+v, and was %+v when it was synced", f.Name(), now, d.synced[f.Name()])
				}
			}
			if blocks == 0 {
				t.Errorf("%s has no block files", d.dir)
			}
		}
	}
}
