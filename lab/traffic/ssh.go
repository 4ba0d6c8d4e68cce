package traffic

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// Sessions look like SSH from outside: banners in clear text (RFC 4253, 4.2),
// two long messages for the key exchange, then key strokes that are echoed. The
// payload is zeros.
const (
	serverBanner = "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"
	clientBanner = "SSH-2.0-OpenSSH_9.6\r\n"
	maxBanner    = 255 // RFC 4253, 4.2
	keyExchange  = 1120
)

func sshServer(ctx context.Context, t *task) error {
	return serveTCP(ctx, t.Addr, func(conn net.Conn) {
		if _, err := io.WriteString(conn, serverBanner); err != nil {
			return
		}
		r := bufio.NewReaderSize(conn, maxBanner)
		if _, err := banner(r); err != nil {
			return // a scanner that only looked
		}
		n, err := io.Copy(conn, r)
		if ctx.Err() == nil {
			t.count(n, err)
		}
	})
}

// banner reads the other side's first line.
func banner(r *bufio.Reader) (string, error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return "", fmt.Errorf("read banner: %w", err)
	}
	if !strings.HasPrefix(string(line), "SSH-2.0-") {
		return "", fmt.Errorf("not an SSH banner: %q", line)
	}
	return string(line), nil
}

func sshClient(ctx context.Context, t *task) error {
	return t.pace(ctx, func(ctx context.Context) (int64, error) {
		conn, done, err := t.dial(ctx, 30*time.Second)
		if err != nil {
			return 0, err
		}
		defer done()
		r := bufio.NewReaderSize(conn, maxBanner)
		if _, err := banner(r); err != nil {
			return 0, err
		}
		if _, err := io.WriteString(conn, clientBanner); err != nil {
			return 0, err
		}
		return t.typing(ctx, conn, r)
	})
}

// typing exchanges keys, then types for two to five seconds.
func (t *task) typing(ctx context.Context, conn net.Conn, r io.Reader) (total int64, err error) {
	length := keyExchange
	for range t.between(10, 25) {
		if err := send(conn, int64(length)); err != nil {
			return 0, err
		}
		if err := discard(r, int64(length)); err != nil {
			return 0, err
		}
		total += int64(2 * length)
		length = t.between(36, 100)
		if !wait(ctx, time.Duration(t.between(100, 300))*time.Millisecond) {
			return 0, ctx.Err()
		}
	}
	return total, nil
}
