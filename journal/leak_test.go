package journal

import (
	"runtime"
	"strings"
	"testing"
	"time"
)

// After Close nothing runs that Open began, neither ours nor NATS's.
func TestNothingIsLeftRunning(t *testing.T) {
	before := running()
	for range 3 {
		j := openJournal(t, Config{Dir: t.TempDir(), Log: quiet()})
		mustAppend(t, j, swapOf("a", 0, 2, 2))
		if _, err := j.Catalogue().Watch(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
		r := mustRead(t, j, 0)
		mustNext(t, r)
		_ = r.Close()
		_ = j.Close()
	}
	after := 0
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); pause(t.Context(), 20*time.Millisecond, nil) {
		if after = running(); after <= before {
			return
		}
	}
	buf := make([]byte, 1<<20)
	t.Errorf("%d goroutines of ours and of NATS run, %d before:\n%s", after, before, buf[:runtime.Stack(buf, true)])
}

// running counts the goroutines that have to do with the journal.
func running() int {
	buf := make([]byte, 4<<20)
	n := 0
	for g := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if strings.Contains(g, "nats-io") || strings.Contains(g, "weir/journal.(*") {
			n++
		}
	}
	return n
}
