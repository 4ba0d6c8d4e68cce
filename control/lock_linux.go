package control

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrLocked means that another Weir uses the data directory.
var ErrLocked = errors.New("another Weir uses this data directory")

// DataDir is a locked data directory.
type DataDir struct {
	path string
	lock *os.File
}

// LockDataDir makes the directory if it is missing, proves that it can be
// written, and locks it. The error is [ErrLocked] when another process has it.
func LockDataDir(path string) (*DataDir, error) {
	fail := func(err error, hint string) (*DataDir, error) {
		return nil, &dataDirError{path, err, hint}
	}
	if err := os.MkdirAll(path, 0o750); err != nil {
		return fail(err, "choose a directory that you may write: --data DIR")
	}
	f, err := os.OpenFile(filepath.Join(path, "weir.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fail(err, "choose a directory that you may write: --data DIR")
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		holder, _ := os.ReadFile(f.Name())
		_ = f.Close()
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return fail(err, "")
		}
		return fail(fmt.Errorf("%w (process %s)", ErrLocked, strings.TrimSpace(string(holder))),
			"see what it does: weir check; or use another directory: --data DIR")
	}
	_ = f.Truncate(0)
	_, _ = f.WriteAt([]byte(fmt.Sprintln(os.Getpid())), 0)
	return &DataDir{path, f}, nil
}

// Close unlocks the directory.
func (d *DataDir) Close() error {
	_ = os.Remove(Socket(d.path))
	return d.lock.Close()
}
