package deliver

import (
	"errors"
	"sync/atomic"
	"testing"

	"weir/vpc/flowlogs"
)

// TestDoubtOutlivesACrash: where the protocol cannot tell a call that comes again,
// what is there twice is never more than what is said to be doubtful, however
// often Weir is killed before an answer comes.
func TestDoubtOutlivesACrash(t *testing.T) {
	r := newRig(t)
	shelf := r.subscribe("fl-1", "vpc-1", flowlogs.All, 60, true)
	shelf.doubles = true
	var silent atomic.Bool
	var calls atomic.Int64
	silent.Store(true)
	shelf.misbehave = func() (error, bool) {
		calls.Add(1)
		if silent.Load() {
			return &Error{Op: "put", Target: "shelf", Doubtful: true, Err: errors.New("no answer")}, true
		}
		return nil, true
	}
	r.start()
	for i := range 8 {
		r.journal.append(swapOf(at(15*i), at(15*i+15), uint16(1+i%3), i+1, false))
	}
	for range 3 {
		calls.Store(0)
		r.eventually("it tries again", func() bool { return calls.Load() >= 3 })
		r.Close() // killed, as far as the catalogue can tell
		r.start()
	}
	silent.Store(false)
	r.finish()
	doubled := shelf.taken - len(shelf.lines())
	if doubtful := r.Status()[0].Totals.Doubtful; doubled == 0 || uint64(doubled) > doubtful {
		t.Errorf("%d records are there twice, and %d are said to be doubtful", doubled, doubtful)
	}
}
