package s3

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"weir/deliver"
	"weir/flowlog"
)

// diskParts are objects of one slot each, hard to compress.
func diskParts(t *testing.T, bucket Bucket) []deliver.Part {
	t.Helper()
	d, err := NewDestination(Options{
		AccountID: "123456789012", Region: "us-east-1", FlowLogID: "fl-1", JournalID: "j",
		Format: flowlog.DefaultFormat(), Bucket: bucket,
	})
	if err != nil {
		t.Error(err)
		return nil
	}
	e := d.Begin(deliver.Begin{})
	begin := time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC).Unix()
	for i := range int64(5000) { // about 60 KiB compressed
		e.Add(&flowlog.Record{
			Version: 2, AccountID: "123456789012", InterfaceID: "eni-0a1b2c3d4e5f60718", SrcAddr: netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}),
			DstAddr: netip.AddrFrom4([4]byte{203, 0, 113, 7}), SrcPort: int64(uint16(i * 40503)), DstPort: 443, Protocol: 6, Packets: 1,
			Bytes: i * 2654435761 % 100_000, Start: begin, End: begin + i%2*300, Action: flowlog.Accept, LogStatus: flowlog.OK,
		})
	}
	parts, err := e.Finish()
	if err != nil || len(parts) != 2 {
		t.Errorf("%d parts, %v", len(parts), err)
	}
	return parts
}

// tightFile is a file that a full disk lets write so much and no more.
type tightFile struct {
	unfinished
	left *int
}

func (f tightFile) Write(b []byte) (int, error) {
	if *f.left -= len(b); *f.left < 0 {
		return 0, &os.PathError{Op: "write", Path: f.Name(), Err: syscall.ENOSPC}
	}
	return f.unfinished.Write(b)
}

func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	bucket := openDirectory(dir)
	left := 1000
	bucket.create = func(dir, pattern string) (unfinished, error) {
		f, err := createUnfinished(dir, pattern)
		return tightFile{f, &left}, err
	}
	parts := diskParts(t, bucket)
	for range 2 {
		_, err := parts[0].Send(t.Context())
		e, ok := errors.AsType[*deliver.Error](err)
		if !ok || !errors.Is(err, syscall.ENOSPC) || !strings.HasPrefix(e.Hint(), "free space on the filesystem of "+dir+",") || e.Kind != deliver.Unknown {
			t.Errorf("error %#v", err)
		}
		if strings.Count(err.Error(), dir) != 1 {
			t.Errorf("error %q, want the path once", err)
		}
	}
	if all, err := os.ReadDir(dir); err != nil || len(all) != 0 {
		t.Errorf("left behind: %v, %v", all, err)
	}
	left = 1 << 30
	if _, err := parts[0].Send(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestSmallDisk fills a small filesystem and makes room again.
func TestSmallDisk(t *testing.T) {
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
		fillDisk(t, dir)
	}()
	if err := <-refused; errors.Is(err, unix.EPERM) {
		t.Skipf("root, but not of the machine: mount a small filesystem: %v", err)
	} else if err != nil {
		t.Errorf("mount a small filesystem: %v", err)
	}
}

// fillDisk calls no Fatal: it does not run in the test's goroutine.
func fillDisk(t *testing.T, dir string) {
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 220<<10), 0o600); err != nil {
		t.Error(err)
		return
	}
	parts := diskParts(t, OpenDirectory(filepath.Join(dir, "bucket")))
	var failed int
	for _, p := range parts {
		if _, err := p.Send(t.Context()); errors.Is(err, syscall.ENOSPC) {
			failed++
		} else if err != nil {
			t.Error(err)
		}
	}
	if failed == 0 {
		t.Error("a full disk took everything")
	}
	if left, err := filepath.Glob(filepath.Join(dir, "bucket", ".weir*")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Error(err)
	}
	for _, p := range parts {
		if _, err := p.Send(t.Context()); err != nil {
			t.Errorf("with room: %v", err)
		}
	}
}
