package s3_test

import (
	"fmt"
	"runtime"
	"syscall"
	"testing"
	"time"

	"weir/deliver"
	"weir/deliver/s3"
	"weir/flowlog"
	"weir/internal/parquettest"
)

// benchRecords are like those of a busy VPC, in two slots.
func benchRecords(b *testing.B, header string, n int) (flowlog.Format, []flowlog.Record, int64) {
	b.Helper()
	all, err := flowlog.FormatFromHeader(parquettest.Header29)
	if err != nil {
		b.Fatal(err)
	}
	f, err := flowlog.FormatFromHeader(header)
	if err != nil {
		b.Fatal(err)
	}
	source := parquettest.NewTraffic()
	rs := make([]flowlog.Record, n)
	var text int64
	for i := range rs {
		if err := all.ParseText(&rs[i], source.Line()); err != nil {
			b.Fatal(err)
		}
		rs[i].Version = int64(f.Version())
		rs[i].End = noon.Unix() + 270 + int64(i*60/n)
		text += int64(len(f.AppendText(nil, &rs[i]))) + 1
	}
	return f, rs, text
}

// cpu is what the process took so far: of a busy machine, that says more than
// the clock.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

var benchFormats = []struct{ name, header string }{{"14", parquettest.Header14}, {"29", parquettest.Header29}}

// BenchmarkEncode is records to parts, on one core; bytes are those of the text.
func BenchmarkEncode(b *testing.B) {
	for _, encoding := range []flowlog.Encoding{flowlog.Text, flowlog.Parquet} {
		for _, format := range benchFormats {
			b.Run(encoding.String()+"/"+format.name, func(b *testing.B) {
				f, rs, text := benchRecords(b, format.header, 300_000)
				o := options(newShelf())
				o.Format, o.Encoding = f, encoding
				d := destination(b, o)
				b.SetBytes(text)
				b.ReportAllocs()
				var size int64
				began := cpu(b)
				for b.Loop() {
					e := d.Begin(deliver.Begin{})
					for i := range rs {
						e.Add(&rs[i])
					}
					parts, err := e.Finish()
					if err != nil {
						b.Fatal(err)
					}
					size = 0
					for _, p := range parts {
						r, err := p.Send(b.Context())
						if err != nil {
							b.Fatal(err)
						}
						size += r.Bytes
					}
				}
				b.ReportMetric(float64(len(rs))*float64(b.N)/(cpu(b)-began).Seconds(), "records/cpu-s")
				b.ReportMetric(float64(size)/float64(len(rs)), "B/record")
				b.ReportMetric(float64(size)/float64(text)*100, "%size")
			})
		}
	}
}

// BenchmarkSmallBatches is what a batch of few records costs, as 200 flow logs
// that publish every second have them.
func BenchmarkSmallBatches(b *testing.B) {
	for _, encoding := range []flowlog.Encoding{flowlog.Text, flowlog.Parquet} {
		b.Run(encoding.String(), func(b *testing.B) {
			f, rs, _ := benchRecords(b, parquettest.Header14, 50)
			o := options(newShelf())
			o.Format, o.Encoding = f, encoding
			d := destination(b, o)
			b.ReportAllocs()
			for b.Loop() {
				e := d.Begin(deliver.Begin{})
				for i := range rs {
					e.Add(&rs[i])
				}
				if _, err := e.Finish(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkOpenEncoders is the memory of 200 flow logs' batches, each with two
// open slots: idle, with few records, with 10,000. held is what they say.
func BenchmarkOpenEncoders(b *testing.B) {
	const encoders = 200
	for _, encoding := range []flowlog.Encoding{flowlog.Text, flowlog.Parquet} {
		for _, n := range []int{0, 100, 10_000} {
			b.Run(fmt.Sprintf("%s/%d", encoding, n), func(b *testing.B) {
				f, rs, _ := benchRecords(b, parquettest.Header29, max(n, 1))
				o := options(newShelf())
				o.Format, o.Encoding = f, encoding
				for b.Loop() {
					before := heapInUse()
					open := make([]deliver.Encoder, encoders)
					var held int64
					for i := range open {
						open[i] = destination(b, o).Begin(deliver.Begin{})
						for j := range n {
							open[i].Add(&rs[j])
						}
						held += open[i].Held()
					}
					b.ReportMetric(float64(heapInUse()-before)/encoders/1024, "KiB/encoder")
					b.ReportMetric(float64(held)/encoders/1024, "held-KiB/encoder")
					runtime.KeepAlive(open)
				}
			})
		}
	}
}

func heapInUse() int64 {
	runtime.GC()
	runtime.GC() // a pool lets go in the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// BenchmarkPutDirectory writes objects to disk, synced: small ones, and one of
// 64 MiB. Bytes are those of the object.
func BenchmarkPutDirectory(b *testing.B) {
	for _, size := range []int{10 << 10, 1 << 20, 64 << 20} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			bucket := s3.OpenDirectory(b.TempDir())
			body := &s3.Body{}
			for range size / (10 << 10) {
				_, _ = body.Write(make([]byte, 10<<10))
			}
			key := flowlog.ObjectKey{AccountID: "1", Region: "r", FlowLogID: "fl-1", Slot: noon}
			b.SetBytes(body.Size())
			for b.Loop() {
				key.Hash++
				if key.Hash%8 == 0 {
					key.Slot = key.Slot.Add(5 * time.Minute)
				}
				if err := bucket.Put(b.Context(), key, body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
