package s3

import (
	"context"
	"net"
)

// DialTo leads all connections to an address, without TLS.
func (e *Endpoint) DialTo(address string) {
	e.transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	e.transport.DialTLSContext = e.transport.DialContext
}
