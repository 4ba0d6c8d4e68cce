package firehose

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"weir/deliver"
	"weir/flowlog"
)

// format has a tag, which makes records as long as a test wants them.
func format(t testing.TB) flowlog.Format {
	t.Helper()
	f, err := flowlog.FormatOf("interface-id", "start", "srcport", "instance-tag")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func destination(t testing.TB) *Destination {
	t.Helper()
	d, err := New(Config{Endpoint: &Endpoint{}, Stream: "flows", Format: format(t)})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func encode(t testing.TB, d *Destination, begin deliver.Begin, records []flowlog.Record) []*part {
	t.Helper()
	parts, err := finish(d, begin, records)
	if err != nil {
		t.Fatal(err)
	}
	return parts
}

func finish(d *Destination, begin deliver.Begin, records []flowlog.Record) ([]*part, error) {
	e := d.Begin(begin)
	for i := range records {
		e.Add(&records[i])
	}
	made, err := e.Finish()
	parts := make([]*part, len(made))
	for i, p := range made {
		parts[i] = p.(*part)
	}
	return parts, err
}

func data(p *part) []string {
	var s []string
	for _, r := range p.waiting() {
		s = append(s, string(r.Data))
	}
	return s
}

func TestParts(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var records []flowlog.Record
		room := 5 << 20 // bounds the work of a round
		for n := range rapid.IntRange(0, 1100).Draw(rt, "records") {
			size := 0
			if n%150 == 7 {
				size = min(room, rapid.SampledFrom([]int{10, 300_000, maxRecord - 60, maxRecord, 2 * maxRecord}).Draw(rt, "size"))
			}
			room -= size
			records = append(records, flowlog.Record{InterfaceID: "eni-1", Start: int64(n), InstanceTag: strings.Repeat("t", size)})
		}
		d := destination(t)
		var got []string
		for _, p := range encode(t, d, deliver.Begin{}, records) {
			size, wire := 0, 0
			for _, s := range data(p) {
				size += len(s)
				wire += base64.StdEncoding.EncodedLen(len(s))
				got = append(got, s)
				if len(s) > 1_024_000 && !p.tooLong {
					rt.Fatalf("a record of %d bytes is sent", len(s))
				}
			}
			if p.records > 500 || wire > 4<<20 && p.records > 1 || int64(size) != p.size {
				rt.Fatalf("a call of %d records, %d bytes (%d said), %d in base64", p.records, size, p.size, wire)
			}
			if p.tooLong && p.records != 1 {
				rt.Fatalf("%d records beside one that is too long", p.records-1)
			}
		}
		var want []string
		for i := range records {
			want = append(want, `{"message":"`+string(d.format.AppendText(nil, &records[i]))+"\"}\n")
		}
		if !slices.Equal(want, got) {
			rt.Fatalf("%d records in calls, of %d", len(got), len(want))
		}
	})
}

func TestTheSameRecordsMakeTheSameParts(t *testing.T) {
	d := destination(t)
	var records []flowlog.Record
	for n := range 1300 {
		records = append(records, flowlog.Record{InterfaceID: fmt.Sprint("eni-", n/400), Start: int64(n)})
	}
	parts := encode(t, d, deliver.Begin{}, records)
	if len(parts) != 3 || parts[2].records != 300 {
		t.Errorf("%d calls", len(parts))
	}
	var notes []deliver.Note
	for _, p := range parts {
		notes = append(notes, p.Note())
	}
	for i, p := range encode(t, d, deliver.Begin{Cut: notes}, records) {
		if diff := cmp.Diff(data(parts[i]), data(p)); diff != "" {
			t.Error(diff)
		}
	}
	if other := encode(t, d, deliver.Begin{}, records[1:]); other[0].Note() == notes[0] {
		t.Error("other records, and the note is the same")
	}
}

// Whatever a line holds comes out of a JSON parser.
func TestMessage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		line := rapid.OneOf(rapid.String(), rapid.StringMatching(`[ -~]{0,60}`), rapid.SampledFrom([]string{`\`, `"`, `\"`, "<&>", "\u2028", "a\x00b", "\xff"})).Draw(t, "line")
		got := appendMessage([]byte("x"), []byte(line))
		if !strings.HasPrefix(string(got), "x{\"message\":\"") || !strings.HasSuffix(string(got), "\"}\n") || !utf8.Valid(got) {
			t.Fatalf("%q", got)
		}
		var v struct{ Message string }
		if err := json.Unmarshal(got[1:], &v); err != nil {
			t.Fatalf("%q: %v", got, err)
		}
		if want := strings.ToValidUTF8(line, "\ufffd"); v.Message != want && utf8.ValidString(line) {
			t.Fatalf("%q comes back as %q", line, v.Message)
		}
	})
	if got := string(appendMessage(nil, []byte("2 - <&> é"))); got != "{\"message\":\"2 - <&> é\"}\n" {
		t.Errorf("%q: escaped more than JSON wants", got)
	}
}

func TestAnEmptyBatchHasNoParts(t *testing.T) {
	e := destination(t).Begin(deliver.Begin{})
	if e.Held() != 0 {
		t.Errorf("it holds %d bytes", e.Held())
	}
	if parts, err := e.Finish(); len(parts) != 0 || err != nil {
		t.Errorf("%d parts, %v", len(parts), err)
	}
}

// What Held says is what is there.
func TestMemory(t *testing.T) {
	d := destination(t)
	r := flowlog.Record{InterfaceID: "eni-1", Start: 1}
	before := heap()
	e := d.Begin(deliver.Begin{})
	for range 200_000 {
		e.Add(&r)
	}
	taken, held := heap()-before, e.Held()
	if held < taken*9/10 || held > taken*11/10 {
		t.Errorf("says it holds %d bytes, and takes %d", held, taken)
	}
	runtime.KeepAlive(e)
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what was in a pool is let go by the second
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestAddDoesNotAllocatePerRecord(t *testing.T) {
	e := destination(t).Begin(deliver.Begin{})
	r := flowlog.Record{InterfaceID: "eni-1", Start: 1}
	e.Add(&r)
	if n := testing.AllocsPerRun(10_000, func() { e.Add(&r) }); n > 0 { // AllocsPerRun rounds down
		t.Errorf("Add allocates %v times per record", n)
	}
}

func TestNewRefuses(t *testing.T) {
	good := Config{Endpoint: &Endpoint{}, Stream: "flows", Format: flowlog.DefaultFormat()}
	for name, spoil := range map[string]func(*Config){
		"no endpoint":   func(c *Config) { c.Endpoint = nil },
		"no stream":     func(c *Config) { c.Stream = "" },
		"a bad stream":  func(c *Config) { c.Stream = "a/b" },
		"a long stream": func(c *Config) { c.Stream = strings.Repeat("s", 65) },
		"no format":     func(c *Config) { c.Format = flowlog.Format{} },
	} {
		c := good
		spoil(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%s: made", name)
		}
	}
	if _, err := New(good); err != nil {
		t.Error(err)
	}
}
