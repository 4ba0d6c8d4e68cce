package aggregate

import (
	"encoding/binary"
	"testing"
	"time"

	"weir/count"
	"weir/flowlog"
	"weir/policy"
)

// BenchmarkInterval merges six swaps of the same flows into one interval and
// closes it, as a minute of swaps every ten seconds does. It reports records
// per second and nanoseconds per flow of a swap.
func BenchmarkInterval(b *testing.B) {
	const flows, swaps = 100_000, 6
	flow := make([]count.Flow, flows)
	for i := range flow {
		key := k(1, policy.Entering, "10.0.1.10", "198.51.100.7", 40000, 443)
		binary.BigEndian.PutUint32(key.Dst[12:], uint32(i))
		flow[i] = count.Flow{Key: key, Seen: tally(3, 1, 2, 2)}
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		a := New(Config{Interval: time.Minute, Topology: Always(lab)})
		for s := range swaps {
			a.Add(swap(float64(10*s), float64(10*s+10), far(), flow...), func(*flowlog.Record) { n++ })
		}
	}
	if n != b.N*flows {
		b.Fatalf("%d records, want %d", n, b.N*flows)
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "records/s")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n*swaps), "ns/flow-of-a-swap")
}
