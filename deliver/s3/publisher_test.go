package s3

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/deliver"
	"weir/flowlog"
)

var midday = time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)

// record is number n of a flow log, ended at end.
func record(n int, end time.Time) flowlog.Record {
	return flowlog.Record{
		AccountID: "123456789012", InterfaceID: "eni-0a1b2c3d4e5f60718",
		SrcAddr: netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)}), DstAddr: netip.AddrFrom4([4]byte{203, 0, 113, byte(n * 7)}),
		SrcPort: int64(uint16(1024 + n*31)), DstPort: 443, Protocol: 6,
		Packets: int64(n%50 + 1), Bytes: int64(n%50+1) * 613, LogStatus: flowlog.OK, Start: end.Unix() - 30, End: end.Unix(), Action: flowlog.Accept,
	}
}

func records(n int, end time.Time) []flowlog.Record {
	all := make([]flowlog.Record, n)
	for i := range all {
		all[i] = record(i, end)
	}
	return all
}

func addAll(p *Publisher, rs []flowlog.Record) {
	for i := range rs {
		p.Add(&rs[i])
	}
}

func config(dir string) Config {
	return Config{
		BucketDir: dir, AccountID: "123456789012", Region: "us-east-1", FlowLogID: "fl-0123456789abcdef0",
		Format: flowlog.DefaultFormat(), Now: func() time.Time { return midday },
	}
}

func newPublisher(t testing.TB, cfg Config) *Publisher {
	t.Helper()
	p, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func publish(t testing.TB, p *Publisher) deliver.Published {
	t.Helper()
	done, err := p.Publish()
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// lines reads an object with the standard library's gzip: an independent reader.
func lines(t testing.TB, bucket, key string) []string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(bucket, key))
	if err != nil {
		t.Fatal(err)
	}
	zip, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	zip.Multistream(false) // AWS writes one member; some readers stop after it
	text, err := io.ReadAll(zip)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasSuffix(text, []byte("\n")) {
		t.Fatalf("%s does not end with a line feed", key)
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// files is every file below dir.
func files(t testing.TB, dir string) (all []string) {
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

func TestPublishLaysOutAsAWS(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "buckets", "flow")
	p := newPublisher(t, config(dir))
	addAll(p, []flowlog.Record{
		record(1, midday.Add(-time.Second)), // 11:59:59
		record(2, midday),                   // 12:00:00
		record(3, midday.Add(299*time.Second)),
		record(4, midday.Add(300*time.Second)),
	})
	if s := p.Stats(); s.PendingRecords != 4 || s.PendingBytes == 0 || s.Records != 0 {
		t.Errorf("before: %+v", s)
	}
	done := publish(t, p)

	want := map[string][]string{
		"20240229T1155Z": {"10.0.0.1"},
		"20240229T1200Z": {"10.0.0.2", "10.0.0.3"},
		"20240229T1205Z": {"10.0.0.4"},
	}
	got := map[string][]string{}
	for _, o := range done.Objects {
		key, err := flowlog.ParseObjectKey(o.Key)
		if err != nil || !strings.HasPrefix(o.Key, "AWSLogs/123456789012/vpcflowlogs/us-east-1/2024/02/29/") {
			t.Fatalf("key %s: %v", o.Key, err)
		}
		all := lines(t, dir, o.Key)
		if all[0] != flowlog.DefaultFormat().Header() {
			t.Errorf("%s begins with %q", o.Key, all[0])
		}
		if o.Records != int64(len(all)-1) {
			t.Errorf("%s: %d records reported, %d written", o.Key, o.Records, len(all)-1)
		}
		for _, line := range all[1:] {
			fields := strings.Fields(line)
			if fields[0] != "2" {
				t.Errorf("version %s, want that of the format", fields[0])
			}
			got[key.Slot.Format("20060102T1504Z")] = append(got[key.Slot.Format("20060102T1504Z")], fields[3])
		}
		if info, err := os.Stat(filepath.Join(dir, o.Key)); err != nil || info.Size() != o.Bytes {
			t.Errorf("%s: %d bytes reported, file %v, %v", o.Key, o.Bytes, info, err)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("records by slot (-want +got):\n%s", diff)
	}
	s := p.Stats()
	if s.Objects != 3 || s.Records != 4 || s.Bytes != done.Bytes || s.PendingRecords != 0 || s.PendingBytes != 0 || s.LastPublish != midday || s.LastError != nil {
		t.Errorf("after: %+v", s)
	}
	if again := publish(t, p); len(again.Objects) != 0 || len(files(t, dir)) != 3 {
		t.Errorf("an empty Publish wrote %v", again.Objects)
	}
}

// Equal text gives an equal hash: the second object must not replace the first.
func TestObjectsNeverMeet(t *testing.T) {
	dir := t.TempDir()
	for range 3 {
		p := newPublisher(t, config(dir)) // as after a restart
		addAll(p, records(5, midday))
		publish(t, p)
	}
	if all := files(t, dir); len(all) != 3 {
		t.Errorf("%d objects, want 3: %v", len(all), all)
	}
}

func TestLargeSlotBecomesSeveralObjects(t *testing.T) {
	dir := t.TempDir()
	cfg := config(dir)
	cfg.MaxObject = 10_000
	p := newPublisher(t, cfg)
	const n = 10_000 // about 1 MB of text, four blocks
	addAll(p, records(n, midday))
	done := publish(t, p)
	if len(done.Objects) < 3 || done.Records != n {
		t.Errorf("%d objects with %d records, want several with %d", len(done.Objects), done.Records, n)
	}
	seen := map[string]bool{}
	for _, o := range done.Objects {
		for _, line := range lines(t, dir, o.Key)[1:] {
			seen[line] = true
		}
	}
	if len(seen) != n {
		t.Errorf("%d different lines in the objects, want %d", len(seen), n)
	}
}

// An object is closed before it passes its bound, not after.
func TestObjectsStayWithinTheirBound(t *testing.T) {
	cfg := config(t.TempDir())
	cfg.MaxObject = 3 * room / 2
	p := newPublisher(t, cfg)
	batch := records(60_000, midday)
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range batch { // hard to compress
		batch[i].InterfaceID = fmt.Sprintf("eni-%016x", rnd.Uint64())
	}
	addAll(p, batch)
	done := publish(t, p)
	if len(done.Objects) < 3 || done.Records != int64(len(batch)) {
		t.Errorf("%d objects with %d records, want several with %d", len(done.Objects), done.Records, len(batch))
	}
	for i, o := range done.Objects {
		if o.Bytes > cfg.MaxObject || i < len(done.Objects)-1 && o.Bytes < cfg.MaxObject-room {
			t.Errorf("object of %d bytes, want at most %d, and not closed before %d", o.Bytes, cfg.MaxObject, cfg.MaxObject-room)
		}
	}
}

// tight is a file that a full disk lets write so much and no more.
type tight struct {
	file
	left *int
}

func (f tight) Write(b []byte) (int, error) {
	if *f.left -= len(b); *f.left < 0 {
		return 0, &fs.PathError{Op: "write", Path: f.Name(), Err: syscall.ENOSPC}
	}
	return f.file.Write(b)
}

func TestFullDiskLosesNothing(t *testing.T) {
	dir := t.TempDir()
	p := newPublisher(t, config(dir))
	left := 1000
	p.create = func(dir, pattern string) (file, error) {
		f, err := createTemp(dir, pattern)
		return tight{f, &left}, err
	}
	addAll(p, records(1000, midday))
	for range 2 {
		_, err := p.Publish()
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("error %v, want ENOSPC", err)
		}
		if !strings.Contains(err.Error(), "1000 records (0.1 MB) wait") {
			t.Errorf("error %q does not say what waits", err)
		}
		if e, ok := errors.AsType[*Error](err); !ok || !strings.Contains(e.Hint(), "free space") {
			t.Errorf("error %#v without a hint", err)
		}
	}
	if all := files(t, dir); len(all) != 0 {
		t.Errorf("left behind: %v", all)
	}
	if s := p.Stats(); s.Failures != 2 || s.LastError == nil || s.PendingRecords != 1000 || s.Lost != (deliver.Lost{}) {
		t.Errorf("stats %+v", s)
	}
	left = 1 << 30
	addAll(p, records(1, midday))
	if done := publish(t, p); done.Records != 1001 || p.Stats().LastError != nil {
		t.Errorf("then published %+v, stats %+v", done, p.Stats())
	}
}

// One slot's trouble does not keep the others waiting.
func TestOneBadFolder(t *testing.T) {
	dir := t.TempDir()
	blocked := filepath.Join(dir, "AWSLogs/123456789012/vpcflowlogs/us-east-1/2024/02")
	if err := os.MkdirAll(blocked, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(blocked, "29"), nil, 0o600); err != nil { // a file where a day belongs
		t.Fatal(err)
	}
	p := newPublisher(t, config(dir))
	addAll(p, []flowlog.Record{record(1, midday), record(2, midday.AddDate(0, 0, 1))})
	done, err := p.Publish()
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Path != filepath.Join(blocked, "29") || e.Waiting != 1 || e.Hint() == "" {
		t.Errorf("error %v", err)
	}
	if done.Records != 1 || p.Stats().PendingRecords != 1 {
		t.Errorf("delivered %+v, stats %+v", done, p.Stats())
	}
}

func TestUnwritableBucket(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := New(config(filepath.Join(dir, "bucket")))
	if e, ok := errors.AsType[*Error](err); !ok || !strings.Contains(err.Error(), dir) || e.Hint() == "" {
		t.Errorf("error %v", err)
	}
}

func TestLeftoversOfADeadProcessAreRemoved(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{".weir-fl-0123456789abcdef0-99.tmp", ".weir-fl-other-1.tmp", "keep.tmp"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	newPublisher(t, config(dir))
	if diff := cmp.Diff([]string{".weir-fl-other-1.tmp", "keep.tmp"}, files(t, dir)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// What cannot wait is given up oldest first, and what is delivered and what is
// lost add up to what was added.
func TestBoundedPendingCountsWhatIsLost(t *testing.T) {
	dir := t.TempDir()
	cfg := config(dir)
	cfg.MaxPending = 1 << 20
	p := newPublisher(t, cfg)
	var added deliver.Lost
	for minute := range 30 {
		batch := records(1000, midday.Add(time.Duration(minute)*time.Minute))
		batch[0].LogStatus = flowlog.NoData // counts as a record, carries nothing
		for i := range batch {
			added.Add(worth(&batch[i]))
		}
		addAll(p, batch)
		if s := p.Stats(); s.PendingBytes > cfg.MaxPending {
			t.Fatalf("minute %d: %d bytes wait, want at most %d", minute, s.PendingBytes, cfg.MaxPending)
		}
	}
	if !p.Pressed() {
		t.Error("a full queue is not pressed")
	}
	done := publish(t, p)
	got := p.Lost()
	oldest := midday.Add(25 * time.Minute)
	for _, o := range done.Objects {
		key, _ := flowlog.ParseObjectKey(o.Key)
		if key.Slot.Before(oldest) {
			oldest = key.Slot
		}
		for _, line := range lines(t, dir, o.Key)[1:] {
			var r flowlog.Record
			if err := cfg.Format.ParseText(&r, line); err != nil {
				t.Fatal(err)
			}
			got.Add(worth(&r))
		}
	}
	if got != added {
		t.Errorf("delivered and lost %+v, added %+v", got, added)
	}
	if p.Lost().Records == 0 || !oldest.After(midday) {
		t.Errorf("lost %+v, oldest slot delivered %v: want the oldest given up", p.Lost(), oldest)
	}
}

func TestNewRefuses(t *testing.T) {
	for name, spoil := range map[string]func(*Config){
		"no directory": func(c *Config) { c.BucketDir = "" },
		"no id":        func(c *Config) { c.FlowLogID = "" },
		"no format":    func(c *Config) { c.Format = flowlog.Format{} },
	} {
		cfg := config(t.TempDir())
		spoil(&cfg)
		if p, err := New(cfg); err == nil || p != nil {
			t.Errorf("%s: New = %v, %v", name, p, err)
		}
	}
}

// BenchmarkPublish is the whole way of a record: encoded, compressed, on disk.
func BenchmarkPublish(b *testing.B) {
	batch := records(100_000, midday)
	for i := range batch {
		batch[i].SrcPort = int64(uint16(i * 40503)) // as in life, hard to compress
		batch[i].End += int64(i % 60)
		batch[i].Bytes = int64(i * 2654435761 % 100_000)
	}
	p := newPublisher(b, config(b.TempDir()))
	b.ReportAllocs()
	var text, stored int64
	for b.Loop() {
		addAll(p, batch)
		text += p.Stats().PendingBytes
		stored += publish(b, p).Bytes
	}
	b.SetBytes(text / int64(b.N))
	b.ReportMetric(float64(len(batch))*float64(b.N)/b.Elapsed().Seconds(), "records/s")
	b.ReportMetric(float64(stored)/float64(text)*100, "%size")
}

func ExampleError() {
	fmt.Println(&Error{Op: "write an object", Path: "/var/lib/weir/buckets/b/.weir-fl-1-1.tmp", Err: syscall.ENOSPC, Waiting: 12, WaitingBytes: 1_400_000})
	// Output: write an object: /var/lib/weir/buckets/b/.weir-fl-1-1.tmp: no space left on device; 12 records (1.4 MB) wait for the next attempt
}
