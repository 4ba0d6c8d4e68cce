package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"weir/vpc/flowlogs"
)

// FlowLogs is the running Weir's flow logs, as the socket offers them. Its methods
// are safe for concurrent use.
type FlowLogs interface {
	// Create makes flow logs; an error is a [*flowlogs.Error] when the request is
	// at fault.
	Create(ctx context.Context, r flowlogs.Request) (flowlogs.Result, error)
	// Delete ends flow logs. What they have not delivered they never will.
	Delete(ctx context.Context, ids []string) error
	// Watch shows records as they are delivered, until ctx is done. With ids, of
	// these flow logs alone.
	Watch(ctx context.Context, ids []string) <-chan Delivered
}

// Delivered is some records of a flow log that its destination has.
type Delivered struct {
	FlowLogID string   `json:"flow_log_id"`
	Format    string   `json:"format"`
	Lines     []string `json:"lines"`
	// Missed are lines that were delivered and are not shown, here or since the
	// last time: whoever looks on was too slow.
	Missed int `json:"missed,omitempty"`
}

// Created is what became of a request.
type Created struct {
	FlowLogIDs   []string                `json:"flow_log_ids"`
	Unsuccessful []flowlogs.Unsuccessful `json:"unsuccessful,omitempty"`
}

// CreateFlowLogs asks the running Weir to make flow logs.
func CreateFlowLogs(ctx context.Context, data string, r flowlogs.Request) (c Created, err error) {
	return c, call(ctx, data, http.MethodPost, "/flow-logs", r, &c)
}

// DeleteFlowLogs asks the running Weir to end flow logs.
func DeleteFlowLogs(ctx context.Context, data string, ids []string) error {
	return call(ctx, data, http.MethodDelete, "/flow-logs?"+url.Values{"id": ids}.Encode(), nil, nil)
}

// Watch calls show for what the running Weir delivers from now on, until ctx is
// done or Weir ends, which is no error, or until show returns one.
func Watch(ctx context.Context, data string, ids []string, show func(Delivered) error) error {
	resp, err := open(ctx, data, http.MethodGet, "/delivered?"+url.Values{"id": ids}.Encode(), nil)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	defer resp.Body.Close()
	for in := json.NewDecoder(resp.Body); ; {
		var d Delivered
		if err := in.Decode(&d); err != nil {
			if isJSONError(err) {
				return fmt.Errorf("what the running Weir shows: %w", err)
			}
			return nil // Weir has ended, cleanly or not, or ctx
		}
		if err := show(d); err != nil {
			return err
		}
	}
}

func isJSONError(err error) bool {
	_, syntax := errors.AsType[*json.SyntaxError](err)
	_, other := errors.AsType[*json.UnmarshalTypeError](err)
	return syntax || other
}

const (
	// maxRequest bounds what a client may send, in bytes.
	maxRequest = 1 << 20
	// maxShown is how many lines are sent at a time: a client that wants ten need
	// not take a hundred thousand.
	maxShown = 1000
)

func flowLogRoutes(mux *http.ServeMux, f FlowLogs) {
	mux.HandleFunc("POST /flow-logs", func(w http.ResponseWriter, req *http.Request) {
		var r flowlogs.Request
		in := json.NewDecoder(http.MaxBytesReader(w, req.Body, maxRequest))
		in.DisallowUnknownFields()
		if err := in.Decode(&r); err != nil {
			refuseBody(w, err)
			return
		}
		result, err := f.Create(req.Context(), r)
		if err != nil {
			refuse(w, err)
			return
		}
		answer(w, http.StatusOK, Created{result.IDs(), result.Unsuccessful})
	})
	mux.HandleFunc("DELETE /flow-logs", func(w http.ResponseWriter, req *http.Request) {
		if err := f.Delete(req.Context(), req.URL.Query()["id"]); err != nil {
			refuse(w, err)
			return
		}
		answer(w, http.StatusOK, struct{}{})
	})
	mux.HandleFunc("GET /delivered", func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Content-Type", "application/x-ndjson")
		out := http.NewResponseController(w)
		_ = out.Flush() // so that the client knows that it is being shown
		lines := json.NewEncoder(w)
		lines.SetEscapeHTML(false)
		for d := range f.Watch(req.Context(), req.URL.Query()["id"]) {
			for _, part := range d.parts() {
				if lines.Encode(part) != nil || out.Flush() != nil {
					return // which ends the watching
				}
			}
		}
	})
}

// refuseBody answers a request that cannot be read.
func refuseBody(w http.ResponseWriter, err error) {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		answer(w, http.StatusRequestEntityTooLarge, refusal{Message: fmt.Sprintf("the request has more than %d bytes", maxRequest)})
		return
	}
	answer(w, http.StatusBadRequest, refusal{Message: fmt.Sprintf("the request is not one of this version: %v", err), Hint: "weir and the running Weir must be of one version"})
}

// parts are d in pieces of at most maxShown lines; what was missed stands in the
// first.
func (d Delivered) parts() []Delivered {
	list := []Delivered{d}
	for last := &list[0]; len(last.Lines) > maxShown; last = &list[len(list)-1] {
		rest := Delivered{FlowLogID: d.FlowLogID, Format: d.Format, Lines: last.Lines[maxShown:]}
		last.Lines = last.Lines[:maxShown]
		list = append(list, rest)
	}
	return list
}
