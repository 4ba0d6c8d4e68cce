package parquet

import (
	"bytes"
	"errors"
	"fmt"
	"math"

	"weir/flowlog"
)

// Collector gathers the rows of one row group, column by column: the distinct
// values of each column once, and per row their number. A Collector must not be
// used by several goroutines at once; different ones may.
type Collector struct {
	options Options
	slots   []slot
	columns []column
	rows    int
	held    int   // bytes of values and ids, about
	err     error // the first; a collector that failed is of no use until Reset

	pages encoder
}

// NewCollector makes a collector for rows of a format. Its row groups fit any
// [Writer] of the same format and codec.
func NewCollector(f flowlog.Format, o Options) (*Collector, error) {
	if f.IsZero() {
		return nil, errors.New("parquet: a file needs a format")
	}
	o = o.withDefaults()
	z, err := newCompressor(o.Codec)
	if err != nil {
		return nil, fmt.Errorf("parquet: %w", err)
	}
	c := &Collector{options: o, slots: slotsOf(f)}
	c.columns = make([]column, len(c.slots))
	c.pages.compressor = z
	for i := range c.columns {
		c.columns[i].slot = c.slots[i]
	}
	return c, nil
}

// Rows is how many rows wait to be encoded.
func (c *Collector) Rows() int { return c.rows }

// Held is how much memory the collector takes, in bytes, about: what it keeps from
// rows before Reset is in it, too.
func (c *Collector) Held() int {
	n := 0
	for i := range c.columns {
		col := &c.columns[i]
		n += 4*cap(col.ids) + col.texts.held() + col.numbers.held()
	}
	return n
}

// Full reports whether a further batch of [flowlog.BatchRows] rows should wait
// for the next row group: [Options].RowGroupRows would be exceeded, or what the
// collector holds is more than 64 MiB already.
func (c *Collector) Full() bool { return !c.fits(flowlog.BatchRows) }

func (c *Collector) fits(rows int) bool {
	return c.rows == 0 || c.rows+rows <= c.options.RowGroupRows && c.held < maxHeld
}

const (
	maxHeld       = 64 << 20
	maxDictionary = 32 << 20 // bytes of strings: readers want it in memory
	maxText       = 1 << 30  // bytes of strings in one column of a row group
)

// Reset forgets the rows and keeps the memory.
func (c *Collector) Reset() {
	for i := range c.columns {
		c.columns[i].reset()
	}
	c.rows, c.held, c.err = 0, 0, nil
}

// Add takes a batch's rows and copies what it needs of them. A column of the
// format that the batch does not have is NULL, or "-" for a string. It fails
// for a value that no record can have: a number out of its field's bounds
// its column, a string that is not UTF-8, has a space or a control character or
// more than 1 MiB.
func (c *Collector) Add(b *flowlog.Batch) error {
	if c.err != nil {
		return c.err
	}
	for i := range c.columns {
		col := &c.columns[i]
		if err := col.add(b); err != nil {
			c.err = fmt.Errorf("parquet: column %s: %w", col.slot.field.Column(), err)
			return c.err
		}
	}
	c.rows += b.Rows
	c.held = 0
	for i := range c.columns {
		c.held += c.columns[i].held()
	}
	return nil
}

// null is the id of a number that is not there.
const null = math.MaxUint32

// column is the values of one column of a row group.
type column struct {
	slot    slot
	texts   texts   // of a string column
	numbers numbers // of a number column
	rows    int
	nulls   int
	last    uint32 // id of the last row

	// ids is the value of each row, except while all rows have the same one:
	// most columns of most row groups stay like that.
	ids     []uint32
	uniform bool

	// distinct is false once so many values were new that looking them up does
	// not pay: from then on each value gets an id of its own.
	distinct bool
}

func (c *column) reset() {
	c.texts.reset()
	c.numbers.reset()
	c.rows, c.nulls = 0, 0
	c.ids = c.ids[:0]
}

func (c *column) isText() bool { return c.slot.kind == flowlog.String }

// size is how many values have an id.
func (c *column) size() int {
	if c.isText() {
		return len(c.texts.spans)
	}
	return len(c.numbers.values)
}

// held is about how many bytes the column takes.
func (c *column) held() int {
	return 4*len(c.ids) + len(c.texts.text) + 24*c.size()
}

func (c *column) add(b *flowlog.Batch) error {
	if b.Rows == 0 {
		return nil
	}
	if c.slot.field.Place() >= len(b.Columns) {
		return fmt.Errorf("the batch has %d columns, want one for each of the %d fields", len(b.Columns), len(flowlog.Fields()))
	}
	if c.rows == 0 {
		c.uniform, c.distinct = true, true
	}
	var err error
	src := &b.Columns[c.slot.field.Place()]
	switch {
	case src.Present && c.isText():
		err = c.addTexts(b.Text, src.Spans[:b.Rows])
	case src.Present:
		err = c.addNumbers(src.Ints[:b.Rows], src.Null[:b.Rows])
	case c.isText():
		err = c.addAbsent(b.Rows)
	default:
		c.addNulls(b.Rows)
	}
	c.rows += b.Rows
	c.weigh()
	return err
}

func (c *column) addTexts(text []byte, spans []flowlog.Span) (err error) {
	if c.rows == 0 {
		if c.last, err = c.text(text[spans[0].Begin:spans[0].End]); err != nil {
			return err
		}
	}
	prev := c.texts.at(c.last)
	i := 0
	if c.uniform {
		for i < len(spans) && string(text[spans[i].Begin:spans[i].End]) == string(prev) {
			i++
		}
		if i == len(spans) {
			return nil
		}
		c.spread(c.rows + i)
	}
	ids, last := c.ids, c.last
	for _, s := range spans[i:] {
		v := text[s.Begin:s.End]
		if string(v) != string(prev) {
			prev = v
			if last, err = c.text(v); err != nil {
				return err
			}
		}
		ids = append(ids, last)
	}
	c.ids, c.last = ids, last
	return nil
}

var noValue = []byte("-")

// text is the id of a string.
func (c *column) text(v []byte) (id uint32, err error) {
	if len(v) == 0 {
		v = noValue
	}
	fresh := true
	if c.distinct {
		id, fresh = c.texts.find(v)
	} else {
		id = c.texts.add(v)
	}
	if !fresh {
		return id, nil
	}
	if why := refuseText(v); why != "" {
		return id, fmt.Errorf("%.60q %s", v, why)
	}
	if c.slot.field.Address() && !bytes.Equal(v, noValue) && !flowlog.IsAddress(v) {
		return id, fmt.Errorf("%.60q is not an IP address", v)
	}
	switch size := len(c.texts.text); {
	case size > maxText:
		return id, fmt.Errorf("its strings take more than %d MiB in one row group", maxText>>20)
	case size > maxDictionary:
		c.distinct = false
	}
	return id, nil
}

func (c *column) addAbsent(n int) error {
	id, err := c.text(noValue)
	if c.rows == 0 {
		c.last = id
	}
	c.repeat(id, n)
	return err
}

func (c *column) addNumbers(values []int64, nulls []bool) (err error) {
	if c.rows == 0 {
		if c.last, err = c.number(values[0], nulls[0]); err != nil {
			return err
		}
	}
	i := 0
	if c.uniform {
		i = c.goesOn(values, nulls)
		if c.last == null {
			c.nulls += i
		}
		if i == len(values) {
			return nil
		}
		c.spread(c.rows + i)
	}
	ids, last := c.ids, c.last
	var prev int64
	known := last != null // prev is the value of last
	if known {
		prev = c.numbers.values[last]
	}
	nulls = nulls[:len(values)]
	for ; i < len(values); i++ {
		v := values[i]
		switch {
		case nulls[i]:
			last, known = null, false
			c.nulls++
		case !known || v != prev:
			if last, err = c.number(v, false); err != nil {
				return err
			}
			prev, known = v, true
		}
		ids = append(ids, last)
	}
	c.ids, c.last = ids, last
	return nil
}

// number is the id of a number.
func (c *column) number(v int64, isNull bool) (id uint32, err error) {
	if isNull {
		return null, nil
	}
	fresh := true
	if c.distinct {
		id, fresh = c.numbers.find(v)
	} else {
		id = c.numbers.add(v)
	}
	if least, most := c.slot.field.Bounds(); fresh && (v < least || v > most) {
		return id, fmt.Errorf("%d is not in %d to %d", v, least, most)
	}
	return id, nil
}

// goesOn is how many rows have the one value that the column has so far.
func (c *column) goesOn(values []int64, nulls []bool) int {
	if c.last == null {
		for i, isNull := range nulls {
			if !isNull {
				return i
			}
		}
		return len(nulls)
	}
	same := c.numbers.values[c.last]
	for i, v := range values {
		if v != same || nulls[i] {
			return i
		}
	}
	return len(values)
}

func (c *column) addNulls(n int) {
	if c.rows == 0 {
		c.last = null
	}
	c.repeat(null, n)
	c.nulls += n
}

// repeat gives the next n rows one id.
func (c *column) repeat(id uint32, n int) {
	if c.uniform && id == c.last {
		return
	}
	if c.uniform {
		c.spread(c.rows)
	}
	for range n {
		c.ids = append(c.ids, id)
	}
	c.last = id
}

// spread ends a column's having one value only: it writes it out for the rows
// that have it.
func (c *column) spread(rows int) {
	c.uniform = false
	for range rows {
		c.ids = append(c.ids, c.last)
	}
}

// weigh gives up looking values up when three of four rows bring a new one.
// Below that a dictionary is smaller, compressed or not.
func (c *column) weigh() {
	if n := c.size(); n > 8192 && 4*n > 3*c.rows {
		c.distinct = false
	}
}
