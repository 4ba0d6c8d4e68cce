// Package aggregate turns counts into the records of an aggregation interval.
//
//	count.Swap ─ Add ─▶ flows of the open interval ─ end of the interval ─▶ flowlog.Record, one by one
//
// An interval is [start, end), aligned to UTC. The capture swaps at every
// boundary, so a swap belongs to one interval; only what was counted while
// nobody read can span more, and goes where its middle lies. Equal swaps give equal
// records in equal order. Nothing in this package reads a clock, opens a file
// or starts a goroutine.
package aggregate
