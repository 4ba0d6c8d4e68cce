package deliver

import (
	"context"
	"time"
)

// Position is a place in the journal between two intervals: where one has ended
// and the next begins.
type Position struct {
	Seq uint64 `json:"seq"` // of the last swap before it; 0 is the journal's beginning
	// Carry is what the aggregation carries over; see aggregate.Aggregator.Carry.
	Carry []byte `json:"carry,omitempty"`
	// Early says that the interval before it was ended before its time, because
	// Weir stopped. What comes again from the journal is ended there too.
	Early bool `json:"early,omitempty"`
}

// state is what the catalogue knows of a flow log's delivery. It is replaced as a
// whole.
type state struct {
	Position Position `json:"position"` // all before it has been delivered
	Gap      *gap     `json:"gap,omitempty"`
	Batches  uint64   `json:"batches"` // begun so far: the next one's number
	Totals   Totals   `json:"totals"`
}

// Totals are the figures of a flow log since it was created.
type Totals struct {
	Parts    uint64    `json:"parts"`    // objects, calls
	Records  uint64    `json:"records"`  // delivered
	Bytes    uint64    `json:"bytes"`    // delivered, as they lie or travel there
	Retries  uint64    `json:"retries"`  // attempts that failed and were made again
	Doubtful uint64    `json:"doubtful"` // records that may be there twice: the destination did not answer
	Refused  uint64    `json:"refused"`  // records that the destination does not take: lost
	Skipped  Skipped   `json:"skipped"`
	Last     time.Time `json:"last"`     // delivery; zero when there was none
	LastEnd  time.Time `json:"last_end"` // end of the last interval that was delivered
}

// Skipped is what was given up because the journal was full. It is lost, and told
// as SKIPDATA.
type Skipped struct {
	Swaps   uint64 `json:"swaps"`
	Packets uint64 `json:"packets"`
	Bytes   uint64 `json:"bytes"`
}

// gap is what is to be told as SKIPDATA with the next batch.
type gap struct {
	Start    int64    `json:"start"` // Unix seconds
	End      int64    `json:"end"`   // of the last second in it
	Topology string   `json:"topology"`
	IDs      []string `json:"interfaces"` // sorted
}

// manifest is a batch before its first part is sent. It is of no meaning once the
// state's position is not its From.
type manifest struct {
	From  uint64   `json:"from"` // Seq of the position that it begins at
	To    Position `json:"to"`
	Notes []Note   `json:"notes"`
}

// progress is which parts of a manifest have been sent.
type progress struct {
	From uint64 `json:"from"` // the manifest's
	Done []byte `json:"done"` // a bit for each part, the lowest first
	// Doubtful are the records of calls that got no answer: they may be there
	// twice already.
	Doubtful int64 `json:"doubtful,omitempty"`
}

// Keys of the catalogue: one of each per flow log.
const (
	stateKey    = "delivery.state."
	manifestKey = "delivery.batch."
	progressKey = "delivery.done."
)

// forget removes all that the catalogue knows of a flow log's delivery.
func forget(ctx context.Context, c Catalogue, id string) error {
	for _, prefix := range []string{manifestKey, progressKey, stateKey} {
		if err := c.Delete(ctx, prefix+id); err != nil {
			return err
		}
	}
	return nil
}
