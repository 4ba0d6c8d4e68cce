package s3

import (
	"context"
	"net"
	"net/http"
)

// DialTo leads all connections to an address, without TLS.
func (e *Endpoint) DialTo(address string) {
	t := e.opened.Client.HTTP.Transport.(*http.Transport)
	t.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	t.DialTLSContext = t.DialContext
}
