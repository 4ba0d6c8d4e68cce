package journal

import (
	"context"
	"errors"
	"strings"
	"time"

	"weir/count"
)

// Reader hands out the swaps behind a sequence number, and waits for new ones. It
// belongs to one goroutine, which starts none. It holds one swap, the chunks of
// those that are not closed yet, and a window of 4 MiB.
type Reader struct {
	j       *Journal
	f       *fetcher
	after   uint64 // where it began
	next    uint64 // the first number that has not been asked for
	seen    uint64 // the last number that was looked at
	last    uint64 // the stream reached at least to here
	purged  uint64 // what lies up to here was given away
	queue   []message
	pending map[uint64]*pending // by attempt
	epochs  map[string]uint64   // the last of each source
	failing bool                // the last request failed, and that was logged
}

// Read reads the whole swaps behind a sequence number.
func (j *Journal) Read(ctx context.Context, after uint64) (count.Reader, error) {
	if j.isClosed() {
		return nil, explain("read the journal", "", errClosed)
	}
	f, err := j.newFetcher()
	if err != nil {
		return nil, explain("read the journal", "", err)
	}
	r := &Reader{j: j, f: f, after: after, next: after + 1, seen: after, pending: map[uint64]*pending{}, epochs: map[string]uint64{}}
	if r.purged, err = j.number(ctx, keyPurged); err != nil {
		f.close()
		return nil, explain("read the journal", "", err)
	}
	return r, nil
}

// Close ends the reader.
func (r *Reader) Close() error {
	r.f.close()
	return nil
}

// idle is how long a reader waits for news before it looks by itself; calm how
// long after a request that failed.
const (
	idle = time.Second
	calm = 250 * time.Millisecond
)

// Next waits for the next whole swap. A server that is away is waited for. What
// was purged before it was read is passed over in silence.
//
// What of a swap cannot be read is in its interfaces' ledger, as JournalPackets
// and JournalBytes. A message that a newer Weir wrote is an error, again and
// again: it is not damage.
func (r *Reader) Next(ctx context.Context) (count.Entry, error) {
	for {
		for len(r.queue) > 0 {
			entry, ok, err := r.take(ctx, r.queue[0])
			if err != nil {
				return count.Entry{}, explain("read the journal", "", err)
			}
			r.queue[0] = message{}
			r.queue = r.queue[1:]
			if ok {
				return entry, nil
			}
		}
		news := r.j.whenNew() // before looking, so that none is missed
		wait, err := r.look(ctx)
		switch {
		case ctx.Err() != nil:
			return count.Entry{}, ctx.Err()
		case r.j.isClosed():
			return count.Entry{}, explain("read the journal", "", errClosed)
		case err != nil:
			r.complain(ctx, err)
		default:
			r.failing = false
		}
		if wait > 0 {
			pause(ctx, wait, news)
		}
	}
}

// look asks for messages, and says how long to wait when there are none.
func (r *Reader) look(ctx context.Context) (wait time.Duration, err error) {
	list, err := r.f.get(ctx, r.next, "")
	if err != nil {
		return calm, err
	}
	if len(list) > 0 {
		r.queue = list
		r.next = list[len(list)-1].seq + 1
		return 0, nil
	}
	if r.next <= r.last {
		// It was there before it was asked for, so it cannot be read. The number
		// after it is asked for, and what is missing shows in the numbers.
		r.next++
		return 0, nil
	}
	info, err := r.j.stream.Info(ctx)
	if err != nil {
		return calm, err
	}
	if r.last = info.State.LastSeq; r.next <= r.last {
		return 0, nil // stored in the meantime, or damaged
	}
	return idle, nil
}

// complain logs the first of a row of failures, and sees to the server inside.
func (r *Reader) complain(ctx context.Context, err error) {
	if !r.failing {
		r.j.cfg.Log.Warn("the journal cannot be read at present", "err", err)
	}
	r.failing = true
	if r.j.server != nil && !r.j.server.healthy() {
		_ = r.j.heal(ctx) // it says why it cannot when a swap is stored
	}
}

// take looks at a message. With the last one of a swap it returns the swap.
func (r *Reader) take(ctx context.Context, m message) (entry count.Entry, ok bool, err error) {
	if m.seq > r.seen+1 {
		if err := r.missing(ctx, r.seen+1, m.seq-1); err != nil {
			return entry, false, err
		}
	}
	names := &r.j.names
	switch {
	case strings.HasPrefix(m.subject, names.chunks+"."):
		err = r.chunk(m)
	case strings.HasPrefix(m.subject, names.swaps+"."):
		entry, ok, err = r.closing(ctx, m)
	}
	if errors.Is(err, count.ErrVersion) {
		return entry, false, err
	}
	r.seen = m.seq
	if err != nil {
		if ctx.Err() != nil {
			return entry, false, ctx.Err()
		}
		r.j.stats.damaged.Add(1)
		r.j.cfg.Log.Error("a message of the journal is damaged", "sequence", m.seq, "subject", m.subject, "err", err)
	}
	return entry, ok, nil
}

// missing counts the messages that are not there and were not given away.
func (r *Reader) missing(ctx context.Context, from, to uint64) error {
	if to > r.purged {
		purged, err := r.j.number(ctx, keyPurged)
		if err != nil {
			return err
		}
		r.purged = purged
	}
	if from <= r.purged {
		clear(r.epochs) // those that are missing now were given away
	}
	if from = max(from, r.purged+1); from > to {
		return nil
	}
	r.j.stats.damaged.Add(to - from + 1)
	r.j.cfg.Log.Error("messages of the journal are lost", "messages", to-from+1, "from", from, "to", to)
	return nil
}

// pause waits for a time, for news or for the end of ctx.
func pause(ctx context.Context, d time.Duration, news <-chan struct{}) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-news:
	case <-t.C:
	}
}
