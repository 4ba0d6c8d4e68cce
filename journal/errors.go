package journal

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Error is a failure of the journal. What was to be stored is not stored, or it
// is not known to be: doing it again is safe.
type Error struct {
	Op    string // "store a swap"
	Thing string // "epoch 17"; may be empty
	Err   error
	Next  string // what to do; may be empty
}

func (e *Error) Error() string {
	if e.Thing == "" {
		return e.Op + ": " + e.Err.Error()
	}
	return e.Op + ": " + e.Thing + ": " + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// Hint is what to do.
func (e *Error) Hint() string { return e.Next }

// ErrFull means that the journal holds as much as it may.
var ErrFull = errors.New("the journal is full")

// errAway means that there is no connection at present. It is made again by
// itself.
var errAway = errors.New("the NATS server is away")

// errClosed is what everything returns after Close.
var errClosed = errors.New("the journal is closed")

// explain makes an error of NATS one of ours.
func explain(op, thing string, err error) error {
	var ours *Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &ours):
		return err
	}
	e := &Error{Op: op, Thing: thing, Err: err}
	var api *jetstream.APIError
	switch {
	case errors.As(err, &api) && strings.Contains(api.Description, "maximum bytes exceeded"):
		e.Err = fmt.Errorf("%w: %w", ErrFull, err)
		e.Next = "let a destination catch up, or give the journal more room"
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrPermissionViolation):
		e.Next = "check the credentials for the NATS server, and what they may do"
	case errors.Is(err, errAway), errors.Is(err, nats.ErrNoServers), errors.Is(err, nats.ErrConnectionClosed), errors.Is(err, nats.ErrDisconnected), errors.Is(err, context.DeadlineExceeded):
		e.Next = "the NATS server does not answer: is it running, can it be reached, does its disk work?"
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount), errors.Is(err, nats.ErrNoResponders):
		e.Next = "turn JetStream on in the NATS server, for this account"
	}
	return e
}
