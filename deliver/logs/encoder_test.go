package logs

import (
	"cmp"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
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

func destination(t testing.TB, traffic string) *Destination {
	t.Helper()
	d, err := New(Config{Endpoint: &Endpoint{}, Group: "/vpc/flow", Traffic: traffic, Format: format(t)})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// encode makes a batch's parts.
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

// flat is parts as text: a line for each event.
func flat(parts []*part) []string {
	var s []string
	for i, p := range parts {
		for _, e := range p.logEvents() {
			s = append(s, fmt.Sprint(i, p.stream, *e.Timestamp, *e.Message))
		}
	}
	return s
}

func TestParts(t *testing.T) {
	day := int64(maxSpan.Seconds())
	rapid.Check(t, func(rt *rapid.T) {
		var records []flowlog.Record
		room := 3 << 20 // bounds the work of a round
		for range rapid.IntRange(1, 4).Draw(rt, "intervals") {
			base := 1_700_000_000 + rapid.Int64Range(0, 3*day).Draw(rt, "interval")
			for eni := range rapid.IntRange(1, 3).Draw(rt, "interfaces") {
				step := rapid.SampledFrom([]int64{0, 1, 60, day / 5, day, day + 1}).Draw(rt, "step")
				for n := range rapid.IntRange(0, 40).Draw(rt, "records") {
					size := rapid.SampledFrom([]int{0, 1, 100, 100_000, 300_000, maxMessage - 40, maxMessage, maxBytes}).Draw(rt, "size")
					size = min(size, room)
					room -= size
					records = append(records, flowlog.Record{
						InterfaceID: fmt.Sprint("eni-", eni), Start: base + int64(n)*step,
						SrcPort: int64(len(records)), InstanceTag: strings.Repeat("é", size/2),
					})
				}
			}
		}
		d := destination(t, "ALL")
		parts := encode(t, d, deliver.Begin{}, records)

		got := map[string][]string{}
		for _, p := range parts {
			var size int64
			events := p.logEvents()
			for i, e := range events {
				size += int64(len(*e.Message)) + 26
				if i > 0 && *e.Timestamp < *events[i-1].Timestamp {
					rt.Fatal("an event is before the one before it")
				}
				got[p.stream] = append(got[p.stream], *e.Message)
			}
			span := *events[len(events)-1].Timestamp - *events[0].Timestamp
			if len(events) > 10_000 || size > 1_048_576 && len(events) > 1 || span > 24*3600*1000 || size != p.size {
				rt.Fatalf("a call of %d events, %d bytes (%d said), %d ms", len(events), size, p.size, span)
			}
		}
		want := map[string][]string{}
		slices.SortStableFunc(records, func(a, b flowlog.Record) int { return cmp.Compare(a.Start, b.Start) })
		for i := range records {
			r := &records[i]
			want[r.InterfaceID+"-all"] = append(want[r.InterfaceID+"-all"], string(d.format.AppendText(nil, r)))
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			rt.Fatal("streams (-want +got):\n", diff[:min(len(diff), 2000)])
		}
	})
}

func TestTheSameRecordsMakeTheSameParts(t *testing.T) {
	d := destination(t, "ALL")
	records := traffic(3, 2, 4_000)
	parts := encode(t, d, deliver.Begin{}, records)
	if len(parts) != 4 {
		t.Errorf("12,000 events in each of 2 streams make %d calls, want 4", len(parts))
	}
	var notes []deliver.Note
	for _, p := range parts {
		notes = append(notes, p.Note())
	}
	again := encode(t, d, deliver.Begin{Cut: notes}, records)
	if diff := gocmp.Diff(flat(parts), flat(again)); diff != "" {
		t.Error(diff)
	}

	other := encode(t, d, deliver.Begin{}, records[1:])
	if other[0].Note() == notes[0] {
		t.Error("other records, and the note is the same")
	}
}

// traffic is records as they come: interval by interval, interface by interface,
// by start.
func traffic(intervals, interfaces, each int) []flowlog.Record {
	var records []flowlog.Record
	for k := range intervals {
		for eni := range interfaces {
			for n := range each {
				records = append(records, flowlog.Record{
					InterfaceID: fmt.Sprintf("eni-%017x", eni), SrcPort: int64(n),
					Start: 1_700_000_000 + int64(k)*60 + int64(n)*60/int64(each),
				})
			}
		}
	}
	return records
}

func TestCallsAreFull(t *testing.T) {
	parts := encode(t, destination(t, "ALL"), deliver.Begin{}, traffic(1, 1, 25_001))
	var sizes []int
	for _, p := range parts {
		sizes = append(sizes, len(p.events))
	}
	if want := []int{10_000, 10_000, 5_001}; !slices.Equal(sizes, want) {
		t.Errorf("calls of %v events, want %v", sizes, want)
	}
}

func TestStreamNames(t *testing.T) {
	for _, tt := range []struct {
		traffic string
		record  flowlog.Record
		want    string
	}{
		{"", flowlog.Record{InterfaceID: "eni-1"}, "eni-1-all"},
		{"ALL", flowlog.Record{InterfaceID: "eni-1"}, "eni-1-all"},
		{"ACCEPT", flowlog.Record{InterfaceID: "eni-1"}, "eni-1-accept"},
		{"REJECT", flowlog.Record{InterfaceID: "eni-1"}, "eni-1-reject"},
		{"ALL", flowlog.Record{ResourceID: "nat-1"}, "nat-1-all"},
		{"ALL", flowlog.Record{TGWID: "tgw-1"}, "tgw-1-all"},
	} {
		parts := encode(t, destination(t, tt.traffic), deliver.Begin{}, []flowlog.Record{tt.record})
		if len(parts) != 1 || parts[0].stream != tt.want {
			t.Errorf("%s of %+v goes to %q, want %q", tt.traffic, tt.record, parts[0].stream, tt.want)
		}
	}
}

func TestAnEmptyBatchHasNoParts(t *testing.T) {
	e := destination(t, "ALL").Begin(deliver.Begin{})
	if e.Held() != 0 {
		t.Errorf("it holds %d bytes", e.Held())
	}
	if parts, err := e.Finish(); len(parts) != 0 || err != nil {
		t.Errorf("%d parts, %v", len(parts), err)
	}
}

// A record costs its text and 16 bytes; and what Held says is what is there.
func TestMemory(t *testing.T) {
	records := traffic(1, 50, 1_000)
	d := destination(t, "ALL")
	var text int64
	for i := range records {
		text += int64(len(d.format.AppendText(nil, &records[i])))
	}
	before := heap()
	e := d.Begin(deliver.Begin{})
	for i := range records {
		e.Add(&records[i])
	}
	taken := heap() - before
	held := e.Held()
	t.Logf("%d records, %d bytes of text: %d held, %d taken", len(records), text, held, taken)
	if held < taken*9/10 || held > taken*11/10 {
		t.Errorf("says it holds %d bytes, and takes %d", held, taken)
	}
	if most := text + int64(len(records))*28 + 2<<20; taken > most {
		t.Errorf("takes %d bytes, want at most %d", taken, most)
	}
	runtime.KeepAlive(e)
	runtime.KeepAlive(records)
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what was in a pool is let go by the second
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestAddDoesNotAllocatePerRecord(t *testing.T) {
	e := destination(t, "ALL").Begin(deliver.Begin{})
	r := flowlog.Record{InterfaceID: "eni-1", Start: 1}
	e.Add(&r)
	if n := testing.AllocsPerRun(10_000, func() { e.Add(&r) }); n > 0 { // AllocsPerRun rounds down
		t.Errorf("Add allocates %v times per record", n)
	}
}

func TestNewRefuses(t *testing.T) {
	good := Config{Endpoint: &Endpoint{}, Group: "g", Format: flowlog.DefaultFormat()}
	for name, spoil := range map[string]func(*Config){
		"no endpoint":   func(c *Config) { c.Endpoint = nil },
		"no group":      func(c *Config) { c.Group = "" },
		"a bad group":   func(c *Config) { c.Group = "a:b" },
		"a long group":  func(c *Config) { c.Group = strings.Repeat("g", 513) },
		"other traffic": func(c *Config) { c.Traffic = "SOME" },
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
