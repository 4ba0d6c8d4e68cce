package traffic

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"
)

// listenTCP listens until ctx ends.
func listenTCP(ctx context.Context, addr netip.AddrPort) (net.Listener, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", addr.String())
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { _ = l.Close() })
	return l, nil
}

// serveTCP gives every connection to handle, on a goroutine of its own, until
// ctx ends; then it closes them all and waits for the handlers.
func serveTCP(ctx context.Context, addr netip.AddrPort, handle func(net.Conn)) error {
	l, err := listenTCP(ctx, addr)
	if err != nil {
		return err
	}
	var handlers sync.WaitGroup
	defer handlers.Wait()
	for {
		conn, err := l.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
		handlers.Go(func() {
			defer conn.Close()
			defer stop()
			handle(conn)
		})
	}
}

// dial opens a connection that must be done with everything by the deadline,
// and that ends with ctx. The caller calls done.
func (t *task) dial(ctx context.Context, all time.Duration) (conn net.Conn, done func(), err error) {
	conn, err = t.dialer(5*time.Second).DialContext(ctx, "tcp", t.Addr.String())
	if err != nil {
		return nil, nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	done = func() {
		stop()
		_ = conn.Close()
	}
	if err := conn.SetDeadline(time.Now().Add(all)); err != nil {
		done()
		return nil, nil, err
	}
	return conn, done, nil
}

// zeros is the payload of everything; never written to. Large writes are what
// makes the kernel build super-packets (TSO).
var zeros [256 << 10]byte

// send writes n zero bytes.
func send(w io.Writer, n int64) error {
	for n > 0 {
		wrote, err := w.Write(zeros[:min(n, int64(len(zeros)))])
		if err != nil {
			return err
		}
		n -= int64(wrote)
	}
	return nil
}

// discard reads n bytes; fewer are an error.
func discard(r io.Reader, n int64) error {
	// io.Discard's own ReadFrom would read 8 KiB at a time.
	buf := make([]byte, max(1, min(n, int64(len(zeros)))))
	read, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, io.LimitReader(r, n), buf)
	if err == nil && read < n {
		err = fmt.Errorf("%d of %d bytes: %w", read, n, io.ErrUnexpectedEOF)
	}
	return err
}
