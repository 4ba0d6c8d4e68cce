package control

import (
	"time"

	"weir/vpc/flowlogs"
)

// Status is what a running Weir does, has done and has lost.
type Status struct {
	Process  Process   `json:"process"`
	Capture  Capture   `json:"capture"`
	Journal  Journal   `json:"journal"`
	Records  []Records `json:"records"` // by the length of the interval
	FlowLogs []FlowLog `json:"flow_logs"`
	Lost     Lost      `json:"lost"`
	Topology *Topology `json:"topology,omitempty"` // nil when no file describes it
	Policy   *Policy   `json:"policy,omitempty"`   // nil when none is in force
}

// Topology is the file that says which interfaces there are.
type Topology struct {
	File     string    `json:"file"`
	Loaded   time.Time `json:"loaded"` // what is used now
	Enforced bool      `json:"enforced"`
	// Problem is why a newer content of the file is not used.
	Problem string `json:"problem,omitempty"`
	// Waiting are declared devices that do not exist yet, Undeclared devices of
	// this host that are not in the file and not watched.
	Waiting    []string `json:"waiting,omitempty"`
	Undeclared []string `json:"undeclared,omitempty"`
}

// Policy is the security groups and network ACLs that are in force.
type Policy struct {
	Version string    `json:"version"`
	File    string    `json:"file"`
	Since   time.Time `json:"since"`
	Rules   int       `json:"rules"`             // that can refuse something
	Differs string    `json:"differs,omitempty"` // how the kernel's rules differ from these
}

// Process is the running program.
type Process struct {
	PID     int       `json:"pid"`
	Version string    `json:"version"`
	Started time.Time `json:"started"`
	Data    string    `json:"data"`
	// AccountID and Region own what has no owner of its own: of a log group or a
	// delivery stream that a request names without an ARN.
	AccountID string `json:"account_id"`
	Region    string `json:"region"`
}

// Capture is the kernel's side.
type Capture struct {
	Interfaces []Interface   `json:"interfaces"`
	Swaps      uint64        `json:"swaps"`
	LastSwap   time.Time     `json:"last_swap"`
	SwapTime   time.Duration `json:"swap_nanoseconds"` // of the last one
	Flows      int           `json:"flows"`            // in the last one
	Occupancy  float64       `json:"occupancy"`        // of the tables that are counting now, 0 to 1
	MaxFlows   int           `json:"max_flows"`        // room per address family
}

// Interface is one watched network interface and its totals since the start.
// Packets are wire packets, bytes IP bytes.
type Interface struct {
	ID      string `json:"interface_id"`
	Name    string `json:"name"`
	Device  string `json:"device"`
	Side    string `json:"side"`
	Ingress Counts `json:"ingress"`
	Egress  Counts `json:"egress"`
	Lost    Loss   `json:"lost"`
	// Judged says whether a policy of Weir's filters here; NotJudged why it does
	// not. Both are empty when no policy is in force.
	Judged    bool   `json:"judged,omitempty"`
	NotJudged string `json:"not_judged,omitempty"`
}

// Counts are the two verdicts.
type Counts struct {
	AcceptedPackets uint64 `json:"accepted_packets"`
	AcceptedBytes   uint64 `json:"accepted_bytes"`
	RejectedPackets uint64 `json:"rejected_packets"`
	RejectedBytes   uint64 `json:"rejected_bytes"`
}

// Loss is what an interface could not count, by cause.
type Loss struct {
	FullPackets    uint64 `json:"full_packets"` // the table had no room for another flow
	FullBytes      uint64 `json:"full_bytes"`
	UnreadPackets  uint64 `json:"unread_packets"` // no IP header that could be read
	UnreadBytes    uint64 `json:"unread_bytes"`
	RefusedPackets uint64 `json:"refused_packets"` // refusals that found no room
	RefusedBytes   uint64 `json:"refused_bytes"`
	JournalPackets uint64 `json:"journal_packets"` // counted, then damaged in the journal
	JournalBytes   uint64 `json:"journal_bytes"`
}

// Records is the aggregation, of one interval length.
type Records struct {
	Interval time.Duration `json:"interval_nanoseconds"`
	Open     int           `json:"open_flows"`
	Made     uint64        `json:"made"`
	NoData   uint64        `json:"nodata"`
	SkipData uint64        `json:"skipdata"`
}

// Journal is where counts are until they are delivered.
type Journal struct {
	Place    string        `json:"place"` // the embedded server's directory, or the URL of another
	Swaps    uint64        `json:"swaps"` // stored since the start, and their flows
	Flows    uint64        `json:"flows"`
	Bytes    uint64        `json:"bytes"`  // stored since the start
	Stored   uint64        `json:"stored"` // bytes on disk now
	MaxBytes uint64        `json:"max_bytes"`
	Oldest   time.Time     `json:"oldest"` // of what is there; zero when nothing is
	Append   time.Duration `json:"append_nanoseconds"`
	Failures uint64        `json:"failures"`          // swaps that could not be stored at once
	Repeated uint64        `json:"repeated"`          // swaps that came again after a crash, and were there
	Damaged  uint64        `json:"damaged"`           // messages that cannot be read any more
	Gaps     uint64        `json:"gaps"`              // swaps that are missing
	Problem  string        `json:"problem,omitempty"` // why the last swap is not stored yet; the kernel keeps it
	// GivenUp is what no flow log gets any more because the journal was full, of
	// all flow logs together, since they were created.
	GivenUp Skipped `json:"given_up"`
}

// Skipped is what a flow log says SKIPDATA for.
type Skipped struct {
	Swaps   uint64 `json:"swaps"`
	Packets uint64 `json:"packets"`
	Bytes   uint64 `json:"bytes"`
}

// FlowLog is a flow log and how its delivery goes. Figures are since it was
// created.
type FlowLog struct {
	flowlogs.FlowLog
	To           string        `json:"to"`                // the destination, for people
	Status       string        `json:"status"`            // SUCCESS or FAILED: DeliverLogsStatus
	Message      string        `json:"message,omitempty"` // AWS's, when it failed
	Error        string        `json:"error,omitempty"`   // ours
	Hint         string        `json:"hint,omitempty"`
	FailedSince  time.Time     `json:"failed_since,omitzero"`
	LastDelivery time.Time     `json:"last_delivery,omitzero"`
	Delivered    time.Time     `json:"delivered_to,omitzero"` // end of the last interval that was delivered
	Lag          time.Duration `json:"lag_nanoseconds"`       // since the oldest interval ended that is not delivered
	Backlog      uint64        `json:"backlog"`               // messages of the journal that are not delivered
	Waiting      int64         `json:"waiting_records"`       // encoded, and not delivered
	Held         int64         `json:"held_bytes"`            // the memory of those
	Records      uint64        `json:"records"`
	Bytes        uint64        `json:"bytes"` // as they lie or travel there: compressed
	Parts        uint64        `json:"parts"` // objects, or calls
	Retries      uint64        `json:"retries"`
	Doubtful     uint64        `json:"doubtful_records"` // that may be there twice: the destination did not answer
	Refused      uint64        `json:"refused_records"`  // that the destination does not take: lost
	Skipped      Skipped       `json:"skipped"`
}

// Lost is the sum of all that was lost anywhere; all zeros is what it should be.
type Lost struct {
	Packets uint64 `json:"packets"` // not counted, or given up by some flow log
	Bytes   uint64 `json:"bytes"`
	Records uint64 `json:"records"` // that a destination did not take
}
