package s3

import (
	"sync"

	"weir/flowlog"
	"weir/flowlog/parquet"
)

const (
	// groupRows is how many rows a row group has. Twice as many would be 5 % smaller
	// in the default format, and take twice the memory while they wait: 17 MB of
	// 14 fields for each open object, 33 of 29.
	groupRows = 64 << 10

	// stagedRows wait as records in columns, 200 to 400 bytes each, before a
	// collector is taken: that one has tables for each column, which for fewer rows
	// take more (BenchmarkOpenEncoders).
	stagedRows = 4 << 10

	// stagedBeside wait when there is a collector, in the first batchesBeside
	// batches.
	batchesBeside = 4
	stagedBeside  = leastStage<<batchesBeside - leastStage

	// leastStage is how many rows the first batch of an object has room for;
	// each further one has twice as many, up to flowlog.BatchRows.
	leastStage = 64
)

// parquetPacker makes a Parquet file as AWS's are: gzip inside, rows as they come.
//
//	records → staged batches → a collector, once they are many → row groups → body
type parquetPacker struct {
	format  flowlog.Format
	max     int64
	group   int // rows of a row group
	numbers int // columns of them

	staged []*flowlog.Batch // number at takes records; those behind it are empty
	at     int
	rows   int // in staged
	many   *parquet.Collector
	out    *parquet.Writer
	body   *Body

	largest int64 // row group so far, bytes
	footer  int64 // bytes that the row groups will take in it, about
}

// chunkInFooter is what the footer and the page index say of a column in one row
// group, in bytes, about: 190 in the default format.
const chunkInFooter = 256

// parquetOptions are those of all files: a collector serves any of its format.
var parquetOptions = parquet.Options{RowGroupRows: groupRows + flowlog.BatchRows}

func newParquetPacker(f flowlog.Format, limit int64) (*parquetPacker, error) {
	columns := len(f.Fields())
	p := &parquetPacker{format: f, max: limit, body: &Body{}}
	// Of a small object, row groups are small: taken at 2 bytes for a value, four
	// of them fit.
	p.group = int(max(min(groupRows, limit/int64(8*columns)), leastStage))
	for i := range columns {
		if f.ColumnType(i) != flowlog.String {
			p.numbers++
		}
	}
	var err error
	p.out, err = parquet.NewWriter(p.body, f, parquetOptions)
	return p, err
}

// newStage is a batch with room for so many rows.
func newStage(f flowlog.Format, rows int) *flowlog.Batch {
	b := &flowlog.Batch{Columns: make([]flowlog.Column, len(flowlog.Fields()))}
	for i, field := range f.Fields() {
		c := &b.Columns[field.Place()]
		c.Present = true
		if f.ColumnType(i) == flowlog.String {
			c.Spans = make([]flowlog.Span, rows)
		} else {
			c.Ints, c.Null = make([]int64, rows), make([]bool, rows)
		}
	}
	return b
}

// stageRoom is how many rows batch number i has room for.
func stageRoom(i int) int { return min(leastStage<<min(i, 16), flowlog.BatchRows) }

func (p *parquetPacker) add(r *flowlog.Record) error {
	if p.at < len(p.staged) && p.staged[p.at].Rows == stageRoom(p.at) {
		p.at++
	}
	if p.at == len(p.staged) {
		p.staged = append(p.staged, newStage(p.format, stageRoom(p.at)))
	}
	p.staged[p.at].Append(r)
	p.rows++
	switch {
	case p.waiting() >= p.group:
		return p.encode()
	case p.rows >= stagedRows, (p.many != nil || p.largest > 0) && p.rows >= stagedBeside:
		return p.collect()
	}
	return nil
}

// waiting is how many rows are in no row group yet.
func (p *parquetPacker) waiting() int {
	if p.many != nil {
		return p.rows + p.many.Rows()
	}
	return p.rows
}

// collect moves the staged rows to the collector, and keeps their first batches.
func (p *parquetPacker) collect() error {
	if p.many == nil {
		var err error
		if p.many, err = takeCollector(p.format); err != nil {
			return err
		}
	}
	for _, b := range p.staged {
		if err := p.many.Add(b); err != nil {
			return err
		}
		b.Reset()
	}
	kept := min(len(p.staged), batchesBeside)
	clear(p.staged[kept:]) // or the slice would hold them
	p.staged = p.staged[:kept]
	p.at, p.rows = 0, 0
	if p.many.Full() { // its strings take too much: ids are distinct as a rule
		return p.encode()
	}
	return nil
}

// encode writes the rows that wait as a row group, and gives the collector back:
// it has its size, and other objects may need one in the meantime.
func (p *parquetPacker) encode() error {
	if p.rows > 0 {
		if err := p.collect(); err != nil || p.many == nil {
			return err // or it was full, and is encoded
		}
	}
	g, err := p.many.Encode()
	if err != nil {
		return err
	}
	giveCollector(p.format, p.many)
	p.many = nil
	p.largest = max(p.largest, int64(g.Size()))
	p.footer += int64(len(p.format.Fields()) * chunkInFooter)
	return p.out.Append(g)
}

// full reports whether the row group to come might pass the bound. It is asked
// after each record, and can be true only right after a row group.
func (p *parquetPacker) full() bool {
	return p.largest > 0 && p.waiting() == 0 && p.out.Size()+p.footer+p.largest+p.largest/4 > p.max
}

func (p *parquetPacker) held() int64 {
	n := p.body.size + 4<<10
	columns := int64(len(p.format.Fields()))
	for i, b := range p.staged {
		n += int64(cap(b.Text)) + (columns+int64(p.numbers)/8)*8*int64(stageRoom(i))
	}
	if p.many != nil {
		n += int64(p.many.Held())
	}
	return n
}

func (p *parquetPacker) finish() (*Body, error) {
	if p.waiting() > 0 {
		if err := p.encode(); err != nil {
			return nil, err
		}
	}
	if err := p.out.Close(); err != nil {
		return nil, err
	}
	p.staged = nil
	return p.body, nil
}

// collectors are nobody's state: rows come out the same of each. They are kept by
// the header of their format; a pool lets go of what is not used for a while.
var collectors sync.Map // of *sync.Pool

func takeCollector(f flowlog.Format) (*parquet.Collector, error) {
	if pool, ok := collectors.Load(f.Header()); ok {
		if c, ok := pool.(*sync.Pool).Get().(*parquet.Collector); ok {
			return c, nil
		}
	}
	return parquet.NewCollector(f, parquetOptions)
}

// giveCollector takes back one that has not failed.
func giveCollector(f flowlog.Format, c *parquet.Collector) {
	c.Reset()
	pool, ok := collectors.Load(f.Header())
	if !ok {
		pool, _ = collectors.LoadOrStore(f.Header(), &sync.Pool{})
	}
	pool.(*sync.Pool).Put(c)
}
