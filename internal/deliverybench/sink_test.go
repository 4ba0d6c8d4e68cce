package deliverybench

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/flowlog"
)

// sink takes what CloudWatch Logs and Data Firehose take, answers after a while,
// and keeps it.
type sink struct {
	server *httptest.Server

	mu    sync.Mutex // guards what follows
	calls [][]byte
}

// wayThere is how long a call takes to a service of the same region and back.
const wayThere = 20 * time.Millisecond

func newSink(t testing.TB) *sink {
	s := &sink{}
	s.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := make([]byte, r.ContentLength)
		if _, err := io.ReadFull(r.Body, body); err != nil {
			t.Error(err)
		}
		time.Sleep(wayThere)
		s.mu.Lock()
		s.calls = append(s.calls, body)
		s.mu.Unlock()
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		_, _ = io.WriteString(w, `{"FailedPutCount":0}`)
	}))
	t.Cleanup(s.server.Close)
	return s
}

// call is a PutLogEvents or a PutRecordBatch.
type call struct {
	LogGroup  string `json:"logGroupName"`
	LogEvents []struct {
		Message string `json:"message"`
	} `json:"logEvents"`
	Stream  string `json:"DeliveryStreamName"`
	Records []struct{ Data []byte }
}

// found adds up what came for a log group or a Firehose stream.
func (s *sink) found(t testing.TB, name string) (all sums) {
	t.Helper()
	format := flowlog.DefaultFormat()
	var r flowlog.Record
	add := func(line string) {
		if err := format.ParseText(&r, line); err != nil {
			t.Fatalf("%s: %q: %v", name, line, err)
		}
		all.add(sums{1, r.Packets, r.Bytes})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, body := range s.calls {
		var c call
		if err := json.Unmarshal(body, &c); err != nil {
			t.Fatal(err)
		}
		if c.LogGroup != name && c.Stream != name {
			continue
		}
		for _, e := range c.LogEvents {
			add(e.Message)
		}
		for _, d := range c.Records {
			line := strings.TrimSuffix(strings.TrimPrefix(string(d.Data), `{"message":"`), "\"}\n")
			add(line)
		}
	}
	return all
}
