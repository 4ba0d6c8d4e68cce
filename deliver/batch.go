package deliver

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"weir/flowlog"
)

// batch is some whole intervals of a flow log, from one position to another.
type batch struct {
	number   uint64 // of the flow log's batches
	from, to Position
	enc      Encoder // nil before the first record
	records  int64
	gap      *gap      // that its first records tell
	cut      *manifest // of a crash: the batch ends where this one did
	firstEnd time.Time // of its first interval
	lastEnd  time.Time // and of its last
	lines    [][]byte  // for those who look on; see tail
	// abandoned is closed when the batch is not to be sent any more, and stopped
	// when nobody sends it any more.
	abandoned, stopped chan struct{}
	// touched says that the destination has some of it, or may have.
	touched atomic.Bool
}

// Ordinals have 32 bits: those of the batch and those of its parts.
const (
	maxParts   = 1 << 12
	maxBatches = 1 << 20
)

// isWhole reports whether the batch must not grow any more: it is the same as one
// that was begun before a crash.
func (b *batch) isWhole() bool { return b.cut != nil && b.to.Seq >= b.cut.To.Seq }

// held is the memory that it takes.
func (b *batch) held() int64 {
	if b == nil || b.enc == nil {
		return 0
	}
	return b.enc.Held()
}

// add encodes a record. The encoder begins with the first.
func (b *batch) add(l *line, r *flowlog.Record) {
	if b.enc == nil {
		begin := Begin{Ordinal: b.number % maxBatches * maxParts}
		if b.cut != nil {
			begin.Cut = b.cut.Notes
		}
		b.enc = l.dest.Begin(begin)
	}
	b.enc.Add(r)
	b.records++
	if l.d.tail.watched() {
		b.lines = l.d.tail.keep(b.lines, l.format, r)
	}
}

// errCut means that a batch that was made again is not what it was: the program
// or the topology's history changed in between.
var errCut = errors.New("the batch is not the one that was begun before the restart")

// finish returns the parts.
func (b *batch) finish() ([]Part, error) {
	if b.enc == nil {
		if b.cut != nil && len(b.cut.Notes) > 0 {
			return nil, fmt.Errorf("%w: it has no records, of %d parts", errCut, len(b.cut.Notes))
		}
		return nil, nil
	}
	parts, err := b.enc.Finish()
	if err != nil {
		if b.cut != nil {
			err = fmt.Errorf("%w: %w", errCut, err)
		}
		return nil, err
	}
	if b.cut != nil && !slices.Equal(notesOf(parts), b.cut.Notes) {
		return nil, fmt.Errorf("%w: from %d to %d it had %d parts, from %d to %d it has %d", errCut,
			b.cut.From, b.cut.To.Seq, len(b.cut.Notes), b.from.Seq, b.to.Seq, len(parts))
	}
	return parts, nil
}

func notesOf(parts []Part) []Note {
	notes := make([]Note, len(parts))
	for i, p := range parts {
		notes[i] = p.Note()
	}
	return notes
}
