package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"time"
)

// Ask returns the status of the Weir that runs with the data directory, or
// [ErrNotRunning].
func Ask(ctx context.Context, data string) (Status, error) {
	var s Status
	return s, call(ctx, data, http.MethodGet, "/status", nil, &s)
}

// patience is how long the running Weir may take to answer. Creating a flow log
// asks its destination.
const patience = 20 * time.Second

// call asks the running Weir and reads its answer into a value.
func call(ctx context.Context, data, method, path string, body, into any) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("no answer within %v", patience))
	defer cancel()
	resp, err := open(ctx, data, method, path, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if into == nil {
		return nil
	}
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		return askError(ctx, data, err)
	}
	return nil
}

// open asks the running Weir. An answer that is no success is an error, a
// [*flowlogs.Error] where it is one of those.
func open(ctx context.Context, data, method, path string, body any) (*http.Response, error) {
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", Socket(data))
		},
	}}
	var in io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		in = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://weir"+path, in)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, askError(ctx, data, err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close()
	var r refusal
	if err := json.NewDecoder(resp.Body).Decode(&r); err == nil && r.Message != "" {
		return nil, r.err()
	}
	if resp.StatusCode == http.StatusNotFound {
		return nil, &RefusedError{"the running Weir does not know this question", "it is of another version: start it again"}
	}
	return nil, fmt.Errorf("ask the running Weir: %s", resp.Status)
}

// askError is why there is no answer. EINVAL is a path that is too long for a
// socket: no Weir runs there.
func askError(ctx context.Context, data string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.EINVAL), errors.Is(err, syscall.ENOTDIR):
		return ErrNotRunning
	case errors.Is(err, fs.ErrPermission):
		return &dataDirError{data, errors.New("its Weir may not be asked: permission denied"), "ask as the user who runs it: sudo weir …; or name your own directory: --data DIR"}
	case errors.Is(err, context.DeadlineExceeded):
		err = context.Cause(ctx)
	}
	if e, ok := errors.AsType[*url.Error](err); ok { // it would show the made-up URL
		err = e.Err
	}
	return fmt.Errorf("ask the running Weir: %w", err)
}
