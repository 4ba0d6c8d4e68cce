package traffic

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"
)

// Outcome is how a TCP connect ends.
type Outcome string

const (
	Open   Outcome = "open"   // a connection
	Reset  Outcome = "reset"  // answered with RST: nobody listens there
	Silent Outcome = "silent" // no answer: dropped on the way
)

// silence is how long an attempt waits: long enough for the first
// retransmission of the SYN (1 s, RFC 6298), as real clients send it.
const silence = 1500 * time.Millisecond

// attempt connects, hangs up, and counts as done what ended as the task wants.
func attempt(ctx context.Context, t *task) error {
	dialer := t.dialer(silence)
	return t.pace(ctx, func(ctx context.Context) (int64, error) {
		got, err := connect(ctx, dialer, t.Addr.String())
		if err != nil {
			return 0, err
		}
		if got != t.Want {
			return 0, fmt.Errorf("connect to %s: %s, want %s", t.Addr, got, t.Want)
		}
		return 0, nil
	})
}

// connect says how a connect ended; the error is for what is none of the outcomes.
func connect(ctx context.Context, dialer *net.Dialer, addr string) (Outcome, error) {
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	var netErr net.Error
	switch {
	case err == nil:
		return Open, conn.Close()
	case errors.Is(err, syscall.ECONNREFUSED):
		return Reset, nil
	case errors.As(err, &netErr) && netErr.Timeout(): // the dialer has more than one error for it
		return Silent, nil
	}
	return "", err
}
