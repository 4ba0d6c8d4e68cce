package deliver

import (
	"context"

	"weir/count"
)

// Journal is the counts that are durable, in the order in which they were stored.
// Sequence numbers ascend and are never used twice; that of a swap is the one of
// its last message.
type Journal interface {
	// Read reads the whole swaps behind a sequence number.
	Read(ctx context.Context, after uint64) (Reader, error)
	// Bounds are the sequence numbers of the first and the last message; the last
	// is one less than the first when there is none.
	Bounds(ctx context.Context) (Bounds, error)
	// Survey tells what the swaps after one sequence number and up to another
	// hold, without reading their flows.
	Survey(ctx context.Context, after, upTo uint64) ([]Survey, error)
	// Purge forgets everything up to a sequence number.
	Purge(ctx context.Context, upTo uint64) error
}

// What a journal hands out is plain and stands in the core, where the journal
// can have it too: adapters do not import each other.
type (
	// Reader hands out swaps. It belongs to one goroutine.
	Reader = count.Reader
	// Entry is a swap in the journal.
	Entry = count.Entry
	// Bounds are how far a journal reaches.
	Bounds = count.Bounds
	// Survey is a swap without its flows.
	Survey = count.Survey
	// Counted is what a swap holds of one interface.
	Counted = count.Counted
)

// Catalogue keeps small values by key. A key is words of letters, digits, '-' and
// '_', joined by dots. What Put has returned from is durable.
type Catalogue interface {
	Get(ctx context.Context, key string) ([]byte, error) // (nil, nil) when there is none
	Put(ctx context.Context, key string, value []byte) error
	Delete(ctx context.Context, key string) error // no error when there is none
	// Keys are those that begin with a prefix, sorted.
	Keys(ctx context.Context, prefix string) ([]string, error)
}
