package journal

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// sizes are the swaps of the benchmarks: interfaces, flows of each.
var sizes = []struct{ interfaces, flows int }{{10, 10}, {100, 1000}, {2000, 50}, {100, 10_000}}

func BenchmarkAppend(b *testing.B) {
	for _, size := range sizes {
		b.Run(fmt.Sprintf("interfaces=%d/flows=%d", size.interfaces, size.interfaces*size.flows), func(b *testing.B) {
			j := openJournal(b, Config{Dir: b.TempDir(), Log: quiet()})
			s := swapOf("a", 0, size.interfaces, size.flows)
			b.ReportAllocs()
			for b.Loop() {
				s.Epoch++
				if err := j.Append(b.Context(), s); err != nil {
					b.Fatal(err)
				}
				if s.Epoch%32 == 0 { // the limit must not be what is measured
					b.StopTimer()
					if err := j.Purge(b.Context(), bounds(b, j).Last); err != nil {
						b.Fatal(err)
					}
					b.StartTimer()
				}
			}
			n := j.Stats(b.Context())
			report(b, n.Bytes/n.Swaps, n.Flows/n.Swaps)
		})
	}
}

func BenchmarkRead(b *testing.B) {
	for _, size := range sizes {
		b.Run(fmt.Sprintf("interfaces=%d/flows=%d", size.interfaces, size.interfaces*size.flows), func(b *testing.B) {
			j := openJournal(b, Config{Dir: b.TempDir(), Log: quiet()})
			const swaps = 8
			s := swapOf("a", 0, size.interfaces, size.flows)
			for ; s.Epoch < swaps; s.Epoch++ {
				mustAppend(b, j, s)
			}
			b.ReportAllocs()
			r, err := j.Read(b.Context(), 0)
			for n := 0; b.Loop(); n++ {
				if n%swaps == 0 && n > 0 {
					_ = r.Close()
					r, err = j.Read(b.Context(), 0)
				}
				if err != nil {
					b.Fatal(err)
				}
				if _, err := r.Next(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			_ = r.Close()
			n := j.Stats(b.Context())
			report(b, n.Bytes/n.Swaps, n.Flows/n.Swaps)
		})
	}
}

func report(b *testing.B, bytes, flows uint64) {
	b.SetBytes(int64(bytes))
	b.ReportMetric(float64(flows)*float64(b.N)/b.Elapsed().Seconds(), "flows/s")
	b.ReportMetric(float64(bytes)/float64(flows), "bytes/flow")
}

// Latency is from the beginning of Append to the swap in the hands of a reader
// that waits.
func BenchmarkLatency(b *testing.B) {
	j := openJournal(b, Config{Dir: b.TempDir(), Log: quiet()})
	r, err := j.Read(b.Context(), 0)
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	s := swapOf("a", 0, 10, 100)
	for b.Loop() {
		s.Epoch++
		done := make(chan error)
		go func() { done <- j.Append(context.Background(), s) }()
		if _, err := r.Next(b.Context()); err != nil {
			b.Fatal(err)
		}
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPut(b *testing.B) {
	j := openJournal(b, Config{Dir: b.TempDir(), Log: quiet()})
	c := j.Catalogue()
	value := make([]byte, 200)
	put := func(key string) {
		if err := c.Put(b.Context(), key, value); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("one", func(b *testing.B) {
		for b.Loop() {
			put("flow-log.fl-1.position")
		}
	})
	b.Run("many at a time", func(b *testing.B) {
		b.SetParallelism(32)
		b.RunParallel(func(p *testing.PB) {
			key := fmt.Sprintf("flow-log.fl-%d.position", time.Now().UnixNano())
			for p.Next() {
				put(key)
			}
		})
	})
	b.Run("get", func(b *testing.B) {
		for b.Loop() {
			if _, err := c.Get(b.Context(), "flow-log.fl-1.position"); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkIdle shows what the process takes in memory with a server that does
// nothing, beside what it takes without; run it alone.
func BenchmarkIdle(b *testing.B) {
	without := resident(b)
	j := openJournal(b, Config{Dir: b.TempDir(), Log: quiet()})
	mustAppend(b, j, swapOf("a", 0, 1, 1))
	for b.Loop() {
	}
	b.ReportMetric(without, "MB-without")
	b.ReportMetric(resident(b), "MB")
}

// BenchmarkOpen is with 100 MB of counts, after a stop and after a crash.
func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	j := openJournal(b, Config{Dir: dir, Log: quiet()})
	s := swapOf("a", 0, 100, 1000)
	for ; s.Epoch < 40; s.Epoch++ {
		mustAppend(b, j, s)
	}
	_ = j.Close()
	for _, crash := range []bool{false, true} {
		b.Run(fmt.Sprintf("crash=%v", crash), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				if crash {
					_ = os.Remove(dir + "/" + checkedFile)
					_ = os.Remove(msgs(dir) + "/index.db")
				}
				b.StartTimer()
				j := openJournal(b, Config{Dir: dir, Log: quiet()})
				b.StopTimer()
				_ = j.Close()
				b.StartTimer()
			}
		})
	}
}

// resident is the process's memory in MB.
func resident(b *testing.B) float64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Skip(err)
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	var kb float64
	_, _ = fmt.Sscan(rest, &kb)
	return kb / 1024
}

// BenchmarkAppendByURL is with a server on the loopback that syncs in its own time,
// and with one that syncs always.
func BenchmarkAppendByURL(b *testing.B) {
	for _, always := range []bool{false, true} {
		for _, size := range sizes[:3] {
			b.Run(fmt.Sprintf("always=%v/interfaces=%d/flows=%d", always, size.interfaces, size.interfaces*size.flows), func(b *testing.B) {
				p := byURL(b, &server.Options{SyncAlways: always})
				p.cfg.Log = quiet()
				j := openJournal(b, p.cfg)
				s := swapOf("a", 0, size.interfaces, size.flows)
				for b.Loop() {
					s.Epoch++
					if err := j.Append(b.Context(), s); err != nil {
						b.Fatal(err)
					}
				}
				n := j.Stats(b.Context())
				report(b, n.Bytes/n.Swaps, n.Flows/n.Swaps)
			})
		}
	}
}
