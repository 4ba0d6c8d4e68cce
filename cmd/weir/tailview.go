package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"weir/control"
	"weir/flowlog"
)

// recordView shows lines of records, of several formats, that pass filters.
type recordView struct {
	w       *bufio.Writer
	json    bool
	people  bool             // somebody looks at it: columns are aligned
	colour  bool             // refused traffic is red
	fields  []*flowlog.Field // nil: all of a line's format
	filters []recordFilter
	left    int // records until the end; 0: there is none

	formats map[string]*recordColumns // by format
	last    *recordColumns            // whose header was shown last
}

// recordColumns are the columns of one format.
type recordColumns struct {
	header []string
	names  []string // JSON: column names, quoted
	number []bool
	pick   []int // of a line's fields, for each column; -1: it has none
	filter []int // of a line's fields, for each filter; -1: it has none
	fields int   // of a line
	action int   // of a line's fields; -1: it has none
	widths []int // so far
	whole  bool  // all columns, as they are

	// Of the line at hand, to be used again.
	tokens []string
	cells  []string
	text   strings.Builder
}

func newRecordView(w io.Writer, asJSON bool) *recordView {
	return &recordView{
		w: bufio.NewWriterSize(w, 64<<10), json: asJSON, people: isTerminal(w), colour: colours(w) && !asJSON,
		formats: map[string]*recordColumns{},
	}
}

// show prints what passes, and returns errEnough after the last record that is
// wanted.
func (v *recordView) show(d *control.Delivered) error {
	c, err := v.columns(d.Format)
	if err != nil {
		return err
	}
	for _, line := range d.Lines {
		c.split(line)
		if !v.passes(c) {
			continue
		}
		switch {
		case v.json:
			err = v.printJSON(c, d.FlowLogID)
		default:
			err = v.printLine(c, line)
		}
		if err != nil {
			return err
		}
		if v.left--; v.left == 0 {
			if err := v.w.Flush(); err != nil {
				return err
			}
			return errEnough
		}
	}
	return v.w.Flush()
}

// columns are those of a format, the same ones for the same format.
func (v *recordView) columns(format string) (*recordColumns, error) {
	if c := v.formats[format]; c != nil {
		return c, nil
	}
	f, err := flowlog.ParseFormat(format)
	if err != nil {
		return nil, withHint(fmt.Errorf("the running Weir's format: %w", err), "weir and the running Weir must be of one version")
	}
	place := map[string]int{}
	for i, field := range f.Fields() {
		place[field.Name] = i
	}
	at := func(name string) int {
		if i, ok := place[name]; ok {
			return i
		}
		return -1
	}
	c := &recordColumns{fields: len(f.Fields()), action: at("action")}
	shown := v.fields
	if shown == nil {
		shown, c.whole = f.Fields(), true
	}
	for _, field := range shown {
		c.header = append(c.header, field.Name)
		c.names = append(c.names, strconv.Quote(field.Column()))
		c.number = append(c.number, field.Type != flowlog.String)
		c.pick = append(c.pick, at(field.Name))
		c.widths = append(c.widths, len(field.Name))
	}
	c.cells = make([]string, len(shown))
	for _, filter := range v.filters {
		c.filter = append(c.filter, at(filter.field.Name))
	}
	v.formats[format] = c
	return c, nil
}

// split takes a line apart: fields have no spaces (flowlog.Format.AppendText).
func (c *recordColumns) split(line string) {
	c.tokens = c.tokens[:0]
	for token := range strings.SplitSeq(line, " ") {
		c.tokens = append(c.tokens, token)
	}
}

func (v *recordView) passes(c *recordColumns) bool {
	if len(c.tokens) != c.fields {
		return len(v.filters) == 0 && !v.json // it is no record, and is shown as it is
	}
	for i := range v.filters {
		if at := c.filter[i]; at < 0 || !v.filters[i].match(c.tokens[at]) {
			return false
		}
	}
	return true
}

// picked are the cells of the line that was split last.
func (c *recordColumns) picked() []string {
	for i, at := range c.pick {
		c.cells[i] = "-"
		if at >= 0 && at < len(c.tokens) {
			c.cells[i] = c.tokens[at]
		}
	}
	return c.cells
}

const (
	bold  = "\x1b[1m"
	red   = "\x1b[31m"
	plain = "\x1b[0m"
)

// printLine prints a record for people, or as it was delivered. A header comes
// before the first, and where the columns change.
func (v *recordView) printLine(c *recordColumns, line string) error {
	if v.last == nil || v.last != c && strings.Join(v.last.header, " ") != strings.Join(c.header, " ") {
		v.cells(c, c.header, bold)
	}
	v.last = c
	switch {
	case !v.people && c.whole:
		v.w.WriteString(line) // an error stays with the writer and is returned by the next Flush
		return v.w.WriteByte('\n')
	case c.action >= 0 && c.action < len(c.tokens) && c.tokens[c.action] == flowlog.Reject:
		v.cells(c, c.picked(), red)
	default:
		v.cells(c, c.picked(), "")
	}
	return nil
}

// cells prints a line of columns. Nobody knows what is still to come: a column
// widens when it must, and stays so.
func (v *recordView) cells(c *recordColumns, cells []string, colour string) {
	b := &c.text
	b.Reset()
	for i, cell := range cells {
		if !v.people {
			b.WriteString(cell + " ")
			continue
		}
		cell = oneLine(cell)
		width := utf8.RuneCountInString(cell)
		c.widths[i] = max(c.widths[i], width)
		space := strings.Repeat(" ", c.widths[i]-width)
		if c.number[i] {
			b.WriteString(space + cell + "  ")
		} else {
			b.WriteString(cell + space + "  ")
		}
	}
	text := strings.TrimRight(b.String(), " ")
	if v.colour && colour != "" {
		text = colour + text + plain
	}
	v.w.WriteString(text + "\n") // see printLine
}

// printJSON prints one object per record and line: numbers as numbers, and null
// where they are "-", as weir query does.
func (v *recordView) printJSON(c *recordColumns, flowLog string) error {
	id, err := json.Marshal(flowLog)
	if err != nil {
		return err
	}
	v.w.WriteString(`{"flow_log_id":`) // see printLine
	v.w.Write(id)
	for i, cell := range c.picked() {
		v.w.WriteString("," + c.names[i] + ":")
		switch {
		case !c.number[i]:
			text, err := json.Marshal(cell)
			if err != nil {
				return err
			}
			v.w.Write(text)
		case cell == "-":
			v.w.WriteString("null")
		default:
			v.w.WriteString(cell)
		}
	}
	_, err = v.w.WriteString("}\n")
	return err
}
