package book

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"weir/policy"
)

// crashDir is set in the process that TestKilled kills.
const crashDir = "WEIR_TEST_CRASH_DIR"

// TestKilled kills a process while it gives ids, again and again: whatever id it
// said that it was using stays that rule's, and belongs to no other.
func TestKilled(t *testing.T) {
	if dir := os.Getenv(crashDir); dir != "" {
		giveIDs(t, dir)
		return
	}
	dir := filepath.Join(t.TempDir(), "policy")
	used := map[uint32]string{}
	for round := range 15 {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilled$")
		cmd.Env = append(os.Environ(), crashDir+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		after := 1 + rand.IntN(40) // lines
		for in := bufio.NewScanner(out); in.Scan(); after-- {
			number, key, ok := strings.Cut(in.Text(), "\t")
			id, err := strconv.ParseUint(number, 10, 32)
			if !ok || err != nil {
				continue // the last line may be torn, too
			}
			if was, there := used[uint32(id)]; there && was != key {
				t.Fatalf("round %d: id %d was %s and is %s", round, id, was, key)
			}
			used[uint32(id)] = key
			if after == 0 {
				_ = cmd.Process.Kill()
			}
		}
		_ = cmd.Wait()
	}
	b := Open(dir)
	w, err := b.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for id, key := range used {
		if got := b.rules.byID[id]; got.Key != key {
			t.Errorf("id %d was used for %s; the book has %q", id, key, got.Key)
		}
	}
	t.Logf("%d ids were used in 15 lives", len(used))
}

// giveIDs applies one topology after the other and says which ids it uses.
func giveIDs(t *testing.T, dir string) {
	b := Open(dir)
	for {
		w, err := b.Lock(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		top := topology(t, "web", 1+rand.IntN(1<<16-1), 1+rand.IntN(1<<16-1))
		p, err := w.Compile(top)
		if err != nil && !strings.Contains(err.Error(), "is named twice") {
			t.Fatal(err)
		}
		for _, r := range p.Rules() {
			fmt.Fprintf(os.Stdout, "%d\t%s\n", r.ID, r.Key)
		}
		v, err := w.Keep(top)
		if err == nil {
			_, err = w.Record(Entry{Event: Applied, Version: v.Name})
		}
		if err := errors.Join(err, w.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

// A full disk gives no id, keeps what is there, and works on when there is room.
func TestFullDisk(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: it mounts a small file system")
	}
	disk := t.TempDir()
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=128k"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(disk, unix.MNT_DETACH) })
	r := &rig{t: t, clock: time.Date(2026, 11, 21, 17, 0, 0, 0, time.UTC)}
	r.Book = r.another(filepath.Join(disk, "policy"))
	first, e := r.apply(topology(t, "web", 80))
	fill(t, filepath.Join(disk, "ballast"))

	// Enough words to need a new block of the disk.
	long := topology(t, strings.Repeat("w", 200), 443)
	for n := range 40 {
		long.Groups = append(long.Groups, long.Groups[0])
		g := &long.Groups[len(long.Groups)-1]
		g.ID, g.Name = fmt.Sprintf("sg-more%d", n), g.Name+strconv.Itoa(n)
		long.Interfaces[0].GroupIDs = append(long.Interfaces[0].GroupIDs, g.ID)
	}
	var p *policy.Policy
	rules, log := r.text("rules"), r.text("log")
	w, err := r.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if p, err = w.Compile(long); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("Compile: %v, %v", p, err)
	}
	if _, err := w.Keep(long); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("Keep: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if r.text("rules") != rules || r.text("log") != log {
		t.Error("a write that failed has left something")
	}
	f, err := r.another(r.dir).At(e.Time)
	if err != nil || refusal(f.Policy).ID != refusal(first).ID {
		t.Errorf("what was in force: %+v, %v", f, err)
	}
	if err := os.Remove(filepath.Join(disk, "ballast")); err != nil {
		t.Fatal(err)
	}
	p, _ = r.apply(long)
	if got, want := refusal(p).ID, uint32(len(first.Rules())+2); got != want { // behind the set's egress
		t.Errorf("the rule has the id %d, want %d: a write that failed has used some up", got, want)
	}
}

// fill writes until nothing more goes in.
func fill(t *testing.T, path string) {
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	block := make([]byte, 4096)
	for err == nil {
		_, err = f.Write(block)
	}
	if !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
	_ = f.Close()
}
