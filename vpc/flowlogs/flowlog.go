package flowlogs

import "time"

// Types of destinations (CreateFlowLogs, LogDestinationType).
const (
	S3       = "s3"
	Logs     = "cloud-watch-logs"
	Firehose = "kinesis-data-firehose"
)

// Values of TrafficType.
const (
	All    = "ALL"
	Accept = "ACCEPT"
	Reject = "REJECT"
)

// Who made a flow log. What is not [ByHand] cannot be deleted by hand: it would
// come back.
const (
	ByHand    = "api"     // the command, or the API
	ByFile    = "file"    // the configuration's file
	ByDefault = "default" // "weir up" without one
)

// Types of resources (CreateFlowLogs, ResourceType). Those of transit gateways
// and regional NAT gateways are known and not supported.
const (
	VPC                      = "VPC"
	Subnet                   = "Subnet"
	NetworkInterface         = "NetworkInterface"
	TransitGateway           = "TransitGateway"
	TransitGatewayAttachment = "TransitGatewayAttachment"
	RegionalNATGateway       = "RegionalNatGateway"
)

// Everything is the resource of a flow log that covers every interface there is,
// and [EveryInterface] its type. AWS has none such: the API refuses it, the
// command and the file know it as "all".
const (
	Everything     = "*"
	EveryInterface = "Everything"
)

// Values of DestinationOptions.FileFormat.
const (
	PlainText = "plain-text"
	Parquet   = "parquet"
)

// FlowLog is a subscription: what is recorded, how, and where it goes. Only its
// tags and its retention ever change. The zero value is no flow log.
type FlowLog struct {
	ID        string    `json:"id"` // fl-…
	AccountID string    `json:"account_id"`
	Region    string    `json:"region"`
	Created   time.Time `json:"created,omitzero"`
	MadeBy    string    `json:"made_by"` // ByHand, ByFile or ByDefault

	ResourceID   string `json:"resource_id"`   // vpc-…, subnet-…, eni-…, or Everything
	ResourceType string `json:"resource_type"` // VPC, Subnet, NetworkInterface, EveryInterface
	Traffic      string `json:"traffic,omitempty"`

	DestinationType string `json:"destination_type"`
	// Destination is the ARN as it was given; empty when LogGroup was.
	Destination string `json:"destination,omitempty"`
	// LogGroup is the name of the log group, of a flow log to CloudWatch Logs.
	LogGroup string `json:"log_group,omitempty"`
	// DeliverRole and CrossAccountRole are ARNs as they were given.
	DeliverRole      string `json:"deliver_role,omitempty"`
	CrossAccountRole string `json:"cross_account_role,omitempty"`

	Format     string     `json:"format"`             // ${version} …, as it was given
	FileFormat string     `json:"file_format"`        // plain-text or parquet
	Hive       bool       `json:"hive,omitempty"`     // Hive-compatible folders
	PerHour    bool       `json:"per_hour,omitempty"` // a folder for each hour
	Interval   int        `json:"interval"`           // aggregation interval, seconds
	Tags       []Tag      `json:"tags,omitempty"`     // in their order, no key twice
	TagFields  []TagField `json:"tag_fields,omitempty"`

	// Retention of a local bucket; AWS has it as the bucket's lifecycle.
	Retention Retention `json:"retention,omitzero"`
	// Token is what made creating it idempotent, and Asked a digest of the request
	// that came with it.
	Token string `json:"token,omitempty"`
	Asked string `json:"asked,omitempty"`
}

// Tag is a key and a value that people gave.
type Tag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// TagField says which tags of a type of resource go into the fields
// instance-tag, interface-tag and asg-tag (TagFieldSpecification).
type TagField struct {
	ResourceType string   `json:"resource_type"` // network-interface, instance or auto-scaling-group
	Keys         []string `json:"keys"`          // one or two
}

// Retention bounds what a flow log keeps in a local bucket; zero is no bound.
type Retention struct {
	Age   time.Duration `json:"age,omitempty"`   // objects of older slots go
	Bytes int64         `json:"bytes,omitempty"` // the oldest objects go until no more is left
}
