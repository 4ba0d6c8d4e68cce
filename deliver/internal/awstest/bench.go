//go:build unix

package awstest

import (
	"syscall"
	"testing"
	"time"
)

// CPU is the time that this process computed, in all threads: a sink in the same
// process is part of it.
func CPU(t testing.TB) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
