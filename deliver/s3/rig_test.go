package s3_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/deliver"
	"weir/deliver/s3"
	"weir/flowlog"
)

var noon = time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)

// ended is number n of a flow log's records, ended at end.
func ended(n int, end time.Time) *flowlog.Record {
	return &flowlog.Record{
		Version: 2, AccountID: "123456789012", InterfaceID: "eni-0a1b2c3d4e5f60718",
		SrcAddr: netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}), DstAddr: netip.AddrFrom4([4]byte{203, 0, 113, byte(n * 7)}),
		SrcPort: int64(uint16(1024 + n*40503)), DstPort: 443, Protocol: 6,
		Packets: int64(n%50 + 1), Bytes: int64(n) * 2654435761 % 100_000, LogStatus: flowlog.OK,
		Start: end.Unix() - 30, End: end.Unix(), Action: flowlog.Accept,
	}
}

func options(b s3.Bucket) s3.Options {
	return s3.Options{
		AccountID: "123456789012", Region: "us-east-1", FlowLogID: "fl-0123456789abcdef0", JournalID: "journal-1",
		Format: flowlog.DefaultFormat(), Bucket: b,
	}
}

func destination(t testing.TB, o s3.Options) *s3.Destination {
	t.Helper()
	d, err := s3.NewDestination(o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// encode makes a batch.
func encode(t testing.TB, d deliver.Destination, b deliver.Begin, rs ...*flowlog.Record) []deliver.Part {
	t.Helper()
	e := d.Begin(b)
	for _, r := range rs {
		e.Add(r)
	}
	parts, err := e.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return parts
}

// send sends all parts and gives their names.
func send(t testing.TB, parts []deliver.Part) (keys []string) {
	t.Helper()
	for _, p := range parts {
		r, err := p.Send(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if r.Bytes == 0 || r.Refused != 0 {
			t.Errorf("receipt %+v", r)
		}
		keys = append(keys, r.Name)
	}
	return keys
}

func notes(parts []deliver.Part) (all []deliver.Note) {
	for _, p := range parts {
		all = append(all, p.Note())
	}
	return all
}

// shelf is a bucket in memory.
type shelf struct {
	mu      sync.Mutex
	objects map[string][]byte
	fail    error // of Put and Probe
}

func newShelf() *shelf { return &shelf{objects: map[string][]byte{}} }

func (s *shelf) String() string              { return "s3://shelf" }
func (s *shelf) Tidy(string) error           { return nil }
func (s *shelf) Probe(context.Context) error { return s.fail }
func (s *shelf) Put(_ context.Context, key flowlog.ObjectKey, body *s3.Body) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return s.fail
	}
	var b bytes.Buffer
	_, err := body.WriteTo(&b)
	s.objects[key.String()] = b.Bytes()
	return err
}

// inflate reads an object with the standard library's gzip: an independent
// reader.
func inflate(t testing.TB, object []byte) []string {
	t.Helper()
	zip, err := gzip.NewReader(bytes.NewReader(object))
	if err != nil {
		t.Fatal(err)
	}
	zip.Multistream(false) // AWS writes one member; some readers stop after it
	text, err := io.ReadAll(zip)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasSuffix(text, []byte("\n")) {
		t.Fatal("an object does not end with a line feed")
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// tree is every file below dir.
func tree(t testing.TB, dir string) (all []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			all = append(all, strings.TrimPrefix(path, dir+"/"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func many(n int, end time.Time) []*flowlog.Record {
	all := make([]*flowlog.Record, n)
	for i := range all {
		all[i] = ended(i, end)
	}
	return all
}

func slotName(n deliver.Note) string {
	return fmt.Sprintf("%s %d", time.Unix(n.Slot, 0).UTC().Format("20060102T1504Z"), n.Records)
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
