package firehose

import (
	"context"

	"weir/deliver"
	"weir/deliver/internal/aws"
	"weir/flowlog"
)

// Destination is a Firehose stream, for one flow log.
type Destination struct {
	endpoint *Endpoint
	stream   string
	format   flowlog.Format
}

var _ deliver.Destination = (*Destination)(nil)

// String is "firehose:NAME", as a flow log names it.
func (d *Destination) String() string { return "firehose:" + d.stream }

// Manner implements [deliver.Destination]. Firehose collects by itself. A million
// records are 2,000 calls: with one at a time 40 s of an interval's 60, at 20 ms a
// call. Firehose promises no order.
func (d *Destination) Manner() deliver.Manner { return deliver.Manner{Prompt: true, Parallel: 8} }

// Begin implements [deliver.Destination]. A batch that nothing was added to takes
// no memory worth naming.
func (d *Destination) Begin(b deliver.Begin) deliver.Encoder {
	return &encoder{d: d}
}

// Probe fails when there are no credentials. It does not ask for the stream:
// AWS's delivery may put records and list tags (its service-linked role), and
// our role need not be allowed more.
func (d *Destination) Probe(ctx context.Context) error {
	if err := d.endpoint.opened.Probe(ctx); err != nil {
		return aws.Error(ctx, "find credentials", d.String(), err)
	}
	return nil
}

// Close does nothing: the endpoint belongs to whoever opened it.
func (d *Destination) Close() error { return nil }
