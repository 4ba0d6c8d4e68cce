package s3

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"weir/deliver"
	"weir/flowlog"
)

// Publisher writes the objects of one flow log.
type Publisher struct {
	cfg    Config
	create func(dir, pattern string) (file, error) // os.CreateTemp, but in tests

	publishing sync.Mutex // one Publish at a time

	mu       sync.Mutex // guards what follows
	waiting  pending
	inFlight struct{ bytes, records int64 } // in the hands of Publish
	stats    deliver.Stats                  // without Pending…
}

// New prepares a publisher: it makes the bucket directory, and removes what a
// dead process left half written of this flow log.
func New(cfg Config) (*Publisher, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("deliver flow log %q: %w", cfg.FlowLogID, err)
	}
	p := &Publisher{cfg: cfg, create: createTemp}
	if err := makeDir(cfg.BucketDir); err != nil {
		return nil, &Error{Op: "make the bucket", Path: cfg.BucketDir, Err: err}
	}
	if err := removeLeftovers(cfg.BucketDir, cfg.FlowLogID); err != nil {
		return nil, &Error{Op: "clean up the bucket", Path: cfg.BucketDir, Err: err}
	}
	return p, nil
}

// Add encodes a record for the slot of its end.
func (p *Publisher) Add(r *flowlog.Record) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r.Version = int64(p.cfg.Format.Version())
	p.waiting.add(flowlog.Slot(r.End), r, p.cfg.Format)
	p.boundLocked()
}

// boundLocked gives up the oldest blocks until what waits is within its bound.
// What is being written counts, but cannot be taken out of Publish's hands.
func (p *Publisher) boundLocked() {
	for p.waiting.bytes+p.inFlight.bytes > p.cfg.MaxPending {
		lost, ok := p.waiting.giveUp()
		if !ok {
			return
		}
		p.stats.Lost.Add(lost)
	}
}

// Lost is what was given up since New.
func (p *Publisher) Lost() deliver.Lost { return p.Stats().Lost }

// Pressed reports whether so much waits that Publish should not be put off: more
// than half of MaxPending.
func (p *Publisher) Pressed() bool { return p.Stats().PendingBytes > p.cfg.MaxPending/2 }

// Stats are the figures of this moment, also while Publish works.
func (p *Publisher) Stats() deliver.Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.stats
	s.PendingBytes = p.waiting.bytes + p.inFlight.bytes
	s.PendingRecords = p.waiting.records + p.inFlight.records
	return s
}

// Publish writes each slot that waits as one object, or several when it is
// large. A slot that fails does not stop the others; its error is an [*Error].
// Nothing to write is no error.
func (p *Publisher) Publish() (deliver.Published, error) {
	p.publishing.Lock()
	defer p.publishing.Unlock()

	p.mu.Lock()
	work := p.waiting.takeAll()
	p.inFlight.bytes, p.inFlight.records = work.bytes, work.records
	p.mu.Unlock()

	var done deliver.Published
	var failures []error
	for _, slot := range work.order() {
		if err := p.publishSlot(slot, &work, &done); err != nil {
			failures = append(failures, err)
		}
	}

	p.mu.Lock()
	defer p.mu.Unlock()
	p.inFlight.bytes, p.inFlight.records = 0, 0
	p.waiting.putBack(work)
	p.boundLocked()
	for _, err := range failures {
		if e, ok := errors.AsType[*Error](err); ok {
			e.Waiting, e.WaitingBytes = p.waiting.records, p.waiting.bytes
		}
	}
	return done, p.accountLocked(done, errors.Join(failures...))
}

func (p *Publisher) accountLocked(done deliver.Published, err error) error {
	p.stats.Objects += int64(len(done.Objects))
	p.stats.Records += done.Records
	p.stats.Bytes += done.Bytes
	p.stats.LastError = err
	if err != nil {
		p.stats.Failures++
	}
	if len(done.Objects) > 0 {
		p.stats.LastPublish = p.cfg.Now()
	}
	return err
}

// publishSlot writes objects until the slot is empty, and takes from work what
// is delivered.
func (p *Publisher) publishSlot(slot time.Time, work *pending, done *deliver.Published) error {
	for len(work.slots[slot]) > 0 {
		object, blocks, err := p.writeObject(slot, work.slots[slot])
		if err != nil {
			return err
		}
		before := work.records
		work.remove(slot, blocks)
		object.Records = before - work.records
		done.Objects = append(done.Objects, object)
		done.Records += object.Records
		done.Bytes += object.Bytes
	}
	return nil
}
