package flowlogs

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseTarget(t *testing.T) {
	stream := "arn:aws:firehose:us-east-1:123456789012:deliverystream/s"
	for _, c := range []struct {
		text string
		want Destination
		back string // what Target says
	}{
		{"s3://flow-logs", Destination{S3, "arn:aws:s3:::flow-logs", ""}, "s3://flow-logs"},
		{"s3://flow-logs/", Destination{S3, "arn:aws:s3:::flow-logs", ""}, "s3://flow-logs"},
		{"s3://flow-logs/a/b", Destination{S3, "arn:aws:s3:::flow-logs/a/b/", ""}, "s3://flow-logs/a/b"},
		{"logs:/vpc/flow", Destination{Logs, "", "/vpc/flow"}, "logs:/vpc/flow"},
		{"firehose:s", Destination{Firehose, stream, ""}, "firehose:s"},
		{"arn:aws:s3:::flow-logs/a/", Destination{S3, "arn:aws:s3:::flow-logs/a/", ""}, "s3://flow-logs/a"},
		{"arn:aws:logs:us-east-1:123456789012:log-group:g", Destination{Logs, "arn:aws:logs:us-east-1:123456789012:log-group:g", ""}, "logs:g"},
		{"arn:aws:logs:us-east-1:123456789012:log-group:g:*", Destination{Logs, "arn:aws:logs:us-east-1:123456789012:log-group:g:*", ""}, "logs:g"},
		{stream, Destination{Firehose, stream, ""}, "firehose:s"},
		{"arn:aws:firehose:eu-west-1:210987654321:deliverystream:s", Destination{Firehose, "arn:aws:firehose:eu-west-1:210987654321:deliverystream:s", ""}, "arn:aws:firehose:eu-west-1:210987654321:deliverystream:s"},
	} {
		got, err := ParseTarget(c.text, account, region)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.text, diff)
		}
		f := FlowLog{AccountID: account, Region: region, DestinationType: got.Type, Destination: got.ARN, LogGroup: got.LogGroup}
		if back := Target(f); back != c.back {
			t.Errorf("%s is called %s, want %s", c.text, back, c.back)
		}
	}
	for _, c := range []struct{ text, hint string }{
		{"", "s3://BUCKET/PREFIX"},
		{"bucket", "s3://BUCKET/PREFIX"},
		{"http://x", "ARN"},
		{"arn:aws:sns:us-east-1:123456789012:x", "ARN"},
		{"s3://", "BUCKET"},
		{"s3://ab", "3 to 63"},
		{"s3://Bucket", "lower-case"},
		{"s3://-bucket", "begins and ends"},
		{"s3://a..b", "two dots"},
		{"s3://192.168.0.1", "not an address"},
		{"s3://xn--bucket", "xn--"},
		{"s3://bucket-s3alias", "-s3alias"},
		{"s3://" + strings.Repeat("b", 64), "3 to 63"},
		{"s3://bucket/AWSLogs", "leave it out"},
		{"s3://bucket/a/../b", ".."},
		{"s3://bucket/a//b", `""`},
		{"logs:", "512"},
		{"logs:a b", "512"},
		{"logs:a:b", "512"},
		{"firehose:", "64"},
		{"firehose:a b", "64"},
	} {
		_, err := ParseTarget(c.text, account, region)
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(e.Hint(), c.hint) {
			t.Errorf("%q: %v, hint %q", c.text, err, e.Hint())
		}
	}
	for in, want := range map[string]string{"cn-north-1": "aws-cn", "us-gov-west-1": "aws-us-gov", "eu-west-1": "aws", "cellar": "aws"} {
		if d, err := ParseTarget("s3://bucket", account, in); err != nil || d.ARN != "arn:"+want+":s3:::bucket" {
			t.Error(in, d, err)
		}
	}
}

// FuzzParseTarget: what it takes has a place, says the same when it is read back,
// and makes a flow log.
func FuzzParseTarget(f *testing.F) {
	for _, s := range []string{
		"s3://flow-logs/a/b", "logs:/vpc/flow", "firehose:s", "arn:aws:s3:::b1b/x/", "arn:aws:logs:us-east-1:123456789012:log-group:g:*",
		"arn:aws:firehose:eu-west-1:210987654321:deliverystream:s", "s3://bucket/AWSLogs", "arn:aws-cn:s3:::bucket", "arn:aws:::::", "s3:///", "s3://b\x00b",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := ParseTarget(s, account, region)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Code == "" || e.Message == "" || e.Param == "" {
				t.Fatalf("%q: %#v", s, err)
			}
			return
		}
		res, err := New(Request{
			ResourceIDs: []string{"vpc-1"}, ResourceType: VPC, Traffic: All,
			DestinationType: d.Type, Destination: d.ARN, LogGroup: d.LogGroup,
		}, Facts{AccountID: account, Region: region, Local: true})
		if err != nil {
			t.Fatalf("%q is read and refused: %v", s, err)
		}
		made := res.Made[0]
		place, err := PlaceOf(made)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseTarget(Target(made), account, region)
		if err != nil {
			t.Fatalf("%q is called %q, which is refused: %v", s, Target(made), err)
		}
		back, err := PlaceOf(FlowLog{AccountID: account, Region: region, DestinationType: again.Type, Destination: again.ARN, LogGroup: again.LogGroup})
		if err != nil || back != place {
			t.Fatalf("%q is %+v, and read back %+v, %v", s, place, back, err)
		}
	})
}
