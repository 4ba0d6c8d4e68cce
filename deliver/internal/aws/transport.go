package aws

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"
)

// DefaultTimeout is how long a call may take from its first byte to the last
// one of its answer. The largest calls carry 1 MiB (PutLogEvents) and 4 MiB
// (PutRecordBatch): an uplink of 2 Mbit/s is fast enough.
const DefaultTimeout = 30 * time.Second

// Transport is a pool of connections to one endpoint: as many kept open as flow
// logs are likely to use side by side, and none waited for longer than a
// destination that is up takes.
func Transport() *http.Transport {
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout: 5 * time.Second,
		ForceAttemptHTTP2:   true,
		MaxIdleConns:        256,
		MaxIdleConnsPerHost: 64,
		// AWS closes idle connections after about a minute; ours go first, so that
		// a call does not begin on one that is about to be closed.
		IdleConnTimeout:       45 * time.Second,
		ExpectContinueTimeout: time.Second,
	}
}

// Client sends a request once and remembers whether all of it was written: when
// no answer comes, that decides whether the destination may have taken it. It is
// safe for concurrent use.
type Client struct {
	Transport http.RoundTripper
	Timeout   time.Duration // per call, the answer's body included; 0 is none
}

// Do is what the SDK calls. The time-out is ours, not the request's context's:
// when the caller's context has ended, the SDK drops the cause of an error.
func (c *Client) Do(r *http.Request) (*http.Response, error) {
	ctx, cancel := r.Context(), context.CancelFunc(func() {})
	if c.Timeout > 0 {
		ctx, cancel = context.WithTimeout(ctx, c.Timeout)
	}
	var written atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteRequest: func(info httptrace.WroteRequestInfo) { written.Store(info.Err == nil) },
	})
	// The transport itself, not an http.Client: a redirect of a signed request
	// cannot be followed, the signature covers the host.
	resp, err := c.Transport.RoundTrip(r.WithContext(ctx))
	if err != nil {
		if cause := context.Cause(ctx); cause != nil && r.Context().Err() == nil {
			err = &timeoutError{after: c.Timeout}
		}
		cancel()
		return nil, &sendError{err: err, written: written.Load()}
	}
	resp.Body = &body{ReadCloser: resp.Body, cancel: cancel}
	return resp, nil
}

// CloseIdleConnections closes the connections that no call uses.
func (c *Client) CloseIdleConnections() {
	if t, ok := c.Transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

// body ends the call's time-out when the answer has been read.
type body struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (b *body) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}

// sendError is a call without an answer.
type sendError struct {
	err     error
	written bool // all of the request
}

func (e *sendError) Error() string {
	if errors.Is(e.err, io.EOF) {
		return "the connection was closed without an answer"
	}
	return e.err.Error()
}

func (e *sendError) Unwrap() error { return e.err }

// timeoutError is a call that took too long.
type timeoutError struct{ after time.Duration }

func (e *timeoutError) Error() string { return "no answer within " + e.after.String() }
func (e *timeoutError) Timeout() bool { return true }
