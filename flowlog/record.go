package flowlog

import "net/netip"

// Values of the field action.
const (
	Accept = "ACCEPT"
	Reject = "REJECT"
)

// Values of the field log-status.
const (
	OK       = "OK"       // the record stands for a flow
	NoData   = "NODATA"   // there was no traffic in the interval
	SkipData = "SKIPDATA" // records of the interval were skipped
)

// Values of the field flow-direction, seen from the network interface.
const (
	Ingress = "ingress"
	Egress  = "egress"
)

// Values of the field type.
const (
	IPv4 = "IPv4"
	IPv6 = "IPv6"
	EFA  = "EFA"
)

// Record is one flow log record, of either family: fields that its format does
// not have are zero.
//
// An empty string and the zero address stand for "-". A number that is "-" is 0
// and stands in Missing, so that sums over records are right; a record that was
// read has all numbers there that it does not hold.
//
// Strings may share memory with the text they were read from, which is never
// written again: keeping one keeps up to a block (256 KiB) of it, so
// long-lived ones are better cloned (strings.Clone).
type Record struct {
	Missing FieldSet // numbers that are "-"

	Version   int64
	SrcPort   int64
	DstPort   int64
	Protocol  int64
	Packets   int64
	Bytes     int64
	Start     int64 // Unix seconds, UTC
	End       int64 // Unix seconds, UTC
	TCPFlags  int64
	SrcAddr   netip.Addr
	DstAddr   netip.Addr
	Action    string // Accept or Reject
	LogStatus string // OK, NoData or SkipData

	AccountID   string
	InterfaceID string
	VPCID       string
	SubnetID    string
	InstanceID  string

	Type       string // IPv4, IPv6 or EFA
	PktSrcAddr netip.Addr
	PktDstAddr netip.Addr
	Region     string
	ZoneID     string
	Direction  string // Ingress or Egress

	SublocationType  string
	SublocationID    string
	PktSrcAWSService string
	PktDstAWSService string
	TrafficPath      int64 // 1 to 8; 0 is "-"

	ECSClusterARN           string
	ECSClusterName          string
	ECSContainerInstanceARN string
	ECSContainerInstanceID  string
	ECSContainerID          string
	ECSSecondContainerID    string
	ECSServiceName          string
	ECSTaskDefinitionARN    string
	ECSTaskARN              string
	ECSTaskID               string

	RejectReason     string
	ResourceID       string
	EncryptionStatus int64

	InstanceTag          string
	InstanceTag2         string
	InterfaceTag         string
	InterfaceTag2        string
	ASGTag               string
	ASGTag2              string
	InterfaceType        string
	NextHopInterfaceID   string
	NextHopSubnetID      string
	NextHopZoneID        string
	NextHopVPCID         string
	NextHopInterfaceType string

	ResourceType           string
	TGWID                  string
	TGWAttachmentID        string
	TGWSrcVPCAccountID     string
	TGWDstVPCAccountID     string
	TGWSrcVPCID            string
	TGWDstVPCID            string
	TGWSrcSubnetID         string
	TGWDstSubnetID         string
	TGWSrcENI              string
	TGWDstENI              string
	TGWSrcZoneID           string
	TGWDstZoneID           string
	TGWPairAttachmentID    string
	PacketsLostNoRoute     int64
	PacketsLostBlackhole   int64
	PacketsLostMTUExceeded int64
	PacketsLostTTLExpired  int64

	RuleID     int64  // 0 is "-"
	Rule       string // percent-encoded where it has spaces
	DropReason string
}

// SetStatus makes r a record that stands for no flow: NoData or SkipData. All
// that is a flow's becomes "-"; the interface's fields, start and end stay.
func (r *Record) SetStatus(status string) {
	for i := range fields {
		f := &fields[i]
		switch {
		case f.kept:
		case f.text != nil:
			*f.text(r) = ""
		case f.address != nil:
			*f.address(r) = netip.Addr{}
		default:
			*f.number(r) = 0
			r.Missing.Add(i)
		}
	}
	r.LogStatus = status
}

// Has reports whether r has a value for the field of this name, and not "-".
func (r *Record) Has(name string) bool {
	f, ok := fieldsByName[name]
	switch {
	case !ok:
		return false
	case f.text != nil:
		return *f.text(r) != ""
	case f.address != nil:
		return f.address(r).IsValid()
	}
	return !r.Missing.Has(f.place) && *f.number(r) >= f.min
}
