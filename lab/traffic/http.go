package traffic

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/netip"
	"strconv"
	"time"
)

// httpServer serves
//
//	GET /?bytes=N      a page of N bytes, after asking Upstream and Database for as much
//	GET /file?bytes=N  N bytes, asking nobody
//
// Answers of a length that the client chose need no randomness here, where
// requests come in any order.
func httpServer(ctx context.Context, t *task) error {
	l, err := listenTCP(ctx, t.Addr)
	if err != nil {
		return err
	}
	page := &pages{task: t}
	if t.Upstream.IsValid() {
		transport := &http.Transport{MaxIdleConnsPerHost: 4}
		defer transport.CloseIdleConnections()
		page.upstream = &http.Client{Transport: transport, Timeout: 5 * time.Second}
	}
	if t.Database.IsValid() {
		page.database = &database{addr: t.Database}
		defer page.database.close()
	}
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", page)
	mux.HandleFunc("GET /file", func(w http.ResponseWriter, r *http.Request) {
		if n, ok := wanted(w, r); ok {
			t.count(n, send(w, n))
		}
	})
	server := &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          log.New(io.Discard, "", 0), // scanners that hang up are no news
	}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.Serve(l); ctx.Err() == nil {
		return err
	}
	return nil
}

// pages answers what needs others. A field that is nil is not asked.
type pages struct {
	*task
	upstream *http.Client
	database *database
}

func (p *pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n, ok := wanted(w, r)
	if !ok {
		return
	}
	err := p.ask(r.Context(), n)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
	} else {
		err = send(w, n)
	}
	if r.Context().Err() == nil { // a client that left is not our failure
		p.count(n, err)
	}
}

func (p *pages) ask(ctx context.Context, n int64) error {
	if p.upstream != nil {
		if _, err := get(ctx, p.upstream, p.Upstream, "/", n); err != nil {
			return err
		}
	}
	if p.database != nil {
		return p.database.query(ctx, 40+n%160, n/4) // a statement and a few rows
	}
	return nil
}

// wanted reads the length a client wants and announces it; it has answered
// when it is not one.
func wanted(w http.ResponseWriter, r *http.Request) (n int64, ok bool) {
	n, err := strconv.ParseInt(r.FormValue("bytes"), 10, 64)
	if err != nil || n < 1 {
		http.Error(w, "bytes: not a positive number", http.StatusBadRequest)
		return 0, false
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.FormatInt(n, 10))
	return n, true
}

// get fetches n bytes.
func get(ctx context.Context, c *http.Client, from netip.AddrPort, path string, n int64) (int64, error) {
	url := fmt.Sprintf("http://%s%s?bytes=%d", from, path, n)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0, err
	}
	resp, err := c.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("GET %s: %s", url, resp.Status)
	}
	return n, discard(resp.Body, n)
}

// httpClient is a browser, a script or a download, by the task's kind.
func httpClient(ctx context.Context, t *task) error {
	transport := &http.Transport{
		DialContext:       t.dialer(3 * time.Second).DialContext,
		DisableKeepAlives: t.Kind == HTTPShort,
	}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 30 * time.Second}
	left := t.between(100, 300) // requests until a browser opens a new connection
	return t.pace(ctx, func(ctx context.Context) (int64, error) {
		if t.Kind == HTTPDownload {
			return get(ctx, client, t.Addr, "/file", t.Bytes)
		}
		if left--; left == 0 {
			left = t.between(100, 300)
			transport.CloseIdleConnections()
		}
		return get(ctx, client, t.Addr, "/", int64(t.between(300, 12_000)))
	})
}
