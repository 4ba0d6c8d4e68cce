package deliver

import (
	"context"
	"slices"
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
	maxLines = 20_000
	// backlog is how many batches whoever looks on may be behind.
	backlog = 16
)

// tail shows records as they are delivered to those who look on. Nobody who looks
// on slows delivery.
type tail struct {
	count atomic.Int32

	mu       sync.Mutex // guards what follows
	watchers map[*watcher]bool
}

// watcher is somebody who looks on.
type watcher struct {
	ids    []string // of flow logs; all when empty
	out    chan Delivered
	missed map[string]int // by flow log, since they were told last
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
	for w := range t.watchers {
		if len(w.ids) > 0 && !slices.Contains(w.ids, log.ID) {
			continue
		}
		d := Delivered{FlowLog: *log, Lines: lines, Missed: w.missed[log.ID] + int(records) - len(lines)}
		select {
		case w.out <- d:
			delete(w.missed, log.ID)
		default:
			w.missed[log.ID] += int(records)
		}
	}
}

// Watch shows what is delivered from now on, until ctx is done: of some flow logs,
// or of all without ids. The lines are shared: nobody writes to them.
func (d *Dispatcher) Watch(ctx context.Context, ids []string) <-chan Delivered {
	t := &d.tail
	w := &watcher{ids: ids, out: make(chan Delivered, backlog), missed: map[string]int{}}
	t.mu.Lock()
	if t.watchers == nil {
		t.watchers = map[*watcher]bool{}
	}
	t.watchers[w] = true
	t.mu.Unlock()
	t.count.Add(1)
	context.AfterFunc(ctx, func() {
		t.count.Add(-1)
		t.mu.Lock()
		delete(t.watchers, w)
		close(w.out)
		t.mu.Unlock()
	})
	return w.out
}
