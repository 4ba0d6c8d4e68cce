package journal

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// childDir is the variable that makes the test's own program the child that is
// killed.
const childDir = "WEIR_JOURNAL_CHILD"

// child appends swaps, beginning behind the last one, and says which are stored.
// It first appends the last one again, as the kernel hands it over again after a
// crash.
func child() {
	first, err := strconv.ParseUint(os.Getenv(childDir+"_EPOCH"), 10, 64)
	if err != nil {
		panic(err)
	}
	j, err := Open(context.Background(), Config{Dir: os.Getenv(childDir), Host: "host-1"})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	fmt.Println("up")
	for e := first; ; e++ {
		if err := j.Append(context.Background(), swapOf("a", e, 4, int(e%7)*300)); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		if err := j.Catalogue().Put(context.Background(), "acknowledged", strconv.AppendUint(nil, e, 10)); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		fmt.Println("stored", e)
	}
}

// Killed at any moment, the journal has every swap that it said it has, once and
// whole, and takes the others when they come again.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	rounds := 12
	if testing.Short() {
		rounds = 3
	}
	next := uint64(0) // the first that nobody said is stored
	for round := range rounds {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), childDir+"="+dir, fmt.Sprintf("%s_EPOCH=%d", childDir, max(next, 1)-1))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
		for lines := bufio.NewScanner(out); lines.Scan(); {
			line := lines.Text()
			switch {
			case line == "up":
				timer.Reset(time.Duration(rand.Int64N(int64(120 * time.Millisecond))))
			case strings.HasPrefix(line, "stored "):
				e, err := strconv.ParseUint(line[len("stored "):], 10, 64)
				if err != nil {
					t.Fatal(err)
				}
				next = max(next, e+1)
			default:
				t.Fatalf("round %d: %s", round, line)
			}
		}
		_ = cmd.Wait()
	}

	j := openJournal(t, Config{Dir: dir})
	got := swapsIn(t, j, 0)
	if n := uint64(len(got)); n < next || n > next+1 {
		t.Fatalf("%d swaps are in the journal, and %d were said to be stored", n, next)
	}
	for i, e := range got {
		if e.Swap.Epoch != uint64(i) {
			t.Fatalf("swap %d has the epoch %d", i, e.Swap.Epoch)
		}
		if lossOf(e.Swap) > 0 || !sameFlows(e.Swap, swapOf("a", e.Swap.Epoch, 4, i%7*300)) {
			t.Errorf("epoch %d is not whole", i)
		}
	}
	v, err := j.Catalogue().Get(t.Context(), "acknowledged")
	if err != nil {
		t.Fatal(err)
	}
	if n, err := strconv.ParseUint(string(v), 10, 64); err != nil || n+1 < next {
		t.Errorf("the catalogue says %s, and %d was said to be stored: %v", v, next-1, err)
	}
	s := j.Stats(t.Context())
	t.Logf("%d swaps in %d lives, %d chunks left out", len(got), rounds, s.Orphans)
	if s.Damaged+s.Gaps+s.Doubled != 0 {
		t.Errorf("figures: %+v", s)
	}
}
