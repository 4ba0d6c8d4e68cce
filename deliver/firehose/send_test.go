package firehose

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"weir/deliver"
	"weir/deliver/internal/aws"
	"weir/deliver/internal/awstest"
	"weir/flowlog"
)

// service is a fault injector: it shows what we make of answers. That a real
// service gives them is shown by internal/peertest.
type service struct {
	url string

	mu    sync.Mutex // the server's goroutine and the test's
	calls int
	taken []string
	// fault answers instead; or says which records of a call fail, by their
	// message, with which code.
	fault   func(w http.ResponseWriter, call int) bool
	failing func(call int, message string) (code string)
}

func serve(t testing.TB) *service {
	t.Helper()
	awstest.Env(t)
	s := &service{}
	s.url = awstest.Serve(t, func(w http.ResponseWriter, action string, body []byte) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.calls++
		if s.fault != nil && s.fault(w, s.calls) {
			return
		}
		var in struct {
			DeliveryStreamName string
			Records            []struct{ Data []byte }
		}
		if err := json.Unmarshal(body, &in); err != nil || action != "PutRecordBatch" || in.DeliveryStreamName != "flows" {
			panic(fmt.Sprint(err, action, in.DeliveryStreamName))
		}
		failed := 0
		var entries []map[string]string
		for _, r := range in.Records {
			if s.failing != nil {
				if code := s.failing(s.calls, string(r.Data)); code != "" {
					failed++
					entries = append(entries, map[string]string{"ErrorCode": code, "ErrorMessage": "why"})
					continue
				}
			}
			s.taken = append(s.taken, string(r.Data))
			entries = append(entries, map[string]string{"RecordId": fmt.Sprint(len(s.taken))})
		}
		awstest.JSON(w, map[string]any{"FailedPutCount": failed, "RequestResponses": entries})
	})
	return s
}

func (s *service) destination(t testing.TB) *Destination {
	t.Helper()
	e, err := OpenEndpoint(t.Context(), EndpointConfig{URL: s.url, Timeouts: aws.Timeouts{Call: 200 * time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	d, err := New(Config{Endpoint: e, Stream: "flows", Format: format(t)})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func records(n int) []flowlog.Record {
	rs := make([]flowlog.Record, n)
	for i := range rs {
		rs[i] = flowlog.Record{InterfaceID: "eni-1", Start: int64(i)}
	}
	return rs
}

func message(i int) string { return fmt.Sprintf("{\"message\":\"eni-1 %d 0 -\"}\n", i) }

func failure(t *testing.T, err error) *deliver.Error {
	t.Helper()
	var e *deliver.Error
	if !errors.As(err, &e) {
		t.Fatalf("%v is no *deliver.Error", err)
	}
	return e
}

// Only what failed goes again, however often it fails.
func TestOnlyWhatFailedGoesAgain(t *testing.T) {
	s := serve(t)
	fails := map[int][]int{1: {1, 3, 4}, 2: {3, 4}, 3: {4}}
	s.failing = func(call int, m string) string {
		for _, i := range fails[call] {
			if m == message(i) {
				return "ServiceUnavailableException"
			}
		}
		return ""
	}
	p := encode(t, s.destination(t), deliver.Begin{}, records(6))[0]
	for call := 1; call <= 3; call++ {
		_, err := p.Send(t.Context())
		e := failure(t, err)
		if e.Kind != deliver.Rate || e.Doubtful {
			t.Errorf("call %d: %v, doubtful %v: %v", call, e.Kind, e.Doubtful, e)
		}
		t.Log(e)
	}
	got, err := p.Send(t.Context())
	if err != nil || got.Refused != 0 || got.Bytes != p.size || got.Name != "flows" {
		t.Errorf("%+v, %v", got, err)
	}
	want := []string{message(0), message(2), message(5), message(1), message(3), message(4)}
	if !slices.Equal(s.taken, want) {
		t.Errorf("taken %q, want %q", s.taken, want)
	}
}

func TestARecordThatMightHaveFailedIsDoubtful(t *testing.T) {
	s := serve(t)
	s.failing = func(call int, m string) string {
		if call == 1 && m == message(1) {
			return "InternalFailure"
		}
		return ""
	}
	p := encode(t, s.destination(t), deliver.Begin{}, records(3))[0]
	_, err := p.Send(t.Context())
	if e := failure(t, err); e.Kind != deliver.Unknown || !e.Doubtful {
		t.Errorf("%v, doubtful %v", e.Kind, e.Doubtful)
	}
	if _, err := p.Send(t.Context()); err != nil || len(s.taken) != 3 {
		t.Errorf("then: %v, %d records", err, len(s.taken))
	}
}

func TestReactions(t *testing.T) {
	fail := func(status int, code string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) { awstest.Fail(w, status, code, "why") }
	}
	for name, tt := range map[string]struct {
		answer   func(http.ResponseWriter)
		kind     deliver.Kind
		doubtful bool
		hint     bool
	}{
		"unavailable":  {fail(503, "ServiceUnavailableException"), deliver.Rate, false, true},
		"no stream":    {fail(400, "ResourceNotFoundException"), deliver.Access, false, true},
		"not allowed":  {fail(400, "AccessDeniedException"), deliver.Access, false, true},
		"not put to":   {fail(400, "InvalidSourceException"), deliver.Unknown, false, false},
		"an own fault": {fail(500, "InternalFailure"), deliver.Unknown, true, false},
		"cut":          {awstest.Cut, deliver.Unknown, true, true},
		"hangs":        {func(http.ResponseWriter) { time.Sleep(300 * time.Millisecond) }, deliver.Unknown, true, true},
		"says nothing of its failures": {func(w http.ResponseWriter) {
			awstest.JSON(w, map[string]any{"FailedPutCount": 1})
		}, deliver.Unknown, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t)
			s.fault = func(w http.ResponseWriter, call int) bool {
				if call == 1 {
					tt.answer(w)
				}
				return call == 1
			}
			p := encode(t, s.destination(t), deliver.Begin{}, records(2))[0]
			_, err := p.Send(t.Context())
			e := failure(t, err)
			if e.Kind != tt.kind || e.Doubtful != tt.doubtful || (e.Hint() != "") != tt.hint {
				t.Errorf("%v, doubtful %v, hint %q; want %v, %v", e.Kind, e.Doubtful, e.Hint(), tt.kind, tt.doubtful)
			}
			t.Log(e)
			s.mu.Lock()
			if s.calls != 1 {
				t.Errorf("it was tried %d times: the caller does that", s.calls)
			}
			s.mu.Unlock()
			if _, err := p.Send(t.Context()); err != nil || len(s.taken) != 2 {
				t.Errorf("then: %v, %d records", err, len(s.taken))
			}
		})
	}
}

func TestARecordThatIsTooLongIsRefused(t *testing.T) {
	s := serve(t)
	rs := records(3)
	rs[1].InstanceTag = string(make([]byte, maxRecord))
	refused := 0
	for _, p := range encode(t, s.destination(t), deliver.Begin{}, rs) {
		got, err := p.Send(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if refused += int(got.Refused); got.Refused > 0 && got.Why == "" {
			t.Error("it does not say why")
		}
	}
	if refused != 1 || len(s.taken) != 2 {
		t.Errorf("%d refused, %d taken", refused, len(s.taken))
	}
}

func TestProbeWantsCredentialsOnly(t *testing.T) {
	s := serve(t)
	if err := s.destination(t).Probe(t.Context()); err != nil {
		t.Error(err)
	}
	awstest.NoCredentials(t)
	if e := failure(t, s.destination(t).Probe(t.Context())); e.Kind != deliver.Access || e.Hint() == "" {
		t.Errorf("%v, hint %q", e.Kind, e.Hint())
	}
	if s.calls != 0 {
		t.Errorf("it made %d calls", s.calls)
	}
}
