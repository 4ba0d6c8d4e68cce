package journal

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// smallDisk mounts a filesystem in memory.
func smallDisk(t *testing.T, options string) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("mounting a small filesystem needs root")
	}
	dir := t.TempDir()
	if err := syscall.Mount("weir-test", dir, "tmpfs", 0, options); err != nil {
		t.Skipf("a small filesystem cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// A full disk refuses swaps with ENOSPC and breaks nothing: the catalogue goes on,
// readers go on, and with room so do swaps.
func TestFullDisk(t *testing.T) {
	disk := smallDisk(t, "size=48m")
	j := openJournal(t, Config{Dir: filepath.Join(disk, "journal"), Log: quiet()})
	r := mustRead(t, j, 0)
	var err error
	s := swapOf("a", 0, 2, 20_000)
	for ; err == nil; s.Epoch++ {
		err = j.Append(t.Context(), s)
	}
	s.Epoch--
	var ours *Error
	if !errors.Is(err, syscall.ENOSPC) || !errors.As(err, &ours) || ours.Hint() == "" {
		t.Fatalf("the error is %v, want ENOSPC with a hint", err)
	}
	if s.Epoch < 5 {
		t.Fatalf("only %d swaps fit on 48 MB", s.Epoch)
	}
	if err := j.Catalogue().Put(t.Context(), "position", []byte("1")); err != nil {
		t.Errorf("the catalogue does not go on: %v", err)
	}
	seq := uint64(0)
	for e := range s.Epoch {
		got := mustNext(t, r)
		if got.Swap.Epoch != e || lossOf(got.Swap) > 0 {
			t.Fatalf("epoch %d comes, want %d", got.Swap.Epoch, e)
		}
		if seq == 0 {
			seq = got.Seq
		}
	}

	// What was delivered gives room back.
	all, err := j.Survey(t.Context(), 0, 1<<40)
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Purge(t.Context(), all[len(all)-2].Seq); err != nil {
		t.Fatal(err)
	}
	for range 100 { // the server removes files in its own time
		if err = j.Append(t.Context(), s); err == nil {
			break
		}
		pause(t.Context(), 50*time.Millisecond, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := mustNext(t, r); got.Swap.Epoch != s.Epoch || lossOf(got.Swap) > 0 {
		t.Errorf("epoch %d comes, want %d", got.Swap.Epoch, s.Epoch)
	}
	if f := j.Stats(t.Context()); f.Restarts+f.Damaged+f.Gaps+f.Doubled != 0 {
		t.Errorf("figures: %+v", f)
	}
}

// When somebody else takes the very last byte, the server turns JetStream off. It
// comes back by itself when there is room; nothing is lost, nothing doubled.
func TestDiskTakenAway(t *testing.T) {
	disk := smallDisk(t, "size=48m")
	j := openJournal(t, Config{Dir: filepath.Join(disk, "journal"), Log: quiet()})
	r := mustRead(t, j, 0)
	watch, err := j.Catalogue().Watch(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for range watch {
		}
	}()
	for e := range uint64(3) {
		mustAppend(t, j, swapOf("a", e, 2, 1000))
	}
	hog := filepath.Join(disk, "hog")
	fill(t, hog)
	// The check before each swap would not let it come to this.
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	for range 64 {
		if _, err = j.js.Publish(ctx, j.names.chunk("", "", ""), make([]byte, 200<<10)); err != nil {
			break
		}
	}
	if err == nil {
		t.Fatal("a full disk takes everything")
	}
	t.Logf("the server: %v; JetStream is on: %v", err, j.server.healthy())
	j.ail(err)
	if err := j.Append(t.Context(), swapOf("a", 3, 2, 1000)); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("the error is %v, want ENOSPC", err)
	}
	if err := os.Remove(hog); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, j, swapOf("a", 3, 2, 1000))
	for e := range uint64(4) {
		if got := mustNext(t, r); got.Swap.Epoch != e || lossOf(got.Swap) > 0 {
			t.Errorf("epoch %d comes, want %d", got.Swap.Epoch, e)
		}
	}
	if n := len(swapsIn(t, j, 0)); n != 4 {
		t.Errorf("%d swaps are stored, want 4", n)
	}
	f := j.Stats(t.Context())
	t.Logf("figures: %+v", f)
	if f.Restarts == 0 || f.Gaps+f.Doubled != 0 {
		t.Errorf("figures: %+v", f)
	}
}

// A server that has turned JetStream off is started again by whoever comes first.
func TestJetStreamTurnedOff(t *testing.T) {
	for name, do := range map[string]func(t *testing.T, j *Journal){
		"a swap is stored": func(t *testing.T, j *Journal) { mustAppend(t, j, swapOf("a", 1, 2, 10)) },
		"a value is stored": func(t *testing.T, j *Journal) {
			if err := j.Catalogue().Put(t.Context(), "k", nil); err != nil {
				t.Fatal(err)
			}
			mustAppend(t, j, swapOf("a", 1, 2, 10))
		},
	} {
		t.Run(name, func(t *testing.T) {
			j := openJournal(t, Config{Dir: t.TempDir(), Log: quiet()})
			r := mustRead(t, j, 0)
			mustAppend(t, j, swapOf("a", 0, 2, 10))
			mustNext(t, r)
			if err := j.server.srv.DisableJetStream(); err != nil {
				t.Fatal(err)
			}
			do(t, j)
			if got := mustNext(t, r); got.Swap.Epoch != 1 || lossOf(got.Swap) > 0 {
				t.Errorf("epoch %d comes, want 1", got.Swap.Epoch)
			}
			if n := j.Stats(t.Context()).Restarts; n != 1 {
				t.Errorf("the server was started %d times again", n)
			}
		})
	}
}

// fill writes a file until nothing more fits.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size > 0; size /= 2 {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
	}
}
