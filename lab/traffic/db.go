package traffic

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"
)

// The database's protocol, numbers in network byte order:
//
//	request:  length of the statement (4) │ length of the answer wanted (4) │ statement
//	answer:   its length (4) │ rows
const (
	requestHeader = 8
	answerHeader  = 4
	maxMessage    = 1 << 30
)

// dbServer serves one request after another on each connection.
func dbServer(ctx context.Context, t *task) error {
	return serveTCP(ctx, t.Addr, func(conn net.Conn) {
		for {
			n, err := serveRequest(conn)
			if err == io.EOF || ctx.Err() != nil { //nolint:errorlint // only a bare EOF is a client that left between two requests
				return
			}
			t.count(n, err)
			if err != nil {
				return
			}
		}
	})
}

// serveRequest returns the bytes of statement and answer.
func serveRequest(conn net.Conn) (int64, error) {
	var header [requestHeader]byte
	if _, err := io.ReadFull(conn, header[:]); err != nil {
		return 0, err
	}
	statement := int64(binary.BigEndian.Uint32(header[:4]))
	answer := int64(binary.BigEndian.Uint32(header[4:]))
	if max(statement, answer) > maxMessage {
		return 0, fmt.Errorf("a message of %d bytes: the other side speaks another protocol", max(statement, answer))
	}
	if err := discard(conn, statement); err != nil {
		return 0, fmt.Errorf("read statement: %w", err)
	}
	if err := sendMessage(conn, binary.BigEndian.AppendUint32(nil, uint32(answer)), answer); err != nil {
		return 0, fmt.Errorf("write answer: %w", err)
	}
	return statement + answer, nil
}

// request asks for an answer of a given length.
func request(conn net.Conn, statement, answer int64) error {
	header := binary.BigEndian.AppendUint32(nil, uint32(statement))
	header = binary.BigEndian.AppendUint32(header, uint32(answer))
	if err := sendMessage(conn, header, statement); err != nil {
		return err
	}
	var length [answerHeader]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return err
	}
	return discard(conn, int64(binary.BigEndian.Uint32(length[:])))
}

// sendMessage writes a header and n bytes; a short message goes out as one
// packet.
func sendMessage(conn net.Conn, header []byte, n int64) error {
	first := min(n, 32<<10)
	if _, err := conn.Write(append(header, zeros[:first]...)); err != nil {
		return err
	}
	return send(conn, n-first)
}

// database is a client with one connection that lives as long as it works.
type database struct {
	addr netip.AddrPort

	mu   sync.Mutex // protects conn, and lets one query be under way
	conn net.Conn
}

func (d *database) query(ctx context.Context, statement, answer int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.conn == nil {
		conn, err := (&net.Dialer{Timeout: 3 * time.Second}).DialContext(ctx, "tcp", d.addr.String())
		if err != nil {
			return fmt.Errorf("database: %w", err)
		}
		d.conn = conn
	}
	err := d.conn.SetDeadline(time.Now().Add(5 * time.Second))
	if err == nil {
		err = request(d.conn, statement, answer)
	}
	if err != nil {
		_ = d.conn.Close()
		d.conn = nil // the next query opens a new one
		return fmt.Errorf("database: %w", err)
	}
	return nil
}

func (d *database) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.conn != nil {
		_ = d.conn.Close()
	}
}

// dbLoad sends a large statement on a connection of its own, as a bulk load does.
func dbLoad(ctx context.Context, t *task) error {
	return t.pace(ctx, func(ctx context.Context) (int64, error) {
		conn, done, err := t.dial(ctx, 30*time.Second)
		if err != nil {
			return 0, err
		}
		defer done()
		return t.Bytes, request(conn, t.Bytes, 16)
	})
}
