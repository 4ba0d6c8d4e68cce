package journal

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// embedded is the NATS server inside this process. It opens no port, and is
// restarted when it has turned JetStream off.
type embedded struct {
	cfg *Config

	mu  sync.Mutex // held while the server is started or stopped
	srv *server.Server
	// mended is in how many places the files were damaged at the last start.
	mended int
}

// embeddedPayload is the largest message inside. A closing message of 65,536
// interfaces needs 3 MB.
const embeddedPayload = 8 << 20

// startTimeout is how long a server may take to come up: it reads its whole
// store after a crash.
const startTimeout = 10 * time.Minute

func (e *embedded) start(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.startLocked(ctx)
}

func (e *embedded) startLocked(ctx context.Context) error {
	if err := os.MkdirAll(e.cfg.Dir, 0o700); err != nil {
		return err
	}
	var err error
	if e.mended, err = mend(e.cfg); err != nil {
		return err
	}
	srv, err := server.NewServer(&server.Options{
		ServerName: "weir", DontListen: true, NoSigs: true, NoSystemAccount: true,
		JetStream: true, StoreDir: e.cfg.Dir, MaxPayload: embeddedPayload,
		// The server would take a share of the disk as it is now for its limit. The
		// stream's limit and room.go are in its place.
		JetStreamMaxStore: math.MaxInt64 / 4, JetStreamMaxMemory: 64 << 20,
		DisableJetStreamBanner: true,
	})
	if err != nil {
		return fmt.Errorf("the NATS server inside: %w", err)
	}
	srv.SetLoggerV2(logger{e.cfg.Log}, false, false, false)
	srv.Start()
	for began := time.Now(); !srv.ReadyForConnections(100 * time.Millisecond); {
		if ctx.Err() != nil || time.Since(began) > startTimeout {
			srv.Shutdown()
			srv.WaitForShutdown()
			return errors.Join(errors.New("the NATS server inside does not come up"), ctx.Err())
		}
	}
	if !srv.JetStreamEnabled() {
		srv.Shutdown()
		srv.WaitForShutdown()
		return fmt.Errorf("the NATS server inside has no JetStream on %s", e.cfg.Dir)
	}
	e.srv = srv
	return nil
}

func (e *embedded) stop() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stopLocked()
}

func (e *embedded) stopLocked() {
	if e.srv == nil {
		return
	}
	e.srv.Shutdown()
	e.srv.WaitForShutdown()
	e.srv = nil
	if err := remember(e.cfg); err != nil {
		e.cfg.Log.Debug("the journal's files will be checked at the next start", "err", err)
	}
}

// InProcessConn is how the client reaches the server, again after each restart.
func (e *embedded) InProcessConn() (net.Conn, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.srv == nil {
		return nil, errors.New("the NATS server inside is not running")
	}
	return e.srv.InProcessConn()
}

// healthy reports whether JetStream is on.
func (e *embedded) healthy() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.srv != nil && e.srv.JetStreamEnabled()
}

// restart stops the server and starts it again.
func (e *embedded) restart(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stopLocked()
	return e.startLocked(ctx)
}

// streams is the directory of the server's streams: "$G" is the account of those
// who name none.
func streams(dir string) string { return filepath.Join(dir, "jetstream", "$G", "streams") }
