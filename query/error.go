package query

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Error is a mistake in a query and where it stands.
type Error struct {
	Msg  string // what is wrong, in one line
	Help string // the next step, or empty
	// Line and Column count from 1, the column in characters; both are 0 when
	// the engine named no place.
	Line, Column int
	Source       string // the line of the query
	Width        int    // characters to underline, at least 1
}

// NewError makes an error about the place in query that begins at the
// byte offset pos; a negative pos is "no place".
func NewError(query string, pos int, msg, help string) *Error {
	e := &Error{Msg: msg, Help: help}
	if pos < 0 || pos > len(query) {
		return e
	}
	begin := strings.LastIndexByte(query[:pos], '\n') + 1
	e.Source, _, _ = strings.Cut(query[begin:], "\n")
	e.Source = strings.TrimSuffix(e.Source, "\r")
	e.Line = strings.Count(query[:begin], "\n") + 1
	e.Column = utf8.RuneCountInString(query[begin:pos]) + 1
	e.Width = wordWidth(query[pos:])
	return e
}

// Error is the message alone in one line; [Error.Detail] shows the place.
func (e *Error) Error() string {
	if e.Line == 0 {
		return e.Msg
	}
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Msg)
}

// Hint is the next step, or empty.
func (e *Error) Hint() string { return e.Help }

// Detail is the line of the query with the place underlined, or empty.
//
//	select srcadr from flow_logs
//	       ^^^^^^
func (e *Error) Detail() string {
	if e.Line == 0 {
		return ""
	}
	var under strings.Builder
	column := 1
	for _, r := range e.Source {
		if column == e.Column {
			break
		}
		if r != '\t' { // a tab stays one, so that the underline stands below its word
			r = ' '
		}
		under.WriteRune(r)
		column++
	}
	under.WriteString(strings.Repeat("^", max(1, e.Width)))
	return e.Source + "\n" + under.String()
}

// wordWidth is the characters of the word or number at the beginning of s.
func wordWidth(s string) int {
	n := 0
	for _, r := range s {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' {
			break
		}
		n++
	}
	return max(1, n)
}
