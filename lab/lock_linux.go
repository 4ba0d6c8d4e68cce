package lab

import (
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sys/unix"
)

// lock says that a lab of a prefix is alive. It is a name in the abstract socket
// namespace (unix(7)): the kernel lets go of it when the process ends, however
// that ends, and nothing is left in any file system.
type lock struct{ fd int }

// newLock is [fs.ErrExist] when the lab of this prefix runs.
func newLock(prefix string) (*lock, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("lock lab %s: %w", prefix, err)
	}
	err = unix.Bind(fd, &unix.SockaddrUnix{Name: "@weir/lab/" + prefix})
	if err == nil {
		return &lock{fd}, nil
	}
	_ = unix.Close(fd)
	if errors.Is(err, unix.EADDRINUSE) {
		return nil, fmt.Errorf("a lab %s is running: %w", prefix, fs.ErrExist)
	}
	return nil, fmt.Errorf("lock lab %s: %w", prefix, err)
}

func (l *lock) release() error { return unix.Close(l.fd) }
