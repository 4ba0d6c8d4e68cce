package lake_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/flowlog"
	"weir/lake"
)

func at(s string) time.Time {
	if s == "" {
		return time.Time{}
	}
	t, err := time.Parse("2006-01-02T15:04", s)
	if err != nil {
		panic(err) // the table is wrong
	}
	return t
}

func touch(t testing.TB, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

// plainKey is the object's key in the layout that Weir writes.
func plainKey(slot string) string {
	return flowlog.ObjectKey{AccountID: "1", Region: "r", FlowLogID: "fl-1", Slot: at(slot)}.String()
}

// hiveKey is the same object in the Hive-compatible, hourly layout.
func hiveKey(slot string) string {
	key := plainKey(slot)
	return at(slot).Format("AWSLogs/aws-account-id=1/aws-service=vpcflowlogs/aws-region=r/year=2006/month=01/day=02/hour=15/") +
		key[strings.LastIndexByte(key, '/')+1:]
}

func TestList(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{
		plainKey("2024-02-28T23:55"), plainKey("2024-02-29T00:00"), plainKey("2024-02-29T12:00"), plainKey("2024-03-01T00:00"),
		"team/prefix/" + hiveKey("2024-02-29T12:05"), "team/prefix/" + hiveKey("2023-12-31T23:55"),
		"by-hand/some.log", "by-hand/other.log.gz", "by-hand/x.parquet",
		".weir-fl-1-1.tmp", ".hidden/x.log.gz", "AWSLogs/1/vpcflowlogs/r/2024/02/29/.x.log.gz", "readme.txt", "x.csv",
		strings.TrimSuffix(plainKey("2024-02-29T12:10"), "gz") + "parquet",
	} {
		touch(t, filepath.Join(dir, name))
	}
	byHand := []string{"by-hand/other.log.gz", "by-hand/some.log", "by-hand/x.parquet"}
	for _, tt := range []struct {
		name, from, to string
		want           []string // the slots of those with a key
	}{
		{"everything", "", "", []string{"2023-12-31T23:55", "2024-02-28T23:55", "2024-02-29T00:00", "2024-02-29T12:00", "2024-02-29T12:05", "2024-02-29T12:10", "2024-03-01T00:00"}},
		{"a leap day", "2024-02-29T00:00", "2024-03-01T00:00", []string{"2024-02-29T00:00", "2024-02-29T12:00", "2024-02-29T12:05", "2024-02-29T12:10"}},
		{"inside a slot", "2024-02-29T12:03", "2024-02-29T12:04", []string{"2024-02-29T12:00"}},
		{"the end is not in it", "2024-02-29T11:00", "2024-02-29T12:05", []string{"2024-02-29T12:00"}},
		{"the slot's end is not in it", "2024-02-29T12:05", "2024-02-29T13:00", []string{"2024-02-29T12:05", "2024-02-29T12:10"}},
		{"from", "2024-03-01T00:04", "", []string{"2024-03-01T00:00"}},
		{"to", "", "2024-01-01T00:00", []string{"2023-12-31T23:55"}},
		{"nothing", "2025-01-01T00:00", "", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			objects, err := lake.List(dir, at(tt.from), at(tt.to))
			if err != nil {
				t.Fatal(err)
			}
			var slots, others []string
			for _, o := range objects {
				if o.Slot.IsZero() {
					others = append(others, strings.TrimPrefix(o.Path, dir+"/"))
				} else {
					slots = append(slots, o.Slot.Format("2006-01-02T15:04"))
				}
			}
			if diff := cmp.Diff(tt.want, slots); diff != "" {
				t.Errorf("slots (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(byHand, others); diff != "" {
				t.Errorf("objects without a time (-want +got):\n%s", diff)
			}
		})
	}
}

// A folder out of the time asked for is not even opened: it may hold 10,000 names.
func TestListDoesNotOpenOtherDays(t *testing.T) {
	dir := t.TempDir()
	touch(t, filepath.Join(dir, plainKey("2024-02-29T12:00")))
	// Were the next day searched, this stray file would be found.
	touch(t, filepath.Join(dir, filepath.Dir(plainKey("2024-03-01T12:00")), "stray.log"))
	objects, err := lake.List(dir, at("2024-02-29T00:00"), at("2024-02-29T23:59"))
	if err != nil || len(objects) != 1 {
		t.Errorf("objects %v, %v; want the one of the day", objects, err)
	}
}

func TestListOneFile(t *testing.T) {
	key := plainKey("2024-02-29T12:00")
	for name, slot := range map[string]string{
		"anything": "",
		key:        "2024-02-29T12:00",
		"AWSLogs/1/vpcflowlogs/r/2020/01/02" + key[strings.LastIndexByte(key, '/'):]: "2024-02-29T12:00", // somebody moved it
	} {
		path := filepath.Join(t.TempDir(), name)
		touch(t, path)
		objects, err := lake.List(path, time.Time{}, time.Time{})
		if err != nil || len(objects) != 1 || objects[0].Path != path || !objects[0].Slot.Equal(at(slot)) {
			t.Errorf("objects %v, %v", objects, err)
		}
	}
}

func TestListMissing(t *testing.T) {
	if _, err := lake.List(filepath.Join(t.TempDir(), "none"), time.Time{}, time.Time{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v, want one that matches fs.ErrNotExist", err)
	}
}
