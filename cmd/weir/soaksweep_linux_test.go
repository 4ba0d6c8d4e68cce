package main

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"weir/capture/ebpf"
	"weir/lab"
	"weir/netns"
)

// sweep removes what soaks left that were killed: their children end with them,
// and what is in the kernel is named by their process ids.
func sweep() error {
	var errs []error
	dead := func(name string, pattern *regexp.Regexp) (prefix string, ok bool) {
		m := pattern.FindStringSubmatch(name)
		if m == nil {
			return "", false
		}
		pid, _ := strconv.Atoi(m[1])
		command, _ := os.ReadFile(filepath.Join("/proc", m[1], "cmdline")) // empty: it has ended, and nobody has asked how
		return soakPrefix(pid), len(command) == 0
	}
	routers := regexp.MustCompile(`^soak-(\d+)-router$`)
	for _, path := range glob(filepath.Join(netns.Dir, "soak-*-router")) {
		if prefix, ok := dead(filepath.Base(path), routers); ok {
			errs = append(errs, lab.Clean(prefix))
		}
	}
	runs := regexp.MustCompile(`^soak-(\d+)$`)
	for _, path := range glob("/run/soak-*") {
		if _, ok := dead(filepath.Base(path), runs); ok {
			errs = append(errs, ebpf.Clean(path))
		}
	}
	dirs := regexp.MustCompile(`^weir-soak-(\d+)-`)
	for _, path := range glob(filepath.Join(os.TempDir(), "weir-soak-*-*")) {
		if _, ok := dead(filepath.Base(path), dirs); !ok || len(glob(filepath.Join(path, keptMark))) > 0 {
			continue
		}
		unmountBelow(path)
		errs = append(errs, os.RemoveAll(path))
	}
	return errors.Join(errs...)
}

func glob(pattern string) []string {
	list, _ := filepath.Glob(pattern) // the patterns are right
	return list
}

// unmountBelow unmounts what is mounted in a directory.
func unmountBelow(dir string) {
	mounts, _ := os.ReadFile("/proc/self/mounts")
	for line := range strings.Lines(string(mounts)) {
		if at := strings.Fields(line); len(at) > 1 && strings.HasPrefix(at[1], dir+"/") {
			_ = unix.Unmount(at[1], unix.MNT_DETACH)
		}
	}
}
