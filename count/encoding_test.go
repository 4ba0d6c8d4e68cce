package count

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"weir/policy"
)

var (
	edgeUint64 = rapid.OneOf(rapid.Uint64(), rapid.Uint64Max(200), rapid.SampledFrom([]uint64{0, 1, math.MaxUint64}))
	edgeInt64  = rapid.OneOf(rapid.Int64(), rapid.Int64Range(1.7e12, 1.8e12), rapid.SampledFrom([]int64{0, math.MinInt64, math.MaxInt64}))

	anyAddr = rapid.Custom(func(t *rapid.T) (a [16]byte) {
		copy(a[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "address"))
		if rapid.Bool().Draw(t, "IPv4") {
			copy(a[:], mapped[:])
		}
		return a
	})
	anyTally = rapid.Custom(func(t *rapid.T) Tally {
		if rapid.Bool().Draw(t, "nothing") {
			return Tally{}
		}
		return Tally{
			Packets: edgeUint64.Draw(t, "packets"), Bytes: edgeUint64.Draw(t, "bytes"),
			First: edgeInt64.Draw(t, "first"), Last: edgeInt64.Draw(t, "last"), Flags: rapid.Byte().Draw(t, "flags"),
		}
	})
	anyFlow = rapid.Custom(func(t *rapid.T) Flow {
		f := Flow{
			Key: Key{
				Src: anyAddr.Draw(t, "src"), Dst: anyAddr.Draw(t, "dst"), Protocol: rapid.Byte().Draw(t, "protocol"),
				Door: policy.Door(rapid.IntRange(0, 1).Draw(t, "door")), Interface: 7,
			},
			Seen: anyTally.Draw(t, "seen"), Refused: anyTally.Draw(t, "refused"),
		}
		if rapid.Bool().Draw(t, "ports") {
			f.Key.SrcPort, f.Key.DstPort = rapid.Uint16().Draw(t, "srcport"), rapid.Uint16().Draw(t, "dstport")
		}
		if rapid.Bool().Draw(t, "rule") {
			f.Rule, f.Reason = rapid.Uint32().Draw(t, "rule"), rapid.Uint16().Draw(t, "reason")
		}
		return f
	})
)

// Every flow comes back as it was, whatever stands in it, in chunks that keep
// their limit.
func TestChunksRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		flows := rapid.SliceOfN(anyFlow, 1, 40).Draw(t, "flows")
		for i := 1; i < len(flows); i++ { // neighbours share addresses
			if rapid.Bool().Draw(t, "same") {
				flows[i].Key.Src = flows[i-1].Key.Src
			}
		}
		head := Chunk{Attempt: rapid.Uint64().Draw(t, "attempt"), Start: edgeInt64.Draw(t, "start")}
		limit := rapid.IntRange(0, 1000).Draw(t, "limit")
		var got []Flow
		for rest := flows; len(rest) > 0; head.Ordinal++ {
			b, taken := AppendChunk([]byte("before"), head, limit, rest)
			if taken == 0 {
				t.Fatal("nothing was taken")
			}
			if b = b[len("before"):]; taken > 1 && len(b) > limit {
				t.Fatalf("%d bytes, the limit is %d", len(b), limit)
			}
			if taken == 1 && len(b) > maxHead+MaxFlow+checksumSize {
				t.Fatalf("a flow takes %d bytes", len(b))
			}
			h, err := DecodeHead(b)
			if err != nil || h != head {
				t.Fatalf("the head is %+v, %v; want %+v", h, err, head)
			}
			if got, err = DecodeChunk(got, b, 7); err != nil {
				t.Fatal(err)
			}
			rest = rest[taken:]
		}
		if !slices.Equal(got, flows) {
			t.Fatalf("flows differ:\n%s", cmp.Diff(flows, got))
		}
	})
}

var (
	anyText = rapid.OneOf(rapid.StringN(0, 30, 100), rapid.SampledFrom([]string{"", "vpc-1", "subnet-1", strings.Repeat("x", maxText)}))
	anyTime = rapid.Custom(func(t *rapid.T) time.Time {
		return time.Unix(rapid.Int64Range(-1e9, 8e9).Draw(t, "seconds"), rapid.Int64Range(0, 1e9-1).Draw(t, "nanoseconds")).UTC()
	})
	anyClosing = rapid.Custom(func(t *rapid.T) *Closing {
		m := &Closing{
			Host: anyText.Draw(t, "host"), Attempt: rapid.Uint64().Draw(t, "attempt"), First: edgeUint64.Draw(t, "first"),
			Source: anyText.Draw(t, "source"), Epoch: edgeUint64.Draw(t, "epoch"), Topology: anyText.Draw(t, "topology"),
			Start: anyTime.Draw(t, "start"), End: anyTime.Draw(t, "end"),
			Reasons: rapid.MapOfN(rapid.Uint16(), anyText, 0, 5).Draw(t, "reasons"),
		}
		indexes := rapid.SliceOfNDistinct(rapid.Uint16(), 0, 8, rapid.ID).Draw(t, "indexes")
		slices.Sort(indexes)
		for _, index := range indexes {
			c := Closed{Watched: Watched{
				Index: index, ID: anyText.Draw(t, "id"), VPCID: anyText.Draw(t, "vpc"), SubnetID: anyText.Draw(t, "subnet"),
				Active: rapid.Bool().Draw(t, "active"),
			}}
			if rapid.Bool().Draw(t, "loss") {
				for _, n := range c.Loss.numbers() {
					*n = edgeUint64.Draw(t, "loss")
				}
			}
			if rapid.Bool().Draw(t, "flows") {
				c.Chunks = rapid.Uint32Max(1<<20).Draw(t, "chunks")
				c.Flows, c.Packets, c.Bytes = edgeUint64.Draw(t, "flows"), edgeUint64.Draw(t, "packets"), edgeUint64.Draw(t, "bytes")
			}
			m.Chunks += c.Chunks
			m.Interfaces = append(m.Interfaces, c)
		}
		for range rapid.IntRange(0, 4).Draw(t, "absent") {
			m.Absent = append(m.Absent, Absent{anyText.Draw(t, "absent"), edgeInt64.Draw(t, "last")})
		}
		return m
	})
)

func TestClosingRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := anyClosing.Draw(t, "closing")
		b, err := AppendClosing([]byte("before"), want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := DecodeClosing(b[len("before"):])
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
			t.Fatal(d)
		}
	})
}

// One bit that is not as it was is noticed, wherever it stands.
func TestEveryBitCounts(t *testing.T) {
	chunk, _ := AppendChunk(nil, Chunk{Attempt: 1, Start: 1e12}, 1<<20, typical(20))
	closing, err := AppendClosing(nil, typicalClosing(3))
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"chunk": chunk, "closing message": closing} {
		for bit := range len(b) * 8 {
			b[bit/8] ^= 1 << (bit % 8)
			if err := decode(b); err == nil {
				t.Errorf("%s: bit %d is not noticed", name, bit)
			}
			b[bit/8] ^= 1 << (bit % 8)
		}
		for n := range b {
			if err := decode(b[:n]); err == nil {
				t.Errorf("%s: cut off at %d it is not noticed", name, n)
			}
		}
		if err := decode(b); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// decode decodes a message of any kind, and encodes it again: what is taken must
// mean one thing only.
func decode(b []byte) error {
	if len(b) > 0 && b[0] == closingLetter {
		_, err := DecodeClosing(b)
		return err
	}
	_, err := DecodeChunk(nil, b, 1)
	return err
}

// Messages that are sealed and wrong: who made them has a fault, or means harm.
func TestWrongMessages(t *testing.T) {
	chunk, _ := AppendChunk(nil, Chunk{Attempt: 1}, 1<<20, typical(2))
	closing, err := AppendClosing(nil, typicalClosing(2))
	if err != nil {
		t.Fatal(err)
	}
	sealed := func(b []byte) []byte { return seal(b, 0) }
	body := func(b []byte) []byte { return bytes.Clone(b[:len(b)-checksumSize]) }
	head := func(letter byte) []byte { return append([]byte{letter, version}, make([]byte, 8)...) }
	next := body(chunk)
	next[1] = version + 1
	for _, tt := range []struct {
		name string
		b    []byte
		want string
	}{
		{"nothing", nil, "it ends too early"},
		{"another version", sealed(next), "unknown version of the encoding: 2, known is 1"},
		{"another letter", sealed(append([]byte{'x'}, body(chunk)[1:]...)), `'x' instead of 'c'`},
		{"bytes behind a chunk", sealed(append(body(chunk), 0)), "1 bytes too many"},
		{"bytes behind a closing message", sealed(append(body(closing), 0)), "1 bytes too many"},
		{"a billion flows", sealed(binary.AppendUvarint(append(head('c'), 0, 0), 1e9)), "number of flows at byte 12: a number is too large"},
		{"a first flow like the one before", sealed(append(head('c'), 0, 0, 1, flowSameSrc, 6)), "a bit is set that means nothing"},
		{"a billion reasons", sealed(binary.AppendUvarint(append(head('s'), 0, 0, 0, 0, 0, 0, 0, 0), 1e9)), "number of reasons"},
		{"too long", make([]byte, MaxChunk+1), "more than the 1048576"},
		{"a number of twelve bytes", sealed(append(head('c'), bytes.Repeat([]byte{0xff}, 12)...)), "a number is too large"},
	} {
		err := decode(tt.b)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
		if _, ok := errors.AsType[*FormatError](err); !ok {
			t.Errorf("%s: %T is no FormatError", tt.name, err)
		}
	}
	if err := decode(sealed(next)); !errors.Is(err, ErrVersion) || (&FormatError{Err: ErrVersion}).Hint() == "" {
		t.Errorf("another version: %v", err)
	}
}

func TestClosingRefuses(t *testing.T) {
	for name, m := range map[string]*Closing{
		"long text":        {Host: strings.Repeat("x", maxText+1)},
		"order":            {Interfaces: []Closed{{Watched: Watched{Index: 2}}, {Watched: Watched{Index: 2}}}},
		"long interface":   {Interfaces: []Closed{{Watched: Watched{ID: strings.Repeat("x", maxText+1)}}}},
		"long reason":      {Reasons: map[uint16]string{1: strings.Repeat("x", maxText+1)}},
		"too much of them": {Absent: slices.Repeat([]Absent{{ID: strings.Repeat("x", maxText)}}, MaxClosing/maxText)},
	} {
		if b, err := AppendClosing([]byte("as it was"), m); err == nil || string(b) != "as it was" {
			t.Errorf("%s: %d bytes, %v", name, len(b), err)
		}
	}
	// As many interfaces as there are indexes fit.
	m := typicalClosing(1 << 16)
	b, err := AppendClosing(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("a closing message of 65,536 interfaces has %d bytes", len(b))
	if _, err := DecodeClosing(b); err != nil {
		t.Fatal(err)
	}
}

func TestSum(t *testing.T) {
	seen, refused := Tally{Packets: 5, Bytes: 500}, Tally{Packets: 2, Bytes: 120}
	for _, tt := range []struct {
		door                 policy.Door
		seen, refused        Tally
		wantPackets, wantLen uint64
	}{
		{policy.Entering, seen, refused, 5, 500},
		{policy.Entering, refused, seen, 5, 500}, // seen in the swap before
		{policy.Leaving, seen, refused, 7, 620},
	} {
		f := Flow{Key: Key{Door: tt.door}, Seen: tt.seen, Refused: tt.refused}
		if p, b := f.Sum(); p != tt.wantPackets || b != tt.wantLen {
			t.Errorf("%+v: %d packets, %d bytes", f, p, b)
		}
	}
}

// A typical IPv4 flow takes 25 bytes, an IPv6 one twice as many.
func TestSizeOfAFlow(t *testing.T) {
	four, six := typical(1000), typical(1000)
	for i := range six {
		six[i].Key.Src[0], six[i].Key.Dst[0] = 0x20, 0x20
	}
	for _, tt := range []struct {
		name   string
		flows  []Flow
		atMost int
	}{{"IPv4", four, 27}, {"IPv6", six, 51}} {
		b, taken := AppendChunk(nil, Chunk{Start: 1.795e12}, MaxChunk, tt.flows)
		if got := len(b) / taken; got > tt.atMost {
			t.Errorf("%s: %d bytes per flow, want %d at most", tt.name, got, tt.atMost)
		}
	}
}

func TestDecodingAllocatesNothing(t *testing.T) {
	b, _ := AppendChunk(nil, Chunk{Start: 1.795e12}, MaxChunk, typical(1000))
	dst := make([]Flow, 0, 1000)
	if n := testing.AllocsPerRun(100, func() { _, _ = DecodeChunk(dst, b, 1) }); n != 0 {
		t.Errorf("decoding allocates %v times, want 0", n)
	}
	flows, into := typical(1000), make([]byte, 0, MaxChunk)
	if n := testing.AllocsPerRun(100, func() { _, _ = AppendChunk(into, Chunk{}, MaxChunk, flows) }); n != 0 {
		t.Errorf("encoding allocates %v times, want 0", n)
	}
}

// typical makes flows of IPv4 as they are: a few packets within ten seconds.
func typical(n int) []Flow {
	const start = int64(1.795e12)
	flows := make([]Flow, n)
	for i := range flows {
		x := uint32(i) * 2654435761
		first := start + int64(x%8000)
		flows[i] = Flow{
			Key: Key{
				Src:     [16]byte{10: 0xff, 11: 0xff, 12: 10, 13: 0, 14: byte(x >> 8), 15: byte(x)},
				Dst:     [16]byte{10: 0xff, 11: 0xff, 12: 10, 13: 1, 14: byte(x >> 24), 15: byte(x >> 16)},
				SrcPort: uint16(x >> 3), DstPort: 443, Protocol: 6, Door: policy.Door(i % 2),
			},
			Seen: Tally{Packets: 1 + uint64(x%300), Bytes: 60 + uint64(x%60_000), First: first, Last: first + int64(x%2000), Flags: 19},
		}
		if i%20 == 0 {
			flows[i].Refused = Tally{Packets: 1, Bytes: 60, First: first, Last: first, Flags: 2}
			flows[i].Rule, flows[i].Reason = 17, 6
		}
	}
	return flows
}

func typicalClosing(n int) *Closing {
	m := &Closing{
		Host: "host-1", Attempt: 1, First: 17, Source: "b7c0f2", Epoch: 99, Topology: "20261121T180016Z-aa253f24845696b9",
		Start: time.Unix(1.795e9, 0).UTC(), End: time.Unix(1.795e9+10, 0).UTC(), Reasons: map[uint16]string{6: "NETFILTER_DROP"},
	}
	for i := range n {
		m.Interfaces = append(m.Interfaces, Closed{
			Watched: Watched{Index: uint16(i), ID: fmt.Sprintf("eni-%017x", i), VPCID: "vpc-1", SubnetID: fmt.Sprint("subnet-", i%16), Active: true},
			Chunks:  1, Flows: 50, Packets: 5000, Bytes: 4e6,
		})
		m.Chunks++
	}
	return m
}

func FuzzDecodeChunk(f *testing.F) {
	for _, n := range []int{0, 1, 20} {
		b, _ := AppendChunk(nil, Chunk{Attempt: 1, Ordinal: 3, Start: 1e12}, 1<<20, typical(max(n, 1))[:max(n, 1)])
		f.Add(b[:len(b)-checksumSize])
	}
	f.Add([]byte{chunkLetter, version})
	f.Fuzz(func(t *testing.T, b []byte) {
		b = seal(bytes.Clone(b), 0) // otherwise nothing comes behind the checksum
		flows, err := DecodeChunk(nil, b, 1)
		if err != nil {
			var e *FormatError
			if !errors.As(err, &e) || e.At > len(b) || len(flows) > 0 {
				t.Fatalf("%d flows and %v", len(flows), err)
			}
			return
		}
		h, err := DecodeHead(b)
		if err != nil || len(flows) > len(b) {
			t.Fatalf("%d flows of %d bytes, %v", len(flows), len(b), err)
		}
		if len(flows) == 0 {
			return
		}
		again, taken := AppendChunk(nil, h, MaxChunk, flows)
		if taken != len(flows) {
			return // a chunk that is longer when it is written as it should be
		}
		if got, err := DecodeChunk(nil, again, 1); err != nil || !slices.Equal(got, flows) {
			t.Fatalf("encoded again they are others: %v", err)
		}
	})
}

func FuzzDecodeClosing(f *testing.F) {
	for _, n := range []int{0, 1, 5} {
		b, err := AppendClosing(nil, typicalClosing(n))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b[:len(b)-checksumSize])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		b = seal(bytes.Clone(b), 0)
		m, err := DecodeClosing(b)
		if err != nil {
			var e *FormatError
			if !errors.As(err, &e) || e.At > len(b) {
				t.Fatal(err)
			}
			return
		}
		again, err := AppendClosing(nil, m)
		if err != nil {
			return // times beyond the years that can be written, and the like
		}
		got, err := DecodeClosing(again)
		if err != nil || !cmp.Equal(m, got, cmpopts.EquateEmpty()) {
			t.Fatalf("encoded again it is another: %v\n%s", err, cmp.Diff(m, got))
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	flows := typical(8000)
	var buf []byte
	taken := 0
	b.ReportAllocs()
	for b.Loop() {
		buf, taken = AppendChunk(buf[:0], Chunk{Start: 1.795e12}, MaxChunk, flows)
	}
	perFlow(b, taken, len(buf))
}

func BenchmarkDecode(b *testing.B) {
	buf, taken := AppendChunk(nil, Chunk{Start: 1.795e12}, MaxChunk, typical(8000))
	dst := make([]Flow, 0, taken)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeChunk(dst, buf, 1); err != nil {
			b.Fatal(err)
		}
	}
	perFlow(b, taken, len(buf))
}

func perFlow(b *testing.B, flows, size int) {
	b.SetBytes(int64(size))
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(flows), "ns/flow")
	b.ReportMetric(float64(size)/float64(flows), "bytes/flow")
}

func BenchmarkClosing(b *testing.B) {
	m := typicalClosing(2000)
	buf, err := AppendClosing(nil, m)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("encode", func(b *testing.B) {
		b.SetBytes(int64(len(buf)))
		for b.Loop() {
			_, _ = AppendClosing(buf[:0], m)
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.SetBytes(int64(len(buf)))
		for b.Loop() {
			if _, err := DecodeClosing(buf); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// The examples of docs/journal.md: what is on disk today must be read tomorrow.
func TestExamples(t *testing.T) {
	flow := Flow{
		Key: Key{
			Src: [16]byte{10: 0xff, 11: 0xff, 12: 10, 13: 0, 14: 0, 15: 1}, Dst: [16]byte{10: 0xff, 11: 0xff, 12: 10, 13: 0, 14: 1, 15: 2},
			SrcPort: 49152, DstPort: 443, Protocol: 6, Door: policy.Leaving, Interface: 3,
		},
		Seen:    Tally{Packets: 10, Bytes: 1500, First: 1795262405250, Last: 1795262406250, Flags: 19},
		Refused: Tally{Packets: 1, Bytes: 60, First: 1795262405000, Last: 1795262405000, Flags: 2},
		Rule:    17, Reason: 6,
	}
	chunk, _ := AppendChunk(nil, Chunk{Attempt: 0x1122334455667788, Start: 1795262400000}, MaxChunk, []Flow{flow})
	closing, err := AppendClosing(nil, &Closing{
		Host: "h", Attempt: 0x1122334455667788, First: 41, Chunks: 1, Source: "b1", Epoch: 7, Topology: "v1",
		Start: time.Unix(1795262400, 0).UTC(), End: time.Unix(1795262410, 0).UTC(), Reasons: map[uint16]string{6: "NETFILTER_DROP"},
		Interfaces: []Closed{{
			Watched: Watched{Index: 3, ID: "eni-1", VPCID: "vpc-1", SubnetID: "subnet-1", Active: true, Loss: Loss{FullPackets: 2, FullBytes: 120}},
			Chunks:  1, Flows: 1, Packets: 11, Bytes: 1560,
		}},
		Absent: []Absent{{ID: "eni-2", Last: 1795262000}},
	})
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../docs/journal.md")
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"chunk": chunk, "closing message": closing} {
		var lines []string
		for line := range slices.Chunk(b, 24) {
			lines = append(lines, fmt.Sprintf("% x", line))
		}
		if text := strings.Join(lines, "\n"); !bytes.Contains(page, []byte(text)) {
			t.Errorf("docs/journal.md has another example of a %s than:\n%s", name, text)
		}
	}
}
