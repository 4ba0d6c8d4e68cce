package lab

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"weir/netns"
)

// Clean removes what a lab left that was killed: its agents, should one still
// run, and its namespaces with all that is in them. Nothing there is no error.
// A lab that runs is left alone, and so are processes that are not the lab's:
// then the error names them.
func Clean(prefix string) error {
	if err := checkPrefix(prefix); err != nil {
		return err
	}
	if err := needRoot(os.Geteuid(), "clean"); err != nil {
		return err
	}
	lock, err := newLock(prefix)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("clean lab: %w: stop it, that cleans up as well", err)
	}
	if err != nil {
		return err
	}
	var errs []error
	for _, place := range places {
		name := namespaceName(prefix, place)
		errs = append(errs, endAgents(prefix, name), netns.Delete(name))
	}
	return errors.Join(append(errs, lock.release())...)
}

// endAgents ends the agents in a namespace. Other processes there are named in
// the error: the namespace lives as long as they do.
func endAgents(prefix, namespace string) error {
	var want unix.Stat_t
	path := filepath.Join(netns.Dir, namespace)
	err := unix.Stat(path, &want)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("stat %s: %w", path, err)
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return err
	}
	var errs []error
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		errs = append(errs, endAgent(pid, &want, prefix, namespace))
	}
	return errors.Join(errs...)
}

// endAgent ends a process if it is an agent in the namespace.
func endAgent(pid int, namespace *unix.Stat_t, prefix, name string) error {
	// Opened first: from here on it cannot be a later process with the same id.
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil // gone
	}
	defer unix.Close(fd)
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	var its unix.Stat_t
	if err := unix.Stat(filepath.Join(dir, "ns/net"), &its); err != nil || its.Ino != namespace.Ino || its.Dev != namespace.Dev {
		return nil // gone, or elsewhere
	}
	cmdline, err := os.ReadFile(filepath.Join(dir, "cmdline"))
	if err != nil {
		return nil // gone
	}
	if len(cmdline) == 0 { // it is ending: the memory is gone already
		ended(fd, patience)
		return nil
	}
	args := strings.Split(string(bytes.TrimRight(cmdline, "\x00")), "\x00")
	if len(args) < 3 || args[1] != AgentCommand || args[2] != prefix {
		return fmt.Errorf("process %d (%s) is in network namespace %s and is not the lab's: the namespace goes when you end it",
			pid, strings.Join(args, " "), name)
	}
	for _, signal := range []unix.Signal{unix.SIGTERM, unix.SIGKILL} {
		if err := unix.PidfdSendSignal(fd, signal, nil, 0); err != nil {
			return nil // gone
		}
		if ended(fd, patience) {
			return nil
		}
	}
	return fmt.Errorf("agent (process %d) in network namespace %s does not end, not even when killed", pid, name)
}

// ended waits for the end of a process, which makes its pidfd readable.
func ended(fd int, atMost time.Duration) bool {
	for deadline := time.Now().Add(atMost); ; {
		left := time.Until(deadline)
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(max(left, 0).Milliseconds()))
		if n > 0 {
			return true
		}
		if !errors.Is(err, unix.EINTR) || left <= 0 {
			return false
		}
	}
}
