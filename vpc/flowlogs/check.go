package flowlogs

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"weir/flowlog"
)

// Parameters as the API reference of CreateFlowLogs spells them; Retention is
// Weir's.
const (
	paramResources     = "ResourceIds"
	paramResourceType  = "ResourceType"
	paramTraffic       = "TrafficType"
	paramType          = "LogDestinationType"
	paramDestination   = "LogDestination"
	paramLogGroup      = "LogGroupName"
	paramRole          = "DeliverLogsPermissionArn"
	paramCrossRole     = "DeliverCrossAccountRole"
	paramFormat        = "LogFormat"
	paramFileFormat    = "DestinationOptions.FileFormat"
	paramHive          = "DestinationOptions.HiveCompatiblePartitions"
	paramPerHour       = "DestinationOptions.PerHourPartition"
	paramInterval      = "MaxAggregationInterval"
	paramTags          = "TagSpecifications"
	paramTagFields     = "TagFieldSpecifications"
	paramToken         = "ClientToken"
	paramRetention     = "Retention"
	maxFormat          = 4096 // bytes; all fields together are a third of it
	maxToken           = 64   // letters, as EC2's tokens have
	shortestRetention  = time.Hour
	smallestRetained   = 1 << 20
	expectedFieldsText = "fields stand there as ${name}, one space between them: weir fields lists them"
)

// checker judges one request.
type checker struct {
	r     Request // with what was left out filled in
	f     Facts
	place Place
	asked string
}

// check goes through the parameters in the order in which AWS is known, or
// likely, to: what must be there and the form of values first, then the
// destination, roles and interval (in the order that its emulators found), then
// the resources.
func (c *checker) check() *Error {
	if c.f.MadeBy == "" {
		c.f.MadeBy = ByHand
	}
	for _, step := range []func() *Error{
		c.required, c.words, c.format, c.supported, c.destination, c.roles, c.interval, c.options, c.to, c.foreign,
		c.extras, c.resources,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) required() *Error {
	switch {
	case len(c.r.ResourceIDs) == 0:
		return missing(paramResources)
	case c.r.ResourceType == "":
		return missing(paramResourceType)
	case c.r.Traffic == "" && !isGateway(c.r.ResourceType):
		return missing(paramTraffic)
	}
	return nil
}

// words checks what has one of a few values. AWS's texts are not known.
func (c *checker) words() *Error {
	r := &c.r
	if r.DestinationType == "" {
		r.DestinationType = Logs
	}
	if r.FileFormat == "" {
		r.FileFormat = PlainText
	}
	var types []string
	for _, t := range resourceTypes {
		types = append(types, t.name)
	}
	if c.f.Local && r.ResourceType == EveryInterface {
		types = append(types, EveryInterface)
	}
	for _, w := range []struct {
		param, value string
		known        []string
	}{
		{paramResourceType, r.ResourceType, types},
		{paramTraffic, r.Traffic, []string{Accept, Reject, All}},
		{paramType, r.DestinationType, []string{Logs, S3, Firehose}},
		{paramFileFormat, r.FileFormat, []string{PlainText, Parquet}},
	} {
		if w.param == paramTraffic && isGateway(r.ResourceType) {
			if w.value != "" {
				return parameter(paramTraffic, fmt.Sprintf("TrafficType is not applicable for %s resources", r.ResourceType)).
					withHint("flow logs of transit gateways record all traffic: leave it out")
			}
			continue
		}
		if !slices.Contains(w.known, w.value) {
			return value(w.param, w.value, "Valid values are "+strings.Join(w.known, ", ")+".")
		}
	}
	return nil
}

// format wants known fields of the resource's family and single spaces. AWS's
// text is known for a space at the end; it is taken to be the same for a
// well-formed field that does not exist.
func (c *checker) format() *Error {
	family, standard := flowlog.VPC, flowlog.DefaultFormat()
	if isGateway(c.r.ResourceType) {
		family, standard = flowlog.TransitGateway, flowlog.GatewayFormat()
	}
	if c.r.Format == "" {
		c.r.Format = standard.String()
		return nil
	}
	refuse := func(hint string) *Error {
		v := c.r.Format
		if len(v) > maxFormat {
			v = excerpt(v)
		}
		return &Error{Code: InvalidValue, Param: paramFormat, Message: "1 validation error detected: Value '" + v + "' at 'logFormat' has an invalid format", hint: hint}
	}
	if len(c.r.Format) > maxFormat {
		return refuse(fmt.Sprintf("a format has at most %d bytes", maxFormat))
	}
	_, err := flowlog.ParseFormatFor(family, c.r.Format)
	if err == nil {
		return nil
	}
	fe, ok := errors.AsType[*flowlog.FormatError](err)
	switch {
	case !ok:
		return refuse(err.Error())
	case fe.Hint != "":
		return refuse(fmt.Sprintf("position %d: %s; did you mean %q?", fe.Pos, fe.Msg, fe.Hint))
	}
	return refuse(fmt.Sprintf("position %d: %s; %s", fe.Pos, fe.Msg, expectedFieldsText))
}

func (c *checker) supported() *Error {
	most := MaxResources
	if isGateway(c.r.ResourceType) {
		most = MaxGatewayResources
	}
	if n := len(c.r.ResourceIDs); n > most { // AWS's text is not known
		return value(paramResources, fmt.Sprintf("%d ids", n), fmt.Sprintf("The maximum is %d.", most))
	}
	for _, t := range resourceTypes {
		if t.name == c.r.ResourceType && !t.supported {
			return &Error{
				Code: UnsupportedOperation, Param: paramResourceType,
				Message: fmt.Sprintf("Flow logs of %s resources are not supported yet.", t.name),
				hint:    "Weir records VPC, Subnet and NetworkInterface resources",
			}
		}
	}
	return nil
}

// destination: which of the parameters go together. The first text is
// LocalStack's, the others are moto's.
func (c *checker) destination() *Error {
	switch r := &c.r; {
	case r.Destination != "" && r.LogGroup != "":
		return parameter(paramDestination, "Please only provide LogGroupName or only provide LogDestination.")
	case r.Destination == "" && r.LogGroup == "":
		return parameter(paramDestination, "LogDestination can't be empty if LogGroupName is not provided.").
			withHint("say where the records go: s3://BUCKET/PREFIX, logs:GROUP or firehose:STREAM")
	case r.LogGroup != "" && r.DestinationType != Logs:
		return parameter(paramType, "LogDestination type must be cloud-watch-logs if LogGroupName is provided.")
	}
	return nil
}

func (c *checker) roles() *Error {
	r := &c.r
	switch r.DestinationType {
	case S3:
		if r.DeliverRole != "" {
			return notApplicable(paramRole, S3).withHint("a bucket's policy says who may write to it: leave the role out")
		}
		if r.CrossAccountRole != "" {
			return notApplicable(paramCrossRole, S3)
		}
	case Logs:
		if r.DeliverRole == "" && !c.f.Local {
			return parameter(paramRole, "DeliverLogsPermissionArn can't be empty if LogDestinationType is cloud-watch-logs.")
		}
		if r.CrossAccountRole != "" {
			return notApplicable(paramCrossRole, Logs)
		}
	case Firehose:
		if (r.DeliverRole == "") != (r.CrossAccountRole == "") {
			return crossAccount()
		}
	}
	for _, role := range []struct{ param, arn string }{{paramRole, r.DeliverRole}, {paramCrossRole, r.CrossAccountRole}} {
		if role.arn == "" {
			continue
		}
		account, ok := isRole(role.arn)
		foreign := role.param == paramRole && account != c.f.AccountID // that role is the owner's
		if !ok || foreign {
			e := parameter(role.param, "Unable to assume given IAM role")
			if foreign && ok {
				return e.withHint("the role must be of account %s, which owns the flow log", c.f.AccountID)
			}
			return e.withHint("a role's ARN looks like arn:aws:iam::%s:role/NAME", c.f.AccountID)
		}
	}
	return nil
}

// crossAccount is AWS's text, seen in an issue of Terraform's provider.
func crossAccount() *Error {
	return parameter(paramCrossRole, "When providing a role for cross-account delivery, both the DeliverLogsPermissionArn and DeliverCrossAccountRole fields must be set.")
}

// interval: 1 to 59 seconds are Weir's extension. The text is moto's.
func (c *checker) interval() *Error {
	if c.r.Interval == 0 {
		c.r.Interval = DefaultInterval
	}
	if i := c.r.Interval; i >= 1 && i <= ShortInterval || i == DefaultInterval {
		return nil
	}
	return parameter(paramInterval, "Invalid Flow Log Max Aggregation Interval").
		withHint("%d is neither 60 nor 600 seconds, nor 1 to 59 as Weir also takes", c.r.Interval)
}

// options are of S3 alone. The guide says of Firehose that they are ignored;
// somebody who asks for Parquet there would wait for it in vain, so that they
// are refused.
func (c *checker) options() *Error {
	r := &c.r
	if r.DestinationType == S3 {
		return nil
	}
	switch {
	case r.FileFormat != PlainText:
		return notApplicable(paramFileFormat, r.DestinationType)
	case r.Hive:
		return notApplicable(paramHive, r.DestinationType)
	case r.PerHour:
		return notApplicable(paramPerHour, r.DestinationType)
	}
	return nil
}

func (c *checker) to() (err *Error) {
	c.place, err = placeOf(Destination{c.r.DestinationType, c.r.Destination, c.r.LogGroup}, c.f.AccountID, c.f.Region)
	return err
}

// foreign streams want both roles.
func (c *checker) foreign() *Error {
	if c.place.Type == Firehose && c.place.AccountID != c.f.AccountID && c.r.CrossAccountRole == "" && !c.f.Local {
		return crossAccount().withHint("the delivery stream is of account %s", c.place.AccountID)
	}
	return nil
}

func (c *checker) extras() *Error {
	if err := checkTags(c.r.Tags); err != nil {
		return err
	}
	if err := checkTagFields(c.r.TagFields); err != nil {
		return err
	}
	if n := len([]rune(c.r.Token)); n > maxToken { // AWS's text is not known
		return value(paramToken, c.r.Token, fmt.Sprintf("The maximum length is %d characters.", maxToken))
	}
	return c.retention()
}

// retention has no counterpart at AWS, and so no text of AWS's.
func (c *checker) retention() *Error {
	r := c.r.Retention
	switch {
	case r == Retention{}:
	case c.r.DestinationType != S3:
		return notApplicable(paramRetention, c.r.DestinationType).withHint("only a bucket that is a directory is tidied up by Weir")
	case c.f.RemoteBuckets:
		return parameter(paramRetention, "Retention is of local buckets").
			withHint("this bucket is behind an S3 endpoint: give it a life-cycle rule there")
	case r.Age < 0 || r.Age > 0 && r.Age < shortestRetention:
		return parameter(paramRetention, fmt.Sprintf("Retention of %v is shorter than %v", r.Age, shortestRetention))
	case r.Bytes < 0 || r.Bytes > 0 && r.Bytes < smallestRetained:
		return parameter(paramRetention, fmt.Sprintf("Retention of %d bytes is less than %d", r.Bytes, smallestRetained))
	}
	return nil
}

func (c *checker) resources() *Error {
	seen := map[string]bool{}
	for _, id := range c.r.ResourceIDs {
		if c.r.ResourceType == EveryInterface {
			if id != Everything {
				return value(paramResources, id, "It is not all interfaces.")
			}
		} else if err := checkResourceID(id, c.r.ResourceType); err != nil {
			return err
		}
		if seen[id] {
			return alreadyExists("", resourceName(id)+" stands there twice")
		}
		seen[id] = true
	}
	for _, id := range c.r.ResourceIDs {
		if err := exists(c.f.Topology, id, c.r.ResourceType); err != nil {
			return err
		}
	}
	return nil
}
