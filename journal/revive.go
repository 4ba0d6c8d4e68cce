package journal

import (
	"context"
	"errors"
	"sync"
	"syscall"
	"time"
)

// revival is whether the server inside must be started again.
type revival struct {
	mu  sync.Mutex
	ill bool // a write failed that should not have
}

// ail notes an error of the server inside. After a write that failed, a stream
// refuses every other one, also when there is room again, and the server may have
// turned JetStream off altogether.
func (j *Journal) ail(err error) {
	if j.server == nil || errors.Is(err, ErrFull) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, context.Canceled) || errors.Is(err, errAway) || errors.Is(err, errClosed) {
		return
	}
	j.revive.mu.Lock()
	j.revive.ill = true
	j.revive.mu.Unlock()
}

// heal starts the server inside again when that is needed, and there is room.
func (j *Journal) heal(ctx context.Context) error {
	if j.server == nil {
		return nil
	}
	j.revive.mu.Lock()
	defer j.revive.mu.Unlock()
	if !j.revive.ill && j.server.healthy() {
		return nil
	}
	if err := j.hasRoom("restart the NATS server inside", 0, countsReserve); err != nil {
		return err
	}
	if j.isClosed() {
		return errClosed
	}
	j.cfg.Log.Warn("the NATS server inside is started again")
	before := j.nc.Stats().Reconnects
	if err := j.server.restart(ctx); err != nil {
		return err
	}
	if err := j.connected(ctx, before); err != nil {
		return err
	}
	j.stats.restarts.Add(1)
	j.revive.ill = false
	j.wake()
	return nil
}

// connected waits until the client has found the server again: more often than
// before, because it notices late that the connection broke.
func (j *Journal) connected(ctx context.Context, before uint64) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	for j.nc.Stats().Reconnects == before || !j.nc.IsConnected() {
		if j.nc.IsClosed() || j.isClosed() {
			return errClosed
		}
		pause(ctx, 5*time.Millisecond, nil)
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}
