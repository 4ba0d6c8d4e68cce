package deliver

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// lane is the flow logs of one aggregation interval. Those that are up to date
// share one pass over the journal, which never ends; those that are behind, a
// pass that ends when it has caught up.
type lane struct {
	d        *Dispatcher
	interval time.Duration

	mu      sync.Mutex // guards what follows
	lines   []*line
	live    *pass
	running int // passes
	closed  bool
	made    Made
}

// Made is what the aggregation has made of one interval length.
type Made struct {
	Records  uint64
	NoData   uint64
	SkipData uint64
	Open     int // flows in the open interval
}

// add takes a line in.
func (n *lane) add(l *line) {
	n.mu.Lock()
	n.lines = append(n.lines, l)
	n.mu.Unlock()
}

// remove takes a line out.
func (n *lane) remove(l *line) {
	n.mu.Lock()
	n.lines = slices.DeleteFunc(n.lines, func(o *line) bool { return o == l })
	l.pass = nil
	n.mu.Unlock()
}

// close lets no pass begin any more.
func (n *lane) close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closed = true
}

// boundary is where a new flow log begins: at the interval that is open.
func (n *lane) boundary() (Position, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.live == nil {
		return Position{}, false
	}
	return n.live.boundary, true
}

// share is what a line may hold and still take part in a pass.
func (n *lane) share() int64 { return n.d.cfg.MaxHeld / (n.d.count.Load() + 1) }

// catchUp begins a pass for the lines that are behind, unless one is on its way:
// that one looks again at its end.
func (n *lane) catchUp() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.catchUpLocked()
}

func (n *lane) catchUpLocked() {
	catching := n.running
	if n.live != nil {
		catching--
	}
	if catching > 0 || n.closed {
		return
	}
	p := n.passLocked()
	if p == nil {
		return
	}
	n.running++
	n.d.passes.Go(func() {
		err := p.run(n.d.ctx)
		n.ended(p, err)
	})
}

// passLocked is a pass from where the line that is furthest behind is to go on. A
// batch that was cut by a crash goes first, alone or with those that were cut at
// the same places: it may end where an interval of other lines does not.
func (n *lane) passLocked() *pass {
	share := n.share()
	var first *line
	var ready []*line
	var cut *manifest // of first
	for _, l := range n.lines {
		// A line that begins anew from what is committed may be behind the live
		// pass, which looks only when the next interval ends: there may be none.
		if l.pass != nil && (l.pass != n.live || !l.isBehind(n.live.boundary.Seq)) || !l.isReady(share) {
			continue
		}
		ready = append(ready, l)
		switch c := l.toRepeat(); {
		case first == nil, c != nil && cut == nil:
			first, cut = l, c
		case (c != nil) == (cut != nil) && l.position().Seq < first.position().Seq:
			first, cut = l, c
		}
	}
	if first == nil {
		return nil
	}
	p := &pass{lane: n, boundary: first.position(), repeat: cut}
	for _, l := range ready {
		c := l.toRepeat()
		same := c != nil && cut != nil && c.To.Seq == cut.To.Seq && l.position().Seq == p.boundary.Seq
		if c == nil && cut == nil || same {
			l.pass = p
		}
	}
	return p
}

// again is how long a pass that failed waits before it is begun anew.
const again = time.Second

// ended lets go of a pass. It is never in the middle of an interval then: whole
// intervals are emitted between two swaps.
func (n *lane) ended(p *pass, err error) {
	n.mu.Lock()
	n.running--
	if n.live == p {
		n.live = nil
	}
	for _, l := range n.lines {
		if l.pass == p {
			l.pass = nil
		}
	}
	n.mu.Unlock()
	if n.d.ctx.Err() != nil {
		return
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		n.d.cfg.Log.Warn("reading the journal", "interval", n.interval, "err", err)
		time.Sleep(again)
	}
	n.catchUp()
}

// isAlone reports whether a pass has no line any more: it is of no use then.
func (n *lane) isAlone(p *pass) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return !slices.ContainsFunc(n.lines, func(l *line) bool { return l.pass == p })
}

// caughtUp says that a pass has come to the journal's end. The first that does
// stays there; another gives its lines to that one, and is at its end.
func (n *lane) caughtUp(p *pass) (done bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if p.repeat != nil {
		return false // it ends elsewhere
	}
	if n.live == nil {
		n.live = p
		n.catchUpLocked() // those that this pass has left behind
	}
	if n.live == p {
		return false
	}
	if p.boundary.Seq < n.live.boundary.Seq {
		return false // an interval that the live one has ended is yet to end here
	}
	for _, l := range n.lines {
		if l.pass == p {
			l.pass = n.live
		}
	}
	return true
}

// takers are the lines that take an interval. Those that are elsewhere are behind
// from now on, and so are those that hold too much.
func (n *lane) takers(p *pass, to uint64) []taker {
	n.mu.Lock()
	defer n.mu.Unlock()
	var list []taker
	for _, l := range n.lines {
		if l.pass != p {
			continue
		}
		b, behind := l.fill(p.boundary.Seq, to)
		switch {
		case behind:
			l.pass = nil
		case b != nil:
			list = append(list, taker{line: l, batch: b})
		}
	}
	return list
}

// endInterval moves a pass on to a boundary.
func (n *lane) endInterval(p *pass, to Position, takers []taker, end time.Time) {
	n.mu.Lock()
	p.boundary = to
	if n.live == p {
		s := p.agg.Stats()
		n.made.Records += s.Records - p.stats.Records
		n.made.NoData += s.NoData - p.stats.NoData
		n.made.SkipData += s.SkipData - p.stats.SkipData
		p.stats = s
	}
	n.mu.Unlock()
	for _, t := range takers {
		t.line.took(t.batch, to, end)
	}
	if p.repeat != nil {
		n.letGo(p, to)
		return
	}
	n.relieve(p)
}

// letGo ends a pass that repeats a batch, when it has come to the batch's end.
func (n *lane) letGo(p *pass, at Position) {
	if at.Seq < p.repeat.To.Seq {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, l := range n.lines {
		if l.pass == p {
			l.pass = nil
		}
	}
}

// relieve lets go of lines that hold much while all hold too much: they go on
// when they have delivered it, from where they are.
func (n *lane) relieve(p *pass) {
	if n.d.held() <= n.d.cfg.MaxHeld {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	share := n.share()
	for _, l := range n.lines {
		if l.pass == p && l.holdsTooMuch(share) {
			l.pass = nil
		}
	}
}

// setOpen notes what the open interval holds.
func (n *lane) setOpen(p *pass, flows int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.live == p {
		n.made.Open = flows
	}
}
