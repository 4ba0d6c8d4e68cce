package deliver

import "time"

// Kind is what a failure to deliver means for the owner of a flow log.
type Kind uint8

// AWS's three messages (DescribeFlowLogs, deliverLogsErrorMessage).
const (
	Unknown Kind = iota
	Access       // the credentials or the role may not, or the destination is not there
	Rate         // the destination asks for fewer calls, or a quota is reached
)

// String is AWS's message.
func (k Kind) String() string {
	switch k {
	case Access:
		return "Access error"
	case Rate:
		return "Rate limited"
	}
	return "Unknown error"
}

// Error is a failure to deliver; what was to be delivered waits.
type Error struct {
	Op     string // "put an object"
	Target string // "s3://bucket/key"
	Kind   Kind
	Err    error
	Next   string // what to do; may be empty
	// Doubtful says that the destination may have taken it all the same: the
	// answer did not come. Sending it again may double its records where the
	// destination cannot tell.
	Doubtful bool
	// After is how long the destination asks to wait; 0 when it does not say.
	After time.Duration
}

func (e *Error) Error() string { return e.Op + ": " + e.Target + ": " + e.Err.Error() }

func (e *Error) Unwrap() error { return e.Err }

// Hint is what to do.
func (e *Error) Hint() string { return e.Next }
