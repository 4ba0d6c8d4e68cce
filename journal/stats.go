package journal

import (
	"context"
	"sync/atomic"
	"time"
)

// Stats are a journal's figures since it was opened.
type Stats struct {
	Swaps, Flows uint64        // stored
	Bytes        uint64        // stored, as encoded
	Skipped      uint64        // swaps that came again after they had been stored
	Failures     uint64        // of Append
	Last         time.Duration // how long the last Append took
	Restarts     uint64        // of the server inside, after a full disk

	// What readers and Open found. Every reader counts for itself: two that read
	// the same damage count it twice.
	Damaged uint64 // messages that are missing or cannot be read
	Gaps    uint64 // epochs that are missing within a source
	Orphans uint64 // chunks of swaps that were never closed: stored in part, then again
	Doubled uint64 // swaps that came twice, and were handed out once

	Stored uint64    // bytes on disk at present
	Oldest time.Time // when the oldest message was stored; zero when there is none
}

// stats is Stats while it grows.
type stats struct {
	swaps, flows, bytes, skipped, failures, restarts atomic.Uint64
	damaged, gaps, orphans, doubled                  atomic.Uint64
	last                                             atomic.Int64
}

// Stats returns the figures so far. What is on disk is asked of the server, and
// left out when it does not answer within a second.
func (j *Journal) Stats(ctx context.Context) Stats {
	s := &j.stats
	out := Stats{
		Swaps: s.swaps.Load(), Flows: s.flows.Load(), Bytes: s.bytes.Load(), Skipped: s.skipped.Load(),
		Failures: s.failures.Load(), Last: time.Duration(s.last.Load()), Restarts: s.restarts.Load(),
		Damaged: s.damaged.Load(), Gaps: s.gaps.Load(), Orphans: s.orphans.Load(), Doubled: s.doubled.Load(),
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if b, err := j.Bounds(ctx); err == nil {
		out.Stored, out.Oldest = b.Bytes, b.Oldest
	}
	return out
}
