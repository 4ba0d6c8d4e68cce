package logs

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"weir/deliver"
	"weir/deliver/internal/aws"
)

// put is one PutLogEvents that the service answers, with what it takes to get
// there: the log group, the log stream, an old service's sequence token.
func (d *Destination) put(ctx context.Context, stream string, events []types.InputLogEvent) (*types.RejectedLogEventsInfo, error) {
	made, told := false, false
	if d.streams.isProbablyAbsent(stream) {
		if err := d.makeStream(ctx, stream); err != nil {
			return nil, err
		}
		made = true
	}
	for {
		out, err := d.endpoint.client.PutLogEvents(ctx, &cloudwatchlogs.PutLogEventsInput{
			LogGroupName:  &d.group,
			LogStreamName: &stream,
			LogEvents:     events,
			SequenceToken: d.streams.token(stream),
		})
		var already *types.DataAlreadyAcceptedException
		var wrongToken *types.InvalidSequenceTokenException
		switch {
		case err == nil:
			d.streams.took(stream, out.NextSequenceToken)
			return out.RejectedLogEventsInfo, nil
		case errors.As(err, &already): // an old service, of a call whose answer was lost
			d.streams.demand(stream, already.ExpectedSequenceToken)
			return nil, nil
		case errors.As(err, &wrongToken) && !told:
			d.streams.demand(stream, wrongToken.ExpectedSequenceToken)
			told = true
		case isNotFound(err) && !made:
			d.streams.forget(stream)
			if err := d.makeStream(ctx, stream); err != nil {
				return nil, err
			}
			made = true
		default:
			err = aws.Error(ctx, "put log events", d.target(stream), err)
			if e, ok := errors.AsType[*deliver.Error](err); ok && made && isNotFound(err) {
				// It was made a moment ago, and not every machine of the service
				// knows it yet.
				e.Kind, e.Next = deliver.Unknown, "delivery goes on by itself"
			}
			return nil, err
		}
	}
}

// makeStream makes the log stream, and the log group when that is missing.
func (d *Destination) makeStream(ctx context.Context, stream string) error {
	create := func() error {
		_, err := d.endpoint.client.CreateLogStream(ctx, &cloudwatchlogs.CreateLogStreamInput{
			LogGroupName: &d.group, LogStreamName: &stream,
		})
		return err
	}
	err := create()
	if isNotFound(err) {
		d.streams.forgetAll()
		if err := d.makeGroup(ctx); err != nil {
			return err
		}
		err = create()
	}
	var exists *types.ResourceAlreadyExistsException
	if err != nil && !errors.As(err, &exists) {
		return unsent(aws.Error(ctx, "create a log stream", d.target(stream), err))
	}
	d.streams.made(err == nil)
	return nil
}

func (d *Destination) makeGroup(ctx context.Context) error {
	_, err := d.endpoint.client.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: &d.group})
	var exists *types.ResourceAlreadyExistsException
	var aborted *types.OperationAbortedException // somebody else is making it at this moment
	if err == nil || errors.As(err, &exists) || errors.As(err, &aborted) {
		return nil
	}
	return unsent(aws.Error(ctx, "create a log group", d.String(), err))
}

// unsent is an error from before any event was sent: whatever became of the call,
// there is no doubt about the events.
func unsent(err error) error {
	if e, ok := errors.AsType[*deliver.Error](err); ok {
		e.Doubtful = false
	}
	return err
}

func (d *Destination) target(stream string) string { return d.String() + ", stream " + stream }

func isNotFound(err error) bool {
	var missing *types.ResourceNotFoundException
	return errors.As(err, &missing)
}
