package question

import "fmt"

// Error is a question that cannot be understood.
type Error struct {
	Msg  string
	Help string // the next step, or empty
}

func (e *Error) Error() string { return e.Msg }

// Hint is the next step, or empty.
func (e *Error) Hint() string { return e.Help }

func mistake(help, format string, args ...any) error {
	return &Error{Msg: fmt.Sprintf(format, args...), Help: help}
}
