package netns

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/vishvananda/netlink"
	vnetns "github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Dir is where named namespaces are mounted, as ip-netns(8) has it.
const Dir = "/run/netns"

// Namespace is an open network namespace. It is safe for concurrent use.
type Namespace struct {
	name   string
	handle vnetns.NsHandle
}

// Create makes a new named namespace with its loopback up. The error is
// [fs.ErrExist] when the name is taken.
func Create(name string) (*Namespace, error) {
	if _, err := os.Lstat(filepath.Join(Dir, name)); err == nil {
		return nil, fmt.Errorf("network namespace %s: %w", name, fs.ErrExist)
	}
	if err := prepare(); err != nil {
		return nil, fmt.Errorf("prepare %s: %w", Dir, err)
	}
	ns := &Namespace{name: name}
	err := onThread(func() error {
		handle, err := vnetns.NewNamed(name) // the thread is inside it from here on
		if err != nil {
			return err
		}
		ns.handle = handle
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		return netlink.LinkSetUp(lo)
	})
	if err != nil {
		if ns.handle.IsOpen() {
			_ = ns.handle.Close()
			_ = Delete(name)
		}
		return nil, fmt.Errorf("create network namespace %s: %w", name, err)
	}
	return ns, nil
}

// Open opens a namespace by its name, or by its path when that holds a slash.
func Open(name string) (*Namespace, error) {
	path := name
	if !strings.Contains(name, "/") {
		path = filepath.Join(Dir, name)
	}
	handle, err := vnetns.GetFromPath(path)
	if err != nil {
		return nil, fmt.Errorf("open network namespace %s: %w", name, err)
	}
	return &Namespace{name: name, handle: handle}, nil
}

// Delete removes the name; the namespace ends when its last process does. A
// name that does not exist is no error.
func Delete(name string) error {
	path := filepath.Join(Dir, name)
	// More than one mount stands there when ip-netns(8) bound the directory to
	// itself after the name was made.
	for unix.Unmount(path, unix.MNT_DETACH) == nil {
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("delete network namespace %s: %w", name, err)
	}
	return nil
}

// prepare makes the directory of named namespaces a shared mount, as ip-netns(8)
// does with its first name: names then appear and vanish in every mount
// namespace that shares it.
func prepare() error {
	if err := os.MkdirAll(Dir, 0o755); err != nil {
		return err
	}
	shared := func() error { return unix.Mount("", Dir, "none", unix.MS_SHARED|unix.MS_REC, "") }
	err := shared()
	if !errors.Is(err, unix.EINVAL) {
		return err
	}
	if err := unix.Mount(Dir, Dir, "none", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return err
	}
	return shared()
}

// Name is what the namespace was made or opened with.
func (n *Namespace) Name() string { return n.name }

// Path is the file by which others can open the namespace.
func (n *Namespace) Path() string {
	if strings.Contains(n.name, "/") {
		return n.name
	}
	return filepath.Join(Dir, n.name)
}

// FD is the namespace's open file descriptor, owned by n.
func (n *Namespace) FD() int { return int(n.handle) }

// Close lets go of the namespace without deleting its name.
func (n *Namespace) Close() error { return n.handle.Close() }

// Do runs f on a thread that is inside the namespace. f must not start
// goroutines that expect to be inside as well.
func (n *Namespace) Do(f func() error) error {
	return onThread(func() error {
		if err := vnetns.Set(n.handle); err != nil {
			return fmt.Errorf("enter network namespace %s: %w", n.name, err)
		}
		return f()
	})
}

// Start starts cmd inside the namespace; the caller waits for it.
func (n *Namespace) Start(cmd *exec.Cmd) error {
	return n.Do(cmd.Start) // a process inherits the namespace of the thread that forks it
}

// Run runs cmd inside the namespace and returns its combined output in the error.
func (n *Namespace) Run(cmd *exec.Cmd) error {
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := n.Start(cmd); err != nil {
		return err
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, strings.TrimSpace(out.String()))
	}
	return nil
}

// Netlink opens a netlink handle inside the namespace; the caller closes it.
func (n *Namespace) Netlink() (*netlink.Handle, error) {
	h, err := netlink.NewHandleAt(n.handle)
	if err != nil {
		return nil, fmt.Errorf("netlink in network namespace %s: %w", n.name, err)
	}
	return h, nil
}

// onThread runs f on a thread of its own that may change its namespace. The
// thread is never given back: it ends with its goroutine.
func onThread(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // no unlock: a thread that has moved must not run other goroutines
		if unix.Gettid() == unix.Getpid() {
			// The runtime parks the main thread instead of ending it: the
			// namespace would live as long as the process, and /proc/PID/ns
			// show it as ours. Another thread, while this one is taken.
			defer runtime.UnlockOSThread()
			done <- onThread(f)
			return
		}
		done <- f()
	}()
	return <-done
}
