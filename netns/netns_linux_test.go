package netns

import (
	"fmt"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// The runtime never ends the main thread, so work must not be left on it: that
// would hold the namespace, and show it as the process's own. Which thread a
// goroutine gets is chance; without the care taken, some of 500 fail.
func TestMainThreadStays(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: it makes a network namespace")
	}
	before, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	ns, err := Create(fmt.Sprintf("weir-netns-test-%d", os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := Delete(ns.Name()); err != nil {
			t.Error(err)
		}
		ns.Close()
	}()
	for range 500 {
		err := ns.Do(func() error {
			if unix.Gettid() == unix.Getpid() {
				t.Error("on the main thread")
			}
			inside, err := os.Readlink("/proc/thread-self/ns/net")
			if inside == before {
				t.Error("not inside")
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		runtime.Gosched()
	}
	if after, err := os.Readlink("/proc/self/ns/net"); after != before || err != nil {
		t.Errorf("the process was in %s and is in %s (%v)", before, after, err)
	}
}
