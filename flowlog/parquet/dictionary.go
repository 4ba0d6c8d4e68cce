package parquet

import (
	"hash/maphash"
	"math/bits"

	"weir/flowlog"
)

// The distinct values of a column get small numbers, ids, in the order in which
// they come. Maps of the language take several times as long; the hashes have a
// random seed, for whoever sends packets chooses the addresses.

// texts is the distinct strings of a column.
type texts struct {
	text  []byte
	spans []flowlog.Span // into text, by id
	table []textEntry    // open addressing; its size is a power of two
	seed  maphash.Seed
}

type textEntry struct {
	hash uint32
	id   uint32 // plus one; 0 is free
}

func (t *texts) at(id uint32) []byte {
	s := t.spans[id]
	return t.text[s.Begin:s.End]
}

// held is the memory that it takes, in bytes.
func (t *texts) held() int { return cap(t.text) + 8*cap(t.spans) + 8*len(t.table) }

// reset forgets the values and keeps the memory.
func (t *texts) reset() {
	t.text, t.spans = t.text[:0], t.spans[:0]
	clear(t.table)
}

// add appends a value without looking whether it is there.
func (t *texts) add(v []byte) uint32 {
	begin := uint32(len(t.text))
	t.text = append(t.text, v...)
	t.spans = append(t.spans, flowlog.Span{Begin: begin, End: uint32(len(t.text))})
	return uint32(len(t.spans) - 1)
}

// find is the id of a value; a new one is appended.
func (t *texts) find(v []byte) (id uint32, isNew bool) {
	if 2*len(t.spans) >= len(t.table) {
		t.enlarge()
	}
	h := maphash.Bytes(t.seed, v)
	tag, mask := uint32(h>>32), uint64(len(t.table)-1)
	for i := h & mask; ; i = (i + 1) & mask {
		e := &t.table[i]
		if e.id == 0 {
			id = t.add(v)
			*e = textEntry{tag, id + 1}
			return id, true
		}
		if e.hash == tag && string(t.at(e.id-1)) == string(v) {
			return e.id - 1, false
		}
	}
}

func (t *texts) enlarge() {
	if t.table == nil {
		t.table = make([]textEntry, 256)
		t.seed = maphash.MakeSeed()
		return
	}
	t.table = make([]textEntry, 4*len(t.table))
	mask := uint64(len(t.table) - 1)
	for id := range t.spans {
		h := maphash.Bytes(t.seed, t.at(uint32(id)))
		i := h & mask
		for t.table[i].id != 0 {
			i = (i + 1) & mask
		}
		t.table[i] = textEntry{uint32(h >> 32), uint32(id) + 1}
	}
}

// numbers is the distinct numbers of a column.
type numbers struct {
	values []int64  // by id
	table  []uint32 // open addressing of ids plus one; 0 is free
	factor uint64   // of the hash: odd, random

	// Most numbers lie close together: ports, flags, times of one interval.
	// near holds their ids plus one by value less base, without a hash. Its pages
	// are made when they are needed: flags and times touch one or two of them.
	near [nearValues / nearPage]*[nearPage]uint32
	base int64
}

const (
	nearValues = 1 << 16
	nearPage   = 1 << 10
)

func (d *numbers) reset() {
	d.values = d.values[:0]
	clear(d.table)
	for _, page := range d.near {
		if page != nil {
			clear(page[:])
		}
	}
}

// held is the memory that it takes, in bytes.
func (d *numbers) held() int {
	n := 8*cap(d.values) + 4*len(d.table)
	for _, page := range d.near {
		if page != nil {
			n += 4 * nearPage
		}
	}
	return n
}

func (d *numbers) add(v int64) uint32 {
	d.values = append(d.values, v)
	return uint32(len(d.values) - 1)
}

// find is the id of a value; a new one is appended.
func (d *numbers) find(v int64) (id uint32, isNew bool) {
	if len(d.values) == 0 {
		d.begin(v)
	}
	if off := uint64(v - d.base); off < nearValues {
		page := d.near[off/nearPage]
		if page == nil {
			page = new([nearPage]uint32)
			d.near[off/nearPage] = page
		}
		at := &page[off%nearPage]
		if *at != 0 {
			return *at - 1, false
		}
		*at = d.add(v) + 1
		return *at - 1, true
	}
	return d.findFar(v)
}

// begin chooses base by the first value: small numbers count from zero, times
// around the first.
func (d *numbers) begin(first int64) {
	d.base = 0
	if first < 0 || first >= nearValues {
		d.base = first - nearValues/2
	}
}

func (d *numbers) findFar(v int64) (id uint32, isNew bool) {
	if 2*len(d.values) >= len(d.table) {
		d.enlarge()
	}
	mask := uint64(len(d.table) - 1)
	for i := d.hash(v) & mask; ; i = (i + 1) & mask {
		id := d.table[i]
		if id == 0 {
			d.table[i] = d.add(v) + 1
			return d.table[i] - 1, true
		}
		if d.values[id-1] == v {
			return id - 1, false
		}
	}
}

func (d *numbers) hash(v int64) uint64 {
	hi, lo := bits.Mul64(uint64(v)^d.factor, d.factor)
	return hi ^ lo
}

func (d *numbers) enlarge() {
	if d.table == nil {
		d.factor = maphash.Comparable(maphash.MakeSeed(), 0) | 1
	}
	size := 256
	for size <= 2*len(d.values) {
		size *= 4
	}
	d.table = make([]uint32, size)
	mask := uint64(size - 1)
	for id, v := range d.values {
		if uint64(v-d.base) < nearValues {
			continue
		}
		i := d.hash(v) & mask
		for d.table[i] != 0 {
			i = (i + 1) & mask
		}
		d.table[i] = uint32(id) + 1
	}
}
