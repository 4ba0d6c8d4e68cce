package faults

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"time"
)

// Proxy listens until it is closed. Its methods may be called by several
// goroutines at once.
type Proxy struct {
	listener net.Listener
	server   *http.Server
	forward  *httputil.ReverseProxy
	out      *http.Transport
	served   chan struct{}

	mu      sync.Mutex // guards what follows
	target  *url.URL
	mode    Mode
	changed chan struct{} // closed when the mode changes
	counts  Counts
}

// Counts are requests since Listen.
type Counts struct {
	Requests int // that came
	Failed   int // to which something was done
}

// Listen begins to pass requests from address ("127.0.0.1:0" for any port) to
// target ("http://127.0.0.1:7070").
func Listen(address, target string) (*Proxy, error) {
	p := &Proxy{changed: make(chan struct{}), served: make(chan struct{})}
	if err := p.SetTarget(target); err != nil {
		return nil, err
	}
	var err error
	if p.listener, err = net.Listen("tcp", address); err != nil {
		return nil, fmt.Errorf("fault proxy: %w", err)
	}
	// A connection each: one that the target closed between two requests would
	// be a fault that nobody asked for.
	p.out = &http.Transport{DisableCompression: true, DisableKeepAlives: true, ExpectContinueTimeout: time.Second}
	p.forward = &httputil.ReverseProxy{
		Transport: p.out,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = p.at()
			r.Out.Host = r.In.Host // it is signed
		},
		FlushInterval:  -1, // what is passed before a cut arrives
		ModifyResponse: p.modify,
		ErrorHandler:   func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
		ErrorLog:       log.New(io.Discard, "", 0),
	}
	p.server = &http.Server{Handler: p, ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: time.Minute}
	go func() {
		defer close(p.served)
		_ = p.server.Serve(p.listener) // it ends with Close, and says so
	}()
	return p, nil
}

// URL is where clients find it.
func (p *Proxy) URL() string { return "http://" + p.listener.Addr().String() }

// SetTarget passes requests to another service from now on.
func (p *Proxy) SetTarget(target string) error {
	u, err := url.Parse(target)
	if err != nil || u.Host == "" {
		return fmt.Errorf("fault proxy: target %q is no URL", target)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = u
	return nil
}

func (p *Proxy) at() (scheme, host string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.target.Scheme, p.target.Host
}

// Set does this to every request that comes from now on. Requests that hang are
// cut.
func (p *Proxy) Set(m Mode) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mode = m
	close(p.changed)
	p.changed = make(chan struct{})
}

// Mode is what Set was given last.
func (p *Proxy) Mode() Mode {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mode
}

// Counts are the requests so far.
func (p *Proxy) Counts() Counts {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.counts
}

// Close cuts all connections and waits until nobody listens.
func (p *Proxy) Close() error {
	p.Set(Refuse())
	err := p.server.Close()
	<-p.served
	p.out.CloseIdleConnections()
	return err
}

// modeKey finds a request's mode in its context.
type modeKey struct{}

func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	m, changed := p.mode, p.changed
	p.counts.Requests++
	if m.kind != pass {
		p.counts.Failed++
	}
	p.mu.Unlock()

	switch m.kind {
	case reply:
		m.answer.write(w, r)
		return
	case refuse:
		panic(http.ErrAbortHandler)
	case hang:
		_, _ = io.Copy(io.Discard, r.Body) // or the server does not see the client go
		wait(r.Context(), changed)
		panic(http.ErrAbortHandler)
	case withhold:
		r = r.WithContext(context.WithValue(r.Context(), modeKey{}, held{m, changed}))
	case cutRequest:
		r.Body = &cutReader{ReadCloser: r.Body, left: m.bytes}
		r = r.WithContext(context.WithValue(r.Context(), modeKey{}, held{m, changed}))
	case cutResponse:
		r = r.WithContext(context.WithValue(r.Context(), modeKey{}, held{m, changed}))
	}
	p.forward.ServeHTTP(w, r)
}

// held is what a request under way needs to know.
type held struct {
	Mode
	changed chan struct{}
}

var errCut = errors.New("cut on demand")

// modify deals with the target's answer. An error cuts the client off.
func (p *Proxy) modify(r *http.Response) error {
	h, _ := r.Request.Context().Value(modeKey{}).(held)
	switch h.kind {
	case withhold:
		wait(r.Request.Context(), h.changed)
		return errCut
	case cutRequest:
		return errCut
	case cutResponse:
		if h.bytes == 0 {
			return errCut
		}
		r.Body = &cutReader{ReadCloser: r.Body, left: h.bytes}
	}
	return nil
}

func wait(ctx context.Context, changed chan struct{}) {
	select {
	case <-ctx.Done():
	case <-changed:
	}
}

func (a answer) write(w http.ResponseWriter, r *http.Request) {
	maps.Copy(w.Header(), a.header)
	w.WriteHeader(a.status)
	if r.Method != http.MethodHead {
		_, _ = io.WriteString(w, a.body)
	}
}

// cutReader fails behind so many bytes.
type cutReader struct {
	io.ReadCloser
	left int64
}

func (c *cutReader) Read(b []byte) (int, error) {
	if c.left <= 0 {
		return 0, errCut
	}
	if int64(len(b)) > c.left {
		b = b[:c.left]
	}
	n, err := c.ReadCloser.Read(b)
	c.left -= int64(n)
	return n, err
}
