package logs

import (
	"context"

	"weir/deliver"
	"weir/deliver/internal/aws"
	"weir/flowlog"
)

// Destination is a log group, for one flow log.
type Destination struct {
	endpoint *Endpoint
	group    string
	suffix   string // of a stream's name
	format   flowlog.Format
	streams  streams
}

var _ deliver.Destination = (*Destination)(nil)

// String is "logs:GROUP", as a flow log names it.
func (d *Destination) String() string { return "logs:" + d.group }

// Manner implements [deliver.Destination]. AWS, too, delivers to log groups as
// soon as it can, and to buckets every five minutes. With one call at a time,
// 2,000 interfaces at 20 ms a call take 40 s of an interval's 60. AWS takes calls
// side by side, also of one stream ("You can use parallel PutLogEvents actions on
// the same log stream"), and keeps the events in the order of their time.
func (d *Destination) Manner() deliver.Manner { return deliver.Manner{Prompt: true, Parallel: 8} }

// Begin implements [deliver.Destination]. A batch that nothing was added to takes
// no memory worth naming.
func (d *Destination) Begin(b deliver.Begin) deliver.Encoder {
	return &encoder{d: d}
}

// Probe fails when there are no credentials. A log group that is not there is no
// error for AWS (CreateFlowLogs): it is made with the first events.
func (d *Destination) Probe(ctx context.Context) error {
	if err := d.endpoint.opened.Probe(ctx); err != nil {
		return aws.Error(ctx, "find credentials", d.String(), err)
	}
	return nil
}

// Close does nothing: the endpoint belongs to whoever opened it.
func (d *Destination) Close() error { return nil }
