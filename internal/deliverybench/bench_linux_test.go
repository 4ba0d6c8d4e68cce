package deliverybench

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/vpc/flowlogs"
)

// The figures are printed as tables, each beside its aim; the lines begin with
// two blanks, so that scripts/bench finds them.

// BenchmarkFresh is how long after the end of its aggregation interval a record
// is in its destination, of each kind: intervals of 10 s by the clock, one swap
// each, published every second.
func BenchmarkFresh(b *testing.B) {
	for _, t := range []traffic{
		{Interfaces: 200, Flows: 16_000, Swaps: 1, Each: 1, Interval: 10 * time.Second},
		{Interfaces: 2_000, Flows: 16_000, Swaps: 1, Each: 1, Interval: 10 * time.Second},
	} {
		b.Run(fmt.Sprint(t.Interfaces, "-interfaces"), func(b *testing.B) {
			for b.Loop() {
				h := newHarness(b, t)
				h.Paced, h.Intervals = true, 5
				for _, to := range []string{"directory", "parquet", "s3", "logs", "firehose"} {
					if to != "s3" || h.serveS3(b) {
						h.subscribe(to, flowlogs.Everything, t.Flows)
					}
				}
				out := h.run(b)
				fmt.Printf("  %d interfaces, %d flows every %v\n", t.Interfaces, t.Flows, t.Interval)
				h.printFreshness(out)
			}
		})
	}
}

// BenchmarkScale is a million flows in an interval of 60 s, in three flow logs:
// flows that are in two of six swaps, and flows that are in all of them. By the
// clock, or one interval right behind the other, which takes the most memory.
func BenchmarkScale(b *testing.B) {
	for _, bench := range []struct {
		name      string
		each      int
		intervals int
		paced     bool
	}{
		{"as-fast-as-it-goes/2-of-6-swaps", 2, 3, false},
		{"as-fast-as-it-goes/6-of-6-swaps", 6, 3, false},
		{"by-the-clock/6-of-6-swaps", 6, 2, true},
	} {
		b.Run(bench.name, func(b *testing.B) {
			for b.Loop() {
				h := newHarness(b, traffic{Interfaces: 100, Flows: 1_000_000, Swaps: 6, Each: bench.each, Interval: time.Minute})
				h.Paced, h.Intervals = bench.paced, bench.intervals
				for _, to := range []string{"directory", "parquet", "logs"} {
					h.subscribe(to, flowlogs.Everything, h.Traffic.Flows)
				}
				out := h.run(b)
				fmt.Printf("  %s: %d intervals of %d flows, three flow logs\n", bench.name, h.Intervals, h.Traffic.Flows)
				if h.Paced {
					h.printFreshness(out)
				} else {
					fmt.Printf("  an interval takes %.1f s (aim: below 60)\n", out.Wall.Seconds()/float64(h.Intervals))
				}
				fmt.Printf("  memory %d MB at most (aim: 1500)\n", out.Peak/1e6)
				fmt.Printf("  processor %.1f s an interval; %.0f thousand records/s of one core\n",
					out.CPU.Seconds()/float64(h.Intervals), float64(h.records())/out.CPU.Seconds()/1e3)
			}
		})
	}
}

// BenchmarkFlowLogs is what one more flow log costs: to directories, as text. The
// first bears what all share: journal, merging, sorting.
func BenchmarkFlowLogs(b *testing.B) {
	t := traffic{Interfaces: 2_000, Flows: 100_000, Swaps: 6, Each: 2, Interval: time.Minute}
	for _, covers := range []string{"10 interfaces", "everything"} {
		b.Run(strings.ReplaceAll(covers, " ", "-"), func(b *testing.B) {
			for b.Loop() {
				var first time.Duration
				for _, n := range []int{1, 10, 50, 200} {
					h := newHarness(b, t)
					h.Intervals = 1
					for i := range n {
						if covers == "everything" {
							h.subscribe("directory", flowlogs.Everything, t.Flows)
						} else {
							h.subscribe("directory", subnetOf(i*perSubnet), t.Flows/t.Interfaces*perSubnet)
						}
					}
					out := h.run(b)
					if n == 1 {
						first = out.CPU
					}
					more := "-"
					if n > 1 {
						more = fmt.Sprintf("%.1f ms", float64((out.CPU-first).Microseconds())/float64(n-1)/1e3)
					}
					fmt.Printf("  %3d flow logs, each covers %s: %7d records, %5.2f s, processor %5.2f s, memory %4d MB; each further flow log %s\n",
						n, covers, h.records(), out.Wall.Seconds(), out.CPU.Seconds(), out.Peak/1e6, more)
				}
			}
		})
	}
}

// printFreshness prints how old records are when they arrive.
func (h *harness) printFreshness(out *outcome) {
	for _, s := range h.FlowLogs {
		arrivals := out.Arrivals[s.ID]
		age := func(a arrival) time.Duration { return a.At.Sub(time.Unix(a.End, 0)) }
		slices.SortFunc(arrivals, func(x, y arrival) int { return cmp.Compare(age(x), age(y)) })
		// at is the age that so many hundredths of the records have at most.
		at := func(hundredths int64) float64 {
			var n int64
			for _, a := range arrivals {
				if n += a.Records; 100*n >= hundredths*s.Records {
					return age(a).Seconds()
				}
			}
			return 0
		}
		fmt.Printf("  %-10s median %5.2f s (aim: 5), 99 of 100 %5.2f s (aim: 10), last %5.2f s; %d records, %.1f MB\n",
			s.To, at(50), at(99), at(100), s.Records, float64(out.Bytes[s.ID])/1e6)
	}
}
