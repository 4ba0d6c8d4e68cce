package control

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/vpc/flowlogs"
)

// subscriptions are flow logs as the tests want them.
type subscriptions struct {
	create func(flowlogs.Request) (flowlogs.Result, error)
	delete func([]string) error
	watch  func(ctx context.Context, ids []string, out chan<- Delivered)
}

var _ FlowLogs = (*subscriptions)(nil)

func (s *subscriptions) Create(_ context.Context, r flowlogs.Request) (flowlogs.Result, error) {
	return s.create(r)
}

func (s *subscriptions) Delete(_ context.Context, ids []string) error { return s.delete(ids) }

func (s *subscriptions) Watch(ctx context.Context, ids []string) <-chan Delivered {
	out := make(chan Delivered)
	go func() {
		defer close(out)
		s.watch(ctx, ids, out)
	}()
	return out
}

var everything = flowlogs.Request{
	ResourceIDs: []string{"vpc-00000001", "vpc-00000002"}, ResourceType: flowlogs.VPC, Traffic: flowlogs.Reject,
	DestinationType: flowlogs.S3, Destination: "arn:aws:s3:::bucket/shop/",
	Format: "${srcaddr} ${dstaddr}", FileFormat: flowlogs.Parquet, Hive: true, PerHour: true, Interval: 60,
	Tags: []flowlogs.Tag{{Key: "team", Value: "<shop> & co"}}, TagFields: []flowlogs.TagField{{ResourceType: "instance", Keys: []string{"Name"}}},
	Token: "t", Retention: flowlogs.Retention{Age: time.Hour, Bytes: 1 << 20},
}

func TestCreateFlowLogs(t *testing.T) {
	var asked flowlogs.Request
	data, _ := serve(t, Server{FlowLogs: &subscriptions{create: func(r flowlogs.Request) (flowlogs.Result, error) {
		asked = r
		return flowlogs.New(r, flowlogs.Facts{AccountID: "123456789012", Region: "us-east-1", Local: true})
	}}})
	got, err := CreateFlowLogs(t.Context(), data, everything)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(everything, asked); diff != "" {
		t.Errorf("the request on the other side (-want +got):\n%s", diff)
	}
	if len(got.FlowLogIDs) != 2 || !flowlogs.IsID(got.FlowLogIDs[0]) || got.Unsuccessful != nil {
		t.Errorf("made %+v, want two flow logs", got)
	}
}

func TestCreateFlowLogsUnsuccessful(t *testing.T) {
	data, _ := serve(t, Server{FlowLogs: &subscriptions{create: func(r flowlogs.Request) (flowlogs.Result, error) {
		probe := func(p flowlogs.Place) error { return flowlogs.AccessDenied(p.Bucket) }
		return flowlogs.New(r, flowlogs.Facts{AccountID: "123456789012", Region: "us-east-1", Local: true, Probe: probe})
	}}})
	got, err := CreateFlowLogs(t.Context(), data, everything)
	if err != nil {
		t.Fatal(err)
	}
	const message = "Access Denied for LogDestination: bucket. Please check LogDestination permission"
	want := Created{Unsuccessful: []flowlogs.Unsuccessful{{ResourceID: "vpc-00000001", Code: "400", Message: message}, {ResourceID: "vpc-00000002", Code: "400", Message: message}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
}

// An error of AWS's is the same on this side; another one keeps its hint.
func TestErrorsTravel(t *testing.T) {
	known := flowlogs.NewError(flowlogs.AlreadyExists, "There is an existing Flow Log with the same configuration.", "LogDestination", "delete the other one")
	known.FlowLogID = "fl-1"
	for name, test := range map[string]struct {
		sent, want error
	}{
		"of AWS":           {known, known},
		"of AWS, wrapped":  {fmt.Errorf("create: %w", known), known},
		"ours with a hint": {&dataDirError{"/data", errors.New("full"), "make room"}, &RefusedError{"data directory /data: full", "make room"}},
		"ours":             {errors.New("the catalogue is away"), &RefusedError{"the catalogue is away", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			data, _ := serve(t, Server{FlowLogs: &subscriptions{
				create: func(flowlogs.Request) (flowlogs.Result, error) { return flowlogs.Result{}, test.sent },
				delete: func([]string) error { return test.sent },
			}})
			_, err := CreateFlowLogs(t.Context(), data, everything)
			same := cmp.AllowUnexported(flowlogs.Error{}, RefusedError{})
			if diff := cmp.Diff(test.want, err, same); diff != "" {
				t.Errorf("create (-want +got):\n%s", diff)
			}
			err = DeleteFlowLogs(t.Context(), data, []string{"fl-1"})
			if diff := cmp.Diff(test.want, err, same); diff != "" {
				t.Errorf("delete (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDeleteFlowLogs(t *testing.T) {
	var got []string
	data, _ := serve(t, Server{FlowLogs: &subscriptions{delete: func(ids []string) error {
		got = ids
		return nil
	}}})
	want := []string{"fl-1", "fl-2&id=fl-3"}
	if err := DeleteFlowLogs(t.Context(), data, want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("deleted (-want +got):\n%s", diff)
	}
}

func TestRequestsThatAreNone(t *testing.T) {
	never := func(flowlogs.Request) (flowlogs.Result, error) {
		t.Error("somebody was asked to make this")
		return flowlogs.Result{}, nil
	}
	data, _ := serve(t, Server{FlowLogs: &subscriptions{create: never}})
	for name, test := range map[string]struct {
		body any
		want string
	}{
		"a field of another version": {map[string]any{"Precedence": 1}, `unknown field "Precedence"`},
		"another type":               {map[string]any{"Interval": "60"}, "cannot unmarshal"},
		"no object":                  {[]int{1}, "cannot unmarshal"},
		"too large":                  {flowlogs.Request{Format: strings.Repeat("x", maxRequest)}, "more than 1048576 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			err := call(t.Context(), data, http.MethodPost, "/flow-logs", test.body, nil)
			if _, ok := errors.AsType[*RefusedError](err); !ok || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want a refusal with %q", err, test.want)
			}
		})
	}
}

// A Weir of another version, or one that only captures, has no flow logs.
func TestNoFlowLogs(t *testing.T) {
	data, _ := serve(t, Server{})
	_, err := CreateFlowLogs(t.Context(), data, everything)
	if e, ok := errors.AsType[*RefusedError](err); !ok || e.Hint() == "" {
		t.Errorf("error %v, want a refusal with a hint", err)
	}
	if _, err := CreateFlowLogs(t.Context(), t.TempDir(), everything); !errors.Is(err, ErrNotRunning) {
		t.Errorf("error %v, want ErrNotRunning", err)
	}
	if err := Watch(t.Context(), t.TempDir(), nil, nil); !errors.Is(err, ErrNotRunning) {
		t.Errorf("error %v, want ErrNotRunning", err)
	}
}

// Who may see the figures may change nothing, and see no record.
func TestFlowLogsAreNotPublic(t *testing.T) {
	addr := freeAddress(t)
	serve(t, Server{Metrics: addr, FlowLogs: &subscriptions{}})
	for path, methods := range map[string][]string{
		"/status": {http.MethodGet}, "/metrics": {http.MethodGet}, "/flow-logs": nil, "/delivered": nil,
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
			req, err := http.NewRequestWithContext(t.Context(), method, "http://"+addr+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := direct.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			if err := resp.Body.Close(); err != nil {
				t.Error(err)
			}
			if ok := resp.StatusCode == http.StatusOK; ok != slices.Contains(methods, method) {
				t.Errorf("%s %s is answered %s", method, path, resp.Status)
			}
		}
	}
}

func lines(from, n int) []string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprint(from+i))
	}
	return list
}

func TestWatch(t *testing.T) {
	var asked []string
	ended := make(chan struct{})
	data, _ := serve(t, Server{FlowLogs: &subscriptions{watch: func(ctx context.Context, ids []string, out chan<- Delivered) {
		asked = ids
		out <- Delivered{FlowLogID: "fl-1", Format: "${srcaddr}", Lines: lines(0, 2), Missed: 3}
		out <- Delivered{FlowLogID: "fl-1", Format: "${srcaddr}", Lines: lines(2, 2*maxShown+1), Missed: 4}
		<-ctx.Done()
		close(ended)
	}}})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var got []string
	missed := 0
	err := Watch(ctx, data, []string{"fl-1", "fl-2"}, func(d Delivered) error {
		if len(d.Lines) > maxShown || d.FlowLogID != "fl-1" || d.Format != "${srcaddr}" {
			t.Errorf("%d lines of %s in %s at a time", len(d.Lines), d.FlowLogID, d.Format)
		}
		got = append(got, d.Lines...)
		missed += d.Missed
		if len(got) == 2*maxShown+3 {
			cancel() // as Ctrl-C does
		}
		return nil
	})
	if err != nil {
		t.Errorf("interrupted watching: %v, want no error", err)
	}
	<-ended // the other side knows that nobody looks on
	if !slices.Equal(got, lines(0, 2*maxShown+3)) || missed != 7 {
		t.Errorf("%d lines, %d missed; want %d and 7", len(got), missed, 2*maxShown+3)
	}
	if !slices.Equal(asked, []string{"fl-1", "fl-2"}) {
		t.Errorf("asked for %v", asked)
	}
}

func TestWatchEndsWithItsReader(t *testing.T) {
	ended := make(chan struct{})
	data, _ := serve(t, Server{FlowLogs: &subscriptions{watch: func(ctx context.Context, _ []string, out chan<- Delivered) {
		out <- Delivered{Lines: lines(0, 1)}
		<-ctx.Done()
		close(ended)
	}}})
	enough := errors.New("enough")
	if err := Watch(t.Context(), data, nil, func(Delivered) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("error %v, want what the reader returned", err)
	}
	<-ended
}

// The last lines that Weir shows arrive though it ends, and its end is no error.
func TestWatchEndsWithWeir(t *testing.T) {
	data, end := serve(t, Server{FlowLogs: &subscriptions{watch: func(ctx context.Context, _ []string, out chan<- Delivered) {
		out <- Delivered{Lines: lines(0, 1)}
		<-ctx.Done()
		out <- Delivered{Lines: lines(1, 1)}
	}}})
	var got []string
	err := Watch(t.Context(), data, nil, func(d Delivered) error {
		if got = append(got, d.Lines...); len(got) == 1 {
			go end()
		}
		return nil
	})
	if err != nil || !slices.Equal(got, lines(0, 2)) {
		t.Errorf("lines %v, error %v; want two lines and none", got, err)
	}
	end()
}
