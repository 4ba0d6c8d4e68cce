package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
)

// Exit statuses.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// hinter is an error that knows the next step. Adapters' errors have the
// method; nobody imports this.
type hinter interface{ Hint() string }

// detailer is an error with more to show below its line: where a query is wrong.
type detailer interface{ Detail() string }

// report tells people what went wrong and returns the exit status.
//
//	error: line 1, column 8: Referenced column "srcadr" not found in FROM clause
//	  select srcadr from flow_logs
//	         ^^^^^^
//	hint: did you mean "srcaddr", "dstaddr"?
func report(w io.Writer, err error) int {
	switch {
	case err == nil, errors.Is(err, syscall.EPIPE): // the reader (head, less) has seen enough
		return exitDone
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(w, "error: interrupted")
		return exitFailed
	}
	own, hasOwn := errors.AsType[*statusError](err)
	if hasOwn && own.err == nil {
		return own.status
	}
	fmt.Fprintln(w, "error:", printable(err.Error()))
	var d detailer
	if errors.As(err, &d) {
		for line := range strings.Lines(d.Detail()) {
			fmt.Fprintln(w, " ", strings.TrimRight(line, "\n"))
		}
	}
	var h hinter
	if errors.As(err, &h) && h.Hint() != "" {
		fmt.Fprintln(w, "hint:", h.Hint())
	}
	if _, ok := errors.AsType[*usageError](err); ok {
		return exitUsage
	}
	if hasOwn {
		return own.status
	}
	return exitFailed
}

// hintError gives an error its next step.
type hintError struct {
	err  error
	hint string
}

func (e *hintError) Error() string { return e.err.Error() }
func (e *hintError) Unwrap() error { return e.err }
func (e *hintError) Hint() string  { return e.hint }

// withHint returns err with a next step for people.
func withHint(err error, format string, args ...any) error {
	return &hintError{err: err, hint: fmt.Sprintf(format, args...)}
}

// usageError is a command line that cannot be understood.
type usageError struct {
	err     error
	command string // whose help to read: "weir query"
}

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }
func (e *usageError) Hint() string {
	var h hinter
	if errors.As(e.err, &h) {
		return h.Hint()
	}
	return "see " + e.command + " --help"
}

// statusError ends the program with a status of its own. Without an error inside
// nothing is reported: what there was to say has been printed.
type statusError struct {
	err    error
	status int
}

func (e *statusError) Error() string { return fmt.Sprint(e.err) }
func (e *statusError) Unwrap() error { return e.err }
