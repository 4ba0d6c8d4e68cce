package s3

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestRealFullDisk fills a small filesystem and makes room again: what waited
// is delivered then, once.
func TestRealFullDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("not root: a filesystem of 256 KiB cannot be mounted")
	}
	dir := t.TempDir()
	// The mount is this thread's alone and dies with it: the thread is not unlocked.
	refused := make(chan error, 1)
	go func() {
		defer close(refused)
		runtime.LockOSThread()
		if err := errors.Join(
			unix.Unshare(unix.CLONE_FS|unix.CLONE_NEWNS),
			unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
			unix.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"),
		); err != nil {
			refused <- err
			return
		}
		fillAndFree(t, dir)
	}()
	if err := <-refused; errors.Is(err, unix.EPERM) {
		t.Skipf("root, but not of the machine: mount a small filesystem: %v", err)
	} else if err != nil {
		t.Errorf("mount a small filesystem: %v", err)
	}
}

// fillAndFree calls no Fatal: it does not run in the test's goroutine.
func fillAndFree(t *testing.T, dir string) {
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 200<<10), 0o600); err != nil {
		t.Error(err)
		return
	}
	p, err := New(config(filepath.Join(dir, "bucket")))
	if err != nil {
		t.Error(err)
		return
	}
	batch := records(5000, midday) // about 60 KiB compressed
	for i := range batch {
		batch[i].SrcPort, batch[i].Bytes = int64(uint16(i*40503)), int64(i)*2654435761%100_000
		batch[i].End += int64(i % int(5*time.Minute/time.Second))
	}
	addAll(p, batch)
	_, err = p.Publish()
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "5000 records") {
		t.Errorf("error %v, want that of a full disk and what waits", err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "bucket", ".weir*")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Error(err)
	}
	out, err := p.Publish()
	if err != nil || out.Records != 5000 {
		t.Errorf("with room: %+v, %v", out, err)
	}
}
