package parquet_test

import (
	"bytes"
	"errors"
	"math"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"weir/flowlog"
	"weir/flowlog/parquet"
	"weir/internal/parquettest"
)

// formats draws a format of some fields in any order.
func formats(t *rapid.T) flowlog.Format {
	family := rapid.SampledFrom([]flowlog.Family{flowlog.VPC, flowlog.TransitGateway}).Draw(t, "family")
	var names []string
	for i := range flowlog.Fields() {
		if f := &flowlog.Fields()[i]; f.Family&family != 0 {
			names = append(names, f.Name)
		}
	}
	names = rapid.Permutation(names).Draw(t, "order")
	names = names[:rapid.IntRange(1, len(names)).Draw(t, "fields")]
	f, err := flowlog.FormatFromHeader(strings.Join(names, " "))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// randomBatch draws rows: constant columns, columns with few values and with a
// new one in each row, with NULL and without, and columns that are not there.
func randomBatch(t *rapid.T, f flowlog.Format) *flowlog.Batch {
	b := flowlog.NewBatch(f)
	b.Rows = rapid.SampledFrom([]int{1, 2, 7, 8, 9, 100, flowlog.BatchRows}).Draw(t, "rows")
	seed := rapid.Uint64().Draw(t, "seed")
	next := func(n int) int { // as good as random, and faster than drawing each
		seed = seed*6364136223846793005 + 1442695040888963407
		return int(seed >> 33 % uint64(n))
	}
	for _, field := range f.Fields() {
		c := &b.Columns[field.Place()]
		distinct := []int{1, 1, 2, 5, 300, math.MaxInt32}[next(6)]
		nulls := []int{0, 0, 2, 50}[next(4)]
		if next(8) == 0 {
			*c = flowlog.Column{}
			continue
		}
		least, most := field.Bounds()
		base := next(3) * next(math.MaxInt32)
		for row := range b.Rows {
			none := nulls > 0 && next(nulls) == 0
			if field.Type != flowlog.String {
				c.Ints[row], c.Null[row] = 0, none
				if !none {
					c.Ints[row] = max(least, int64(base+next(distinct))&most)
					if next(100) == 0 {
						c.Ints[row] = most
					}
				}
				continue
			}
			begin := uint32(len(b.Text))
			switch {
			case none:
				b.Text = append(b.Text, '-')
			case field.Address():
				n := uint32(next(distinct))
				b.Text = netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}).AppendTo(b.Text)
			default:
				b.Text = append(b.Text, []string{"10.0.0.", "ß", "", "arn:aws:ecs:eu-central-1:123456789012:cluster/"}[next(4)]...)
				for n := next(distinct) + 1; n > 0; n /= 26 {
					b.Text = append(b.Text, byte('a'+n%26))
				}
			}
			c.Spans[row] = flowlog.Span{Begin: begin, End: uint32(len(b.Text))}
		}
	}
	return b
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := formats(t)
		o := parquet.Options{
			Codec:        rapid.SampledFrom(everyCodec).Draw(t, "codec"),
			RowGroupRows: rapid.SampledFrom([]int{0, 1, 2500}).Draw(t, "row group"),
			Sort:         rapid.Bool().Draw(t, "sort"),
			Bloom:        rapid.Bool().Draw(t, "bloom"),
		}
		var out bytes.Buffer
		w, err := parquet.NewWriter(&out, f, o)
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for range rapid.IntRange(0, 3).Draw(t, "batches") {
			b := randomBatch(t, f)
			want = lines(want, b, f)
			if err := w.WriteBatch(b); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		r, err := parquet.NewReader(bytes.NewReader(out.Bytes()), int64(out.Len()), parquet.ReadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if !r.Format().Equal(f) || r.Rows() != int64(len(want)) || w.Rows() != r.Rows() || w.Size() != int64(out.Len()) {
			t.Fatalf("format %s, want %s; %d rows, want %d", r.Format(), f, r.Rows(), len(want))
		}
		var got []string
		for b, err := r.Next(); err == nil; b, err = r.Next() {
			got = lines(got, b, f)
		}
		if o.Sort {
			slices.Sort(got)
			slices.Sort(want)
		}
		if !slices.Equal(got, want) || r.Malformed() > 0 {
			t.Fatalf("%v: %.2000s", r.Problems(), cmp.Diff(want, got))
		}
	})
}

// Rows are in the order of interface and start, equal ones as they came, NULL
// first.
func TestSorted(t *testing.T) {
	f := mustFormat(t, "interface-id start srcport")
	b := flowlog.NewBatch(f)
	for _, line := range []string{"eni-b 7 1", "eni-a 9 2", "eni-b 5 3", "eni-a - 4", "eni-b 7 5", "eni-a 9 6"} {
		appendLine(b, line)
	}
	got := readAll(t, open(t, write(t, f, parquet.Options{Sort: true}, b), parquet.ReadOptions{}))
	want := []string{"eni-a - 4", "eni-a 9 2", "eni-a 9 6", "eni-b 5 3", "eni-b 7 1", "eni-b 7 5"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// appendLine adds a row for columns of interface-id, start and srcport.
func appendLine(b *flowlog.Batch, line string) {
	words := strings.Split(line, " ")
	for i, name := range []string{"interface-id", "start", "srcport"} {
		f, _ := flowlog.FieldByName(name)
		c := &b.Columns[f.Place()]
		if f.Type == flowlog.String {
			c.Spans[b.Rows] = flowlog.Span{Begin: uint32(len(b.Text)), End: uint32(len(b.Text) + len(words[i]))}
			b.Text = append(b.Text, words[i]...)
			continue
		}
		c.Null[b.Rows] = words[i] == "-"
		if !c.Null[b.Rows] {
			c.Ints[b.Rows] = int64(words[i][0] - '0')
		}
	}
	b.Rows++
}

// Only what is wanted is read: the chunks of the other columns may be anywhere.
func TestWant(t *testing.T) {
	f := mustFormat(t, parquettest.Header29)
	batches := traffic(t, f, 3)
	file := write(t, f, parquet.Options{}, batches...)
	part := mustFormat(t, "bytes srcaddr traffic-path")
	want := make([]bool, len(flowlog.Fields()))
	for _, field := range part.Fields() {
		want[field.Place()] = true
	}
	counted := &countingReader{in: bytes.NewReader(file)}
	r, err := parquet.NewReader(counted, int64(len(file)), parquet.ReadOptions{Want: want})
	if err != nil {
		t.Fatal(err)
	}
	var got, all []string
	for b, err := r.Next(); err == nil; b, err = r.Next() {
		got = lines(got, b, part)
		for i := range b.Columns {
			if b.Columns[i].Present != want[i] {
				t.Fatalf("column %s: present %v", flowlog.Fields()[i].Name, b.Columns[i].Present)
			}
		}
	}
	for _, b := range batches {
		all = lines(all, b, part)
	}
	same(t, part, got, all)
	if counted.n > len(file)/3 {
		t.Errorf("%d of %d bytes were read for 3 of 29 columns", counted.n, len(file))
	}
}

type countingReader struct {
	in *bytes.Reader
	n  int
}

func (c *countingReader) ReadAt(b []byte, off int64) (int, error) {
	c.n += len(b)
	return c.in.ReadAt(b, off)
}

// Row groups that several goroutines encode and read make the same file, and
// the same rows.
func TestInParallel(t *testing.T) {
	f := mustFormat(t, parquettest.Header29)
	o := parquet.Options{RowGroupRows: flowlog.BatchRows, Sort: true, Bloom: true}
	batches := traffic(t, f, 6)
	groups := make([]*parquet.RowGroup, len(batches))
	var all sync.WaitGroup
	for i, b := range batches {
		all.Go(func() {
			c, err := parquet.NewCollector(f, o)
			if err == nil {
				err = c.Add(b)
			}
			if err == nil {
				groups[i], err = c.Encode()
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	var out bytes.Buffer
	w, err := parquet.NewWriter(&out, f, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range groups {
		if err := w.Append(g); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out.Bytes(), write(t, f, o, batches...)) {
		t.Error("the file differs from that of one writer")
	}

	r := open(t, out.Bytes(), parquet.ReadOptions{})
	parts := make([][]string, r.NumRowGroups())
	for i := range parts {
		section, err := r.Section(i, i+1)
		if err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			for b, err := section.Next(); err == nil; b, err = section.Next() {
				parts[i] = lines(parts[i], b, f)
			}
			if len(parts[i]) != int(section.Rows()) {
				t.Errorf("section %d: %d of %d rows", i, len(parts[i]), section.Rows())
			}
		})
	}
	all.Wait()
	same(t, "sections", slices.Concat(parts...), readAll(t, r))
	if _, err := r.Section(3, 7); err == nil {
		t.Error("a section beyond the end")
	}
}

// A record cannot have everything that a Parquet file can. The row is left out,
// the others are read.
func TestMalformedRowsAreListed(t *testing.T) {
	type other struct {
		SrcAddr  string  `parquet:"srcaddr,dict"`
		Region   *string `parquet:"region,optional"`
		SrcPort  int64   `parquet:"srcport"`
		Bytes    *int64  `parquet:"bytes,optional,dict"`
		Packets  string  `parquet:"packets"`
		Start    string  `parquet:"start,dict"`
		Protocol uint64  `parquet:"protocol"`
	}
	text := func(s string) *string { return &s }
	number := func(n int64) *int64 { return &n }
	file := writeRows(t, []other{
		{"10.0.0.1", text("eu-1"), 1, number(1), "1", "1", 6},
		{"10.0 .0.1", text("eu-1"), 2, nil, "2", "2", 6},
		{"", nil, 3, number(3), "-", "", 6},
		{"10.0.0.1", text("eu\n1"), 4, number(4), "4", "4", 6},
		{"10.0.0.1", text("eu\xff1"), 5, number(5), "5", "5", 6},
		{"10.0.0.1", nil, 1 << 40, number(6), "6", "6", 6},
		{"10.0.0.1", nil, 7, number(-7), "7", "7", 6},
		{"10.0.0.1", nil, 8, nil, "8e3", "8", 6},
		{"10.0.0.1", nil, 9, number(9), "9", "99999999999999999999", 6},
		{"10.0.0.256", nil, 6, number(6), "6", "6", 6},
		{"\x00", text("x y"), 10, number(-10), "", "+1", 6},
		{"10.0.0.1", nil, 11, number(11), "11", "11", 1 << 63},
		{"10.0.0.2", text("eu-1"), 12, nil, "12", "12", 17},
	})
	r := open(t, file, parquet.ReadOptions{})
	got := readAll(t, r)
	want := []string{"10.0.0.1 eu-1 1 1 1 1 6", "- - 3 3 - - 6", "10.0.0.2 eu-1 12 - 12 12 17"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	var problems []string
	for _, p := range r.Problems() {
		problems = append(problems, p.String())
	}
	want = []string{
		`row 2, column srcaddr: "10.0 .0.1" has a space in it`,
		`row 4, column region: "eu\n1" has a control character in it`,
		`row 5, column region: "eu\xff1" is not UTF-8`,
		`row 6, column srcport: 1099511627776 is not in 0 to 65535`,
		`row 7, column bytes: -7 is negative`,
		`row 8, column packets: the text is not a decimal number of at most 63 bits`,
		`row 9, column start: the text is not a decimal number of at most 63 bits`,
		`row 10, column srcaddr: "10.0.0.256" is not an IP address`,
		`row 11, column srcaddr: "\x00" has a control character in it`,
		`row 12, column protocol: 9223372036854775808 does not fit 63 bits`,
	}
	if diff := cmp.Diff(want, problems); diff != "" {
		t.Error(diff)
	}
	if r.Malformed() != 10 {
		t.Errorf("%d malformed, want 10", r.Malformed())
	}
}

func TestAllRowsMayBeMalformed(t *testing.T) {
	type other struct {
		SrcAddr string `parquet:"srcaddr"`
	}
	file := writeRows(t, slices.Repeat([]other{{"a b"}}, 5000))
	r := open(t, file, parquet.ReadOptions{})
	if got := readAll(t, r); len(got) != 0 {
		t.Errorf("%d rows", len(got))
	}
	if r.Malformed() != 5000 || len(r.Problems()) != 100 || r.Problems()[99].Row != 100 {
		t.Errorf("%d malformed, %d listed", r.Malformed(), len(r.Problems()))
	}
}

func TestWriterRefuses(t *testing.T) {
	f := mustFormat(t, "srcaddr srcport")
	addr, port := f.Fields()[0].Place(), f.Fields()[1].Place()
	for want, change := range map[string]func(b *flowlog.Batch){
		`parquet: column srcaddr: "a b" has a space in it`:       func(b *flowlog.Batch) { b.Text = []byte("a b"); b.Columns[addr].Spans[1].End = 3 },
		`parquet: column srcaddr: "\xff" is not UTF-8`:           func(b *flowlog.Batch) { b.Text = []byte("\xff"); b.Columns[addr].Spans[0].End = 1 },
		`parquet: column srcaddr: "10.0.0" is not an IP address`: func(b *flowlog.Batch) { b.Text = []byte("10.0.0"); b.Columns[addr].Spans[1].End = 6 },
		`parquet: column srcport: -1 is not in 0 to 65535`:       func(b *flowlog.Batch) { b.Columns[port].Ints[1], b.Columns[port].Null[1] = -1, false },
		`parquet: column srcport: 65536 is not in 0 to 65535`: func(b *flowlog.Batch) {
			b.Columns[port].Ints[0], b.Columns[port].Null[0] = 65536, false
		},
		`parquet: column srcaddr: the batch has 1 columns, want one for each of the`: func(b *flowlog.Batch) { b.Columns = b.Columns[:1] },
	} {
		b := flowlog.NewBatch(f)
		b.Rows = 2
		change(b)
		w, err := parquet.NewWriter(new(bytes.Buffer), f, parquet.Options{})
		if err != nil {
			t.Fatal(err)
		}
		err = w.WriteBatch(b)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
		if again := w.Close(); again != err { //nolint:errorlint // the very same
			t.Errorf("Close: %v, want %v", again, err)
		}
	}

	w, err := parquet.NewWriter(failing{}, f, parquet.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err == nil || err.Error() != "parquet: write at byte 2: no room" {
		t.Errorf("Close: %v", err)
	}
	if err := w.Close(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("second Close: %v", err)
	}
	if _, err := parquet.NewWriter(failing{}, flowlog.Format{}, parquet.Options{}); err == nil {
		t.Error("a writer without a format")
	}
	if _, err := parquet.NewWriter(failing{}, f, parquet.Options{Codec: 9}); err == nil {
		t.Error("a writer with codec 9")
	}
	c, err := parquet.NewCollector(f, parquet.Options{Codec: parquet.Zstd})
	if err != nil {
		t.Fatal(err)
	}
	g, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if w, err = parquet.NewWriter(failing{}, f, parquet.Options{}); err != nil {
		t.Fatal(err)
	}
	if err := w.Append(g); err == nil {
		t.Error("a row group of another codec")
	}
}

type failing struct{}

func (failing) Write(b []byte) (int, error) { return 2, errors.New("no room") }

// In steady state nothing is allocated for a row, neither way.
func TestAllocations(t *testing.T) {
	f := mustFormat(t, parquettest.Header29)
	batches := traffic(t, f, 8)
	c, err := parquet.NewCollector(f, parquet.Options{Codec: parquet.Snappy})
	if err != nil {
		t.Fatal(err)
	}
	add := func() {
		c.Reset()
		for _, b := range batches {
			if err := c.Add(b); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := testing.AllocsPerRun(5, add); n != 0 {
		t.Errorf("Add allocates %v times for %d rows, want 0", n, 8*flowlog.BatchRows)
	}
	rows := float64(8 * flowlog.BatchRows)
	if n := testing.AllocsPerRun(5, func() {
		add()
		if _, err := c.Encode(); err != nil {
			t.Fatal(err)
		}
	}); n > rows/20 {
		t.Errorf("Encode allocates %v times for %v rows", n, rows)
	}
	r := open(t, write(t, f, parquet.Options{}, batches...), parquet.ReadOptions{})
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(3, func() {
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
	}); n > 2 {
		t.Errorf("Next allocates %v times for a batch", n)
	}
}
