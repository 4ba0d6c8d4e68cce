package ebpf

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// runDir is a directory of one capture's own: a lock and a bpffs for its pins.
//
//	DIR/lock      held while a process captures; holds its process id
//	DIR/bpf/      a bpffs; the maps, and links/ with one pin per program and device
type runDir struct {
	path string
	lock *os.File
}

func (d *runDir) bpf() string   { return filepath.Join(d.path, "bpf") }
func (d *runDir) links() string { return filepath.Join(d.path, "bpf", "links") }

// openRunDir locks the directory and mounts a bpffs in it if none is there.
func openRunDir(path string) (*runDir, error) {
	d := &runDir{path: path}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, &Error{"make the run directory", path, err, "run it as root, or choose another directory with --run"}
	}
	lock, err := os.OpenFile(filepath.Join(path, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, &Error{"open the lock", path, err, ""}
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		holder, _ := os.ReadFile(lock.Name())
		_ = lock.Close()
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, &Error{"lock", path, err, ""}
		}
		return nil, &Error{
			"lock", path, fmt.Errorf("%w (process %s)", ErrBusy, strings.TrimSpace(string(holder))),
			"one Weir counts for the whole host; see what it does with: weir check",
		}
	}
	d.lock = lock
	_ = lock.Truncate(0)
	_, _ = lock.WriteAt([]byte(fmt.Sprintln(os.Getpid())), 0)

	if err := d.mount(); err != nil {
		d.unlock()
		return nil, err
	}
	return d, nil
}

func (d *runDir) mount() error {
	if err := os.MkdirAll(d.bpf(), 0o700); err != nil {
		return &Error{"make", d.bpf(), err, ""}
	}
	if !mounted(d.bpf()) {
		if err := unix.Mount("bpf", d.bpf(), "bpf", 0, "mode=0700"); err != nil {
			return &Error{"mount bpffs at", d.bpf(), err, "it takes CAP_SYS_ADMIN and a kernel with CONFIG_BPF_SYSCALL"}
		}
	}
	if err := os.MkdirAll(d.links(), 0o700); err != nil {
		return &Error{"make", d.links(), err, ""}
	}
	return nil
}

func mounted(dir string) bool {
	var s unix.Statfs_t
	return unix.Statfs(dir, &s) == nil && s.Type == unix.BPF_FS_MAGIC
}

func (d *runDir) unlock() {
	_ = d.lock.Close() // the lock goes with it
}

// remove takes the pins, the mount and the directory away. What was pinned ends
// with its last user.
func (d *runDir) remove() error {
	err := removeRunDir(d.path)
	d.unlock()
	return err
}

func removeRunDir(path string) error {
	bpf := filepath.Join(path, "bpf")
	for mounted(bpf) {
		if err := unix.Unmount(bpf, unix.MNT_DETACH); err != nil {
			return &Error{"unmount", bpf, err, ""}
		}
	}
	if err := os.RemoveAll(path); err != nil {
		return &Error{"remove", path, err, ""}
	}
	return nil
}

// Clean removes what a killed capture left in the kernel: its programs, maps
// and pins. What it had counted and nobody has read is given up. The error is
// [ErrBusy] when that capture is still running. A directory that does not exist
// is no error.
func Clean(path string) error {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	d, err := openRunDir(path)
	if err != nil {
		return err
	}
	return d.remove()
}
