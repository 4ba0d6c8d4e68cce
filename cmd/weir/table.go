package main

import (
	"bufio"
	"io"
	"strings"
	"unicode/utf8"
)

// tableLookahead is how many rows decide a table's widths. A later, wider cell
// pushes its row out of line; memory stays bounded.
const tableLookahead = 1000

// table prints rows in aligned columns. Close prints what it holds back.
type table struct {
	w       *bufio.Writer
	header  []string
	right   []bool // per column: aligned to the right
	colour  bool
	widths  []int
	held    [][]string
	started bool
}

// newTable prints to w; right says which columns hold numbers.
func newTable(w io.Writer, header []string, right []bool) *table {
	t := &table{w: bufio.NewWriter(w), header: header, right: right, colour: colours(w)}
	t.widths = make([]int, len(header))
	t.widen(header)
	return t
}

func (t *table) widen(cells []string) {
	for i, c := range cells {
		t.widths[i] = max(t.widths[i], utf8.RuneCountInString(c))
	}
}

// Row adds a row of as many cells as the header has.
func (t *table) Row(cells []string) error {
	if t.started {
		return t.print(cells)
	}
	held := make([]string, len(cells))
	for i, c := range cells {
		held[i] = oneLine(c)
	}
	t.widen(held)
	t.held = append(t.held, held)
	if len(t.held) < tableLookahead {
		return nil
	}
	return t.start()
}

// Close ends the table.
func (t *table) Close() error {
	if err := t.start(); err != nil {
		return err
	}
	return t.w.Flush()
}

func (t *table) start() error {
	if t.started {
		return nil
	}
	t.started = true
	if t.colour {
		t.w.WriteString("\x1b[1m") // an error stays with the writer and is returned by the next Flush
	}
	err := t.print(t.header)
	if t.colour {
		t.w.WriteString("\x1b[0m")
	}
	for _, cells := range t.held {
		if err != nil {
			return err
		}
		err = t.print(cells)
	}
	t.held = nil
	return err
}

// print writes one line: two spaces between columns, none at its end.
func (t *table) print(cells []string) error {
	var line strings.Builder
	for i, c := range cells {
		if i > 0 {
			line.WriteString("  ")
		}
		c = oneLine(c)
		padding := strings.Repeat(" ", max(0, t.widths[i]-utf8.RuneCountInString(c)))
		if t.right[i] {
			line.WriteString(padding + c)
		} else {
			line.WriteString(c + padding)
		}
	}
	_, err := t.w.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	return err
}

// oneLine keeps a cell on its line.
func oneLine(s string) string {
	return printable(strings.NewReplacer("\n", `\n`, "\t", `\t`).Replace(s))
}
