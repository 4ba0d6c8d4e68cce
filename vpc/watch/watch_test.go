package watch

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

const (
	first  = "vpcs: [{name: a, account-id: '123456789012', region: r, cidrs: [10.0.0.0/16]}]\n"
	second = "vpcs: [{name: b, account-id: '123456789012', region: r, cidrs: [10.0.0.0/16]}]\n"
	wrong  = "vpcs: [{name: b, account: '123456789012', region: r}]\n"
)

// rig is a watched file and the changes that were told.
type rig struct {
	t       *testing.T
	path    string
	file    *File
	looks   chan time.Time
	changes []Change
}

func newRig(t *testing.T) *rig {
	r := &rig{t: t, path: filepath.Join(t.TempDir(), "vpc.yaml"), looks: make(chan time.Time)}
	r.write(first)
	r.file = New(Config{Path: r.path, Looks: r.looks})
	if c := r.file.Load(); c.File == nil || c.Err != nil || len(c.Problems) > 0 {
		t.Fatalf("load: %+v", c)
	}
	return r
}

func (r *rig) write(text string) {
	r.t.Helper()
	if err := os.WriteFile(r.path, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// look has the file looked at some times, and returns the changes of that.
func (r *rig) look(times int) []Change {
	ctx, cancel := context.WithCancel(r.t.Context())
	done := make(chan struct{})
	r.changes = nil
	go func() {
		defer close(done)
		r.file.Run(ctx, func(c Change) { r.changes = append(r.changes, c) })
	}()
	for range times {
		r.looks <- time.Time{}
	}
	cancel()
	<-done
	return r.changes
}

func TestChanges(t *testing.T) {
	r := newRig(t)
	if got := r.look(3); len(got) != 0 {
		t.Fatalf("nothing has changed: %+v", got)
	}

	r.write(second + "# longer\n")
	if got := r.look(1); len(got) != 0 {
		t.Fatalf("one look is not enough to know that writing is over: %+v", got)
	}
	got := r.look(2)
	if len(got) != 1 || got[0].File == nil || got[0].File.Topology.VPCs[0].Name != "b" || string(got[0].Data) != second+"# longer\n" {
		t.Fatalf("written in place: %+v", got)
	}

	r.write(wrong)
	got = r.look(4)
	if len(got) != 1 || got[0].File != nil || len(got[0].Problems.Errors()) == 0 {
		t.Fatalf("an invalid file, told once: %+v", got)
	}
}

func TestReplacedByRename(t *testing.T) {
	r := newRig(t)
	next := r.path + ".new"
	info, err := os.Stat(r.path)
	if err != nil {
		t.Fatal(err)
	}
	// As many bytes and the same time: it is another file all the same.
	if err := errors.Join(os.WriteFile(next, []byte(second), 0o600), os.Chtimes(next, time.Time{}, info.ModTime()), os.Rename(next, r.path)); err != nil {
		t.Fatal(err)
	}
	if got := r.look(2); len(got) != 1 || got[0].File.Topology.VPCs[0].Name != "b" {
		t.Fatalf("%+v", got)
	}
}

func TestTouchedOnly(t *testing.T) {
	r := newRig(t)
	if err := os.Chtimes(r.path, time.Time{}, time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if got := r.look(4); len(got) != 0 {
		t.Fatalf("the content is the same: %+v", got)
	}
}

func TestGone(t *testing.T) {
	r := newRig(t)
	if err := os.Remove(r.path); err != nil {
		t.Fatal(err)
	}
	if got := r.look(1); len(got) != 0 {
		t.Fatalf("gone for a moment is being replaced: %+v", got)
	}
	if got := r.look(3); len(got) != 1 || !errors.Is(got[0].Err, fs.ErrNotExist) {
		t.Fatalf("gone, told once: %+v", got)
	}
	r.write(first)
	if got := r.look(3); len(got) != 0 {
		t.Fatalf("back with the content that is in force: %+v", got)
	}
	r.write(second + "#\n")
	if got := r.look(2); len(got) != 1 || got[0].File == nil {
		t.Fatalf("and then changed: %+v", got)
	}
}

func TestLoadNothing(t *testing.T) {
	f := New(Config{Path: filepath.Join(t.TempDir(), "none.yaml")})
	if c := f.Load(); !errors.Is(c.Err, fs.ErrNotExist) {
		t.Errorf("%+v", c)
	}
	f = New(Config{Path: t.TempDir()})
	if c := f.Load(); c.Err == nil {
		t.Errorf("a directory: %+v", c)
	}
}
