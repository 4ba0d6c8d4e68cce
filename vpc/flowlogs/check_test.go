package flowlogs

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"weir/vpc"
)

const (
	account = "123456789012"
	region  = "us-east-1"
	role    = "arn:aws:iam::123456789012:role/flow-logs"
)

var topology = (&vpc.Topology{
	VPCs:       []vpc.VPC{{ID: "vpc-1"}, {ID: "vpc-2"}},
	Subnets:    []vpc.Subnet{{ID: "subnet-1", VPCID: "vpc-1"}},
	Interfaces: []vpc.Interface{{ID: "eni-1", VPCID: "vpc-1", SubnetID: "subnet-1"}},
}).Index()

// good is a request that is right, to the bucket b.
func good() Request {
	return Request{ResourceIDs: []string{"vpc-1"}, ResourceType: VPC, Traffic: All, DestinationType: S3, Destination: "arn:aws:s3:::flow-logs/web/"}
}

// toLogs is a request that is right, to a log group.
func toLogs() Request {
	r := good()
	r.DestinationType, r.Destination, r.LogGroup, r.DeliverRole = "", "", "flow", role
	return r
}

// toFirehose is a request that is right, to a delivery stream.
func toFirehose() Request {
	r := good()
	r.DestinationType, r.Destination = Firehose, "arn:aws:firehose:us-east-1:123456789012:deliverystream/flow"
	return r
}

func facts() Facts {
	return Facts{AccountID: account, Region: region, Now: time.Unix(1000, 0).UTC(), Topology: topology}
}

// TestRefusals: every way to get it wrong, with AWS's code and text.
func TestRefusals(t *testing.T) {
	many := func(n int) (ids []string) {
		for i := range n {
			ids = append(ids, fmt.Sprintf("vpc-%d", i))
		}
		return ids
	}
	const (
		noDestination = "LogDestination can't be empty if LogGroupName is not provided."
		onlyOne       = "Please only provide LogGroupName or only provide LogDestination."
		groupType     = "LogDestination type must be cloud-watch-logs if LogGroupName is provided."
		bothRoles     = "When providing a role for cross-account delivery, both the DeliverLogsPermissionArn and DeliverCrossAccountRole fields must be set."
		cannotAssume  = "Unable to assume given IAM role"
		badInterval   = "Invalid Flow Log Max Aggregation Interval"
		reserved      = "You cannot use AWSLogs as a subfolder name. This is a reserved term."
	)
	badFormat := func(f string) string {
		return "1 validation error detected: Value '" + f + "' at 'logFormat' has an invalid format"
	}
	needs := func(p string) string {
		return "The request must include the " + p + " parameter. Add the required parameter and retry the request."
	}
	for _, c := range []struct {
		name    string
		from    func() Request
		change  func(*Request)
		code    Code
		message string // exact; a trailing … compares the beginning
		param   string
		hint    string // part of it
	}{
		{"no resources", good, func(r *Request) { r.ResourceIDs = nil }, MissingParameter, needs("ResourceIds"), "ResourceIds", ""},
		{"no type", good, func(r *Request) { r.ResourceType = "" }, MissingParameter, needs("ResourceType"), "ResourceType", ""},
		{"no traffic", good, func(r *Request) { r.Traffic = "" }, MissingParameter, needs("TrafficType"), "TrafficType", ""},
		{
			"type", good, func(r *Request) { r.ResourceType = "Vpc" }, InvalidValue,
			"Value ( Vpc ) for parameter resourceType is invalid. Valid values are VPC, Subnet, NetworkInterface, TransitGateway, TransitGatewayAttachment, RegionalNatGateway.", "ResourceType", "",
		},
		{
			"everything by the API", good, func(r *Request) { r.ResourceIDs, r.ResourceType = []string{"*"}, EveryInterface }, InvalidValue,
			"Value ( Everything ) for parameter resourceType is invalid. …", "ResourceType", "",
		},
		{"traffic", good, func(r *Request) { r.Traffic = "all" }, InvalidValue, "Value ( all ) for parameter trafficType is invalid. Valid values are ACCEPT, REJECT, ALL.", "TrafficType", ""},
		{
			"destination type", good, func(r *Request) { r.DestinationType = "S3" }, InvalidValue,
			"Value ( S3 ) for parameter logDestinationType is invalid. Valid values are cloud-watch-logs, s3, kinesis-data-firehose.", "LogDestinationType", "",
		},
		{"file format", good, func(r *Request) { r.FileFormat = "text" }, InvalidValue, "Value ( text ) for parameter destinationOptions.FileFormat is invalid. Valid values are plain-text, parquet.", "DestinationOptions.FileFormat", ""},

		{"unknown field", good, func(r *Request) { r.Format = "${srcadr}" }, InvalidValue, badFormat("${srcadr}"), "LogFormat", `unknown field "srcadr"; did you mean "srcaddr"?`},
		{"space at the end", good, func(r *Request) { r.Format = "${srcaddr} " }, InvalidValue, badFormat("${srcaddr} "), "LogFormat", "a space at the end"},
		{"two spaces", good, func(r *Request) { r.Format = "${srcaddr}  ${dstaddr}" }, InvalidValue, badFormat("${srcaddr}  ${dstaddr}"), "LogFormat", "a second space"},
		{"no tokens", good, func(r *Request) { r.Format = "srcaddr" }, InvalidValue, badFormat("srcaddr"), "LogFormat", "weir fields"},
		{"gateway's field", good, func(r *Request) { r.Format = "${tgw-id}" }, InvalidValue, badFormat("${tgw-id}"), "LogFormat", "transit gateway"},
		{"long format", good, func(r *Request) { r.Format = strings.Repeat("${srcaddr} ", 500) }, InvalidValue, "1 validation error detected: Value '${srcaddr} …", "LogFormat", "4096"},

		{"301 resources", good, func(r *Request) { r.ResourceIDs = many(301) }, InvalidValue, "Value ( 301 ids ) for parameter resourceIds is invalid. The maximum is 300.", "ResourceIds", ""},
		{"26 gateways", good, func(r *Request) { r.ResourceIDs, r.ResourceType, r.Traffic = many(26), TransitGateway, "" }, InvalidValue, "Value ( 26 ids ) for parameter resourceIds is invalid. The maximum is 25.", "ResourceIds", ""},
		{"gateway with traffic", good, func(r *Request) { r.ResourceIDs, r.ResourceType = []string{"tgw-1"}, TransitGateway }, InvalidParameter, "TrafficType is not applicable for TransitGateway resources", "TrafficType", ""},
		{"gateway", good, func(r *Request) { r.ResourceIDs, r.ResourceType, r.Traffic = []string{"tgw-1"}, TransitGateway, "" }, UnsupportedOperation, "Flow logs of TransitGateway resources are not supported yet.", "ResourceType", "VPC, Subnet"},
		{"attachment", good, func(r *Request) {
			r.ResourceIDs, r.ResourceType, r.Traffic = []string{"tgw-attach-1"}, TransitGatewayAttachment, ""
		}, UnsupportedOperation, "Flow logs of TransitGatewayAttachment resources are not supported yet.", "ResourceType", ""},
		{"regional NAT", good, func(r *Request) { r.ResourceIDs, r.ResourceType = []string{"nat-1"}, RegionalNATGateway }, UnsupportedOperation, "Flow logs of RegionalNatGateway resources are not supported yet.", "ResourceType", ""},

		{"both destinations", toLogs, func(r *Request) { r.Destination = "arn:aws:s3:::b" }, InvalidParameter, onlyOne, "LogDestination", ""},
		{"no destination", good, func(r *Request) { r.Destination = "" }, InvalidParameter, noDestination, "LogDestination", "s3://BUCKET"},
		{"no log group", toLogs, func(r *Request) { r.LogGroup = "" }, InvalidParameter, noDestination, "LogDestination", ""},
		{"group with s3", good, func(r *Request) { r.Destination, r.LogGroup = "", "flow" }, InvalidParameter, groupType, "LogDestinationType", ""},
		{"group with firehose", toFirehose, func(r *Request) { r.Destination, r.LogGroup = "", "flow" }, InvalidParameter, groupType, "LogDestinationType", ""},
		{"role with s3", good, func(r *Request) { r.DeliverRole = role }, InvalidParameter, "DeliverLogsPermissionArn is not applicable for s3 delivery", "DeliverLogsPermissionArn", ""},
		{"cross role with s3", good, func(r *Request) { r.CrossAccountRole = role }, InvalidParameter, "DeliverCrossAccountRole is not applicable for s3 delivery", "DeliverCrossAccountRole", ""},
		{"no role", toLogs, func(r *Request) { r.DeliverRole = "" }, InvalidParameter, "DeliverLogsPermissionArn can't be empty if LogDestinationType is cloud-watch-logs.", "DeliverLogsPermissionArn", ""},
		{"cross role with logs", toLogs, func(r *Request) { r.CrossAccountRole = role }, InvalidParameter, "DeliverCrossAccountRole is not applicable for cloud-watch-logs delivery", "DeliverCrossAccountRole", ""},
		{"no role's ARN", toLogs, func(r *Request) { r.DeliverRole = "flow-logs" }, InvalidParameter, cannotAssume, "DeliverLogsPermissionArn", "arn:aws:iam::123456789012:role/NAME"},
		{"another account's role", toLogs, func(r *Request) { r.DeliverRole = "arn:aws:iam::210987654321:role/x" }, InvalidParameter, cannotAssume, "DeliverLogsPermissionArn", "must be of account 123456789012"},
		{"one role", toFirehose, func(r *Request) { r.DeliverRole = role }, InvalidParameter, bothRoles, "DeliverCrossAccountRole", ""},
		{"the other role", toFirehose, func(r *Request) { r.CrossAccountRole = role }, InvalidParameter, bothRoles, "DeliverCrossAccountRole", ""},
		{"another account's stream", toFirehose, func(r *Request) { r.Destination = "arn:aws:firehose:us-east-1:210987654321:deliverystream/flow" }, InvalidParameter, bothRoles, "DeliverCrossAccountRole", "210987654321"},
		{"interval", good, func(r *Request) { r.Interval = 61 }, InvalidParameter, badInterval, "MaxAggregationInterval", "61 is neither 60 nor 600"},
		{"interval below", good, func(r *Request) { r.Interval = -1 }, InvalidParameter, badInterval, "MaxAggregationInterval", ""},
		{"interval above", good, func(r *Request) { r.Interval = 601 }, InvalidParameter, badInterval, "MaxAggregationInterval", ""},

		{"parquet to logs", toLogs, func(r *Request) { r.FileFormat = Parquet }, InvalidParameter, "DestinationOptions.FileFormat is not applicable for cloud-watch-logs delivery", "DestinationOptions.FileFormat", ""},
		{"parquet to firehose", toFirehose, func(r *Request) { r.FileFormat = Parquet }, InvalidParameter, "DestinationOptions.FileFormat is not applicable for kinesis-data-firehose delivery", "DestinationOptions.FileFormat", ""},
		{"hive to logs", toLogs, func(r *Request) { r.Hive = true }, InvalidParameter, "DestinationOptions.HiveCompatiblePartitions is not applicable for cloud-watch-logs delivery", "DestinationOptions.HiveCompatiblePartitions", ""},
		{"hourly to logs", toLogs, func(r *Request) { r.PerHour = true }, InvalidParameter, "DestinationOptions.PerHourPartition is not applicable for cloud-watch-logs delivery", "DestinationOptions.PerHourPartition", ""},

		{"no ARN", good, func(r *Request) { r.Destination = "flow-logs" }, InvalidValue, "Value ( flow-logs ) for parameter logDestination is invalid. It is not the ARN of an S3 bucket.", "LogDestination", "arn:aws:s3:::BUCKET"},
		{
			"another type's ARN", good, func(r *Request) { r.Destination = "arn:aws:logs:us-east-1:123456789012:log-group:g" }, InvalidValue,
			"Value ( arn:aws:logs:us-east-1:123456789012:log-group:g ) for parameter logDestination is invalid. It is not the ARN of an S3 bucket.", "LogDestination", "",
		},
		{"access point", good, func(r *Request) { r.Destination = "arn:aws:s3:us-east-1:123456789012:accesspoint/a" }, InvalidValue, "Value ( arn:aws:s3:us-east-1:123456789012:accesspoint/a ) for …", "LogDestination", ""},
		{"bucket's name", good, func(r *Request) { r.Destination = "arn:aws:s3:::Flow_Logs/web" }, InvalidValue, "Value ( arn:aws:s3:::Flow_Logs/web ) for parameter logDestination is invalid. The bucket name is not valid.", "LogDestination", "lower-case"},
		{"AWSLogs", good, func(r *Request) { r.Destination = "arn:aws:s3:::flow-logs/AWSLogs/" }, InvalidParameter, reserved, "LogDestination", "leave it out"},
		{"below AWSLogs", good, func(r *Request) { r.Destination = "arn:aws:s3:::flow-logs/AWSLogs/web" }, InvalidParameter, reserved, "LogDestination", ""},
		{"dots", good, func(r *Request) { r.Destination = "arn:aws:s3:::flow-logs/a/../b" }, InvalidValue, "Value ( arn:aws:s3:::flow-logs/a/../b ) for parameter logDestination is invalid. The subfolder is not valid.", "LogDestination", `".."`},
		{"group's name", toLogs, func(r *Request) { r.LogGroup = "flow logs" }, InvalidValue, "Value ( flow logs ) for parameter logGroupName is invalid. It is not the name of a log group.", "LogGroupName", "512"},
		{"long group", toLogs, func(r *Request) { r.LogGroup = strings.Repeat("g", 513) }, InvalidValue, "Value ( ggg…", "LogGroupName", ""},
		{"group's ARN", toLogs, func(r *Request) { r.LogGroup, r.Destination = "", "arn:aws:logs:us-east-1:123456789012:group" }, InvalidValue, "Value ( arn:aws:logs:us-east-1:123456789012:group ) for parameter logDestination is invalid. It is not the ARN of a log group.", "LogDestination", ""},
		{"another account's group", toLogs, func(r *Request) {
			r.LogGroup, r.Destination = "", "arn:aws:logs:us-east-1:210987654321:log-group:flow"
		}, InvalidValue, "Value ( arn:aws:logs:us-east-1:210987654321:log-group:flow ) for parameter logDestination is invalid. The log group is in another account.", "LogDestination", "account 123456789012"},
		{"another region's group", toLogs, func(r *Request) {
			r.LogGroup, r.Destination = "", "arn:aws:logs:eu-west-1:123456789012:log-group:flow"
		}, InvalidValue, "Value ( arn:aws:logs:eu-west-1:123456789012:log-group:flow ) for parameter logDestination is invalid. The log group is in another Region.", "LogDestination", "us-east-1"},
		{"stream's ARN", toFirehose, func(r *Request) { r.Destination = "arn:aws:firehose:us-east-1:123456789012:flow" }, InvalidValue, "Value ( arn:aws:firehose:us-east-1:123456789012:flow ) for parameter logDestination is invalid. It is not the ARN of a delivery stream.", "LogDestination", ""},
		{"stream's name", toFirehose, func(r *Request) {
			r.Destination = "arn:aws:firehose:us-east-1:123456789012:deliverystream/" + strings.Repeat("s", 65)
		}, InvalidValue, "Value ( …", "LogDestination", "64"},

		{"51 tags", good, func(r *Request) {
			for i := range 51 {
				r.Tags = append(r.Tags, Tag{Key: fmt.Sprint(i)})
			}
		}, TagLimitExceeded, "You've reached the limit on the number of tags that you can assign to the specified resource.", "TagSpecifications", "50"},
		{"tag without key", good, func(r *Request) { r.Tags = []Tag{{}} }, InvalidValue, "Value (  ) for parameter key is invalid. Tag keys cannot be empty.", "TagSpecifications", ""},
		{"long key", good, func(r *Request) { r.Tags = []Tag{{Key: strings.Repeat("é", 129)}} }, InvalidValue, "Value ( é…", "TagSpecifications", ""},
		{"long value", good, func(r *Request) { r.Tags = []Tag{{"k", strings.Repeat("v", 257)}} }, InvalidValue, "Value ( v…", "TagSpecifications", ""},
		{"reserved key", good, func(r *Request) { r.Tags = []Tag{{"AWS:x", "v"}} }, InvalidValue, "Value ( AWS:x ) for parameter key is invalid. Tag keys starting with 'aws:' are reserved for internal use", "TagSpecifications", ""},
		{"key twice", good, func(r *Request) { r.Tags = []Tag{{"k", "1"}, {"k", "2"}} }, InvalidValue, "Duplicate tag key 'k' specified.", "TagSpecifications", ""},
		{"4 tag fields", good, func(r *Request) { r.TagFields = make([]TagField, 4) }, InvalidParameter, "TagFieldSpecifications must have at most 3 entries", "TagFieldSpecifications", ""},
		{"tag field's type", good, func(r *Request) { r.TagFields = []TagField{{"vpc", []string{"k"}}} }, InvalidValue, "Value ( vpc ) for parameter resourceType is invalid. Valid values are network-interface, instance, auto-scaling-group.", "TagFieldSpecifications", ""},
		{"tag field without type", good, func(r *Request) { r.TagFields = []TagField{{"", []string{"k"}}} }, MissingParameter, needs("TagFieldSpecification.ResourceType"), "TagFieldSpecifications", ""},
		{"tag field without keys", good, func(r *Request) { r.TagFields = []TagField{{"instance", nil}} }, MissingParameter, needs("TagFieldSpecification.TagKey"), "TagFieldSpecifications", ""},
		{"tag field twice", good, func(r *Request) { r.TagFields = []TagField{{"instance", []string{"k"}}, {"instance", []string{"l"}}} }, InvalidParameter, "TagFieldSpecifications has instance twice", "TagFieldSpecifications", ""},
		{"3 keys", good, func(r *Request) { r.TagFields = []TagField{{"instance", []string{"a", "b", "c"}}} }, InvalidParameter, "TagFieldSpecification of instance must have at most 2 tag keys", "TagFieldSpecifications", "instance-tag-2"},
		{"empty key", good, func(r *Request) { r.TagFields = []TagField{{"instance", []string{""}}} }, InvalidValue, "Value (  ) for parameter tagKey is invalid. Tag keys have 1 to 128 characters.", "TagFieldSpecifications", ""},
		{"long token", good, func(r *Request) { r.Token = strings.Repeat("t", 65) }, InvalidValue, "Value ( t…", "ClientToken", ""},
		{"retention of logs", toLogs, func(r *Request) { r.Retention.Age = time.Hour }, InvalidParameter, "Retention is not applicable for cloud-watch-logs delivery", "Retention", ""},
		{"short retention", good, func(r *Request) { r.Retention.Age = time.Minute }, InvalidParameter, "Retention of 1m0s is shorter than 1h0m0s", "Retention", ""},
		{"small retention", good, func(r *Request) { r.Retention.Bytes = 1000 }, InvalidParameter, "Retention of 1000 bytes is less than 1048576", "Retention", ""},

		{"another type's id", good, func(r *Request) { r.ResourceIDs = []string{"eni-1"} }, InvalidValue, `Invalid id: "eni-1" (expecting "vpc-...")`, "ResourceIds", "NetworkInterface"},
		{"gateway's attachment", good, func(r *Request) { r.ResourceIDs = []string{"tgw-attach-1"} }, InvalidValue, `Invalid id: "tgw-attach-1" (expecting "vpc-...")`, "ResourceIds", "TransitGatewayAttachment"},
		{"no id", good, func(r *Request) { r.ResourceIDs = []string{"vpc-"} }, InvalidValue, `Invalid id: "vpc-" (expecting "vpc-...")`, "ResourceIds", ""},
		{"no VPC", good, func(r *Request) { r.ResourceIDs = []string{"vpc-1", "vpc-9"} }, VPCNotFound, "The vpc ID 'vpc-9' does not exist", "ResourceIds", ""},
		{"no subnet", good, func(r *Request) { r.ResourceIDs, r.ResourceType = []string{"subnet-9"}, Subnet }, SubnetNotFound, "The subnet ID 'subnet-9' does not exist", "ResourceIds", ""},
		{"no interface", good, func(r *Request) { r.ResourceIDs, r.ResourceType = []string{"eni-9"}, NetworkInterface }, InterfaceNotFound, "The networkInterface ID 'eni-9' does not exist", "ResourceIds", ""},
		{"resource twice", good, func(r *Request) { r.ResourceIDs = []string{"vpc-1", "vpc-1"} }, AlreadyExists, "Error. There is an existing Flow Log with the same configuration and log destination.", "ResourceIds", "twice"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := c.from()
			if err := Check(r, facts()); err != nil {
				t.Fatalf("without the mistake: %v", err)
			}
			c.change(&r)
			res, err := New(r, facts())
			var e *Error
			if !errors.As(err, &e) || len(res.Made) > 0 {
				t.Fatalf("made %v, error %v", res.Made, err)
			}
			begin, cut := strings.CutSuffix(c.message, "…")
			if e.Code != c.code || e.Message != c.message && (!cut || !strings.HasPrefix(e.Message, begin)) {
				t.Errorf("got  %s: %s\nwant %s: %s", e.Code, e.Message, c.code, c.message)
			}
			if e.Param != c.param || !strings.Contains(e.Hint(), c.hint) {
				t.Errorf("parameter %q, hint %q", e.Param, e.Hint())
			}
			if want := string(e.Code) + ": " + e.Message; e.Error() != want {
				t.Errorf("Error() is %q", e.Error())
			}
		})
	}
}

// What is right, and looks as if it might not be.
func TestAccepted(t *testing.T) {
	for name, c := range map[string]struct {
		from   func() Request
		change func(*Request)
		facts  func(*Facts)
	}{
		"one second":  {good, func(r *Request) { r.Interval = 1 }, nil},
		"59 seconds":  {good, func(r *Request) { r.Interval = 59 }, nil},
		"all tokens":  {good, func(r *Request) { r.Format = "${version} ${weir-rule}" }, nil},
		"group's ARN": {toLogs, func(r *Request) { r.LogGroup, r.Destination = "", "arn:aws:logs:us-east-1:123456789012:log-group:a/b" }, nil},
		"CloudFormation's ARN": {toLogs, func(r *Request) {
			r.LogGroup, r.Destination = "", "arn:aws:logs:us-east-1:123456789012:log-group:a/b:*"
		}, nil},
		"China":                 {good, func(r *Request) { r.Destination = "arn:aws-cn:s3:::bucket" }, nil},
		"stream with colon":     {toFirehose, func(r *Request) { r.Destination = "arn:aws:firehose:us-east-1:123456789012:deliverystream:flow" }, nil},
		"another region's":      {toFirehose, func(r *Request) { r.Destination = "arn:aws:firehose:eu-west-1:123456789012:deliverystream/flow" }, nil},
		"both roles":            {toFirehose, func(r *Request) { r.DeliverRole, r.CrossAccountRole = role, "arn:aws:iam::210987654321:role/x" }, nil},
		"defaults spelled out":  {toLogs, func(r *Request) { r.FileFormat, r.Interval, r.DestinationType = PlainText, 600, Logs }, nil},
		"no role, local":        {toLogs, func(r *Request) { r.DeliverRole = "" }, func(f *Facts) { f.Local = true }},
		"foreign stream, local": {toFirehose, func(r *Request) { r.Destination = "arn:aws:firehose:us-east-1:210987654321:deliverystream/flow" }, func(f *Facts) { f.Local = true }},
		"everything, local":     {good, func(r *Request) { r.ResourceIDs, r.ResourceType = []string{Everything}, EveryInterface }, func(f *Facts) { f.Local = true }},
		"no topology":           {good, func(r *Request) { r.ResourceIDs = []string{"vpc-9"} }, func(f *Facts) { f.Topology = nil }},
		"300 resources": {good, func(r *Request) {
			r.ResourceIDs = nil
			for i := range 300 {
				r.ResourceIDs = append(r.ResourceIDs, fmt.Sprintf("vpc-%d", i))
			}
		}, func(f *Facts) { f.Topology = nil }},
		"tag field that nothing feeds": {good, func(r *Request) { r.Format = "${instance-tag}" }, nil},
		"128 letters":                  {good, func(r *Request) { r.Tags = []Tag{{strings.Repeat("é", 128), strings.Repeat("v", 256)}} }, nil},
		"retention":                    {good, func(r *Request) { r.Retention = Retention{Age: time.Hour, Bytes: 1 << 20} }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r, f := c.from(), facts()
			c.change(&r)
			if c.facts != nil {
				c.facts(&f)
			}
			res, err := New(r, f)
			if err != nil || len(res.Made) != len(r.ResourceIDs) {
				t.Fatal(res, err)
			}
			for _, m := range res.Made {
				if _, err := PlaceOf(m); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestRetentionOfRemoteBuckets(t *testing.T) {
	r, f := good(), facts()
	r.Retention.Age, f.RemoteBuckets = time.Hour, true
	if err := Check(r, f); err == nil || err.Error() != "InvalidParameter: Retention is of local buckets" {
		t.Error(err)
	}
}
