package aws

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"weir/deliver"
	"weir/deliver/internal/awstest"
)

// call makes one PutLogEvents and returns the client's error.
func call(t *testing.T, cfg EndpointConfig) error {
	t.Helper()
	opened, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(opened.Client.HTTP.CloseIdleConnections)
	client := cloudwatchlogs.NewFromConfig(opened.Config, func(o *cloudwatchlogs.Options) { o.BaseEndpoint = opened.URL })
	group, stream, message, now := "g", "s", "m", int64(1)
	_, err = client.PutLogEvents(t.Context(), &cloudwatchlogs.PutLogEventsInput{
		LogGroupName: &group, LogStreamName: &stream,
		LogEvents: []types.InputLogEvent{{Message: &message, Timestamp: &now}},
	})
	return err
}

// classified is what [Error] makes of a client's error.
func classified(t *testing.T, err error) *deliver.Error {
	t.Helper()
	e, ok := errors.AsType[*deliver.Error](Error(t.Context(), "put", "there", err))
	if !ok {
		t.Fatalf("%v is not classified", err)
	}
	return e
}

// The server is a fault injector: it shows what we make of an answer, not that
// AWS gives it.
func TestError(t *testing.T) {
	type want struct {
		kind     deliver.Kind
		code     string
		after    time.Duration
		doubtful bool
	}
	fail := func(status int, code string) awstest.Answer {
		return func(w http.ResponseWriter, _ string, _ []byte) { awstest.Fail(w, status, code, "why") }
	}
	for name, tt := range map[string]struct {
		answer awstest.Answer
		want   want
	}{
		"throttled": {fail(400, "ThrottlingException"), want{deliver.Rate, "ThrottlingException", 0, false}},
		"throttled, for how long": {func(w http.ResponseWriter, _ string, _ []byte) {
			w.Header().Set("Retry-After", "7")
			awstest.Fail(w, 400, "ThrottlingException", "why")
		}, want{deliver.Rate, "ThrottlingException", 7 * time.Second, false}},
		"unavailable":         {fail(503, "ServiceUnavailableException"), want{deliver.Rate, "ServiceUnavailableException", 0, false}},
		"a quota":             {fail(400, "LimitExceededException"), want{deliver.Rate, "LimitExceededException", 0, false}},
		"not allowed":         {fail(400, "AccessDeniedException"), want{deliver.Access, "AccessDeniedException", 0, false}},
		"with a namespace":    {fail(400, "com.amazon.coral.service#AccessDeniedException"), want{deliver.Access, "AccessDeniedException", 0, false}},
		"an unknown key":      {fail(400, "UnrecognizedClientException"), want{deliver.Access, "UnrecognizedClientException", 0, false}},
		"a wrong signature":   {fail(400, "InvalidSignatureException"), want{deliver.Access, "InvalidSignatureException", 0, false}},
		"an expired token":    {fail(400, "ExpiredTokenException"), want{deliver.Access, "ExpiredTokenException", 0, false}},
		"a wrong parameter":   {fail(400, "InvalidParameterException"), want{deliver.Unknown, "InvalidParameterException", 0, false}},
		"an internal failure": {fail(500, "InternalFailure"), want{deliver.Unknown, "InternalFailure", 0, true}},
		"a proxy's 403":       {page(http.StatusForbidden), want{deliver.Access, "", 0, false}},
		"a proxy's 503":       {page(http.StatusServiceUnavailable), want{deliver.Rate, "", 0, false}},
		"a proxy's 502":       {page(http.StatusBadGateway), want{deliver.Unknown, "", 0, true}},
		"not JSON":            {page(http.StatusOK), want{deliver.Unknown, "", 0, true}},
		"cut":                 {func(w http.ResponseWriter, _ string, _ []byte) { awstest.Cut(w) }, want{deliver.Unknown, "", 0, true}},
		"half a body": {func(w http.ResponseWriter, _ string, _ []byte) {
			w.Header().Set("Content-Length", "9")
			_, _ = w.Write([]byte("{"))
		}, want{deliver.Unknown, "", 0, true}},
		"hangs":        {hang(t), want{deliver.Unknown, "", 0, true}},
		"hangs, later": {half(t), want{deliver.Unknown, "", 0, true}},
	} {
		t.Run(name, func(t *testing.T) {
			awstest.Env(t)
			err := call(t, EndpointConfig{URL: awstest.Serve(t, tt.answer), Timeouts: Timeouts{Call: 300 * time.Millisecond}})
			e := classified(t, err)
			var code string
			if a, ok := errors.AsType[*Answer](e.Err); ok {
				code = a.Code
			}
			if got := (want{e.Kind, code, e.After, e.Doubtful}); got != tt.want {
				t.Errorf("%v is %+v, want %+v", err, got, tt.want)
			}
			if text := e.Err.Error(); text == "" || strings.Contains(text, "operation error") {
				t.Errorf("text %q", text)
			}
			t.Log(e.Err, "hint:", e.Hint())
		})
	}
}

// page answers as a proxy does that stands in between.
func page(status int) awstest.Answer {
	return func(w http.ResponseWriter, _ string, _ []byte) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte("<html>"))
	}
}

// hang answers nothing until the client goes away.
func hang(t *testing.T) awstest.Answer {
	return func(http.ResponseWriter, string, []byte) {
		select {
		case <-time.After(600 * time.Millisecond):
		case <-t.Context().Done():
		}
	}
}

// half begins an answer and does not end it.
func half(t *testing.T) awstest.Answer {
	return func(w http.ResponseWriter, action string, body []byte) {
		_, _ = w.Write([]byte("{"))
		_ = http.NewResponseController(w).Flush()
		hang(t)(w, action, body)
	}
}

func TestNothingWasSentIsNoDoubt(t *testing.T) {
	awstest.Env(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	e := classified(t, call(t, EndpointConfig{URL: "http://" + l.Addr().String()}))
	if e.Kind != deliver.Unknown || e.Doubtful || !strings.Contains(e.Hint(), l.Addr().String()) {
		t.Errorf("a refused connection is %v, doubtful %v: %v, hint %q", e.Kind, e.Doubtful, e.Err, e.Hint())
	}
}

func TestNoCredentials(t *testing.T) {
	awstest.Env(t)
	awstest.NoCredentials(t)
	e := classified(t, call(t, EndpointConfig{URL: "http://127.0.0.1:1"}))
	if e.Kind != deliver.Access || e.Doubtful {
		t.Errorf("no credentials are %v, doubtful %v: %v", e.Kind, e.Doubtful, e.Err)
	}
}

func TestOpenRefuses(t *testing.T) {
	for name, cfg := range map[string]EndpointConfig{
		"no region":       {},
		"no scheme":       {URL: "127.0.0.1:4599", Region: "eu-west-1"},
		"no host":         {URL: "http://", Region: "eu-west-1"},
		"another scheme":  {URL: "ftp://localhost", Region: "eu-west-1"},
		"unknown profile": {Region: "eu-west-1", Profile: "nobody"},
	} {
		t.Run(name, func(t *testing.T) {
			awstest.Env(t)
			t.Setenv("AWS_REGION", "")
			if _, err := Open(t.Context(), cfg); err == nil {
				t.Error("opened")
			} else {
				t.Log(err)
			}
		})
	}
}

func TestErrorOfAnEndedContextIsTheContexts(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Error(ctx, "put", "there", errors.New("anything")); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
