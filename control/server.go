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
}

// Run serves until ctx is done.
func (s Server) Run(ctx context.Context) error {
	socket := Socket(s.Data)
	if err := os.Remove(socket); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("control socket: %w", err) // a killed Weir left it
	}
	local, err := net.Listen("unix", socket)
	if err != nil {
		return fmt.Errorf("control socket: %w", err)
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
	server := &http.Server{Handler: s.handler(), ReadHeaderTimeout: 5 * time.Second}
	failed := make(chan error, len(listeners))
	for _, l := range listeners {
		go func() { failed <- server.Serve(l) }()
	}
	running := len(listeners)
	select {
	case <-ctx.Done():
		err = nil
	case err = <-failed:
		running--
	}
	closed := server.Close() // closes the listeners and removes the socket
	for range running {
		<-failed
	}
	return errors.Join(err, closed)
}

func (s Server) handler() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(metrics{s.Status}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(s.Status()) // the client may have gone
	})
	return mux
}
