package flowlog_test

import (
	"bytes"
	stdgzip "compress/gzip"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"weir/flowlog"
)

// perSecond reports how many records a benchmark went through per second, when
// each loop is n of them.
func perSecond(b *testing.B, n int) {
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
	b.ReportMetric(0, "ns/op")
}

// traffic is n different records of a shape: addresses, ports and counts vary as
// those of clients of some servers do.
func traffic(tb testing.TB, s shape, n int) []flowlog.Record {
	tb.Helper()
	rnd := rand.New(rand.NewPCG(1, 2))
	var first flowlog.Record
	if err := s.format.ParseText(&first, s.line); err != nil {
		tb.Fatal(err)
	}
	records := make([]flowlog.Record, n)
	for i := range records {
		r := &records[i]
		*r = first
		client := netip.AddrFrom4([4]byte{10, 0, byte(rnd.IntN(16)), byte(rnd.IntN(256))})
		server := netip.AddrFrom4([4]byte{172, 16, 0, byte(rnd.IntN(64))})
		r.SrcAddr, r.DstAddr, r.SrcPort, r.DstPort = client, server, 1024+rnd.Int64N(60_000), []int64{22, 53, 80, 443, 5432}[rnd.IntN(5)]
		if r.PktSrcAddr.IsValid() {
			r.PktSrcAddr, r.PktDstAddr = client, server
		}
		r.Packets = 1 + int64(rnd.ExpFloat64()*30)
		r.Bytes = r.Packets * (40 + rnd.Int64N(1400))
		r.Start += int64(i / 1000)
		r.End = r.Start + rnd.Int64N(60)
	}
	return records
}

func textOf(f flowlog.Format, records []flowlog.Record) []byte {
	var text []byte
	for i := range records {
		text = append(f.AppendText(text, &records[i]), '\n')
	}
	return text
}

// BenchmarkParseText: lines into records, into batches, and by the plainest
// means there are into the same typed values.
func BenchmarkParseText(b *testing.B) {
	const n = 2000
	for _, s := range shapes(b) {
		text := textOf(s.format, traffic(b, s, n))
		lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
		b.Run(s.name+"/record", func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			var r flowlog.Record
			for b.Loop() {
				for _, line := range lines {
					if err := s.format.ParseText(&r, line); err != nil {
						b.Fatal(err)
					}
				}
			}
			perSecond(b, n)
		})
		b.Run(s.name+"/batch", func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			p := flowlog.NewParser(s.format, nil)
			for b.Loop() {
				p.Parse(flowlog.Chunk{Text: text})
				for batch, _ := p.Next(); batch != nil; batch, _ = p.Next() {
				}
			}
			if p.Report().Malformed > 0 {
				b.Fatal(p.Report().Problems)
			}
			perSecond(b, n)
		})
		b.Run(s.name+"/strings.Fields", func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			var into plainRecord
			for b.Loop() {
				for _, line := range lines {
					if err := into.parse(s.format, line); err != nil {
						b.Fatal(err)
					}
				}
			}
			perSecond(b, n)
		})
	}
}

// plainRecord is the baseline: a record's values by place.
type plainRecord struct {
	numbers [128]int64
	addrs   [128]netip.Addr
	texts   [128]string
}

func (p *plainRecord) parse(f flowlog.Format, line string) (err error) {
	values := strings.Fields(line)
	if len(values) != len(f.Fields()) {
		return errors.New("another number of fields")
	}
	for i, field := range f.Fields() {
		place := field.Place()
		switch {
		case values[i] == "-":
			p.numbers[place], p.addrs[place], p.texts[place] = 0, netip.Addr{}, ""
		case field.Address():
			p.addrs[place], err = netip.ParseAddr(values[i])
		case field.Type == flowlog.String:
			p.texts[place] = values[i]
		default:
			p.numbers[place], err = strconv.ParseInt(values[i], 10, 64)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// BenchmarkAppendText: records into lines, from records and from batches, and
// the same values through fmt.
func BenchmarkAppendText(b *testing.B) {
	const n = 2000
	for _, s := range shapes(b) {
		records := traffic(b, s, n)
		size := int64(len(textOf(s.format, records)))
		buf := make([]byte, 0, 4096)
		b.Run(s.name+"/record", func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(size)
			for b.Loop() {
				for i := range records {
					buf = s.format.AppendText(buf[:0], &records[i])
				}
			}
			perSecond(b, n)
		})
		b.Run(s.name+"/batch", func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(size)
			batch := flowlog.NewBatch(s.format)
			for i := range records {
				batch.Append(&records[i])
			}
			for b.Loop() {
				for row := range n {
					buf = batch.AppendText(buf[:0], s.format, row)
				}
			}
			perSecond(b, n)
		})
		b.Run(s.name+"/fmt", func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(size)
			values := make([][]any, n)
			for i := range records {
				for _, field := range s.format.Fields() {
					v := member(&records[i], field.Name).Interface()
					if v == "" || v == (netip.Addr{}) || records[i].Missing.Has(field.Place()) {
						v = "-"
					}
					values[i] = append(values[i], v)
				}
			}
			for b.Loop() {
				for i := range values {
					var line strings.Builder
					for j, v := range values[i] {
						if j > 0 {
							line.WriteByte(' ')
						}
						fmt.Fprint(&line, v)
					}
					buf = append(buf[:0], line.String()...)
				}
			}
			perSecond(b, n)
		})
	}
}

// BenchmarkReadFile: whole files, plain and packed, with doubts, as records and
// as batches.
func BenchmarkReadFile(b *testing.B) {
	const n = 50_000
	for _, s := range shapes(b) {
		text := append([]byte(s.format.Header()+"\n"), textOf(s.format, traffic(b, s, n))...)
		packed := packLevel(b, text)
		for name, in := range map[string][]byte{"plain": text, "gzip": packed} {
			b.Run(s.name+"/"+name+"/records", func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(len(text)))
				for b.Loop() {
					r, rec := flowlog.NewReader(bytes.NewReader(in), flowlog.Format{}), flowlog.Record{}
					for r.Read(&rec) == nil {
					}
					if r.Report().Records != n {
						b.Fatal(r.Report())
					}
				}
				perSecond(b, n)
			})
			b.Run(s.name+"/"+name+"/batches", func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(len(text)))
				for b.Loop() {
					if r, err := drain(bytes.NewReader(in), false); err != nil || r.Records != n {
						b.Fatal(r, err)
					}
				}
				perSecond(b, n)
			})
		}
	}
}

func packLevel(b *testing.B, text []byte) []byte {
	b.Helper()
	var out bytes.Buffer
	w := stdgzip.NewWriter(&out)
	if _, err := w.Write(text); err != nil {
		b.Fatal(err)
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	return out.Bytes()
}

// BenchmarkGzipWriter: records into a packed file, and the same text through
// the standard library's gzip at the same level.
func BenchmarkGzipWriter(b *testing.B) {
	const n = 50_000
	for _, s := range shapes(b) {
		records := traffic(b, s, n)
		size := int64(len(textOf(s.format, records)))
		b.Run(s.name+"/weir", func(b *testing.B) {
			b.SetBytes(size)
			var out counter
			for b.Loop() {
				out = 0
				w := flowlog.NewGzipWriter(&out, s.format)
				for i := range records {
					if err := w.Write(&records[i]); err != nil {
						b.Fatal(err)
					}
				}
				if err := w.Close(); err != nil {
					b.Fatal(err)
				}
			}
			perSecond(b, n)
			b.ReportMetric(float64(size)/float64(out), "ratio")
		})
		b.Run(s.name+"/compress-gzip", func(b *testing.B) {
			b.SetBytes(size)
			var out counter
			for b.Loop() {
				out = 0
				packed := stdgzip.NewWriter(&out)
				w := flowlog.NewWriter(packed, s.format)
				for i := range records {
					if err := w.Write(&records[i]); err != nil {
						b.Fatal(err)
					}
				}
				if err := errors.Join(w.Close(), packed.Close()); err != nil {
					b.Fatal(err)
				}
			}
			perSecond(b, n)
			b.ReportMetric(float64(size)/float64(out), "ratio")
		})
	}
}

// counter counts bytes and forgets them.
type counter int64

var _ io.Writer = (*counter)(nil)

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}
