package soak

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"weir/flowlog"
)

// Recorder stands where CloudWatch Logs and Data Firehose would, and adds up what
// it is given. It takes what Weir sends and is no proof of the protocol: services
// that are not ours are (internal/peertest).
type Recorder struct {
	Format   flowlog.Format
	Logs     *Ledger
	Firehose *Ledger

	mu      sync.Mutex // guards what follows
	groups  map[string]bool
	streams map[string]bool
	partial Partial
	calls   uint64
	failed  uint64 // records
}

// SetPartial does this to all calls that come from now on.
func (s *Recorder) SetPartial(p Partial) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.partial = p
}

// Failed is how many records Firehose did not take, or said so.
func (s *Recorder) Failed() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

func (s *Recorder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler) // the request was cut: it has not come
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	_, action, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	switch action {
	case "CreateLogGroup", "CreateLogStream", "PutLogEvents":
		err = s.logs(w, action, body)
	case "PutRecordBatch":
		err = s.putRecords(w, body)
	default:
		err = fmt.Errorf("nobody answers %q here", action)
	}
	if err != nil {
		s.Logs.Strange(err.Error())
		w.WriteHeader(http.StatusBadRequest)
	}
}

// answer writes an answer. Whether it arrives is not the recorder's matter: what
// came has come.
func answer(w http.ResponseWriter, status int, body any) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// Limits of PutLogEvents (CloudWatch Logs API reference).
const (
	maxEvents  = 10_000
	maxPut     = 1 << 20
	perEvent   = 26
	maxSpan    = 24 * 3600 * 1000
	maxRecords = 500 // of PutRecordBatch
)

func (s *Recorder) logs(w http.ResponseWriter, action string, body []byte) error {
	var in struct {
		LogGroupName, LogStreamName string
		LogEvents                   []struct {
			Message   string
			Timestamp int64
		}
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return err
	}
	if s.groups == nil {
		s.groups, s.streams = map[string]bool{}, map[string]bool{}
	}
	stream := in.LogGroupName + "\x00" + in.LogStreamName
	refuse := func(code string) error {
		answer(w, http.StatusBadRequest, map[string]string{"__type": code, "message": "by the recorder"})
		return nil
	}
	switch {
	case action == "CreateLogGroup" && s.groups[in.LogGroupName], action == "CreateLogStream" && s.streams[stream]:
		return refuse("ResourceAlreadyExistsException")
	case action == "CreateLogGroup":
		s.groups[in.LogGroupName] = true
	case !s.groups[in.LogGroupName], action == "PutLogEvents" && !s.streams[stream]:
		return refuse("ResourceNotFoundException")
	case action == "CreateLogStream":
		s.streams[stream] = true
	default:
		size := 0
		for i, e := range in.LogEvents {
			size += len(e.Message) + perEvent
			if i > 0 && e.Timestamp < in.LogEvents[i-1].Timestamp || e.Timestamp-in.LogEvents[0].Timestamp >= maxSpan {
				s.Logs.Strange("a call of PutLogEvents with events out of order, or of more than a day")
			}
			s.add(s.Logs, e.Message, in.LogStreamName+" "+strconv.FormatInt(e.Timestamp, 10)+" ")
		}
		if len(in.LogEvents) > maxEvents || size > maxPut {
			s.Logs.Strange(fmt.Sprintf("a call of PutLogEvents with %d events of %d bytes", len(in.LogEvents), size))
		}
	}
	answer(w, http.StatusOK, struct{}{})
	return nil
}

func (s *Recorder) putRecords(w http.ResponseWriter, body []byte) error {
	var in struct {
		Records []struct{ Data []byte }
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return err
	}
	type put struct {
		RecordID     string `json:"RecordId,omitempty"`
		ErrorCode    string `json:",omitempty"`
		ErrorMessage string `json:",omitempty"`
	}
	out := struct {
		FailedPutCount   int
		RequestResponses []put
	}{RequestResponses: []put{}}
	for i, r := range in.Records {
		fails := s.partial.Every > 0 && (i+int(s.calls))%s.partial.Every == 0
		if !fails || s.partial.Taken && i%2 == 0 {
			var m struct{ Message string }
			if err := json.Unmarshal(r.Data, &m); err != nil {
				s.Firehose.Strange(err.Error())
			}
			s.add(s.Firehose, m.Message, "")
		}
		if fails {
			s.failed++
			out.FailedPutCount++
			out.RequestResponses = append(out.RequestResponses, put{ErrorCode: s.partial.Code, ErrorMessage: "by the recorder"})
			continue
		}
		out.RequestResponses = append(out.RequestResponses, put{RecordID: "r"})
	}
	if len(in.Records) > maxRecords {
		s.Firehose.Strange(fmt.Sprintf("a call of PutRecordBatch with %d records", len(in.Records)))
	}
	answer(w, http.StatusOK, out)
	return nil
}

func (s *Recorder) add(to *Ledger, line, prefix string) {
	var r flowlog.Record
	if err := s.Format.ParseText(&r, line); err != nil {
		to.Strange(fmt.Sprintf("no record: %q: %v", line, err))
		return
	}
	to.Add(&r, []byte(prefix+line))
}
