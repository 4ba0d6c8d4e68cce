package flowlog

import "math"

// Parser turns the lines of chunks into batches. It is not safe for concurrent
// use; several can share the chunks of one text, see [Chunks.Skim].
type Parser struct {
	// Doubts asks for records that AWS would not write to be counted and listed.
	Doubts bool
	// Line, if not nil, is called for every problem, not only those listed, with
	// the line's text, which is valid during the call.
	Line func(Problem, []byte)

	report  Report
	state   state
	want    []bool
	columns []column // of the state's layout
	current *layout  // columns belong to it
	batch   Batch
	text    []byte   // of the chunk
	at      int      // in text
	ends    []uint32 // where the columns of a line end
}

// column is one field of a line, in the order of its layout.
type column struct {
	field *Field // nil for a column that is passed over
	kind  kind
	dst   *Column // nil when nobody wants it
}

type kind uint8

const (
	kindText kind = iota
	kindNumber
	kindAddress
)

// NewParser makes a parser for the columns whose place in want is true, in the
// order of [Fields]; for all when it is nil. given is as for [NewChunks].
func NewParser(given Format, want []bool) *Parser {
	if want == nil {
		want = EveryField()
	}
	return &Parser{state: newState(given), want: want, batch: Batch{Columns: make([]Column, len(fields))}}
}

// Reset makes the parser as new, but keeps its memory and what it is asked for.
func (p *Parser) Reset(given Format) {
	p.state, p.report, p.text, p.at = newState(given), Report{}, nil, 0
}

// Report is the account of the lines so far. Those of chunks that were skimmed
// have their right numbers. It is valid until the parser is used again.
func (p *Parser) Report() *Report { return &p.report }

// Parse begins with a chunk. Batches point into its text.
func (p *Parser) Parse(c Chunk) {
	p.text, p.at = c.Text, 0
	if c.start.known {
		p.state = c.start
	}
}

// Next returns the next records of the chunk, with the format that they are of;
// nil when there are no more. The batch is valid until the next call.
func (p *Parser) Next() (*Batch, Format) {
	p.batch.Rows, p.batch.Text = 0, p.text
	for p.at < len(p.text) && p.batch.Rows < BatchRows {
		rest := p.text[p.at:]
		line, after := cutLine(rest)
		before := p.state
		header := p.state.next(line)
		if p.batch.Rows > 0 && p.state.layout != before.layout {
			p.state = before // these records come first, then the header
			break
		}
		p.take(line, header)
		p.at += len(rest) - len(after)
	}
	if p.batch.Rows == 0 {
		return nil, Format{}
	}
	p.report.Records += int64(p.batch.Rows)
	return &p.batch, p.current.format
}

// take accounts for a line that the state has seen.
func (p *Parser) take(line []byte, header bool) {
	p.report.Lines++
	reason := ""
	switch l := p.state.layout; {
	case header && l.broken == "":
		p.report.header(l)
		return
	default:
		if reason = notParsed(l, line); reason != "" {
			break
		}
		if p.current != l {
			p.prepare(l)
		}
		reason = p.record(line)
	}
	if reason != "" {
		p.report.malformed(p.state.line, reason)
		p.tell(Problem{Line: p.state.line, Reason: reason}, line)
		return
	}
	if p.Doubts {
		if doubt := p.batch.doubt(p.current.format, p.batch.Rows); doubt != "" {
			p.report.doubtful(p.state.line, doubt)
			p.tell(Problem{Line: p.state.line, Reason: doubt, Doubt: true}, line)
		}
	}
	p.batch.Rows++
}

// notParsed is why a line is no record of any format, or "".
func notParsed(l *layout, line []byte) string {
	if reason := unreadable(line); reason != "" {
		return reason
	}
	switch {
	case l == nil:
		return "no header before it, and not in a default format"
	case l.broken != "":
		return "of no format: " + l.broken
	}
	return ""
}

func (p *Parser) tell(problem Problem, line []byte) {
	if p.Line != nil {
		p.Line(problem, line)
	}
}

// prepare makes room for the columns of a layout that are wanted.
func (p *Parser) prepare(l *layout) {
	p.current, p.columns = l, p.columns[:0]
	for i := range p.batch.Columns {
		p.batch.Columns[i].Present = false
	}
	for _, f := range l.fields {
		c := column{field: f}
		if f != nil {
			c.kind = kindOf(f)
			if p.want[f.place] {
				c.dst = &p.batch.Columns[f.place]
				c.dst.prepare(c.kind)
			}
		}
		p.columns = append(p.columns, c)
	}
	p.ends = make([]uint32, len(p.columns))
}

func kindOf(f *Field) kind {
	switch {
	case f.number != nil:
		return kindNumber
	case f.address != nil:
		return kindAddress
	}
	return kindText
}

// prepare makes a column present, with room for a batch's values.
func (c *Column) prepare(k kind) {
	c.Present = true
	if k == kindNumber && c.Ints == nil {
		c.Ints, c.Null = make([]int64, BatchRows), make([]bool, BatchRows)
	}
	if k != kindNumber && c.Spans == nil {
		c.Spans = make([]Span, BatchRows)
	}
}

// record stores a line as the row after the last, or says why it is no record.
// It takes exactly what [Format.ParseText] takes.
func (p *Parser) record(line []byte) (reason string) {
	row, base := p.batch.Rows, p.at
	last := len(p.columns) - 1
	n, fault := spaces(line, p.ends[:last])
	if fault != "" {
		return fault
	}
	if n != last {
		return wrongCount(line, n+1, len(p.columns))
	}
	p.ends[last] = uint32(len(line))
	begin := 0
	for i := range p.columns {
		c := &p.columns[i]
		end := int(p.ends[i])
		t := line[begin:end]
		if len(t) == 0 {
			return wrong(c.field, t, isEmpty)
		}
		switch c.kind {
		case kindNumber:
			var v int64
			dash := t[0] == '-' && len(t) == 1
			if !dash {
				if v, reason = c.field.parseNumber(t); reason != "" {
					return wrong(c.field, t, reason)
				}
			}
			if c.dst != nil {
				c.dst.Ints[row], c.dst.Null[row] = v, dash
			}
		case kindAddress:
			if !IsAddress(t) && !isDash(t) {
				return wrong(c.field, t, notAddress)
			}
			fallthrough
		default:
			if c.dst != nil {
				c.dst.Spans[row] = Span{Begin: uint32(base + begin), End: uint32(base + end)}
			}
		}
		begin = end + 1
	}
	return ""
}

// IsAddress reports whether a text can be the value of an address field, apart
// from "-".
func IsAddress(t []byte) bool {
	if _, ok := parseIPv4(t); ok {
		return true
	}
	_, ok := parseAddr(t)
	return ok
}

// A chunk's text is addressed by 32 bits.
const _ = uint32(math.MaxUint32 - ChunkSize)
