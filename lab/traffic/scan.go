package traffic

import (
	"context"
	"net/netip"
	"sync"
	"time"
)

const (
	lastPort   = 1024
	scanBeat   = 50 * time.Millisecond  // ports go out in bursts: one timer for many
	scanWait   = 300 * time.Millisecond // a scanner does not wait for retransmissions
	maxProbing = 1024                   // connects under way at once
)

// scan tries the ports 1 to 1024 of the address, in an order that the seed
// gives, again and again: one port every Every on average. Whatever comes of a
// port is a result; a port counts as done.
func scan(ctx context.Context, t *task) error {
	var probes sync.WaitGroup
	defer probes.Wait()
	slots := make(chan struct{}, maxProbing)
	dialer := t.dialer(scanWait)

	ports := t.rng.Perm(lastPort)
	next, owed := 0, 0.0
	for wait(ctx, scanBeat) {
		for owed += float64(scanBeat) / float64(t.Every); owed >= 1; owed-- {
			addr := netip.AddrPortFrom(t.Addr.Addr(), uint16(ports[next]+1)).String()
			next = (next + 1) % len(ports)
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				return nil
			}
			probes.Go(func() {
				defer func() { <-slots }()
				if _, err := connect(ctx, dialer, addr); ctx.Err() == nil {
					t.count(0, err)
				}
			})
		}
	}
	return nil
}
