package journal

import (
	"context"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// Change is one key that was put or deleted.
type Change struct {
	Key     string
	Value   []byte // nil when it was deleted
	Deleted bool
}

// Watch sends the keys that begin with a prefix as they are now, and then each
// change, in order. Of a key that changes faster than it is taken, the latest
// value comes at least. The channel is closed when ctx ends or the journal is
// closed. A goroutine runs until then.
func (c *Catalogue) Watch(ctx context.Context, prefix string) (<-chan Change, error) {
	w := &watch{j: c.j, prefix: prefix, filter: ">", out: make(chan Change)}
	if dot := strings.LastIndexByte(prefix, '.'); dot >= 0 {
		w.filter = prefix[:dot+1] + ">"
	}
	again := c.j.whenBack()
	if err := w.begin(ctx); err != nil {
		return nil, explain("watch the catalogue", prefix, err)
	}
	go w.run(ctx, again)
	return w.out, nil
}

// watch is one Watch.
type watch struct {
	j              *Journal
	prefix, filter string
	out            chan Change
	updates        jetstream.KeyWatcher
	end            context.CancelFunc
	last           uint64 // revision of the last change
}

func (w *watch) begin(ctx context.Context) error {
	var opts []jetstream.WatchOpt
	if w.last > 0 {
		opts = append(opts, jetstream.ResumeFromRevision(w.last+1))
	}
	// A watcher of the client leaves a goroutine behind until its context ends.
	ctx, cancel := context.WithCancel(ctx)
	updates, err := w.j.kv.Watch(ctx, w.filter, opts...)
	if err != nil {
		cancel()
		return err
	}
	if w.end != nil {
		w.end()
	}
	w.updates, w.end = updates, cancel
	return nil
}

// run hands changes on. The client's watcher finds out by silence that the server
// was restarted, which takes it 20 seconds: here it is made anew when the
// connection is there again.
func (w *watch) run(ctx context.Context, again <-chan struct{}) {
	defer close(w.out)
	defer func() {
		_ = w.updates.Stop()
		w.end()
	}()
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.j.closed:
			return
		case <-again:
			again = w.j.whenBack()
			_ = w.updates.Stop()
			for w.begin(ctx) != nil {
				if ctx.Err() != nil || w.j.isClosed() {
					return
				}
				pause(ctx, calm, w.j.closed)
			}
		case e, ok := <-w.updates.Updates():
			if !ok {
				return
			}
			if e == nil { // what was there at the beginning is through
				continue
			}
			w.last = e.Revision()
			if !strings.HasPrefix(e.Key(), w.prefix) {
				continue
			}
			select {
			case w.out <- Change{e.Key(), e.Value(), e.Operation() != jetstream.KeyValuePut}:
			case <-ctx.Done():
				return
			case <-w.j.closed:
				return
			}
		}
	}
}
