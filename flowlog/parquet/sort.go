package parquet

import (
	"bytes"
	"math/bits"
	"slices"
)

// order is the rows sorted by interface-id and start, as far as the format has
// them, nil when it has neither; rows that are equal in both stay in order. The
// second result names the columns.
//
// A question about one interface then reads a sixteenth of the file, which also
// gets smaller, for times that ascend compress well.
func (c *Collector) order() (rows []uint32, sorting []int) {
	var keys []uint64
	width := 0
	for _, name := range [...]string{"start", "interface-id"} { // the last one counts most
		i := slices.IndexFunc(c.slots, func(s slot) bool { return s.field.Name == name })
		if i < 0 {
			continue
		}
		sorting = append(sorting, i)
		col := &c.columns[i]
		if col.uniform {
			continue
		}
		if keys == nil {
			keys = make([]uint64, c.rows)
		}
		width += col.addRanks(keys, width)
	}
	slices.Reverse(sorting)
	if keys == nil {
		return nil, sorting
	}
	return sortedBy(keys, width), sorting
}

// addRanks puts the rank of each row's value into its key, shift bits up, and
// returns the bits it took. NULL comes first.
func (c *column) addRanks(keys []uint64, shift int) (width int) {
	ids := make([]uint32, c.size())
	for i := range ids {
		ids[i] = uint32(i)
	}
	compare := func(a, b uint32) int { return bytes.Compare(c.texts.at(a), c.texts.at(b)) }
	if !c.isText() {
		compare = func(a, b uint32) int {
			x, y := c.numbers.values[a], c.numbers.values[b]
			switch {
			case x < y:
				return -1
			case x > y:
				return 1
			}
			return 0
		}
	}
	slices.SortFunc(ids, compare)
	ranks := make([]uint64, len(ids))
	rank := uint64(0)
	for i, id := range ids {
		if i == 0 || compare(ids[i-1], id) != 0 { // the same value may have two ids
			rank++
		}
		ranks[id] = rank
	}
	for row, id := range c.ids {
		if id != null {
			keys[row] |= ranks[id] << shift
		}
	}
	return bits.Len64(rank)
}

// sortedBy is the rows in the order of their keys, of which width bits are set
// at most: a radix sort, 11 bits at a time, stable.
func sortedBy(keys []uint64, width int) []uint32 {
	const digit = 11
	rows, other := make([]uint32, len(keys)), make([]uint32, len(keys))
	for i := range rows {
		rows[i] = uint32(i)
	}
	for shift := 0; shift < width; shift += digit {
		var at [1 << digit]uint32
		for _, k := range keys {
			at[k>>shift&(1<<digit-1)]++
		}
		sum := uint32(0)
		for i, n := range at {
			at[i] = sum
			sum += n
		}
		for _, row := range rows {
			d := keys[row] >> shift & (1<<digit - 1)
			other[at[d]] = row
			at[d]++
		}
		rows, other = other, rows
	}
	return rows
}
