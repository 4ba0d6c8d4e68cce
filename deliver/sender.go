package deliver

import (
	"context"
	"errors"
	"sync"
)

// sender hands the parts of one batch over.
type sender struct {
	line  *line
	batch *batch
	parts []Part

	mu       sync.Mutex // guards what follows
	done     []byte     // a bit for each part
	left     int
	bytes    int64
	refused  int64
	doubtful int64 // records of calls that were repeated after no answer came
	next     int
}

// Parallel is what a destination may have whose parts can go side by side.
type Parallel interface {
	// Parallel is how many calls of Send there may be at a time, of different parts.
	Parallel() int
}

// send hands over what has not been handed over yet; false when ctx was done
// before all was.
func (s *sender) send(ctx context.Context) bool {
	if len(s.parts) == 0 {
		return true
	}
	if !s.prepare(ctx) {
		return false
	}
	side := 1
	if p, ok := s.line.dest.(Parallel); ok {
		side = p.Parallel()
	}
	var workers sync.WaitGroup
	for range min(side, len(s.parts)) {
		workers.Go(func() {
			for i, ok := s.take(); ok; i, ok = s.take() {
				if !s.sendPart(ctx, i) {
					return
				}
			}
		})
	}
	workers.Wait()
	return s.left == 0
}

// prepare writes the batch into the catalogue, or reads how far it had come.
func (s *sender) prepare(ctx context.Context) bool {
	s.left = len(s.parts)
	s.done = make([]byte, (len(s.parts)+7)/8)
	c, id := s.line.d.cfg.Catalogue, s.line.log.ID
	return s.line.attempt(ctx, func(ctx context.Context) error {
		if s.batch.cut == nil {
			return store(ctx, c, manifestKey+id, &manifest{From: s.batch.from.Seq, To: s.batch.to, Notes: notesOf(s.parts)})
		}
		var p progress
		known, err := load(ctx, c, progressKey+id, &p)
		if err != nil || !known || p.From != s.batch.from.Seq || len(p.Done) != len(s.done) {
			return err
		}
		for i := range s.parts {
			if p.Done[i/8]>>(i%8)&1 == 1 {
				s.left--
			}
		}
		s.batch.touched.Store(true)
		s.done = p.Done
		return nil
	})
}

// take gives out a part that is not done.
func (s *sender) take() (i int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for ; s.next < len(s.parts); s.next++ {
		if i := s.next; s.done[i/8]>>(i%8)&1 == 0 {
			s.next++
			return i, true
		}
	}
	return 0, false
}

func (s *sender) sendPart(ctx context.Context, i int) bool {
	part := s.parts[i]
	var got Receipt
	// Nobody knows what became of the parts that were on their way at a crash.
	ok := s.line.attempt(ctx, func(ctx context.Context) error {
		var err error
		got, err = part.Send(ctx)
		if err == nil || errors.Is(err, context.Canceled) { // cut off on the way
			s.batch.touched.Store(true)
		}
		if e, ok := errors.AsType[*Error](err); ok && e.Doubtful {
			s.batch.touched.Store(true)
			s.mu.Lock()
			s.doubtful += part.Note().Records
			s.mu.Unlock()
		}
		return err
	})
	if !ok {
		return false
	}
	if got.Refused > 0 {
		s.line.d.cfg.Log.Error("the destination does not take some records: they are lost",
			"flow_log", s.line.log.ID, "to", got.Name, "records", got.Refused, "why", got.Why)
	}
	s.mu.Lock()
	s.done[i/8] |= 1 << (i % 8)
	s.left--
	s.bytes += got.Bytes
	s.refused += got.Refused
	p := progress{From: s.batch.from.Seq, Done: append([]byte(nil), s.done...)}
	last := s.left == 0
	s.mu.Unlock()
	if last {
		return true // what follows writes down that the batch is done
	}
	return s.line.attempt(ctx, func(ctx context.Context) error {
		return store(ctx, s.line.d.cfg.Catalogue, progressKey+s.line.log.ID, &p)
	})
}

// addTo adds what was delivered to the totals.
func (s *sender) addTo(t *Totals) {
	t.Parts += uint64(len(s.parts))
	t.Records += uint64(s.batch.records - s.refused)
	t.Bytes += uint64(s.bytes)
	t.Refused += uint64(s.refused)
	t.Doubtful += uint64(s.doubtful)
}
