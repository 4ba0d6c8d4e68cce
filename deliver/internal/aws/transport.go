package aws

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go/middleware"
)

// Timeouts bound the steps of a call; 0 is the default.
type Timeouts struct {
	Connect time.Duration // TCP; 5 s
	TLS     time.Duration // its handshake; 10 s
	Answer  time.Duration // from the end of the request to the first line of the answer; 30 s
	// Call is all of it, the answer's body and a second attempt included; 30 s.
	// The largest calls carry 1 MiB (PutLogEvents) and 4 MiB (PutRecordBatch): an
	// uplink of 2 Mbit/s is fast enough. The objects of S3 take longer.
	Call time.Duration
}

func (t Timeouts) withDefaults() Timeouts {
	return Timeouts{
		Connect: cmp.Or(t.Connect, 5*time.Second), TLS: cmp.Or(t.TLS, 10*time.Second),
		Answer: cmp.Or(t.Answer, 30*time.Second), Call: cmp.Or(t.Call, 30*time.Second),
	}
}

// buildable is a client of the SDK's kind, with a pool of connections to one
// endpoint: as many kept open as flow logs are likely to use side by side.
func buildable(limits Timeouts, connections int) *awshttp.BuildableClient {
	return awshttp.NewBuildableClient().
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = limits.Connect }).
		WithTransportOptions(func(t *http.Transport) {
			t.TLSHandshakeTimeout, t.ResponseHeaderTimeout = limits.TLS, limits.Answer
			t.MaxIdleConns = 256
			t.MaxConnsPerHost, t.MaxIdleConnsPerHost = connections, cmp.Or(connections, 64)
			// Less than services keep theirs (AWS about a minute), so that a call does
			// not begin on one that is about to be closed.
			t.IdleConnTimeout = 30 * time.Second
		})
}

// Client sends a request and remembers whether all of it was written: when no
// answer comes, that decides whether the destination may have taken it. It is
// safe for concurrent use.
type Client struct {
	HTTP    http.Client
	Timeout time.Duration // of a call
}

// deadline is the context's key for the end of a call's time.
type deadline struct{}

// start makes a call's time begin where the call does: its attempts share it. It
// is no deadline of the context's: when a context has ended, the SDK drops the
// cause of an error, and with it what [Client.Do] remembers.
func (c *Client) start(stack *middleware.Stack) error {
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("weir: start",
		func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
			return next.HandleInitialize(context.WithValue(ctx, deadline{}, time.Now().Add(c.Timeout)), in)
		}), middleware.Before)
}

// Do is what the SDK calls for an attempt.
func (c *Client) Do(r *http.Request) (*http.Response, error) {
	end := r.Context().Value(deadline{}).(time.Time)
	attempt := c.HTTP
	attempt.Timeout = max(time.Until(end), 1) // 0 is none
	var written atomic.Bool
	resp, err := attempt.Do(r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
		WroteRequest: func(info httptrace.WroteRequestInfo) { written.Store(info.Err == nil) },
	})))
	if err == nil {
		return resp, nil
	}
	if whole, ok := errors.AsType[*url.Error](err); ok {
		err = whole.Err // without the request's URL
	}
	if !time.Now().Before(end) {
		err = &timeoutError{after: c.Timeout}
	}
	return nil, &sendError{err: err, written: written.Load(), to: r.URL.Scheme + "://" + r.URL.Host}
}

// sendError is a call without an answer.
type sendError struct {
	err     error
	written bool   // all of the request
	to      string // scheme and host
}

func (e *sendError) Error() string {
	if errors.Is(e.err, io.EOF) {
		return "the connection was closed without an answer"
	}
	return e.err.Error()
}

func (e *sendError) Unwrap() error { return e.err }

func (e *sendError) hint() string {
	_, unknown := errors.AsType[*net.DNSError](e.err)
	_, untrusted := errors.AsType[x509.UnknownAuthorityError](e.err)
	_, late := errors.AsType[*timeoutError](e.err)
	switch {
	case unknown:
		return "check the name in the endpoint's URL and this machine's resolver"
	case untrusted:
		return "name the file of the certificate's authority as AWS_CA_BUNDLE"
	case late:
		return "check that " + e.to + " can be reached and is not overloaded"
	}
	return "check that " + e.to + " is up and can be reached"
}

// timeoutError is a call that took too long.
type timeoutError struct{ after time.Duration }

func (e *timeoutError) Error() string { return "no answer within " + e.after.String() }
func (e *timeoutError) Timeout() bool { return true }
