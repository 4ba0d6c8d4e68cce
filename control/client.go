package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"syscall"
	"time"
)

// ErrNotRunning means that no Weir answers for the data directory.
var ErrNotRunning = errors.New("no Weir is running with this data directory")

// Ask returns the status of the Weir that runs with the data directory, or
// [ErrNotRunning].
func Ask(ctx context.Context, data string) (Status, error) {
	var s Status
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", Socket(data))
		},
	}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://weir/status", nil)
	if err != nil {
		return s, err
	}
	resp, err := client.Do(req)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return s, ErrNotRunning
	}
	if err != nil {
		return s, fmt.Errorf("ask the running Weir: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return s, fmt.Errorf("ask the running Weir: %s", resp.Status)
	}
	if err := json.NewDecoder(resp.Body).Decode(&s); err != nil {
		return s, fmt.Errorf("ask the running Weir: %w", err)
	}
	return s, nil
}
