package faults_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"weir/internal/faults"
)

// service answers a request with what it was sent, and counts.
type service struct {
	*httptest.Server
	whole, broken atomic.Int64
	host          atomic.Value
}

func serve(t *testing.T) *service {
	s := &service{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.host.Store(r.Host)
		b, err := io.ReadAll(r.Body)
		if err != nil {
			s.broken.Add(1)
			return
		}
		s.whole.Add(1)
		_, _ = w.Write(b)
	}))
	t.Cleanup(s.Close)
	return s
}

func listen(t *testing.T, target string) *faults.Proxy {
	t.Helper()
	p, err := faults.Listen("127.0.0.1:0", target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// post sends text and returns what came back.
func post(ctx context.Context, url, text string) (status int, header http.Header, body string, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(text))
	if err != nil {
		return 0, nil, "", err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	a, err := client.Do(r)
	if err != nil {
		return 0, nil, "", err
	}
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	return a.StatusCode, a.Header, string(b), err
}

func TestModes(t *testing.T) {
	const text = "0123456789"
	for _, c := range []struct {
		mode          faults.Mode
		status        int
		body          string
		fails         bool
		whole, broken int64 // what the service saw
	}{
		{faults.Pass(), 200, text, false, 1, 0},
		{faults.S3Error(503, "SlowDown", "a < b").RetryAfter(7 * time.Second), 503, "<Code>SlowDown</Code><Message>a &lt; b</Message>", false, 0, 0},
		{faults.JSONError(400, "ThrottlingException", "slow"), 400, `{"__type":"ThrottlingException","message":"slow"}`, false, 0, 0},
		{faults.Refuse(), 0, "", true, 0, 0},
		{faults.CutRequest(4), 0, "", true, 0, 1},
		{faults.CutRequest(100), 0, "", true, 1, 0},
		{faults.CutResponse(0), 0, "", true, 1, 0},
		{faults.CutResponse(4), 200, "0123", true, 1, 0},
		{faults.CutResponse(100), 200, text, false, 1, 0},
	} {
		t.Run(c.mode.String(), func(t *testing.T) {
			s := serve(t)
			p := listen(t, s.URL)
			p.Set(c.mode)
			status, header, body, err := post(t.Context(), p.URL(), text)
			if status != c.status || !strings.Contains(body, c.body) || (err != nil) != c.fails {
				t.Errorf("status %d, body %q, error %v", status, body, err)
			}
			if status == 503 && header.Get("Retry-After") != "7" {
				t.Errorf("header %v", header)
			}
			s.Close() // waits for what is under way
			if s.whole.Load() != c.whole || s.broken.Load() != c.broken {
				t.Errorf("the service saw %d whole requests and %d broken ones, want %d and %d", s.whole.Load(), s.broken.Load(), c.whole, c.broken)
			}
			if c.whole == 1 && s.host.Load() != strings.TrimPrefix(p.URL(), "http://") {
				t.Errorf("the service saw host %v, want the proxy's", s.host.Load())
			}
			if n := p.Counts(); n.Requests < 1 || (n.Failed > 0) != (c.mode.String() != "pass") {
				t.Errorf("counts %+v", n)
			}
		})
	}
}

func TestHang(t *testing.T) {
	for _, c := range []struct {
		mode  faults.Mode
		whole int64
	}{{faults.Hang(), 0}, {faults.Withhold(), 1}} {
		t.Run(c.mode.String(), func(t *testing.T) {
			s := serve(t)
			p := listen(t, s.URL)
			p.Set(c.mode)
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if _, _, _, err := post(ctx, p.URL(), "x"); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error %v", err)
			}
			done := make(chan error)
			go func() {
				_, _, _, err := post(t.Context(), p.URL(), "x")
				done <- err
			}()
			for p.Counts().Requests < 2 {
				time.Sleep(time.Millisecond)
			}
			p.Set(faults.Pass())
			if err := <-done; err == nil {
				t.Error("what hangs is answered after all")
			}
			if _, _, body, err := post(t.Context(), p.URL(), "x"); err != nil || body != "x" {
				t.Errorf("then: %q, %v", body, err)
			}
			s.Close()
			if s.whole.Load() < c.whole+1 {
				t.Errorf("the service saw %d requests", s.whole.Load())
			}
		})
	}
}

func TestSetTarget(t *testing.T) {
	a, b := serve(t), serve(t)
	p := listen(t, a.URL)
	for _, s := range []*service{a, b} {
		if err := p.SetTarget(s.URL); err != nil {
			t.Fatal(err)
		}
		if _, _, _, err := post(t.Context(), p.URL(), "x"); err != nil || s.whole.Load() != 1 {
			t.Errorf("%v, %d requests", err, s.whole.Load())
		}
	}
	a.Close()
	if err := p.SetTarget(a.URL); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := post(t.Context(), p.URL(), "x"); err == nil {
		t.Error("a service that is gone answers")
	}
	if err := p.SetTarget("nowhere"); err == nil {
		t.Error("no URL is taken")
	}
}
