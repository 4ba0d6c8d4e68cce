package soak

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// RunNATS is a NATS server with JetStream on a port of the loopback until ctx is
// done. It says "ready" when it answers. What it has acknowledged is on its disk:
// killing it loses nothing.
func RunNATS(ctx context.Context, dir string, port int, ready io.Writer) error {
	srv, err := server.NewServer(&server.Options{
		ServerName: "soak", Host: "127.0.0.1", Port: port, NoSigs: true, NoSystemAccount: true, NoLog: true,
		JetStream: true, StoreDir: dir, SyncAlways: true, MaxPayload: 4 << 20,
		DisableJetStreamBanner: true,
	})
	if err != nil {
		return err
	}
	srv.Start()
	defer srv.WaitForShutdown()
	defer srv.Shutdown()
	if !srv.ReadyForConnections(time.Minute) || !srv.JetStreamEnabled() {
		return errors.New("the NATS server does not come up")
	}
	fmt.Fprintln(ready, "ready")
	<-ctx.Done()
	return nil
}
