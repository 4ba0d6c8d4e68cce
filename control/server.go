package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Socket is where a Weir with this data directory listens.
func Socket(data string) string { return filepath.Join(data, "weir.sock") }

// Server answers on the control socket.
type Server struct {
	// Data is the data directory, which the caller has locked.
	Data string
	// Metrics is a TCP address that serves /metrics and /status to others as
	// well; empty for none.
	Metrics string
	// Status is called for each request, from several goroutines.
	Status func() Status
	// FlowLogs answers on the socket alone, not to those who ask for metrics.
	FlowLogs FlowLogs
}

// Run serves until ctx is done.
func (s Server) Run(ctx context.Context) error {
	socket := Socket(s.Data)
	if err := os.Remove(socket); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("control socket: %w", err) // a killed Weir left it
	}
	local, err := net.Listen("unix", socket)
	if err != nil {
		return socketError(socket, err)
	}
	if err := os.Chmod(socket, 0o660); err != nil {
		return errors.Join(fmt.Errorf("control socket: %w", err), local.Close())
	}
	listeners := []net.Listener{local}
	if s.Metrics != "" {
		l, err := net.Listen("tcp", s.Metrics)
		if err != nil {
			return errors.Join(fmt.Errorf("listen for metrics on %s: %w", s.Metrics, err), local.Close())
		}
		listeners = append(listeners, l)
	}
	// A request ends with ctx: one that shows what is delivered would never.
	base := func(net.Listener) context.Context { return ctx }
	public := &http.Server{Handler: s.public(), ReadHeaderTimeout: headerTimeout, BaseContext: base}
	private := &http.Server{Handler: s.private(), ReadHeaderTimeout: headerTimeout, BaseContext: base}
	failed := make(chan error, len(listeners))
	for _, l := range listeners {
		server := public
		if l == local {
			server = private
		}
		go func() { failed <- server.Serve(l) }()
	}
	running := len(listeners)
	select {
	case <-ctx.Done():
		err = nil
	case err = <-failed:
		running--
	}
	closed := errors.Join(end(private), end(public)) // closes the listeners and removes the socket
	for range running {
		<-failed
	}
	return errors.Join(err, closed)
}

// end lets the answers that are under way reach who asked. Whoever does not read
// theirs is not waited for.
func end(s *http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	if err := s.Shutdown(ctx); err == nil {
		return nil
	}
	return s.Close()
}

// socketError says what can be done about a path that is too long for a socket
// (unix(7)): 107 bytes on Linux, fewer elsewhere.
func socketError(socket string, err error) error {
	const longest = 103
	if !errors.Is(err, syscall.EINVAL) || len(socket) <= longest {
		return fmt.Errorf("control socket: %w", err)
	}
	return &dataDirError{filepath.Dir(socket), fmt.Errorf("its socket's path would have %d bytes, more than a socket can have", len(socket)), "choose a directory with a shorter path: --data DIR"}
}

const (
	// headerTimeout is how long a request may take to say what it wants.
	headerTimeout = 5 * time.Second
	// farewell is how long the last answers may take.
	farewell = time.Second
)

// public is what those may ask who are let in to the metrics.
func (s Server) public() *http.ServeMux {
	registry := prometheus.NewRegistry()
	registry.MustRegister(metrics{s.Status}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, s.Status()) })
	return mux
}

// private is what those may ask besides who may open the socket.
func (s Server) private() *http.ServeMux {
	mux := s.public()
	if s.FlowLogs != nil {
		flowLogRoutes(mux, s.FlowLogs)
	}
	return mux
}

// answer writes a value as JSON.
func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client may have gone
}
