package s3

import (
	"context"
	"fmt"

	"weir/flowlog"
)

// Bucket is where objects lie: [OpenDirectory] or [Endpoint.Bucket]. It may be
// used by several goroutines at once. Errors of Put and Probe are a
// [*deliver.Error], or that of ctx.
type Bucket interface {
	// String is "s3://name".
	String() string
	// Put stores an object whole or not at all, durably; one of the same key is
	// replaced.
	Put(ctx context.Context, key flowlog.ObjectKey, body *Body) error
	// Probe asks whether Put could work.
	Probe(ctx context.Context) error
	// Tidy removes what a dead process left half written of a flow log's objects.
	Tidy(flowLogID string) error
}

// MissingError is a bucket that does not exist, in AWS's words for CreateFlowLogs.
type MissingError struct{ Bucket string }

func (e *MissingError) Error() string {
	return fmt.Sprintf("LogDestination: %s does not exist", e.Bucket)
}

// DeniedError is a bucket that may not be used, in AWS's words for
// CreateFlowLogs. It wraps what the bucket answered.
type DeniedError struct {
	Bucket string
	Err    error
}

func (e *DeniedError) Error() string {
	return fmt.Sprintf("Access Denied for LogDestination: %s. Please check LogDestination permission", e.Bucket)
}

func (e *DeniedError) Unwrap() error { return e.Err }
