package s3

import (
	"slices"
	"time"

	"weir/deliver"
	"weir/flowlog"
)

// blockSize is how much text is given up, retried or closed into an object at
// a time, in bytes.
const blockSize = 256 << 10

// block is some whole lines of one slot, and what they stand for.
type block struct {
	text []byte
	lost deliver.Lost // what giving it up would lose
	seq  uint64       // order of age
}

// pending is text that waits, by slot. The zero value is ready for use.
type pending struct {
	slots   map[time.Time][]*block // oldest first; never an empty list
	bytes   int64
	records int64
	next    uint64
}

// add appends a line; the newest block of the slot takes it if it has room.
func (p *pending) add(slot time.Time, r *flowlog.Record, f flowlog.Format) {
	b := p.open(slot)
	before := len(b.text)
	b.text = append(f.AppendText(b.text, r), '\n')
	b.lost.Add(worth(r))
	p.bytes += int64(len(b.text) - before)
	p.records++
}

// open is the block of a slot that takes the next line.
func (p *pending) open(slot time.Time) *block {
	blocks := p.slots[slot]
	// A line is far shorter than the room left; a block grows at most once.
	if n := len(blocks); n > 0 && len(blocks[n-1].text) < blockSize {
		return blocks[n-1]
	}
	if p.slots == nil {
		p.slots = map[time.Time][]*block{}
	}
	b := &block{seq: p.next}
	p.next++
	p.slots[slot] = append(blocks, b)
	return b
}

// worth is what a record stands for.
func worth(r *flowlog.Record) deliver.Lost {
	if r.LogStatus != flowlog.OK {
		return deliver.Lost{Records: 1}
	}
	return deliver.Lost{Records: 1, Packets: uint64(r.Packets), Bytes: uint64(r.Bytes)}
}

// giveUp removes the oldest block and returns what is lost with it; false when
// nothing waits.
func (p *pending) giveUp() (deliver.Lost, bool) {
	var oldest time.Time
	var found *block
	for slot, blocks := range p.slots {
		if found == nil || blocks[0].seq < found.seq {
			oldest, found = slot, blocks[0]
		}
	}
	if found == nil {
		return deliver.Lost{}, false
	}
	p.remove(oldest, 1)
	return found.lost, true
}

// remove forgets the n oldest blocks of a slot.
func (p *pending) remove(slot time.Time, n int) {
	blocks := p.slots[slot]
	for _, b := range blocks[:n] {
		p.bytes -= int64(len(b.text))
		p.records -= b.lost.Records
	}
	if p.slots[slot] = slices.Delete(blocks, 0, n); len(p.slots[slot]) == 0 {
		delete(p.slots, slot)
	}
}

// takeAll hands everything over and is empty then.
func (p *pending) takeAll() pending {
	all := *p
	*p = pending{next: p.next}
	return all
}

// putBack returns what takeAll gave, before what came since.
func (p *pending) putBack(old pending) {
	for slot, blocks := range old.slots {
		if p.slots == nil {
			p.slots = map[time.Time][]*block{}
		}
		p.slots[slot] = append(blocks, p.slots[slot]...)
	}
	p.bytes += old.bytes
	p.records += old.records
}

// order is the slots, oldest first.
func (p *pending) order() []time.Time {
	slots := make([]time.Time, 0, len(p.slots))
	for slot := range p.slots {
		slots = append(slots, slot)
	}
	slices.SortFunc(slots, time.Time.Compare)
	return slots
}
