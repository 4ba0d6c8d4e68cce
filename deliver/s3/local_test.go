package s3_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/deliver"
	"weir/deliver/s3"
	"weir/flowlog"
)

func TestDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "buckets", "flow")
	d := destination(t, options(s3.OpenDirectory(dir)))
	if d.String() != "s3://flow" || d.Manner() != (deliver.Manner{Replaces: true}) {
		t.Errorf("%s, %+v", d, d.Manner())
	}
	keys := send(t, encode(t, d, deliver.Begin{}, ended(1, noon), ended(2, noon.Add(-time.Second))))
	if diff := cmp.Diff(keys, tree(t, dir)); diff != "" { // in order of slots
		t.Errorf("files (-keys +got):\n%s", diff)
	}
	for _, key := range keys {
		info, err := os.Stat(filepath.Join(dir, key))
		if err != nil || info.Mode() != 0o640 {
			t.Errorf("%s: %v, %v", key, info.Mode(), err)
		}
		b, err := os.ReadFile(filepath.Join(dir, key))
		if err != nil {
			t.Fatal(err)
		}
		if got := inflate(t, b); len(got) != 2 || got[0] != flowlog.DefaultFormat().Header() {
			t.Errorf("%s: %q", key, got)
		}
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

// A batch that is sent again after a crash replaces what it sent before.
func TestRetryOverwrites(t *testing.T) {
	dir := t.TempDir()
	var first [][]byte
	for i := range 2 {
		d := destination(t, options(s3.OpenDirectory(dir)))
		for _, key := range send(t, encode(t, d, deliver.Begin{Ordinal: 5}, many(100, noon)...)) {
			b, err := os.ReadFile(filepath.Join(dir, key))
			if err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				first = append(first, b)
			} else if !cmp.Equal(first[0], b) {
				t.Error("other bytes")
			}
		}
	}
	if all := tree(t, dir); len(all) != 1 {
		t.Errorf("%d objects, want 1: %v", len(all), all)
	}
}

// One object's trouble is its own, and mended when its cause is.
func TestOneBlockedFolder(t *testing.T) {
	dir := t.TempDir()
	blocked := filepath.Join(dir, "AWSLogs/123456789012/vpcflowlogs/us-east-1/2024/02")
	if err := os.MkdirAll(blocked, 0o755); err != nil {
		t.Fatal(err)
	}
	blocked = filepath.Join(blocked, "29")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil { // a file where a day belongs
		t.Fatal(err)
	}
	parts := encode(t, destination(t, options(s3.OpenDirectory(dir))), deliver.Begin{}, ended(1, noon), ended(2, noon.AddDate(0, 0, 1)))
	_, err := parts[0].Send(t.Context())
	e, ok := errors.AsType[*deliver.Error](err)
	if !ok || e.Target != blocked || !strings.Contains(e.Hint(), "move "+blocked+" away") {
		t.Errorf("error %v", err)
	}
	if _, err := parts[1].Send(t.Context()); err != nil {
		t.Errorf("the other: %v", err)
	}
	if all := tree(t, dir); len(all) != 2 {
		t.Errorf("left behind: %v", all)
	}
	if err := os.Remove(blocked); err != nil {
		t.Fatal(err)
	}
	if _, err := parts[0].Send(t.Context()); err != nil {
		t.Errorf("then: %v", err)
	}
}

func TestProbeDirectory(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for bucket, fails := range map[string]bool{
		filepath.Join(dir, "a/b/c"): false, dir: false, file: true, filepath.Join(file, "bucket"): true,
	} {
		err := destination(t, options(s3.OpenDirectory(bucket))).Probe(t.Context())
		if e, ok := errors.AsType[*deliver.Error](err); ok != fails || ok && e.Hint() == "" {
			t.Errorf("%s: %v", bucket, err)
		}
	}
	if diff := cmp.Diff([]string{"file"}, tree(t, dir)); diff != "" {
		t.Errorf("a probe left something (-want +got):\n%s", diff)
	}
	if _, err := os.Stat(filepath.Join(dir, "a")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a probe made the bucket: %v", err)
	}
}

func TestProbeDenied(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may write everywhere")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	err := s3.OpenDirectory(filepath.Join(dir, "bucket")).Probe(t.Context())
	e, ok := errors.AsType[*deliver.Error](err)
	if _, denied := errors.AsType[*s3.DeniedError](err); !ok || !denied || e.Kind != deliver.Access {
		t.Errorf("error %v", err)
	}
}

func TestLeftovers(t *testing.T) {
	dir := t.TempDir()
	names := []string{".weir-fl-0123456789abcdef0-99.tmp", ".weir-fl-0123456789abcdef0-other-1.tmp", ".weir-fl-other-1.tmp", "keep.tmp"}
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	destination(t, options(s3.OpenDirectory(dir)))
	if diff := cmp.Diff(names[1:], tree(t, dir)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	parts := encode(t, destination(t, options(s3.OpenDirectory(dir))), deliver.Begin{}, ended(1, noon))
	if _, err := parts[0].Send(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if all := tree(t, dir); len(all) != 0 {
		t.Errorf("left behind: %v", all)
	}
}
