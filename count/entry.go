package count

import (
	"context"
	"time"
)

// Reader hands out swaps that were kept, in the order in which they were. It
// belongs to one goroutine.
//
// It stands here and not beside who reads, because the room that keeps swaps and
// the rooms that read them do not import each other.
type Reader interface {
	// Next waits for the next whole swap. It belongs to the caller.
	Next(ctx context.Context) (Entry, error)
	Close() error
}

// Entry is a swap in the journal.
type Entry struct {
	Swap *Swap
	Seq  uint64 // of its last message
}

// Bounds are how far a journal reaches.
type Bounds struct {
	First, Last uint64
	Bytes       uint64    // on disk
	Oldest      time.Time // when its first message was stored; zero when there is none
}

// Survey is a swap without its flows.
type Survey struct {
	Seq        uint64
	Start, End time.Time
	Topology   string
	Interfaces []Counted
}

// Counted is what a swap holds of one interface.
type Counted struct {
	ID, VPCID, SubnetID string
	Packets, Bytes      uint64 // of both verdicts
}
