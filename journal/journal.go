package journal

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Journal is the counts that are durable, in the order in which they were stored.
// It is safe for concurrent use.
type Journal struct {
	cfg    Config
	names  names
	server *embedded // nil when the server is reached by URL
	nc     *nats.Conn
	js     jetstream.JetStream
	stream jetstream.Stream
	kv     jetstream.KeyValue
	// countsDisk and catalogueDisk make durable what the server inside has taken;
	// nil when the server is another's.
	countsDisk, catalogueDisk *disk
	atomic                    bool // the server takes batches
	stats                     stats

	appending chan struct{} // holds one token: swaps are stored one after the other
	ledger    ledger        // belongs to whoever holds the token
	unsure    bool          // the ledger may be behind what is stored; as above

	mu     sync.Mutex
	news   chan struct{}                     // closed when something was stored, and made anew
	back   chan struct{}                     // closed when the connection is there again, and made anew
	asking map[*context.CancelCauseFunc]bool // requests that wait for an answer
	closed chan struct{}
	once   sync.Once
	revive revival
}

// requestTimeout is how long one request to the server may take: on a busy disk
// an answer waits for the write.
const requestTimeout = 30 * time.Second

// Open starts or reaches the NATS server, makes what is not there yet, and reads
// what was stored last. The caller holds the directory's lock.
func Open(ctx context.Context, cfg Config) (*Journal, error) {
	if err := cfg.check(); err != nil {
		return nil, &Error{"open the journal", "", err, ""}
	}
	j := &Journal{
		cfg: cfg, names: newNames(cfg.Name),
		appending: make(chan struct{}, 1), news: make(chan struct{}), back: make(chan struct{}), closed: make(chan struct{}),
		asking: map[*context.CancelCauseFunc]bool{},
	}
	if cfg.URL == "" {
		j.server = &embedded{cfg: &j.cfg}
		if err := j.server.start(ctx); err != nil {
			return nil, explain("open the journal", cfg.Dir, err)
		}
	}
	if err := j.begin(ctx); err != nil {
		_ = j.Close()
		return nil, explain("open the journal", cfg.Dir+redact(cfg.URL), err)
	}
	return j, nil
}

func (j *Journal) begin(ctx context.Context) error {
	var err error
	if j.nc, err = j.dial(); err != nil {
		return err
	}
	j.js, err = jetstream.New(j.nc,
		jetstream.WithDefaultTimeout(requestTimeout),
		jetstream.WithPublishAsyncTimeout(requestTimeout),
		jetstream.WithPublishAsyncMaxPending(2*windowMessages))
	if err != nil {
		return err
	}
	if err := j.makeStream(ctx); err != nil {
		return err
	}
	if err := j.makeBucket(ctx); err != nil {
		return err
	}
	if j.server != nil {
		j.countsDisk = newDisk(j.cfg.Dir, j.names.counts)
		j.catalogueDisk = newDisk(j.cfg.Dir, "KV_"+j.names.catalogue)
		if err := errors.Join(j.countsDisk.all(), j.catalogueDisk.all()); err != nil {
			return err
		}
	}
	if _, err := j.nc.Subscribe(j.names.news, func(*nats.Msg) { j.wake() }); err != nil {
		return err
	}
	if err := j.fill(ctx); err != nil {
		return err
	}
	return j.recover(ctx)
}

// Close ends everything that was begun: watches, the connection, the server
// inside. Readers get an error. It may be called twice.
func (j *Journal) Close() error {
	j.once.Do(func() {
		close(j.closed)
		j.wake()
		if j.nc != nil {
			j.nc.Close()
		}
		if j.server != nil {
			j.server.stop()
		}
	})
	return nil
}

func (j *Journal) makeStream(ctx context.Context) error {
	want := jetstream.StreamConfig{
		Name:        j.names.counts,
		Description: "Weir: what was counted, until it is delivered",
		Subjects:    []string{j.names.chunks + ".>", j.names.swaps + ".>", j.names.fill},
		Storage:     jetstream.FileStorage,
		// A full stream refuses. It never drops what is old by itself.
		Discard: jetstream.DiscardNew, MaxBytes: j.cfg.hardLimit(),
		MaxAge: 0, MaxMsgs: -1, MaxMsgsPerSubject: -1, MaxMsgSize: -1,
		AllowDirect:        true,
		AllowAtomicPublish: j.server == nil,
		Duplicates:         time.Second, // nothing here depends on it
	}
	s, err := j.js.Stream(ctx, j.names.counts)
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		if s, err = j.js.CreateStream(ctx, want); err != nil && want.AllowAtomicPublish {
			// A server older than 2.12 knows no batches.
			want.AllowAtomicPublish = false
			s, err = j.js.CreateStream(ctx, want)
		}
	case err == nil && j.server != nil && s.CachedInfo().Config.MaxBytes != want.MaxBytes:
		// Only then: it writes to the disk, which may be full, and what is there
		// must be delivered all the same.
		s, err = j.js.UpdateStream(ctx, want)
	}
	if err != nil {
		return explain("make the stream", j.names.counts, err)
	}
	have := s.CachedInfo().Config
	if have.Discard != jetstream.DiscardNew || have.MaxAge > 0 || have.MaxMsgs > 0 || have.MaxMsgsPerSubject > 0 || !have.AllowDirect {
		return &Error{
			"use the stream", j.names.counts, fmt.Errorf("it forgets by itself or cannot be read directly: %+v", have),
			"set discard new, no limits of age or messages, and direct access; or remove it, Weir makes it anew",
		}
	}
	j.stream, j.atomic = s, have.AllowAtomicPublish
	return nil
}

func (j *Journal) makeBucket(ctx context.Context) error {
	kv, err := j.js.KeyValue(ctx, j.names.catalogue)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		kv, err = j.js.CreateKeyValue(ctx, jetstream.KeyValueConfig{
			Bucket:      j.names.catalogue,
			Description: "Weir: the catalogue",
			History:     1,
			Storage:     jetstream.FileStorage,
			// What says that a key was deleted goes away by itself.
			LimitMarkerTTL: deleteMarker,
		})
	}
	if err != nil {
		return explain("make the bucket", j.names.catalogue, err)
	}
	j.kv = kv
	return nil
}

// wake tells every reader that there may be something new.
func (j *Journal) wake() {
	j.mu.Lock()
	defer j.mu.Unlock()
	close(j.news)
	j.news = make(chan struct{})
}

// whenNew returns a channel that is closed at the next news.
func (j *Journal) whenNew() <-chan struct{} {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.news
}

// reconnected tells every watch that the connection is there again.
func (j *Journal) reconnected() {
	j.mu.Lock()
	defer j.mu.Unlock()
	close(j.back)
	j.back = make(chan struct{})
}

// whenBack returns a channel that is closed when the connection, having broken,
// is there again.
func (j *Journal) whenBack() <-chan struct{} {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.back
}

// isClosed reports whether Close was called.
func (j *Journal) isClosed() bool {
	select {
	case <-j.closed:
		return true
	default:
		return false
	}
}
