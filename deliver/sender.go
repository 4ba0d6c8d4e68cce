package deliver

import (
	"bytes"
	"context"
	"errors"
	"sync"
)

// sender hands the parts of one batch over.
type sender struct {
	line  *line
	batch *batch
	parts []Part

	noting sync.Mutex // who has it writes the progress; taken before mu

	mu       sync.Mutex // guards what follows
	done     []byte     // a bit for each part
	marked   int        // how many bits were set here
	noted    int        // how many of those the catalogue has
	left     int
	bytes    int64
	refused  int64
	doubtful int64 // records of calls that were repeated after no answer came
	next     int
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
	var workers sync.WaitGroup
	for range min(s.side(), len(s.parts)) {
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

// side is how many parts go side by side.
func (s *sender) side() int { return max(1, s.line.manner.Parallel) }

// inFlight are the records of the parts that may have been on their way at a
// crash: nobody knows what became of them.
func (s *sender) inFlight() (records int64) {
	if s.line.manner.Replaces {
		return 0
	}
	n := s.side()
	for i, part := range s.parts {
		if n == 0 {
			break
		}
		if s.done[i/8]>>(i%8)&1 == 0 {
			records += part.Note().Records
			n--
		}
	}
	return records
}

// prepare writes the batch into the catalogue, or reads how far it had come.
func (s *sender) prepare(ctx context.Context) bool {
	s.left = len(s.parts)
	s.done = make([]byte, (len(s.parts)+7)/8)
	c, id := s.line.d.cfg.Catalogue, s.line.log.ID
	ok := s.line.attempt(ctx, func(ctx context.Context) error {
		if s.batch.cut == nil {
			return Store(ctx, c, manifestKey+id, &manifest{From: s.batch.from.Seq, To: s.batch.to, Notes: notesOf(s.parts)})
		}
		var p progress
		known, err := Load(ctx, c, progressKey+id, &p)
		if err != nil || !known || p.From != s.batch.from.Seq || len(p.Done) != len(s.done) {
			return err
		}
		for i := range s.parts {
			if p.Done[i/8]>>(i%8)&1 == 1 {
				s.left--
			}
		}
		s.done, s.doubtful = p.Done, p.Doubtful
		return nil
	})
	if ok && s.batch.cut != nil {
		s.batch.touched.Store(true)
		s.doubtful += s.inFlight()
	}
	return ok
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
	ok := s.line.attempt(ctx, func(ctx context.Context) error {
		var err error
		got, err = part.Send(ctx)
		if err == nil || errors.Is(err, context.Canceled) { // cut off on the way
			s.batch.touched.Store(true)
		}
		if e, ok := errors.AsType[*Error](err); ok && e.Doubtful {
			s.batch.touched.Store(true)
			if !s.line.manner.Replaces {
				s.suspect(ctx, part.Note().Records)
			}
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
	s.marked++
	mark := s.marked
	s.left--
	s.bytes += got.Bytes
	s.refused += got.Refused
	last := s.left == 0
	s.mu.Unlock()
	if last {
		return true // what follows writes down that the batch is done
	}
	return s.note(ctx, mark)
}

// suspect counts records that may be there twice from now on, and writes that
// down before they go again: after a crash nobody else knows. It insists on
// nothing; what it could not write stands in the next note.
func (s *sender) suspect(ctx context.Context, records int64) {
	s.noting.Lock()
	defer s.noting.Unlock()
	s.mu.Lock()
	s.doubtful += records
	p := s.progressLocked()
	s.mu.Unlock()
	_ = Store(ctx, s.line.d.cfg.Catalogue, progressKey+s.line.log.ID, &p)
}

// progressLocked is how far the batch has come.
func (s *sender) progressLocked() progress {
	return progress{From: s.batch.from.Seq, Done: bytes.Clone(s.done), Doubtful: s.doubtful}
}

// note writes down which parts are done, at least the first marks of them: one
// that waits here while another writes may find that it has been written.
func (s *sender) note(ctx context.Context, mark int) bool {
	s.noting.Lock()
	defer s.noting.Unlock()
	s.mu.Lock()
	p := s.progressLocked()
	marked, noted := s.marked, s.noted
	s.mu.Unlock()
	if noted >= mark {
		return true
	}
	ok := s.line.attempt(ctx, func(ctx context.Context) error {
		return Store(ctx, s.line.d.cfg.Catalogue, progressKey+s.line.log.ID, &p)
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	if ok {
		s.noted = marked
	}
	return ok
}

// addTo adds what was delivered to the totals.
func (s *sender) addTo(t *Totals) {
	t.Parts += uint64(len(s.parts))
	t.Records += uint64(s.batch.records - s.refused)
	t.Bytes += uint64(s.bytes)
	t.Refused += uint64(s.refused)
	t.Doubtful += uint64(s.doubtful)
}
