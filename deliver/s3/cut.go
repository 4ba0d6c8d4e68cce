package s3

import (
	"fmt"
	"time"
)

// CutError says that a batch is not the one that was cut before a crash: its
// records in one slot are fewer or more than those of the parts made then.
// Sending it would lose or double some.
type CutError struct {
	Slot      int64 // Unix seconds
	Want, Got int64 // records; Got is at least that when More
	More      bool  // there were more than Want, at least Got
}

func (e *CutError) Error() string {
	got := fmt.Sprintf("there are %d", e.Got)
	if e.More {
		got = fmt.Sprintf("there are at least %d", e.Got)
	}
	return fmt.Sprintf("the records are not those of the objects that were begun: slot %s had %d, now %s",
		time.Unix(e.Slot, 0).UTC().Format("2006-01-02T15:04Z"), e.Want, got)
}

// checkCuts finds cuts that got fewer records than they had.
func (e *encoder) checkCuts() error {
	for _, n := range e.begin.Cut {
		if got, want := e.slotRecords(n.Slot), e.cutRecords(n.Slot); got != want {
			return &CutError{Slot: n.Slot, Want: want, Got: got}
		}
	}
	if e.cuts != nil && len(e.done) != len(e.begin.Cut) {
		return fmt.Errorf("%d objects were begun, %d are made again", len(e.begin.Cut), len(e.done))
	}
	return nil
}

// cutRecords is how many records of a slot were cut.
func (e *encoder) cutRecords(slot int64) (n int64) {
	for _, c := range e.begin.Cut {
		if c.Slot == slot {
			n += c.Records
		}
	}
	return n
}

// slotRecords is how many records a slot has in closed parts.
func (e *encoder) slotRecords(slot int64) (n int64) {
	for _, p := range e.done {
		if p.note.Slot == slot {
			n += p.note.Records
		}
	}
	return n
}
