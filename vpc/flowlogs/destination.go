package flowlogs

import (
	"errors"
	"fmt"
	"strings"

	"weir/flowlog"
)

// Destination is where records go, as a flow log keeps it.
type Destination struct {
	Type     string // S3, Logs or Firehose
	ARN      string // empty when LogGroup says it
	LogGroup string // a log group by its name
}

// Place is a destination in its parts. The zero value is none.
type Place struct {
	Type string // S3, Logs or Firehose

	Bucket string // of S3
	Prefix string // of S3: as [flowlog.CleanPrefix] gives it, "" or "my-logs/"

	LogGroup string // of Logs: the name
	Stream   string // of Firehose: the delivery stream's name

	// AccountID and Region of a log group or stream; S3 has none.
	AccountID string
	Region    string
}

// String is the place for people, and for [ParseTarget]: s3://bucket/prefix/,
// logs:GROUP, firehose:STREAM.
func (p Place) String() string {
	switch p.Type {
	case S3:
		return s3Scheme + p.Bucket + strings.TrimSuffix("/"+p.Prefix, "/")
	case Logs:
		return logsScheme + p.LogGroup
	case Firehose:
		return firehoseScheme + p.Stream
	}
	return "-"
}

const (
	s3Scheme       = "s3://"
	logsScheme     = "logs:"
	firehoseScheme = "firehose:"
)

// targetHint is how a target is written.
const targetHint = "write s3://BUCKET/PREFIX, logs:GROUP, firehose:STREAM, or an ARN"

// ParseTarget reads where records are to go, as people write it: s3://BUCKET/PREFIX,
// logs:GROUP, firehose:STREAM, or the ARN of one. Log groups and streams without
// an ARN are those of the account and region. The error is an [*Error].
func ParseTarget(s, accountID, region string) (Destination, error) {
	var d Destination
	switch {
	case strings.HasPrefix(s, s3Scheme):
		bucket, folder, _ := strings.Cut(s[len(s3Scheme):], "/")
		d = Destination{Type: S3, ARN: "arn:" + Partition(region) + ":s3:::" + bucket}
		if prefix, err := flowlog.CleanPrefix(folder); err != nil {
			return Destination{}, prefixError(s, err)
		} else if prefix != "" {
			d.ARN += "/" + prefix
		}
	case strings.HasPrefix(s, logsScheme):
		d = Destination{Type: Logs, LogGroup: s[len(logsScheme):]}
	case strings.HasPrefix(s, firehoseScheme):
		d = Destination{Type: Firehose, ARN: fmt.Sprintf("arn:%s:firehose:%s:%s:deliverystream/%s", Partition(region), region, accountID, s[len(firehoseScheme):])}
	default:
		a, _ := parseARN(s)
		d = Destination{Type: destinationOf[a.service], ARN: s}
		if d.Type == "" {
			return Destination{}, value(paramDestination, s, "It is no destination.").withHint(targetHint)
		}
	}
	if _, err := placeOf(d, accountID, region); err != nil {
		return Destination{}, err
	}
	return d, nil
}

// destinationOf is the type of destination by the service of its ARN.
var destinationOf = map[string]string{"s3": S3, "logs": Logs, "firehose": Firehose}

// Target is where a flow log's records go, short and for people. [ParseTarget]
// reads it back for an owner in the same account and region.
func Target(f FlowLog) string {
	p, err := PlaceOf(f)
	if err != nil || p.AccountID != "" && (p.AccountID != f.AccountID || p.Region != f.Region) {
		return f.Destination
	}
	return p.String()
}

// PlaceOf takes a flow log's destination apart. The error is an [*Error]; a flow
// log that [New] made has none.
func PlaceOf(f FlowLog) (Place, error) {
	d := Destination{Type: f.DestinationType, ARN: f.Destination, LogGroup: f.LogGroup}
	if d.ARN != "" {
		d.LogGroup = "" // the ARN's, once more
	}
	p, err := placeOf(d, f.AccountID, f.Region)
	if err != nil {
		return Place{}, err
	}
	return p, nil
}

// placeOf takes a destination apart and checks its parts. AWS's texts are not
// known but for the reserved folder's.
func placeOf(d Destination, accountID, region string) (Place, *Error) {
	if d.Type == Logs && d.ARN == "" {
		if err := checkGroup(paramLogGroup, d.LogGroup); err != nil {
			return Place{}, err
		}
		return Place{Type: Logs, LogGroup: d.LogGroup, AccountID: accountID, Region: region}, nil
	}
	a, ok := parseARN(d.ARN)
	if !ok || destinationOf[a.service] != d.Type {
		return Place{}, value(paramDestination, d.ARN, "It is not the ARN of "+kindOf[d.Type].what+".").
			withHint("it looks like %s", kindOf[d.Type].example)
	}
	switch d.Type {
	case S3:
		return bucketPlace(d.ARN, a)
	case Logs:
		return groupPlace(d.ARN, a, accountID, region)
	}
	return streamPlace(d.ARN, a)
}

// kindOf says what a type of destination is, for people.
var kindOf = map[string]struct{ what, example string }{
	S3:       {"an S3 bucket", "arn:aws:s3:::BUCKET/PREFIX/"},
	Logs:     {"a log group", "arn:aws:logs:REGION:ACCOUNT:log-group:NAME"},
	Firehose: {"a delivery stream", "arn:aws:firehose:REGION:ACCOUNT:deliverystream/NAME"},
}

func bucketPlace(s string, a arn) (Place, *Error) {
	if a.region != "" || a.account != "" {
		// An access point's ARN has both; flow logs go to buckets.
		return Place{}, value(paramDestination, s, "It is not the ARN of an S3 bucket.").withHint("it looks like %s", kindOf[S3].example)
	}
	bucket, folder, _ := strings.Cut(a.resource, "/")
	if err := CheckBucket(bucket); err != nil {
		return Place{}, value(paramDestination, s, "The bucket name is not valid.").withHint("%v", err)
	}
	prefix, err := flowlog.CleanPrefix(folder)
	if err != nil {
		return Place{}, prefixError(s, err)
	}
	return Place{Type: S3, Bucket: bucket, Prefix: prefix}, nil
}

// prefixError is what is wrong with a bucket's folder.
func prefixError(s string, err error) *Error {
	p, ok := errors.AsType[*flowlog.PrefixError](err)
	if !ok {
		return value(paramDestination, s, "The subfolder is not valid.").withHint("%v", err)
	}
	if first, _, _ := strings.Cut(strings.Trim(p.Prefix, "/"), "/"); first == "AWSLogs" {
		// The API reference's sentence about LogDestination.
		return parameter(paramDestination, "You cannot use AWSLogs as a subfolder name. This is a reserved term.").
			withHint("Weir writes the folder AWSLogs itself, below the prefix: leave it out")
	}
	return value(paramDestination, s, "The subfolder is not valid.").withHint("%s", p.Msg)
}

func groupPlace(s string, a arn, accountID, region string) (Place, *Error) {
	name, ok := strings.CutPrefix(a.resource, "log-group:")
	if !ok || !isAccount(a.account) || a.region == "" {
		return Place{}, value(paramDestination, s, "It is not the ARN of a log group.").withHint("it looks like %s", kindOf[Logs].example)
	}
	// CloudFormation's !GetAtt gives the ARN with ":*" behind it.
	name = strings.TrimSuffix(name, ":*")
	if err := checkGroup(paramDestination, name); err != nil {
		return Place{}, err
	}
	// The role that delivers must be of the flow log's account, and has no other
	// region's log groups (VPC User Guide, "Publish flow logs to CloudWatch Logs").
	switch {
	case a.account != accountID:
		return Place{}, value(paramDestination, s, "The log group is in another account.").
			withHint("flow logs of account %s go to log groups of that account; s3 and firehose destinations may be elsewhere", accountID)
	case a.region != region:
		return Place{}, value(paramDestination, s, "The log group is in another Region.").
			withHint("flow logs of %s go to log groups of that region; a bucket may be anywhere", region)
	}
	return Place{Type: Logs, LogGroup: name, AccountID: a.account, Region: a.region}, nil
}

// checkGroup checks a log group's name (Amazon CloudWatch Logs API Reference,
// CreateLogGroup: [\.\-_/#A-Za-z0-9]+, 1 to 512).
func checkGroup(param, name string) *Error {
	const longest = 512
	if name == "" || len(name) > longest || !isName(name, ".-_/#") {
		return value(param, name, "It is not the name of a log group.").
			withHint("1 to %d letters, digits, and . - _ / #", longest)
	}
	return nil
}

// streamPlace reads both spellings: the API reference writes
// deliverystream:NAME, Firehose itself deliverystream/NAME. No rule about the
// stream's region is documented: any is taken.
func streamPlace(s string, a arn) (Place, *Error) {
	name, ok := strings.CutPrefix(a.resource, "deliverystream/")
	if !ok {
		name, ok = strings.CutPrefix(a.resource, "deliverystream:")
	}
	if !ok || !isAccount(a.account) || a.region == "" {
		return Place{}, value(paramDestination, s, "It is not the ARN of a delivery stream.").withHint("it looks like %s", kindOf[Firehose].example)
	}
	// Amazon Data Firehose API Reference, CreateDeliveryStream.
	const longest = 64
	if name == "" || len(name) > longest || !isName(name, "_.-") {
		return Place{}, value(paramDestination, s, "It is not the name of a delivery stream.").
			withHint("1 to %d letters, digits, and _ . -", longest)
	}
	return Place{Type: Firehose, Stream: name, AccountID: a.account, Region: a.region}, nil
}
