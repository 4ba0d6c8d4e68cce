package control

import "time"

// Status is what a running Weir does, has done and has lost.
type Status struct {
	Process  Process   `json:"process"`
	Capture  Capture   `json:"capture"`
	Records  Records   `json:"records"`
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

// Records is the aggregation.
type Records struct {
	Interval time.Duration `json:"interval_nanoseconds"`
	Open     int           `json:"open_flows"`
	Made     uint64        `json:"made"`
	NoData   uint64        `json:"nodata"`
	SkipData uint64        `json:"skipdata"`
}

// FlowLog is one flow log's delivery.
type FlowLog struct {
	ID             string    `json:"flow_log_id"`
	Destination    string    `json:"destination"`
	Status         string    `json:"status"` // SUCCESS or FAILED, as DescribeFlowLogs has it
	LastError      string    `json:"last_error,omitempty"`
	LastDelivery   time.Time `json:"last_delivery"`
	Objects        uint64    `json:"objects"`
	Records        uint64    `json:"records"`
	Bytes          uint64    `json:"bytes"`
	Failures       uint64    `json:"failures"`
	PendingRecords uint64    `json:"pending_records"`
	PendingBytes   uint64    `json:"pending_bytes"`
	LostRecords    uint64    `json:"lost_records"` // given up because too much was waiting
}

// Lost is the sum of all that was lost anywhere; all zeros is what it should be.
type Lost struct {
	Packets uint64 `json:"packets"` // not counted
	Bytes   uint64 `json:"bytes"`
	Records uint64 `json:"records"` // made, but never delivered
}
