package journal

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"weir/count"
	"weir/policy"
)

// testLog writes to the test's log.
func testLog(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// start is when the first swap of every test began.
var start = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// swapOf makes a swap of interfaces with so many IPv4 flows each.
func swapOf(source string, epoch uint64, interfaces, flows int) *count.Swap {
	begin := start.Add(time.Duration(epoch) * 10 * time.Second)
	s := &count.Swap{
		Source: source, Epoch: epoch, Topology: "v1", Start: begin, End: begin.Add(10 * time.Second),
		Reasons: map[uint16]string{6: "NETFILTER_DROP"},
	}
	r := rand.New(rand.NewPCG(epoch, 1))
	for i := range interfaces {
		s.Interfaces = append(s.Interfaces, count.Watched{
			Index: uint16(i + 1), ID: fmt.Sprintf("eni-%017x", i+1), VPCID: "vpc-0123456789abcdef0", SubnetID: fmt.Sprintf("subnet-%017x", i%16),
		})
	}
	for n := range interfaces * flows {
		f := count.Flow{Key: count.Key{
			Src: v4(10, 0, byte(n>>8), byte(n)), Dst: v4(10, 1, byte(r.Uint32()), byte(r.Uint32())),
			SrcPort: uint16(r.Uint32()), DstPort: 443, Protocol: 6,
			Interface: uint16(n%interfaces + 1), Door: policy.Door(r.Uint32N(2)),
		}}
		first := begin.UnixMilli() + r.Int64N(8000)
		f.Seen = count.Tally{Packets: 1 + r.Uint64N(200), Bytes: 60 + r.Uint64N(100_000), First: first, Last: first + r.Int64N(2000), Flags: 18}
		if n%10 == 0 {
			f.Refused = count.Tally{Packets: 1, Bytes: 60, First: first, Last: first, Flags: 2}
			f.Rule, f.Reason = 17, 6
		}
		s.Flows = append(s.Flows, f)
	}
	return s
}

func v4(a, b, c, d byte) [16]byte {
	return [16]byte{10: 0xff, 11: 0xff, 12: a, 13: b, 14: c, 15: d}
}

// openJournal opens a journal and closes it at the end of the test.
func openJournal(t testing.TB, cfg Config) *Journal {
	t.Helper()
	if cfg.Log == nil {
		cfg.Log = testLog(t)
	}
	if cfg.Host == "" {
		cfg.Host = "host-1"
	}
	j, err := Open(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j
}
