package s3

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/flowlog"
	"weir/vpc/flowlogs"
)

// put makes a file of so many bytes, as old as today whatever its name says.
func put(t *testing.T, dir, path string, size int) {
	t.Helper()
	full := filepath.Join(dir, path)
	if err := os.MkdirAll(filepath.Dir(full), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(full, make([]byte, size), 0o600); err != nil {
		t.Fatal(err)
	}
}

func paths(t *testing.T, dir string) (all []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && path != dir {
			if d.IsDir() {
				path += "/"
			}
			all = append(all, strings.TrimPrefix(path, dir+"/"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestPrune(t *testing.T) {
	now := time.Date(2024, 3, 1, 0, 7, 0, 0, time.UTC)
	key := func(id string, layout flowlog.KeyLayout, ago time.Duration) string {
		return flowlog.ObjectKey{
			AccountID: "1", Region: "r", FlowLogID: id, Layout: layout, Slot: now.Add(-ago).Truncate(flowlog.SlotLength),
		}.String()
	}
	const day = 24 * time.Hour
	mine := []string{ // oldest first; 100 bytes each
		key("fl-1", flowlog.PlainDaily, 40*day), key("fl-1", flowlog.HiveHourly, 3*day), key("fl-1", flowlog.PlainDaily, 2*day),
		key("fl-1", flowlog.PlainHourly, day), key("fl-1", flowlog.PlainHourly, 0),
	}
	foreign := []string{
		key("fl-2", flowlog.PlainDaily, 40*day), "copied/" + filepath.Base(mine[0]), "AWSLogs/notes.txt",
		strings.TrimSuffix(mine[0], "_00000000.log.gz") + ".txt", ".cache/" + mine[0],
	}
	for name, c := range map[string]struct {
		keep flowlogs.Retention
		most int
		want int // of mine that go
		more bool
	}{
		"no bound":               {flowlogs.Retention{}, 100, 0, false},
		"by age":                 {flowlogs.Retention{Age: 48 * time.Hour}, 100, 2, false},
		"by age, to the second":  {flowlogs.Retention{Age: 48*time.Hour - flowlog.SlotLength + 2*time.Minute - 1}, 100, 3, false},
		"by size":                {flowlogs.Retention{Bytes: 250}, 100, 3, false},
		"by size, exactly":       {flowlogs.Retention{Bytes: 300}, 100, 2, false},
		"by both, age the less":  {flowlogs.Retention{Age: 48 * time.Hour, Bytes: 100}, 100, 4, false},
		"by both, size the less": {flowlogs.Retention{Age: 12 * time.Hour, Bytes: 400}, 100, 4, false},
		"all":                    {flowlogs.Retention{Bytes: 1}, 100, 5, false},
		"so many at a time":      {flowlogs.Retention{Bytes: 1}, 2, 2, true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, p := range slices.Concat(mine, foreign) {
				put(t, dir, p, 100)
			}
			done, err := prune(t.Context(), dir, "fl-1", c.keep, now, c.most)
			if err != nil {
				t.Fatal(err)
			}
			left := int64(100 * (len(mine) - c.want))
			if c.keep == (flowlogs.Retention{}) {
				left = 0 // nobody looked
			}
			if want := (Pruned{Objects: c.want, Bytes: int64(100 * c.want), Left: left, More: c.more}); done != want {
				t.Errorf("pruned %+v, want %+v", done, want)
			}
			var got []string
			folders := map[string]bool{}
			for _, p := range paths(t, dir) {
				if strings.HasSuffix(p, "/") {
					folders[p] = true
				} else {
					got = append(got, p)
				}
			}
			want := slices.Concat(mine[c.want:], foreign)
			slices.Sort(want)
			slices.Sort(got)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
			for _, p := range got {
				for d := filepath.Dir(p); d != "."; d = filepath.Dir(d) {
					delete(folders, d+"/")
				}
			}
			if len(folders) > 0 {
				t.Errorf("empty folders stay: %v", folders)
			}
		})
	}
}

func TestPruneNothing(t *testing.T) {
	keep := flowlogs.Retention{Bytes: 1}
	if done, err := Prune(t.Context(), filepath.Join(t.TempDir(), "no"), "fl-1", keep, time.Now()); err != nil || done != (Pruned{}) {
		t.Errorf("%+v, %v", done, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Prune(ctx, t.TempDir(), "fl-1", keep, time.Now()); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// A folder that goes between its making and its use is made again.
func TestPruneBesidePut(t *testing.T) {
	dir := t.TempDir()
	bucket := OpenDirectory(dir)
	key := flowlog.ObjectKey{AccountID: "1", Region: "r", FlowLogID: "fl-1", Slot: time.Date(2024, 3, 1, 0, 5, 0, 0, time.UTC)}
	stop, stopped := make(chan struct{}), make(chan error)
	go func() {
		for {
			select {
			case <-stop:
				stopped <- nil
				return
			default:
			}
			if _, err := Prune(t.Context(), dir, "fl-1", flowlogs.Retention{Bytes: 1}, time.Now()); err != nil {
				stopped <- err
				return
			}
		}
	}()
	for i := range uint32(20) {
		key.Hash = i
		body := &Body{}
		_, _ = body.Write(make([]byte, 100))
		if err := bucket.Put(t.Context(), key, body); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}
