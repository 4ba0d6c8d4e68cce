package flowlogs

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Request is what CreateFlowLogs takes, and what Weir adds to it. Empty fields
// are parameters that were not given.
type Request struct {
	// ResourceIDs get a flow log each. With [Facts.Local], [Everything] may be
	// one of type [EveryInterface].
	ResourceIDs  []string
	ResourceType string
	Traffic      string // ALL, ACCEPT or REJECT

	DestinationType string // S3, Logs or Firehose; empty is Logs
	Destination     string // ARN; of Logs, LogGroup may stand for it
	LogGroup        string

	DeliverRole      string // ARN; AWS wants it for Logs
	CrossAccountRole string // ARN; for a delivery stream of another account

	Format     string // empty is the default format
	FileFormat string // plain-text or parquet; empty is plain-text. S3 only
	Hive       bool   // S3 only
	PerHour    bool   // S3 only
	Interval   int    // seconds: 60 or 600, and 1 to 59 as an extension; 0 is 600
	Tags       []Tag
	TagFields  []TagField
	Token      string // makes the request idempotent

	// Retention is Weir's own: of buckets that are directories.
	Retention Retention
}

// Intervals that AWS knows, in seconds.
const (
	DefaultInterval = 600
	ShortInterval   = 60
)

// MaxPerResource is how many flow logs one resource can have (VPC User Guide,
// "Flow log limitations").
const MaxPerResource = 250

// Facts are what a request is judged against.
type Facts struct {
	AccountID string // that owns the flow logs
	Region    string
	Now       time.Time // becomes Created
	MadeBy    string    // ByHand, ByFile or ByDefault; empty is ByHand

	// Topology tells which resources exist; nil: all do.
	Topology Topology
	// Existing are the flow logs that there are.
	Existing []FlowLog

	// Local is a request of this machine's own command or file: no role is
	// needed, since Weir delivers with credentials of its own, and Everything is
	// a resource.
	Local bool
	// RemoteBuckets says that buckets are behind an S3 endpoint: their retention
	// is not Weir's.
	RemoteBuckets bool

	// Probe, if not nil, is asked once whether the destination can be delivered
	// to, when all else is right. A [*DestinationError] makes every resource
	// unsuccessful; another error is an [InvalidParameter], such as a role that
	// cannot be assumed.
	Probe func(Place) error
	// NewID makes the ids of flow logs made by hand; nil is [RandomID].
	NewID func() string
}

// Result is what became of a request.
type Result struct {
	// Made are new flow logs, to be stored.
	Made []FlowLog
	// Had are flow logs that an earlier request with the same token made. They
	// are stored already.
	Had          []FlowLog
	Unsuccessful []Unsuccessful
	ids          []string
}

// IDs are the flow logs' ids, those made and those that were there, in the order
// of the resources.
func (r Result) IDs() []string { return r.ids }

// Check is [New] without the flow logs. It does not ask Facts.Probe.
func Check(r Request, f Facts) error {
	f.Probe = nil
	_, err := New(r, f)
	return err
}

// New makes a flow log for each of the request's resources. The error is an
// [*Error], and then nothing is made; what only some resources meet stands in
// the result.
func New(r Request, f Facts) (Result, error) {
	c := checker{r: r, f: f}
	if err := c.check(); err != nil {
		return Result{}, err
	}
	had, err := c.repeated()
	if err != nil {
		return Result{}, err
	}
	var res Result
	if len(had) < len(r.ResourceIDs) && f.Probe != nil {
		if err := f.Probe(c.place); err != nil {
			d, ok := errors.AsType[*DestinationError](err)
			if !ok {
				return Result{}, asError(err)
			}
			for _, id := range r.ResourceIDs {
				if _, ok := had[id]; !ok {
					res.Unsuccessful = append(res.Unsuccessful, Unsuccessful{id, unsuccessfulCode, d.Message})
				}
			}
		}
	}
	for _, id := range r.ResourceIDs {
		if old, ok := had[id]; ok {
			res.Had = append(res.Had, old)
			res.ids = append(res.ids, old.ID)
			continue
		}
		if len(res.Unsuccessful) > 0 {
			continue
		}
		made := c.flowLog(id)
		if err := clash(made, f.Existing, res.Made); err != nil {
			return Result{}, err
		}
		made.ID = c.id(made, res.Made)
		res.Made = append(res.Made, made)
		res.ids = append(res.ids, made.ID)
	}
	return res, nil
}

// asError is an error of Facts.Probe in AWS's form.
func asError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return parameter(paramDestination, err.Error())
}

// flowLog is the flow log of a resource, without its id.
func (c *checker) flowLog(resource string) FlowLog {
	r, f := c.r, c.f
	made := FlowLog{
		AccountID: f.AccountID, Region: f.Region, Created: f.Now, MadeBy: f.MadeBy,
		ResourceID: resource, ResourceType: r.ResourceType, Traffic: r.Traffic,
		DestinationType: r.DestinationType, Destination: r.Destination, LogGroup: c.place.LogGroup,
		DeliverRole: r.DeliverRole, CrossAccountRole: r.CrossAccountRole,
		Format: r.Format, FileFormat: r.FileFormat, Hive: r.Hive, PerHour: r.PerHour, Interval: r.Interval,
		Tags: slices.Clone(r.Tags), Retention: r.Retention, Token: r.Token,
	}
	if r.Token != "" {
		made.Asked = c.asked
	}
	for _, t := range r.TagFields {
		made.TagFields = append(made.TagFields, TagField{t.ResourceType, slices.Clone(t.Keys)})
	}
	return made
}

// id is random for what is made by hand, and derived for all else.
func (c *checker) id(made FlowLog, before []FlowLog) string {
	if made.MadeBy != ByHand {
		return StableID(made)
	}
	taken := func(id string) bool {
		same := func(f FlowLog) bool { return f.ID == id }
		return slices.ContainsFunc(c.f.Existing, same) || slices.ContainsFunc(before, same)
	}
	for {
		id := RandomID()
		if c.f.NewID != nil {
			id = c.f.NewID()
		}
		if !taken(id) {
			return id
		}
	}
}

// clash is why a flow log cannot be beside others, or nil: one with the same
// resource and destination, whatever its traffic type and format; or too many of
// one resource.
func clash(made FlowLog, lists ...[]FlowLog) *Error {
	to, _ := PlaceOf(made)
	n := 0
	for _, list := range lists {
		for i := range list {
			have := &list[i]
			if have.ResourceID != made.ResourceID || have.AccountID != made.AccountID || have.Region != made.Region {
				continue
			}
			n++
			if p, err := PlaceOf(*have); err == nil && p == to {
				return alreadyExists(have.ID, "it is "+have.ID+"; another destination, such as another prefix, may have a flow log of its own")
			}
		}
	}
	if n >= MaxPerResource {
		return &Error{
			Code: LimitExceeded, Param: paramResources,
			// The API reference's description of the code.
			Message: "You've reached the limit on the number of flow logs you can create.",
			hint:    fmt.Sprintf("%s has %d flow logs, which is the most", resourceName(made.ResourceID), n),
		}
	}
	return nil
}

// alreadyExists has AWS's text, which users report and moto has.
func alreadyExists(id, hint string) *Error {
	return &Error{
		Code: AlreadyExists, Param: paramResources, FlowLogID: id, hint: hint,
		Message: "Error. There is an existing Flow Log with the same configuration and log destination.",
	}
}

// resourceName is a resource for people.
func resourceName(id string) string {
	if id == Everything {
		return "all interfaces"
	}
	return id
}

// repeated are the flow logs that a request with the same token made, by
// resource. Resources of it that have none, because they failed then or their
// flow log was deleted since, get a new one.
func (c *checker) repeated() (map[string]FlowLog, *Error) {
	if c.r.Token == "" {
		return nil, nil
	}
	c.asked = digest(c.r)
	var had map[string]FlowLog
	for _, f := range c.f.Existing {
		if f.Token != c.r.Token || f.AccountID != c.f.AccountID || f.Region != c.f.Region {
			continue
		}
		if f.Asked != c.asked {
			return nil, &Error{
				Code: TokenMismatch, Param: paramToken, FlowLogID: f.ID,
				// EC2's text for other requests with a token.
				Message: "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).",
				hint:    "the token made " + f.ID + " with other parameters: use a new token",
			}
		}
		if had == nil {
			had = map[string]FlowLog{}
		}
		had[f.ResourceID] = f
	}
	return had, nil
}

// digest is the same for requests with the same parameters, apart from the token.
func digest(r Request) string {
	r.Token = ""
	text, _ := json.Marshal(r) // strings, numbers and lists of them: it cannot fail
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}
