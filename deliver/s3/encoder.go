package s3

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"weir/deliver"
	"weir/flowlog"
)

// slotSeconds is the width of a slot.
const slotSeconds = int64(flowlog.SlotLength / time.Second)

// encoder keeps an object open for each slot that records end in; late records
// open their older slot's. The zero batch has no memory but this struct.
type encoder struct {
	d     *Destination
	begin deliver.Begin
	last  *openPart           // of the record before: most records follow their like
	open  map[int64]*openPart // by slot
	done  []*part             // in order of closing
	cuts  map[int64][]cut     // what Begin.Cut has for each slot and is not begun; nil without it
	err   error               // the first
}

// packer makes the body of one object.
type packer interface {
	add(r *flowlog.Record) error
	full() bool  // no more records should be added
	held() int64 // bytes of memory, about
	finish() (*Body, error)
}

// openPart is an object that takes records.
type openPart struct {
	packer
	slot    int64
	records int64
	cut     cut
}

// cut is a part as it was cut before a crash.
type cut struct {
	deliver.Note
	place int // in Begin.Cut
}

func newEncoder(d *Destination, b deliver.Begin) *encoder {
	e := &encoder{d: d, begin: b}
	if b.Cut == nil {
		return e
	}
	e.cuts = map[int64][]cut{}
	for i, n := range b.Cut {
		e.cuts[n.Slot] = append(e.cuts[n.Slot], cut{n, i})
	}
	return e
}

// slotOf is flowlog.Slot in seconds, without the detour over dates.
func slotOf(end int64) int64 {
	slot := end - end%slotSeconds
	if slot > end { // before 1970
		slot -= slotSeconds
	}
	return slot
}

// Add encodes a record for the slot of its end.
func (e *encoder) Add(r *flowlog.Record) {
	if e.err != nil {
		return
	}
	o := e.last
	if slot := slotOf(r.End); o == nil || o.slot != slot {
		if o = e.partOf(slot); o == nil {
			return
		}
	}
	if e.err = o.add(r); e.err != nil {
		return
	}
	o.records++
	if e.cuts == nil && o.full() || o.cut.Records == o.records {
		e.close(o)
	}
}

// partOf is the slot's open part, which it makes when there is none. It is nil
// when the cuts have none for it.
func (e *encoder) partOf(slot int64) *openPart {
	o, ok := e.open[slot]
	if !ok {
		o = &openPart{slot: slot}
		if e.cuts != nil && !e.takeCut(o) {
			return nil
		}
		if o.packer, e.err = e.d.newPacker(); e.err != nil {
			return nil
		}
		if e.open == nil {
			e.open = map[int64]*openPart{}
		}
		e.open[slot] = o
	}
	e.last = o
	return o
}

// newPacker begins an object.
func (d *Destination) newPacker() (packer, error) {
	if d.key.Encoding == flowlog.Parquet {
		return newParquetPacker(d.format, d.max)
	}
	return newTextPacker(d.format, d.max), nil
}

func (e *encoder) takeCut(o *openPart) bool {
	left := e.cuts[o.slot]
	if len(left) == 0 {
		e.err = &CutError{Slot: o.slot, Want: e.cutRecords(o.slot), Got: e.slotRecords(o.slot) + 1, More: true}
		return false
	}
	o.cut, e.cuts[o.slot] = left[0], left[1:]
	return true
}

// close ends an open part.
func (e *encoder) close(o *openPart) {
	delete(e.open, o.slot)
	e.last = nil
	body, err := o.finish()
	if err != nil {
		e.err = err
		return
	}
	e.done = append(e.done, &part{
		d:    e.d,
		note: deliver.Note{Slot: o.slot, Hash: o.cut.Hash, Records: o.records},
		body: body, size: body.Size(), place: o.cut.place,
	})
}

// Held is the compressed bytes, and what the open objects hold.
func (e *encoder) Held() int64 {
	n := int64(256)
	for _, o := range e.open {
		n += o.held()
	}
	for _, p := range e.done {
		n += p.size
	}
	return n
}

// Finish gives the parts by slot, and within one in the order of closing: that of
// the cuts when there are any.
func (e *encoder) Finish() ([]deliver.Part, error) {
	for _, slot := range slices.Sorted(maps.Keys(e.open)) {
		e.close(e.open[slot])
	}
	if e.err == nil {
		e.err = e.checkCuts()
	}
	if e.err != nil {
		return nil, fmt.Errorf("encode for %s: %w", e.d, e.err)
	}
	if e.cuts != nil {
		slices.SortFunc(e.done, func(a, b *part) int { return a.place - b.place })
	} else {
		slices.SortStableFunc(e.done, func(a, b *part) int { return int((a.note.Slot - b.note.Slot) / slotSeconds) })
	}
	parts := make([]deliver.Part, len(e.done))
	for i, p := range e.done {
		if e.cuts == nil {
			p.note.Hash = e.d.names.of(e.begin.Ordinal + uint64(i))
		}
		parts[i] = p
	}
	e.done = nil
	return parts, nil
}
