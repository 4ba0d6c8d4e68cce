package flowlogs

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/flowlog"
)

func TestDefaults(t *testing.T) {
	r := Request{ResourceIDs: []string{"vpc-1", "vpc-2"}, ResourceType: VPC, Traffic: Reject, LogGroup: "flow", DeliverRole: role, Token: "t"}
	n, f := 0, facts()
	f.NewID = func() string { n++; return fmt.Sprintf("fl-%d", n/2) } // each twice: taken ones are passed over
	res, err := New(r, f)
	if err != nil {
		t.Fatal(err)
	}
	want := FlowLog{
		ID: "fl-0", AccountID: account, Region: region, Created: time.Unix(1000, 0).UTC(), MadeBy: ByHand,
		ResourceID: "vpc-1", ResourceType: VPC, Traffic: Reject, DestinationType: Logs, LogGroup: "flow", DeliverRole: role,
		Format: flowlog.DefaultFormat().String(), FileFormat: PlainText, Interval: 600, Token: "t", Asked: res.Made[0].Asked,
	}
	if diff := cmp.Diff(want, res.Made[0]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := res.IDs(); !slices.Equal(got, []string{"fl-0", "fl-1"}) {
		t.Error(got)
	}
	if got := ARN(want); got != "arn:aws:ec2:us-east-1:123456789012:vpc-flow-log/fl-0" {
		t.Error(got)
	}
	if id := RandomID(); !IsID(id) || len(id) != 20 || id == RandomID() {
		t.Error(id)
	}
}

func TestFailingDestination(t *testing.T) {
	r, f := good(), facts()
	r.ResourceIDs = []string{"vpc-1", "vpc-2"}
	for _, c := range []struct {
		err  *DestinationError
		want string
	}{
		{AccessDenied("flow-logs"), "Access Denied for LogDestination: flow-logs. Please check LogDestination permission"},
		{NoDestination("flow-logs"), "LogDestination: flow-logs does not exist"},
		{Undeliverable("flow-logs"), "LogDestination flow-logs is undeliverable"},
	} {
		asked := 0
		f.Probe = func(p Place) error {
			asked++
			if p.Bucket != "flow-logs" || p.Prefix != "web/" {
				t.Error(p)
			}
			return fmt.Errorf("probe: %w", c.err)
		}
		res, err := New(r, f)
		want := []Unsuccessful{{"vpc-1", "400", c.want}, {"vpc-2", "400", c.want}}
		if err != nil || len(res.Made) > 0 || asked != 1 || !slices.Equal(res.Unsuccessful, want) {
			t.Errorf("%+v %v, asked %d times", res, err, asked)
		}
	}
	f.Probe = func(Place) error { return errors.New("Unable to assume given IAM role") }
	if res, err := New(r, f); err == nil || err.Error() != "InvalidParameter: Unable to assume given IAM role" || len(res.Made) > 0 {
		t.Error(res, err)
	}
	if err := Check(r, f); err != nil {
		t.Errorf("Check asks: %v", err)
	}
	f.Probe = func(Place) error { t.Error("asked for a request that is wrong"); return nil }
	r.Interval = 61
	if _, err := New(r, f); err == nil {
		t.Error("no error")
	}
}

func TestAlreadyThere(t *testing.T) {
	r, f := good(), facts()
	res, err := New(r, f)
	if err != nil {
		t.Fatal(err)
	}
	f.Existing = res.Made
	exists := func(r Request) bool {
		t.Helper()
		_, err := New(r, f)
		var e *Error
		if err != nil && (!errors.As(err, &e) || e.Code != AlreadyExists || e.Message != "Error. There is an existing Flow Log with the same configuration and log destination.") {
			t.Fatal(err)
		}
		return err != nil
	}
	other := r
	other.Traffic, other.Format, other.Interval = Reject, "${srcaddr}", 60
	if !exists(r) || !exists(other) {
		t.Error("the same resource and destination pass")
	}
	other.Destination = "arn:aws:s3:::flow-logs/web" // without the slash
	if !exists(other) {
		t.Error("another spelling of the destination passes")
	}
	other.Destination = "arn:aws:s3:::flow-logs/other"
	if exists(other) {
		t.Error("another prefix is refused")
	}
	other = r
	other.ResourceIDs = []string{"vpc-2"}
	if exists(other) {
		t.Error("another resource is refused")
	}
	other.ResourceIDs = []string{"vpc-2", "vpc-1"}
	if res, _ := New(other, f); !exists(other) || len(res.Made) > 0 {
		t.Error("half of it was made", res)
	}
}

func TestQuota(t *testing.T) {
	r, f := good(), facts()
	for i := range MaxPerResource {
		r.Destination = fmt.Sprintf("arn:aws:s3:::flow-logs/%d", i)
		res, err := New(r, f)
		if err != nil {
			t.Fatal(i, err)
		}
		f.Existing = append(f.Existing, res.Made...)
	}
	r.Destination = "arn:aws:s3:::flow-logs/more"
	if _, err := New(r, f); err == nil || err.Error() != "FlowLogsLimitExceeded: You've reached the limit on the number of flow logs you can create." {
		t.Error(err)
	}
	r.ResourceIDs = []string{"vpc-2"}
	if _, err := New(r, f); err != nil {
		t.Error(err)
	}
}

func TestToken(t *testing.T) {
	r, f := good(), facts()
	r.ResourceIDs, r.Token = []string{"vpc-1", "vpc-2"}, "token"
	first, err := New(r, f)
	if err != nil {
		t.Fatal(err)
	}
	f.Existing = first.Made
	again, err := New(r, f)
	if err != nil || len(again.Made) > 0 || !slices.Equal(again.IDs(), first.IDs()) || len(again.Had) != 2 {
		t.Errorf("%+v %v", again, err)
	}
	f.Existing = first.Made[1:]
	if again, err = New(r, f); err != nil || len(again.Made) != 1 || again.IDs()[1] != first.IDs()[1] {
		t.Errorf("one is gone: %+v %v", again, err)
	}
	other := r
	other.Interval = 60
	_, err = New(other, f)
	var e *Error
	if !errors.As(err, &e) || e.Code != TokenMismatch || e.Message != "Arguments on this idempotent request are inconsistent with arguments used in previous request(s)." {
		t.Error(err)
	}
	f.AccountID = "210987654321" // tokens are the account's own
	if _, err = New(other, f); err != nil {
		t.Error(err)
	}
}

func TestStableIDs(t *testing.T) {
	f := facts()
	f.MadeBy, f.Local = ByFile, true
	id := func(change func(*Request)) string {
		r := good()
		change(&r)
		res, err := New(r, f)
		if err != nil {
			t.Fatal(err)
		}
		return res.Made[0].ID
	}
	same := id(func(*Request) {})
	if !IsID(same) || len(same) != 20 {
		t.Error(same)
	}
	for name, change := range map[string]func(*Request){
		"tags":      func(r *Request) { r.Tags = []Tag{{"k", "v"}} },
		"retention": func(r *Request) { r.Retention.Age = 24 * time.Hour },
		"slash":     func(r *Request) { r.Destination = "arn:aws:s3:::flow-logs/web" },
		"defaults":  func(r *Request) { r.Interval, r.FileFormat = 600, PlainText },
	} {
		if id(change) != same {
			t.Errorf("%s changes the id", name)
		}
	}
	seen := map[string]string{same: "nothing"}
	for name, change := range map[string]func(*Request){
		"resource":   func(r *Request) { r.ResourceIDs = []string{"vpc-2"} },
		"everything": func(r *Request) { r.ResourceIDs, r.ResourceType = []string{Everything}, EveryInterface },
		"traffic":    func(r *Request) { r.Traffic = Reject },
		"bucket":     func(r *Request) { r.Destination = "arn:aws:s3:::flow-log/web" },
		"prefix":     func(r *Request) { r.Destination = "arn:aws:s3:::flow-logs" },
		"format":     func(r *Request) { r.Format = "${srcaddr}" },
		"parquet":    func(r *Request) { r.FileFormat = Parquet },
		"hive":       func(r *Request) { r.Hive = true },
		"hourly":     func(r *Request) { r.PerHour = true },
		"interval":   func(r *Request) { r.Interval = 60 },
		"tag fields": func(r *Request) { r.TagFields = []TagField{{"instance", []string{"k"}}} },
		"logs": func(r *Request) {
			*r = toLogs()
		},
	} {
		got := id(change)
		if other, twice := seen[got]; twice {
			t.Errorf("%s has the id of %s", name, other)
		}
		seen[got] = name
	}
}
