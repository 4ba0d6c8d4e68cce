package deliver

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// Waits between attempts double from the first to the longest, each shortened by
// up to a third, so that flow logs of one destination do not come all at once.
const longestWait = 30 * time.Second

// backoff is the waiting between attempts, from the first one on.
type backoff struct{ next time.Duration }

// wait sleeps before the next attempt, at least as long as the destination asked
// for, but no longer than until ctx is done.
func (b *backoff) wait(ctx context.Context, after error) {
	d := b.next - time.Duration(rand.Int64N(int64(b.next/3))) //nolint:gosec // no secret
	b.next = min(2*b.next, longestWait)
	if e, ok := errors.AsType[*Error](after); ok {
		d = max(d, min(e.After, longestWait))
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
