package firehose

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	"github.com/aws/aws-sdk-go-v2/service/firehose"

	"weir/deliver/internal/aws"
	"weir/flowlog"
)

// EndpointConfig says how Data Firehose is reached. The zero value is AWS's own
// with the environment's region and credentials.
type EndpointConfig = aws.EndpointConfig

// Endpoint is a Data Firehose service. Flow logs share it, with its connections
// and credentials; it is safe for concurrent use.
type Endpoint struct {
	opened *aws.Opened
	client *firehose.Client
}

// OpenEndpoint prepares an endpoint. It reads files and the environment and sends
// nothing.
func OpenEndpoint(ctx context.Context, cfg EndpointConfig) (*Endpoint, error) {
	opened, err := aws.Open(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("data firehose: %w", err)
	}
	client := firehose.NewFromConfig(opened.Config, func(o *firehose.Options) {
		if opened.URL != nil {
			o.BaseEndpoint = opened.URL
		}
	})
	return &Endpoint{opened: opened, client: client}, nil
}

// Close closes the connections that no call uses.
func (e *Endpoint) Close() error { return e.opened.Close() }

// Config is what a destination is made of.
type Config struct {
	Endpoint *Endpoint
	Stream   string         // by name; it must be there, and take Direct PUT
	Format   flowlog.Format // of the records' messages
}

// streamName is the pattern of the parameter DeliveryStreamName (PutRecordBatch).
var streamName = regexp.MustCompile(`^[a-zA-Z0-9_.-]{1,64}$`)

// New makes the destination of one flow log. It does nothing yet.
func New(cfg Config) (*Destination, error) {
	switch {
	case cfg.Endpoint == nil:
		return nil, errors.New("deliver to a Firehose stream: no endpoint")
	case !streamName.MatchString(cfg.Stream):
		return nil, fmt.Errorf("stream %q: want 1 to 64 of letters, digits and ._-", cfg.Stream)
	case cfg.Format.IsZero():
		return nil, errors.New("deliver to a Firehose stream: no format")
	}
	return &Destination{endpoint: cfg.Endpoint, stream: cfg.Stream, format: cfg.Format}, nil
}
