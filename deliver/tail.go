package deliver

import (
	"context"
	"sync"
	"sync/atomic"

	"weir/flowlog"
	"weir/vpc/flowlogs"
)

// Delivered is some records of a flow log that its destination has.
type Delivered struct {
	FlowLog flowlogs.FlowLog
	Lines   [][]byte // of the flow log's format, without their ends
	// Missed are lines that were delivered and are not here: whoever looks on was
	// too slow, or they were more than anybody looks at.
	Missed int
}

const (
	// maxLines are kept of one batch for those who look on.
	maxLines = 100_000
	// backlog is how many batches whoever looks on may be behind.
	backlog = 64
)

// tail shows records as they are delivered to those who look on. Nobody who looks
// on slows delivery.
type tail struct {
	count atomic.Int32

	mu       sync.Mutex // guards what follows
	watchers map[chan Delivered]*int
}

// watched reports whether anybody looks on; lines are only kept then.
func (t *tail) watched() bool { return t.count.Load() > 0 }

// keep adds a record to the lines of its batch.
func (t *tail) keep(lines [][]byte, f flowlog.Format, r *flowlog.Record) [][]byte {
	if len(lines) >= maxLines {
		return lines
	}
	return append(lines, f.AppendText(nil, r))
}

// show hands out a batch that has been delivered.
func (t *tail) show(log *flowlogs.FlowLog, lines [][]byte, records int64) {
	if len(lines) == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for ch, missed := range t.watchers {
		d := Delivered{FlowLog: *log, Lines: lines, Missed: *missed + int(records) - len(lines)}
		select {
		case ch <- d:
			*missed = 0
		default:
			*missed += int(records)
		}
	}
}

// Watch shows what is delivered from now on, until ctx is done. The lines are
// shared: nobody writes to them.
func (d *Dispatcher) Watch(ctx context.Context) <-chan Delivered {
	t := &d.tail
	ch := make(chan Delivered, backlog)
	t.mu.Lock()
	if t.watchers == nil {
		t.watchers = map[chan Delivered]*int{}
	}
	t.watchers[ch] = new(int)
	t.mu.Unlock()
	t.count.Add(1)
	go func() {
		<-ctx.Done()
		t.count.Add(-1)
		t.mu.Lock()
		delete(t.watchers, ch)
		close(ch)
		t.mu.Unlock()
	}()
	return ch
}
