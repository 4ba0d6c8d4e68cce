package question

import "time"

// Confidence is what a finding rests on.
type Confidence string

// The records decide, or the policy that was in force, or the finding is one of
// the things that fit, or nothing decides.
const (
	ByRecord   Confidence = "record"
	ByPolicy   Confidence = "policy"
	Consistent Confidence = "consistent"
	Undecided  Confidence = "undecided"
)

// Kind names a conclusion, for machines. The words may change, a kind does not.
type Kind string

// Kinds of conclusions.
const (
	RefusedByGroup    Kind = "refused-by-security-group"
	RefusedByACL      Kind = "refused-by-network-acl"
	ReplyRefusedByACL Kind = "reply-refused-by-network-acl"
	RefusedByFirewall Kind = "refused-by-another-firewall"
	RefusedByAWS      Kind = "refused-by-vpc-control" // block public access, encryption controls
	Refused           Kind = "refused"                // by whom is not decided
	ReplyRefused      Kind = "reply-refused"
	Answered          Kind = "answered"
	Reset             Kind = "reset"
	NotAnswered       Kind = "not-answered"
	NeverArrived      Kind = "never-arrived"
	ReplyNeverArrived Kind = "reply-never-arrived"
	LeftOurSight      Kind = "left-our-sight"
	NeverSent         Kind = "never-sent"
	NeverRecorded     Kind = "never-recorded"
	NotCovered        Kind = "not-covered"
	NoRecords         Kind = "no-records"
	RecordsLost       Kind = "records-lost"
	NotDelivered      Kind = "not-delivered-yet"
	NoFlow            Kind = "no-flow"
	NotDecided        Kind = "not-decided"
)

// Kinds of what a conclusion is seen beside.
const (
	Rule     Kind = "rule"
	Nearest  Kind = "nearest-rule"
	Then     Kind = "policy-then"
	Today    Kind = "policy-today"
	Elsewise Kind = "elsewhere"
	Earlier  Kind = "earlier"
	Routing  Kind = "routing"
	Possible Kind = "possible"
	Gap      Kind = "gap"
)

// Finding is one sentence and what it rests on.
type Finding struct {
	Kind       Kind       `json:"kind"`
	Words      string     `json:"words"`
	Confidence Confidence `json:"confidence"`
	Basis      string     `json:"basis"` // what it rests on, in words
	Because    []Finding  `json:"because,omitempty"`
}

// Explanation is the answer.
type Explanation struct {
	Question   string    `json:"question"`
	From       time.Time `json:"from"`
	To         time.Time `json:"to"`
	Conclusion Finding   `json:"conclusion"`
	Seen       []Seen    `json:"seen"`
	Changes    []string  `json:"changes"`         // what would change it
	Unsaid     []string  `json:"not_in_the_data"` // what the records do not say, and what would
}

// Seen is one line of evidence.
type Seen struct {
	Way         Way       `json:"way"`
	InterfaceID string    `json:"interface_id,omitempty"`
	Name        string    `json:"name,omitempty"`
	End         Role      `json:"end,omitempty"`
	Direction   string    `json:"direction,omitempty"`
	Action      string    `json:"action,omitempty"`
	Records     int64     `json:"records"`
	Packets     int64     `json:"packets"`
	Bytes       int64     `json:"bytes"`
	First       time.Time `json:"first"`
	Last        time.Time `json:"last"`
	Flags       string    `json:"tcp_flags,omitempty"` // in words
	RuleID      int64     `json:"rule_id,omitempty"`
	Rule        string    `json:"rule,omitempty"`
	// Addresses is set when the record has others than the question.
	Addresses string `json:"addresses,omitempty"`
}
