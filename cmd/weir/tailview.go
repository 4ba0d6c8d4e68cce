package main

import (
	"bufio"
	"encoding/json"
	"errors"
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
	header  string                    // that was shown last
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
	whole  bool  // all columns, as they are

	tokens []string      // of the line at hand
	held   []alignedLine // that wait until their widths are known
	widths []int         // so far
}

// alignedLine is a record for people.
type alignedLine struct {
	cells   []string
	refused bool
}

func newRecordView(w io.Writer, asJSON bool) *recordView {
	return &recordView{
		w: bufio.NewWriterSize(w, 64<<10), json: asJSON, people: isTerminal(w) && !asJSON, colour: colours(w),
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
		c.tokens = appendFields(c.tokens[:0], line)
		if !v.passes(c) {
			continue
		}
		switch {
		case v.json:
			err = v.printJSON(c, d.FlowLogID)
		case v.people:
			c.held = append(c.held, alignedLine{c.cells(), c.refused()})
		default:
			v.printLine(c, line)
		}
		if err != nil {
			return err
		}
		if v.left--; v.left == 0 {
			return errors.Join(v.flush(c), errEnough)
		}
	}
	return v.flush(c)
}

// flush prints what is held, and hands all to the reader.
func (v *recordView) flush(c *recordColumns) error {
	v.printAligned(c)
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
	for _, filter := range v.filters {
		c.filter = append(c.filter, at(filter.field.Name))
	}
	v.formats[format] = c
	return c, nil
}

// appendFields takes a line apart: fields have no spaces
// ([flowlog.Format.AppendText]).
func appendFields(dst []string, line string) []string {
	for token := range strings.SplitSeq(line, " ") {
		dst = append(dst, token)
	}
	return dst
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

// cells are the columns of the line at hand.
func (c *recordColumns) cells() []string {
	cells := make([]string, len(c.pick))
	for i, at := range c.pick {
		cells[i] = "-"
		if at >= 0 && at < len(c.tokens) {
			cells[i] = c.tokens[at]
		}
	}
	return cells
}

func (c *recordColumns) refused() bool {
	return c.action >= 0 && c.action < len(c.tokens) && c.tokens[c.action] == flowlog.Reject
}

// newHeader reports whether the header must be shown: before the first line, and
// where the columns change.
func (v *recordView) newHeader(c *recordColumns) bool {
	header := strings.Join(c.header, " ")
	if v.header == header {
		return false
	}
	v.header = header
	return true
}

// printLine prints a record as it was delivered, or the fields of it that are
// wanted. An error stays with the writer and is returned by the next Flush.
func (v *recordView) printLine(c *recordColumns, line string) {
	if v.newHeader(c) {
		v.w.WriteString(v.header + "\n")
	}
	if !c.whole {
		line = strings.Join(c.cells(), " ")
	}
	v.w.WriteString(line + "\n")
}

const (
	bold  = "\x1b[1m"
	red   = "\x1b[31m"
	plain = "\x1b[0m"
)

// printAligned prints what is held. Nobody knows what is still to come: a column
// widens when it must, and stays so.
func (v *recordView) printAligned(c *recordColumns) {
	if len(c.held) == 0 {
		return
	}
	for _, line := range c.held {
		for i, cell := range line.cells {
			line.cells[i] = oneLine(cell)
			c.widths[i] = max(c.widths[i], utf8.RuneCountInString(line.cells[i]))
		}
	}
	if v.newHeader(c) {
		v.printCells(c, c.header, bold)
	}
	for _, line := range c.held {
		colour := ""
		if line.refused {
			colour = red
		}
		v.printCells(c, line.cells, colour)
	}
	c.held = c.held[:0]
}

// printCells prints one aligned line; see printLine about errors.
func (v *recordView) printCells(c *recordColumns, cells []string, colour string) {
	var b strings.Builder
	for i, cell := range cells {
		if i > 0 {
			b.WriteString("  ")
		}
		space := strings.Repeat(" ", c.widths[i]-utf8.RuneCountInString(cell))
		if c.number[i] {
			b.WriteString(space + cell)
		} else {
			b.WriteString(cell + space)
		}
	}
	text := strings.TrimRight(b.String(), " ")
	if v.colour && colour != "" {
		text = colour + text + plain
	}
	v.w.WriteString(text + "\n")
}

// printJSON prints one object per record and line: numbers as numbers, and null
// where they are "-", as weir query does.
func (v *recordView) printJSON(c *recordColumns, flowLog string) error {
	id, err := json.Marshal(flowLog)
	if err != nil {
		return err
	}
	v.w.WriteString(`{"flow_log_id":`) // see printLine about errors
	v.w.Write(id)
	for i, cell := range c.cells() {
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
