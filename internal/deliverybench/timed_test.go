package deliverybench

import (
	"context"
	"sync"
	"time"

	"weir/deliver"
	"weir/flowlog"
)

// arrival says that some records of an interval are in the destination.
type arrival struct {
	End     int64 // of the interval, Unix seconds
	Records int64
	At      time.Time
}

// timed notes when a destination has taken what.
type timed struct {
	deliver.Destination
	interval int64 // seconds
	now      func() time.Time

	mu       sync.Mutex // guards what follows
	arrivals []arrival
	records  int64
	bytes    int64
}

func (t *timed) Begin(b deliver.Begin) deliver.Encoder {
	return &timedEncoder{Encoder: t.Destination.Begin(b), t: t}
}

func (t *timed) taken() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.records
}

// timedEncoder notes what intervals a batch holds.
type timedEncoder struct {
	deliver.Encoder
	t    *timed
	ends []arrival // without At
}

func (e *timedEncoder) Add(r *flowlog.Record) {
	end := r.End - r.End%e.t.interval + e.t.interval
	if n := len(e.ends); n == 0 || e.ends[n-1].End != end {
		e.ends = append(e.ends, arrival{End: end})
	}
	e.ends[len(e.ends)-1].Records++
	e.Encoder.Add(r)
}

func (e *timedEncoder) Finish() ([]deliver.Part, error) {
	parts, err := e.Encoder.Finish()
	left := len(parts)
	for i := range parts {
		parts[i] = &timedPart{Part: parts[i], batch: e, left: &left}
	}
	return parts, err
}

type timedPart struct {
	deliver.Part
	batch *timedEncoder
	left  *int // parts of the batch; guarded by timed.mu
}

func (p *timedPart) Send(ctx context.Context) (deliver.Receipt, error) {
	receipt, err := p.Part.Send(ctx)
	if err == nil {
		p.note(receipt)
	}
	return receipt, err
}

// note takes the last part's time for all of a batch that holds several intervals:
// nobody knows which part holds what.
func (p *timedPart) note(receipt deliver.Receipt) {
	t := p.batch.t
	now := t.now()
	t.mu.Lock()
	defer t.mu.Unlock()
	*p.left--
	t.records += p.Note().Records
	t.bytes += receipt.Bytes
	switch {
	case len(p.batch.ends) == 1:
		t.arrivals = append(t.arrivals, arrival{p.batch.ends[0].End, p.Note().Records, now})
	case *p.left == 0:
		for _, a := range p.batch.ends {
			t.arrivals = append(t.arrivals, arrival{a.End, a.Records, now})
		}
	}
}
