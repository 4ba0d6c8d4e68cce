package deliver

import (
	"context"

	"weir/flowlog"
)

// Destination is where one flow log's records go. Its methods are called by one
// goroutine at a time; the parts it makes may outlive a call.
type Destination interface {
	// String names it for people: "s3://bucket/prefix".
	String() string
	// Manner is how it wants its parts; it never changes.
	Manner() Manner
	// Begin begins a batch: some whole aggregation intervals in a row.
	Begin(Begin) Encoder
	// Probe asks whether delivery could work, without delivering anything. The
	// error is an [*Error] where the destination's answer is the cause.
	Probe(ctx context.Context) error
	Close() error
}

// Manner is how a destination wants its parts.
type Manner struct {
	// Prompt says that records go as soon as their interval has ended; otherwise
	// they are collected and go when it is time to publish.
	Prompt bool
	// Parallel is how many calls of Send there may be at a time, of different
	// parts; 0 is one.
	Parallel int
	// Replaces says that a part that comes again takes the place of the former:
	// nothing is there twice. Where it does not, a part whose answer was lost may
	// be.
	Replaces bool
}

// Begin is what a batch begins with.
type Begin struct {
	// Ordinal is the first of 4096 numbers that are this batch's alone, among the
	// last 2^32 of its flow log; part k has Ordinal + k. Together with the flow log
	// and the journal it is the seed of names that never meet.
	Ordinal uint64
	// Cut is nil; or the notes of the parts into which the same records were cut
	// before a crash, in the order of Finish. Who cuts by what a part takes in the
	// end, such as by its compressed size, cuts at the same records and gives the
	// same names. Whoever began the batch holds the parts against the notes.
	Cut []Note
}

// Encoder turns the records of a batch into parts. It belongs to one goroutine.
//
// The parts depend on nothing but Begin and the records, so that a batch that is
// made again after a crash is the same batch.
type Encoder interface {
	// Add encodes a record and keeps no reference to it. Records come interval by
	// interval; within one by interface, then by start. NODATA and SKIPDATA are
	// among them. The record's Version is the format's already.
	Add(r *flowlog.Record)
	// Held is how much memory the batch takes by now, in bytes, about.
	Held() int64
	// Finish ends the batch and returns its parts, in the order in which they are
	// to be sent; none when nothing was added. The encoder is of no use then. An
	// error is a fault of the program or of the disk, never of the records.
	Finish() ([]Part, error)
}

// Part is a piece of a batch that is sent as one: an object, one call's events.
// It belongs to one goroutine.
type Part interface {
	Note() Note
	// Send hands the part over. After an error it may be called again, and then
	// sends what the destination does not have yet, as far as the destination has
	// told. The error is an [*Error], or wraps that of ctx when it was cut off by it:
	// then nobody knows what became of the part.
	Send(ctx context.Context) (Receipt, error)
}

// Note is what the catalogue keeps of a part before it is sent.
type Note struct {
	Slot    int64  `json:"slot,omitempty"` // beginning of an object's slot, Unix seconds
	Hash    uint32 `json:"hash,omitempty"` // of an object's name; of others whatever tells them apart
	Records int64  `json:"records"`
}

// Receipt is what a destination took.
type Receipt struct {
	Name  string // for people: an object's key, a log stream
	Bytes int64  // as it lies or travels there: compressed where it is
	// Refused are records that the destination does not take whatever is tried:
	// too old for its retention. They are lost; Why says why.
	Refused int64
	Why     string
}
