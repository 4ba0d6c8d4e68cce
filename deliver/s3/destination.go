package s3

import (
	"context"
	"errors"
	"fmt"

	"weir/deliver"
	"weir/flowlog"
)

// Options describe one flow log and where its objects go.
type Options struct {
	AccountID string // the flow log's owner
	Region    string
	FlowLogID string // fl-…; one Destination per flow log and bucket at a time
	// JournalID tells journals apart: each numbers the parts of its flow logs
	// from 0, and their objects must not meet.
	JournalID string

	Format   flowlog.Format
	Encoding flowlog.Encoding
	Layout   flowlog.KeyLayout
	Prefix   string // as [flowlog.CleanPrefix] gives it

	// MaxObject closes an object and begins a new one, in compressed bytes; 0 is
	// AWS's 75 MB. Text is closed before it; Parquet at the end of a row group,
	// judged by the largest one so far.
	MaxObject int64

	Bucket Bucket // shared with other flow logs; Close leaves it open
}

// Destination makes the objects of one flow log.
type Destination struct {
	key    flowlog.ObjectKey // of all objects, without Slot and Hash
	format flowlog.Format
	max    int64
	names  permutation
	bucket Bucket
}

var _ deliver.Destination = (*Destination)(nil)

// NewDestination prepares a flow log's delivery, and removes what a dead process
// left half written of its objects. An error is one of the options.
func NewDestination(o Options) (*Destination, error) {
	d := &Destination{
		key: flowlog.ObjectKey{
			Prefix: o.Prefix, AccountID: o.AccountID, Region: o.Region, FlowLogID: o.FlowLogID,
			Encoding: o.Encoding, Layout: o.Layout,
		},
		format: o.Format,
		max:    o.MaxObject,
		names:  newPermutation(o.JournalID, o.FlowLogID),
		bucket: o.Bucket,
	}
	if d.max <= 0 {
		d.max = flowlog.MaxObjectBytes
	}
	err := d.key.Check()
	switch {
	case err != nil:
	case o.Format.IsZero():
		err = errors.New("no format")
	case o.JournalID == "":
		err = errors.New("no id of the journal: objects of two journals might meet")
	case o.Bucket == nil:
		err = errors.New("no bucket")
	}
	if err != nil {
		return nil, fmt.Errorf("deliver flow log %q: %w", o.FlowLogID, err)
	}
	// What keeps it from removing keeps Send from writing, and Send says so.
	_ = d.bucket.Tidy(o.FlowLogID)
	return d, nil
}

// String is "s3://bucket" or "s3://bucket/prefix/".
func (d *Destination) String() string {
	if d.key.Prefix == "" {
		return d.bucket.String()
	}
	return d.bucket.String() + "/" + d.key.Prefix
}

// Manner implements [deliver.Destination]. Objects are published every few
// minutes, like AWS's, and one of the same name takes the former's place.
func (d *Destination) Manner() deliver.Manner { return deliver.Manner{Replaces: true} }

// Begin begins a batch. It takes next to no memory before the first record.
func (d *Destination) Begin(b deliver.Begin) deliver.Encoder { return newEncoder(d, b) }

// Probe asks whether the bucket is there and may be used, and leaves nothing in
// it. Its error is a [*deliver.Error] around a [*MissingError], a [*DeniedError]
// or something else.
func (d *Destination) Probe(ctx context.Context) error { return d.bucket.Probe(ctx) }

// Close does nothing: whoever opened the bucket closes it.
func (d *Destination) Close() error { return nil }
