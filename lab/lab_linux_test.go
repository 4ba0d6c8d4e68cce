package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"weir/netns"
)

var labs atomic.Int32

func needsRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: it makes network namespaces")
	}
}

// newPrefix is a prefix that no other test has, and that is clean in the end.
func newPrefix(t *testing.T) string {
	t.Helper()
	needsRoot(t)
	prefix := fmt.Sprintf("wl%d-%d", os.Getpid(), labs.Add(1))
	t.Cleanup(func() {
		if left := leftovers(t, prefix); len(left) > 0 {
			t.Errorf("left behind: %v", left)
			if err := Clean(prefix); err != nil {
				t.Error(err)
			}
		}
	})
	return prefix
}

// up builds a lab for a test.
func up(t *testing.T, c Config) *Lab {
	t.Helper()
	c.Prefix = newPrefix(t)
	l, err := Up(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// leftovers is what can still be seen of a lab: names and agents.
func leftovers(t *testing.T, prefix string) []string {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(netns.Dir, prefix+"-*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, pid := range agents(t, prefix) {
		left = append(left, fmt.Sprintf("process %d", pid))
	}
	return left
}

// agents is the process ids of a lab's agents.
func agents(t *testing.T, prefix string) []int {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, file := range files {
		cmdline, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(cmdline), "\x00"+AgentCommand+"\x00"+prefix+"\x00") {
			continue
		}
		var pid int
		if _, err := fmt.Sscanf(file, "/proc/%d/", &pid); err != nil {
			t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	return pids
}

// eventually polls until ok, for at most ten seconds: the kernel and other
// processes tell nobody when they are done.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("not within 10 s: %s", what)
		}
		wait := time.NewTimer(10 * time.Millisecond)
		<-wait.C
	}
}

// observe hangs a device into the lab's router whose other end is elsewhere: it
// vanishes when the kernel has taken the router's namespace down.
func observe(t *testing.T, l *Lab) (gone func() bool) {
	t.Helper()
	observer, err := netns.Create(l.config.Prefix + ".observer")
	if err != nil {
		t.Fatal(err)
	}
	h, err := observer.Netlink()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		h.Close()
		if err := errors.Join(observer.Close(), netns.Delete(observer.Name())); err != nil {
			t.Error(err)
		}
	})
	err = h.LinkAdd(&netlink.Veth{
		LinkAttrs: netlink.LinkAttrs{Name: "here"}, PeerName: "observed", PeerNamespace: netlink.NsFd(l.Router().FD()),
	})
	if err != nil {
		t.Fatal(err)
	}
	return func() bool {
		_, err := h.LinkByName("here")
		return errors.As(err, &netlink.LinkNotFoundError{})
	}
}

func TestUpAndClose(t *testing.T) {
	prefix := newPrefix(t)
	logger := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	start := time.Now()
	l, err := Up(t.Context(), Config{Prefix: prefix, Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("up in %v", time.Since(start))

	h, err := l.Router().Netlink()
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range l.Topology().Interfaces {
		if in.Device.Namespace != l.Router().Path() {
			t.Errorf("%s is in %s", in.Name, in.Device.Namespace)
		}
		link, err := h.LinkByName(in.Device.Name)
		if err != nil {
			t.Errorf("%s: %v", in.Name, err)
		} else if state := link.Attrs().OperState; state != netlink.OperUp {
			t.Errorf("%s is %v", in.Name, state)
		}
	}
	h.Close()

	gone := observe(t, l)
	start = time.Now()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	t.Logf("closed in %v", time.Since(start))
	if left := leftovers(t, prefix); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	eventually(t, "the router's namespace is gone with its devices and rules", gone)
	t.Logf("gone after %v", time.Since(start))
	if err := l.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
	if err := l.Traffic(t.Context()); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("traffic after close: %v", err)
	}
}

func TestUpUndoesWhatFails(t *testing.T) {
	needsRoot(t)
	injected := errors.New("injected")
	for _, step := range []string{"lock", "namespaces", "settings", "translation", "devices", "router", "instances", "internet"} {
		t.Run(step, func(t *testing.T) {
			prefix := newPrefix(t)
			reached := false
			_, err := Up(t.Context(), Config{Prefix: prefix, step: func(name string) error {
				if name == step {
					reached = true
					return injected
				}
				return nil
			}})
			if !errors.Is(err, injected) || !reached {
				t.Fatalf("got %v", err)
			}
			if left := leftovers(t, prefix); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
			lock, err := newLock(prefix)
			if err != nil {
				t.Fatal(err)
			}
			if err := lock.release(); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("cancelled", func(t *testing.T) {
		prefix := newPrefix(t)
		ctx, cancel := context.WithCancel(t.Context())
		_, err := Up(ctx, Config{Prefix: prefix, step: func(name string) error {
			if name == "namespaces" {
				cancel()
			}
			return nil
		}})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

func TestOneLabPerPrefix(t *testing.T) {
	l := up(t, Config{})
	if _, err := Up(t.Context(), Config{Prefix: l.config.Prefix}); !errors.Is(err, fs.ErrExist) || !strings.Contains(err.Error(), "is running") {
		t.Errorf("a second lab: %v", err)
	}
	if err := Clean(l.config.Prefix); !errors.Is(err, fs.ErrExist) || !strings.Contains(err.Error(), "is running") {
		t.Errorf("cleaning a lab that runs: %v", err)
	}
	if len(leftovers(t, l.config.Prefix)) != len(places) {
		t.Error("the first lab has lost namespaces")
	}
	up(t, Config{}) // another prefix, at the same time
}

func TestNeedsRoot(t *testing.T) {
	if err := needRoot(0, "build"); err != nil {
		t.Error(err)
	}
	if err := needRoot(1000, "build"); !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "sudo") {
		t.Errorf("got %v", err)
	}
	if os.Geteuid() == 0 {
		return
	}
	if _, err := Up(t.Context(), Config{}); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("up: %v", err)
	}
	if err := Clean(DefaultPrefix); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("clean: %v", err)
	}
}
