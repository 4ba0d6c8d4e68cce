package control

import (
	"errors"
	"fmt"
	"net/http"

	"weir/vpc/flowlogs"
)

// ErrNotRunning means that no Weir answers for the data directory.
var ErrNotRunning = errors.New("no Weir is running with this data directory")

// dataDirError is a data directory that cannot be used, and what to do.
type dataDirError struct {
	path string
	err  error
	hint string
}

func (e *dataDirError) Error() string { return fmt.Sprintf("data directory %s: %v", e.path, e.err) }
func (e *dataDirError) Unwrap() error { return e.err }
func (e *dataDirError) Hint() string  { return e.hint }

// RefusedError is what the running Weir answered.
type RefusedError struct{ message, hint string }

func (e *RefusedError) Error() string { return e.message }

// Hint is what to do; it may be empty.
func (e *RefusedError) Hint() string { return e.hint }

// refusal is an error on its way to the client.
type refusal struct {
	Code      flowlogs.Code `json:"code,omitempty"`
	Message   string        `json:"message"`
	Param     string        `json:"param,omitempty"`
	FlowLogID string        `json:"flow_log_id,omitempty"`
	Hint      string        `json:"hint,omitempty"`
}

// refuse answers with an error.
func refuse(w http.ResponseWriter, err error) {
	r := refusal{Message: err.Error()}
	status := http.StatusInternalServerError
	if e, ok := errors.AsType[*flowlogs.Error](err); ok {
		r.Code, r.Message, r.Param, r.FlowLogID, status = e.Code, e.Message, e.Param, e.FlowLogID, http.StatusBadRequest
	}
	if h, ok := errors.AsType[interface {
		error
		Hint() string
	}](err); ok {
		r.Hint = h.Hint()
	}
	answer(w, status, r)
}

// err is the error as it was: a [*flowlogs.Error] where it is one of those.
func (r *refusal) err() error {
	if r.Code == "" {
		return &RefusedError{r.Message, r.Hint}
	}
	e := flowlogs.NewError(r.Code, r.Message, r.Param, r.Hint)
	e.FlowLogID = r.FlowLogID
	return e
}
