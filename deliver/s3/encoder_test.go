package s3_test

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/deliver"
	"weir/deliver/s3"
	"weir/flowlog"
)

func TestSlotsByEnd(t *testing.T) {
	at := func(s string) time.Time {
		v, err := time.Parse("2006-01-02T15:04:05", s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for name, c := range map[string]struct{ ends, want []string }{
		"none":   {nil, nil},
		"within": {[]string{"2024-05-01T16:20:00", "2024-05-01T16:24:59"}, []string{"20240501T1620Z 2"}},
		"border": {[]string{"2024-05-01T16:24:59", "2024-05-01T16:25:00"}, []string{"20240501T1620Z 1", "20240501T1625Z 1"}},
		"late": {
			[]string{"2024-05-01T16:25:00", "2024-05-01T16:25:10", "2024-05-01T16:19:59", "2024-05-01T16:26:00"},
			[]string{"20240501T1615Z 1", "20240501T1625Z 3"},
		},
		"midnight":  {[]string{"2024-05-01T23:59:59", "2024-05-02T00:00:00"}, []string{"20240501T2355Z 1", "20240502T0000Z 1"}},
		"month end": {[]string{"2024-04-30T23:59:59", "2024-05-01T00:00:00"}, []string{"20240430T2355Z 1", "20240501T0000Z 1"}},
		"leap day":  {[]string{"2024-02-29T23:59:59", "2024-03-01T00:00:00"}, []string{"20240229T2355Z 1", "20240301T0000Z 1"}},
		"no leap":   {[]string{"2023-02-28T23:59:59", "2023-03-01T00:00:00"}, []string{"20230228T2355Z 1", "20230301T0000Z 1"}},
		"year":      {[]string{"2023-12-31T23:59:59", "2024-01-01T00:00:00"}, []string{"20231231T2355Z 1", "20240101T0000Z 1"}},
		"an interval of 600 s ends in two slots": {
			[]string{"2024-05-01T16:10:00", "2024-05-01T16:14:59", "2024-05-01T16:15:00", "2024-05-01T16:19:59", "2024-05-01T16:12:00"},
			[]string{"20240501T1610Z 3", "20240501T1615Z 2"},
		},
		"before 1970": {[]string{"1969-12-31T23:59:59", "1969-12-31T23:50:00"}, []string{"19691231T2350Z 1", "19691231T2355Z 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, encoding := range []flowlog.Encoding{flowlog.Text, flowlog.Parquet} {
				o := options(newShelf())
				o.Encoding = encoding
				var rs []*flowlog.Record
				for i, end := range c.ends {
					rs = append(rs, ended(i, at(end)))
				}
				parts := encode(t, destination(t, o), deliver.Begin{}, rs...)
				var got []string
				for _, p := range parts {
					got = append(got, slotName(p.Note()))
				}
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("%s: parts (-want +got):\n%s", encoding, diff)
				}
				send(t, parts)
			}
		})
	}
}

func TestKeys(t *testing.T) {
	const name = "/123456789012_vpcflowlogs_us-east-1_fl-0123456789abcdef0_20240229T1200Z_"
	for _, c := range []struct {
		prefix   string
		layout   flowlog.KeyLayout
		encoding flowlog.Encoding
		want     string
	}{
		{"", flowlog.PlainDaily, flowlog.Text, "AWSLogs/123456789012/vpcflowlogs/us-east-1/2024/02/29"},
		{"", flowlog.PlainHourly, flowlog.Text, "AWSLogs/123456789012/vpcflowlogs/us-east-1/2024/02/29/12"},
		{"", flowlog.HiveDaily, flowlog.Parquet, "AWSLogs/aws-account-id=123456789012/aws-service=vpcflowlogs/aws-region=us-east-1/year=2024/month=02/day=29"},
		{"a/b/", flowlog.HiveHourly, flowlog.Parquet, "a/b/AWSLogs/aws-account-id=123456789012/aws-service=vpcflowlogs/aws-region=us-east-1/year=2024/month=02/day=29/hour=12"},
	} {
		bucket := newShelf()
		o := options(bucket)
		o.Prefix, o.Layout, o.Encoding = c.prefix, c.layout, c.encoding
		d := destination(t, o)
		if want := strings.TrimSuffix("s3://shelf/"+c.prefix, "/"); strings.TrimSuffix(d.String(), "/") != want {
			t.Errorf("String is %q, want %q", d, want)
		}
		keys := send(t, encode(t, d, deliver.Begin{}, ended(1, noon)))
		suffix := map[flowlog.Encoding]string{flowlog.Text: ".log.gz", flowlog.Parquet: ".log.parquet"}[c.encoding]
		if len(keys) != 1 || !strings.HasPrefix(keys[0], c.want+name) || !strings.HasSuffix(keys[0], suffix) {
			t.Errorf("%s: keys %v, want %s…", c.layout, keys, c.want+name)
		}
		if _, ok := bucket.objects[keys[0]]; !ok {
			t.Errorf("the receipt names %s, which is not there", keys[0])
		}
	}
}

func TestText(t *testing.T) {
	bucket := newShelf()
	rs := many(20_000, noon) // several blocks
	rs[7].SetStatus(flowlog.NoData)
	parts := encode(t, destination(t, options(bucket)), deliver.Begin{}, rs...)
	keys := send(t, parts)
	if len(keys) != 1 {
		t.Fatalf("keys %v", keys)
	}
	want := []string{flowlog.DefaultFormat().Header()}
	for _, r := range rs {
		want = append(want, string(flowlog.DefaultFormat().AppendText(nil, r)))
	}
	if diff := cmp.Diff(want, inflate(t, bucket.objects[keys[0]])); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

// Two objects of a flow log have different names, whatever their slot and
// whatever they hold: equal text too, as after a restart.
func TestObjectsNeverShareAName(t *testing.T) {
	bucket := newShelf()
	var ordinal uint64
	for range 50 {
		d := destination(t, options(bucket))
		parts := encode(t, d, deliver.Begin{Ordinal: ordinal}, ended(1, noon), ended(2, noon.Add(time.Hour)))
		ordinal += uint64(len(parts))
		send(t, parts)
	}
	if len(bucket.objects) != 100 {
		t.Errorf("%d objects, want 100", len(bucket.objects))
	}
	hashes := map[uint32]bool{}
	for name := range bucket.objects {
		k, err := flowlog.ParseObjectKey(name)
		if err != nil {
			t.Fatal(err)
		}
		hashes[k.Hash] = true
	}
	if len(hashes) != 100 {
		t.Errorf("%d hashes, want 100", len(hashes))
	}
}

// A batch that is made again is the same batch.
func TestAgain(t *testing.T) {
	for _, encoding := range []flowlog.Encoding{flowlog.Text, flowlog.Parquet} {
		t.Run(encoding.String(), func(t *testing.T) {
			bucket := newShelf()
			o := options(bucket)
			o.Encoding, o.MaxObject = encoding, 25_000
			rs := many(15_000, noon)
			for i, r := range rs {
				r.End += int64(i % 7 * 100) // three slots, in turn
			}
			begin := deliver.Begin{Ordinal: 17}
			first := encode(t, destination(t, o), begin, rs...)
			if len(first) < 6 {
				t.Fatalf("%d parts, want several for each slot", len(first))
			}
			send(t, first)
			want := maps.Clone(bucket.objects)

			for name, c := range map[string]struct {
				max int64
				cut []deliver.Note
			}{
				"without notes":                    {o.MaxObject, nil},
				"with notes":                       {o.MaxObject, notes(first)},
				"cut as noted, whatever the bound": {5_000, notes(first)},
			} {
				clear(bucket.objects)
				o.MaxObject = c.max
				begin := begin
				begin.Cut = c.cut
				parts := encode(t, destination(t, o), begin, rs...)
				if diff := cmp.Diff(notes(first), notes(parts)); diff != "" {
					t.Errorf("%s: notes (-want +got):\n%s", name, diff)
				}
				send(t, parts)
				if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(bucket.objects))); diff != "" {
					t.Errorf("%s: keys (-want +got):\n%s", name, diff)
				}
				if c.max == 5_000 {
					continue // blocks and row groups are smaller: other bytes, same records
				}
				for key, b := range want {
					if !bytes.Equal(b, bucket.objects[key]) {
						t.Errorf("%s: %s has other bytes", name, key)
					}
				}
			}
		})
	}
}

func TestPartsBySlotThenClosing(t *testing.T) {
	o := options(newShelf())
	o.MaxObject = 4_000
	rs := append(many(2000, noon.Add(time.Hour)), many(2000, noon)...)
	parts := encode(t, destination(t, o), deliver.Begin{}, rs...)
	all := notes(parts)
	if !slices.IsSortedFunc(all, func(a, b deliver.Note) int { return int(a.Slot - b.Slot) }) || len(all) < 4 {
		t.Errorf("parts %v", all)
	}
}

func TestCutThatDoesNotFit(t *testing.T) {
	d := destination(t, options(newShelf()))
	begin := deliver.Begin{Cut: notes(encode(t, d, deliver.Begin{}, many(10, noon)...))}
	for name, c := range map[string]struct {
		records []*flowlog.Record
		want    string
	}{
		"fewer":        {many(9, noon), "slot 2024-02-29T12:00Z had 10, now there are 9"},
		"more":         {many(11, noon), "slot 2024-02-29T12:00Z had 10, now there are at least 11"},
		"none":         {nil, "slot 2024-02-29T12:00Z had 10, now there are 0"},
		"another slot": {many(10, noon.Add(time.Hour)), "slot 2024-02-29T13:00Z had 0, now there are at least 1"},
	} {
		e := d.Begin(begin)
		for _, r := range c.records {
			e.Add(r)
		}
		parts, err := e.Finish()
		if _, ok := errors.AsType[*s3.CutError](err); !ok || len(parts) != 0 || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %d parts, error %v, want %q", name, len(parts), err, c.want)
		}
	}
}

// An object is closed before its bound, not after, and not long before.
func TestMaxObject(t *testing.T) {
	for _, c := range []struct {
		encoding flowlog.Encoding
		max      int64
	}{{flowlog.Text, 300_000}, {flowlog.Parquet, 80_000}} {
		bucket := newShelf()
		o := options(bucket)
		o.Encoding, o.MaxObject = c.encoding, c.max
		e := destination(t, o).Begin(deliver.Begin{})
		const n = 60_000
		for i := range n {
			r := ended(i, noon)
			r.Bytes = int64(uint64(i)*0x9e3779b97f4a7c15>>20) % 1e12 // hard to compress
			e.Add(r)
		}
		parts, err := e.Finish()
		if err != nil {
			t.Fatal(err)
		}
		var sum int64
		for i, p := range parts {
			r, err := p.Send(t.Context())
			if err != nil || r.Bytes > c.max || i < len(parts)-1 && r.Bytes < c.max/2 {
				t.Errorf("%s: object of %d bytes, %v, want at most %d, and no less than half of it", c.encoding, r.Bytes, err, c.max)
			}
			sum += p.Note().Records
		}
		if sum != n || len(parts) < 3 {
			t.Errorf("%s: %d parts with %d records, want several with %d", c.encoding, len(parts), sum, n)
		}
	}
}

func TestHeld(t *testing.T) {
	for _, encoding := range []flowlog.Encoding{flowlog.Text, flowlog.Parquet} {
		o := options(newShelf())
		o.Encoding = encoding
		e := destination(t, o).Begin(deliver.Begin{})
		if e.Held() > 1000 {
			t.Errorf("%s: an idle encoder holds %d bytes", encoding, e.Held())
		}
		before := e.Held()
		for i := range 100_000 {
			e.Add(ended(i, noon))
		}
		if h := e.Held() - before; h < 100_000 || h > 30<<20 {
			t.Errorf("%s: 100,000 records take %d bytes", encoding, h)
		}
	}
}

func TestAddDoesNotAllocate(t *testing.T) {
	e := destination(t, options(newShelf())).Begin(deliver.Begin{})
	r := ended(1, noon)
	for range 3000 {
		e.Add(r) // the block has its size
	}
	if n := testing.AllocsPerRun(100, func() { e.Add(r) }); n != 0 {
		t.Errorf("Add allocates %v times per record, want 0", n)
	}
}

func TestSendAgain(t *testing.T) {
	bucket := newShelf()
	bucket.fail = &deliver.Error{Op: "put an object", Err: errors.New("no")}
	parts := encode(t, destination(t, options(bucket)), deliver.Begin{}, ended(1, noon))
	for range 2 {
		if _, err := parts[0].Send(t.Context()); !errors.Is(err, bucket.fail) {
			t.Errorf("error %v", err)
		}
	}
	bucket.fail = nil
	first, err := parts[0].Send(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	clear(bucket.objects)
	again, err := parts[0].Send(t.Context())
	if err != nil || again != first || len(bucket.objects) != 0 {
		t.Errorf("after success: %+v, %v, objects %d; want %+v and nothing sent", again, err, len(bucket.objects), first)
	}
}

func TestNewDestinationRefuses(t *testing.T) {
	for name, spoil := range map[string]func(*s3.Options){
		"no id":              func(o *s3.Options) { o.FlowLogID = "" },
		"no format":          func(o *s3.Options) { o.Format = flowlog.Format{} },
		"no journal":         func(o *s3.Options) { o.JournalID = "" },
		"no bucket":          func(o *s3.Options) { o.Bucket = nil },
		"prefix AWSLogs":     func(o *s3.Options) { o.Prefix = "AWSLogs/" },
		"prefix not cleaned": func(o *s3.Options) { o.Prefix = "/logs" },
		"layout":             func(o *s3.Options) { o.Layout = flowlog.NoLayout },
	} {
		o := options(newShelf())
		spoil(&o)
		if d, err := s3.NewDestination(o); err == nil || d != nil {
			t.Errorf("%s: %v, %v", name, d, err)
		}
	}
}
