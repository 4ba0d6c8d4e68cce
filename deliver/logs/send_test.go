package logs

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/deliver"
	"weir/deliver/internal/aws"
	"weir/deliver/internal/awstest"
	"weir/flowlog"
)

// service is a fault injector with just enough of a log group behind it: it shows
// what we make of answers. That a real service gives them is shown by
// internal/peertest.
type service struct {
	url   string
	fault func(w http.ResponseWriter, action string) bool // true when it answered

	mu      sync.Mutex
	calls   []string            // actions, in order
	streams map[string][]string // messages; nil when there is no group
}

func serve(t testing.TB) *service {
	t.Helper()
	awstest.Env(t)
	s := &service{}
	s.url = awstest.Serve(t, s.answer)
	return s
}

func (s *service) answer(w http.ResponseWriter, action string, body []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, action)
	if s.fault != nil && s.fault(w, action) {
		return
	}
	var in struct {
		LogGroupName, LogStreamName string
		LogEvents                   []struct {
			Timestamp int64
			Message   string
		}
	}
	if err := json.Unmarshal(body, &in); err != nil {
		panic(err)
	}
	_, known := s.streams[in.LogStreamName]
	switch {
	case action == "CreateLogGroup" && s.streams != nil, action == "CreateLogStream" && known:
		awstest.Fail(w, 400, "ResourceAlreadyExistsException", "it exists")
		return
	case action == "CreateLogGroup":
		s.streams = map[string][]string{}
	case s.streams == nil, action == "PutLogEvents" && !known:
		awstest.Fail(w, 400, "ResourceNotFoundException", "it does not exist")
		return
	case action == "CreateLogStream":
		s.streams[in.LogStreamName] = nil
	case action == "PutLogEvents":
		for _, e := range in.LogEvents {
			s.streams[in.LogStreamName] = append(s.streams[in.LogStreamName], e.Message)
		}
	}
	awstest.JSON(w, map[string]any{})
}

func (s *service) open(t testing.TB, timeout time.Duration) *Endpoint {
	t.Helper()
	e, err := OpenEndpoint(t.Context(), EndpointConfig{URL: s.url, Timeouts: aws.Timeouts{Call: timeout}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

func (s *service) destination(t testing.TB) *Destination {
	t.Helper()
	d, err := New(Config{Endpoint: s.open(t, 200*time.Millisecond), Group: "g", Format: format(t)})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// took is the actions since the last time.
func (s *service) took() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	calls := s.calls
	s.calls = nil
	return calls
}

func record(eni string, start int64) flowlog.Record {
	return flowlog.Record{InterfaceID: eni, Start: start}
}

// send delivers records as one batch.
func send(t testing.TB, d *Destination, records ...flowlog.Record) []deliver.Receipt {
	t.Helper()
	var receipts []deliver.Receipt
	for _, p := range encode(t, d, deliver.Begin{}, records) {
		got, err := p.Send(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		receipts = append(receipts, got)
	}
	return receipts
}

const (
	put         = "PutLogEvents"
	makeAStream = "CreateLogStream"
	makeAGroup  = "CreateLogGroup"
)

func TestGroupAndStreamsAreMadeWhenAbsent(t *testing.T) {
	s := serve(t)
	d := s.destination(t)
	steps := []struct {
		name string
		eni  string
		want []string
	}{
		{"nothing is there", "eni-1", []string{put, makeAStream, makeAGroup, makeAStream, put}},
		{"it is known", "eni-1", []string{put}},
		{"the group is new: so is the stream", "eni-2", []string{makeAStream, put}},
		{"it is known, too", "eni-2", []string{put}},
	}
	for _, step := range steps {
		send(t, d, record(step.eni, 1))
		if got := s.took(); !slices.Equal(got, step.want) {
			t.Errorf("%s: calls %v, want %v", step.name, got, step.want)
		}
	}

	s.streams = nil // somebody deletes the group
	send(t, d, record("eni-1", 2))
	if got, want := s.took(), []string{put, makeAStream, makeAGroup, makeAStream, put}; !slices.Equal(got, want) {
		t.Errorf("after the group was deleted: calls %v, want %v", got, want)
	}
	s.streams = map[string][]string{"eni-1-all": nil, "eni-3-all": nil} // or makes it again
	send(t, d, record("eni-2", 3))
	if got, want := s.took(), []string{makeAStream, put}; !slices.Equal(got, want) {
		t.Errorf("after the group was made again: calls %v, want %v", got, want)
	}
	send(t, d, record("eni-3", 3))
	if got, want := s.took(), []string{makeAStream, put}; !slices.Equal(got, want) {
		t.Errorf("of a stream that is there: calls %v, want %v", got, want)
	}
}

func TestStreamsThatAreThereCostNoCall(t *testing.T) {
	s := serve(t)
	s.streams = map[string][]string{"eni-1-all": nil, "eni-2-all": nil}
	d := s.destination(t)
	send(t, d, record("eni-1", 1), record("eni-2", 1))
	if got, want := s.took(), []string{put, put}; !slices.Equal(got, want) {
		t.Errorf("calls %v, want %v", got, want)
	}
}

func TestTwoFlowLogsShareAStream(t *testing.T) {
	s := serve(t)
	first, second := s.destination(t), s.destination(t)
	send(t, first, record("eni-1", 1))
	send(t, second, record("eni-1", 2))
	send(t, first, record("eni-1", 3))
	want := map[string][]string{"eni-1-all": {"eni-1 1 0 -", "eni-1 2 0 -", "eni-1 3 0 -"}}
	if diff := cmp.Diff(want, s.streams); diff != "" {
		t.Error(diff)
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
	}{
		"throttled":   {fail(400, "ThrottlingException"), deliver.Rate, false},
		"unavailable": {fail(503, "ServiceUnavailableException"), deliver.Rate, false},
		"not allowed": {fail(400, "AccessDeniedException"), deliver.Access, false},
		"rejected":    {fail(400, "InvalidParameterException"), deliver.Unknown, false},
		"cut":         {awstest.Cut, deliver.Unknown, true},
		"hangs":       {func(http.ResponseWriter) { time.Sleep(300 * time.Millisecond) }, deliver.Unknown, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t)
			s.streams = map[string][]string{"eni-1-all": nil}
			tried := false
			s.fault = func(w http.ResponseWriter, _ string) bool {
				if tried {
					return false
				}
				tried = true
				tt.answer(w)
				return true
			}
			p := encode(t, s.destination(t), deliver.Begin{}, []flowlog.Record{record("eni-1", 1)})[0]
			_, err := p.Send(t.Context())
			var e *deliver.Error
			if !errors.As(err, &e) || e.Kind != tt.kind || e.Doubtful != tt.doubtful {
				t.Fatalf("%#v, want %v, doubtful %v", err, tt.kind, tt.doubtful)
			}
			t.Log(err, "hint:", e.Hint())
			if got := s.took(); len(got) != 1 {
				t.Errorf("it was tried %d times: the caller does that", len(got))
			}
			if _, err := p.Send(t.Context()); err != nil {
				t.Fatal(err)
			}
			if want := []string{"eni-1 1 0 -"}; !slices.Equal(s.streams["eni-1-all"], want) {
				t.Errorf("stream %q, want %q", s.streams["eni-1-all"], want)
			}
		})
	}
}

// The stream was made, and a machine of the service does not know it yet.
func TestAStreamThatIsNotThereYetIsNoAccessError(t *testing.T) {
	s := serve(t)
	s.fault = func(w http.ResponseWriter, action string) bool {
		if action != put {
			return false
		}
		awstest.Fail(w, 400, "ResourceNotFoundException", "not yet")
		return true
	}
	_, err := encode(t, s.destination(t), deliver.Begin{}, []flowlog.Record{record("eni-1", 1)})[0].Send(t.Context())
	var e *deliver.Error
	if !errors.As(err, &e) || e.Kind != deliver.Unknown {
		t.Errorf("%#v, want an unknown error", err)
	}
	if got, want := s.took(), []string{put, makeAStream, makeAGroup, makeAStream, put}; !slices.Equal(got, want) {
		t.Errorf("calls %v, want %v", got, want)
	}
}

// Nothing of the batch was sent when making its stream fails.
func TestMakingAStreamIsNoDoubt(t *testing.T) {
	for _, failing := range []string{makeAStream, makeAGroup} {
		s := serve(t)
		s.fault = func(w http.ResponseWriter, action string) bool {
			if action == failing {
				awstest.Cut(w)
			}
			return action == failing
		}
		_, err := encode(t, s.destination(t), deliver.Begin{}, []flowlog.Record{record("eni-1", 1)})[0].Send(t.Context())
		if e, ok := errors.AsType[*deliver.Error](err); !ok || e.Doubtful {
			t.Errorf("%s is cut: %#v, want an error without doubt", failing, err)
		}
	}
}

func TestRejectedEventsAreToldOf(t *testing.T) {
	for name, tt := range map[string]struct {
		info map[string]int
		want int64
		why  string
	}{
		"none":           {nil, 0, ""},
		"too old":        {map[string]int{"tooOldLogEventEndIndex": 3}, 3, "3 of 10 are too old: CloudWatch Logs takes events of the last 14 days"},
		"expired":        {map[string]int{"expiredLogEventEndIndex": 2}, 2, "2 of 10 are older than the log group keeps them"},
		"both":           {map[string]int{"tooOldLogEventEndIndex": 3, "expiredLogEventEndIndex": 5}, 5, "3 of 10 are too old: CloudWatch Logs takes events of the last 14 days; 2 of 10 are older than the log group keeps them"},
		"too new":        {map[string]int{"tooNewLogEventStartIndex": 9}, 1, "1 of 10 are more than 2 hours ahead: look at the clocks"},
		"all too new":    {map[string]int{"tooNewLogEventStartIndex": 0}, 10, "10 of 10 are more than 2 hours ahead: look at the clocks"},
		"beyond the end": {map[string]int{"tooOldLogEventEndIndex": 99}, 10, "10 of 10 are too old: CloudWatch Logs takes events of the last 14 days"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t)
			s.fault = func(w http.ResponseWriter, _ string) bool {
				awstest.JSON(w, map[string]any{"rejectedLogEventsInfo": tt.info})
				return true
			}
			got := send(t, s.destination(t), traffic(1, 1, 10)...)
			if got[0].Refused != tt.want || got[0].Why != tt.why {
				t.Errorf("%d refused, %q; want %d, %q", got[0].Refused, got[0].Why, tt.want, tt.why)
			}
		})
	}
}

// Services of before 2023 want a token, and know a call that is repeated.
func TestOldServices(t *testing.T) {
	s := serve(t)
	s.streams = map[string][]string{"eni-1-all": nil}
	next := 100
	var tokens []any
	awsToken := func() string { return fmt.Sprint(next) }
	s.url = awstest.Serve(t, func(w http.ResponseWriter, _ string, body []byte) {
		var in map[string]any
		if err := json.Unmarshal(body, &in); err != nil {
			panic(err)
		}
		tokens = append(tokens, in["sequenceToken"])
		if in["sequenceToken"] != awsToken() {
			w.WriteHeader(http.StatusBadRequest)
			awstest.JSON(w, map[string]any{"__type": "InvalidSequenceTokenException", "expectedSequenceToken": awsToken()})
			return
		}
		next++
		awstest.JSON(w, map[string]any{"nextSequenceToken": awsToken()})
	})
	d := s.destination(t)
	send(t, d, record("eni-1", 1))
	send(t, d, record("eni-1", 2))
	if want := []any{nil, "100", "101"}; !cmp.Equal(tokens, want) {
		t.Errorf("tokens %v, want %v", tokens, want)
	}
}

func TestAlreadyAcceptedIsSuccess(t *testing.T) {
	s := serve(t)
	s.fault = func(w http.ResponseWriter, _ string) bool {
		awstest.Fail(w, 400, "DataAlreadyAcceptedException", "you sent it before")
		return true
	}
	if got := send(t, s.destination(t), record("eni-1", 1)); got[0].Refused != 0 || got[0].Name != "eni-1-all" {
		t.Errorf("%+v", got)
	}
}

func TestARecordThatIsTooLongIsRefused(t *testing.T) {
	s := serve(t)
	s.streams = map[string][]string{"eni-1-all": nil}
	long := record("eni-1", 2)
	long.InstanceTag = string(make([]byte, maxBytes))
	got := send(t, s.destination(t), record("eni-1", 1), long, record("eni-1", 3))
	if len(got) != 3 || got[1].Refused != 1 || got[1].Why == "" || len(s.streams["eni-1-all"]) != 2 {
		t.Errorf("%+v, %d events", got, len(s.streams["eni-1-all"]))
	}
}

func TestProbeWantsCredentialsOnly(t *testing.T) {
	s := serve(t)
	if err := s.destination(t).Probe(t.Context()); err != nil {
		t.Error(err)
	}
	awstest.NoCredentials(t)
	err := s.destination(t).Probe(t.Context())
	var e *deliver.Error
	if !errors.As(err, &e) || e.Kind != deliver.Access || e.Hint() == "" {
		t.Errorf("%#v, want an access error with a hint", err)
	}
	if calls := s.took(); len(calls) != 0 {
		t.Errorf("it called %v", calls)
	}
}

// Parts may go side by side; run with -race.
func TestPartsSideBySide(t *testing.T) {
	s := serve(t)
	d, err := New(Config{Endpoint: s.open(t, 5*time.Second), Group: "g", Format: format(t)})
	if err != nil {
		t.Fatal(err)
	}
	parts := encode(t, d, deliver.Begin{}, traffic(1, 40, 5))
	work := make(chan *part)
	var workers sync.WaitGroup
	for range d.Manner().Parallel {
		workers.Go(func() {
			for p := range work {
				if _, err := p.Send(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for _, p := range parts {
		work <- p
	}
	close(work)
	workers.Wait()
	for name, events := range s.streams {
		if len(events) != 5 {
			t.Errorf("stream %s has %d events", name, len(events))
		}
	}
	if len(s.streams) != 40 {
		t.Errorf("%d streams", len(s.streams))
	}
}
