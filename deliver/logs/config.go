package logs

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"

	"weir/deliver/internal/aws"
	"weir/flowlog"
	"weir/vpc/flowlogs"
)

// EndpointConfig says how CloudWatch Logs is reached. The zero value is AWS's own
// with the environment's region and credentials.
type EndpointConfig = aws.EndpointConfig

// Endpoint is a CloudWatch Logs service. Flow logs share it, with its connections
// and credentials; it is safe for concurrent use.
type Endpoint struct {
	opened *aws.Opened
	client *cloudwatchlogs.Client
}

// OpenEndpoint prepares an endpoint. It reads files and the environment and sends
// nothing.
func OpenEndpoint(ctx context.Context, cfg EndpointConfig) (*Endpoint, error) {
	opened, err := aws.Open(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("CloudWatch Logs: %w", err)
	}
	client := cloudwatchlogs.NewFromConfig(opened.Config, func(o *cloudwatchlogs.Options) {
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
	Group    string // log group, by name; made when it is not there
	// Traffic is the flow log's filter, which the names of log streams end with:
	// flowlogs.All, Accept or Reject. It is [flowlogs.All] when empty.
	Traffic string
	Format  flowlog.Format // of the events' messages
}

// suffixes end the name of an interface's log stream. "-all" is what AWS writes;
// the other two are widely told, and no capture of them was found.
var suffixes = map[string]string{
	"":              "-all",
	flowlogs.All:    "-all",
	flowlogs.Accept: "-accept",
	flowlogs.Reject: "-reject",
}

// groupName is the pattern of the parameter logGroupName (CreateLogGroup).
var groupName = regexp.MustCompile(`^[.\-_/#A-Za-z0-9]{1,512}$`)

// New makes the destination of one flow log. It does nothing yet.
func New(cfg Config) (*Destination, error) {
	suffix, ok := suffixes[cfg.Traffic]
	switch {
	case cfg.Endpoint == nil:
		return nil, errors.New("deliver to a log group: no endpoint")
	case !groupName.MatchString(cfg.Group):
		return nil, fmt.Errorf("log group %q: want 1 to 512 of letters, digits and .-_/#", cfg.Group)
	case !ok:
		return nil, fmt.Errorf("traffic %q: want ALL, ACCEPT or REJECT", cfg.Traffic)
	case cfg.Format.IsZero():
		return nil, errors.New("deliver to a log group: no format")
	}
	return &Destination{endpoint: cfg.Endpoint, group: cfg.Group, suffix: suffix, format: cfg.Format}, nil
}
