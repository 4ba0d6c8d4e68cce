package aws

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/logging"
)

// EndpointConfig says how a service is reached. The zero value is AWS's own, in
// the region and with the credentials that the environment names.
type EndpointConfig struct {
	// URL is a compatible service, "http://127.0.0.1:4599"; empty is AWS's, or
	// what AWS_ENDPOINT_URL and the profile say.
	URL string
	// Region is what requests are signed for; empty is what AWS_REGION and the
	// profile say.
	Region string
	// Profile is one of the files in ~/.aws; empty is what AWS_PROFILE says.
	Profile string
	// RoleARN is assumed when it is not empty, at the STS that the environment
	// names: not at URL.
	RoleARN string
	// Timeout bounds one call; 0 is [DefaultTimeout].
	Timeout time.Duration
}

// Opened is what the clients of a service are made of.
type Opened struct {
	Config aws.Config
	Client *Client // in Config, too
	URL    *string // for a client's BaseEndpoint; nil is AWS's own
}

// Open prepares a client. It reads files and the environment, and sends nothing:
// credentials are looked for when the first call needs them.
func Open(ctx context.Context, cfg EndpointConfig) (*Opened, error) {
	var o Opened
	if cfg.URL != "" {
		if err := checkURL(cfg.URL); err != nil {
			return nil, err
		}
		o.URL = &cfg.URL
	}
	loaded, err := LoadConfig(ctx, cfg.Region, cfg.Profile)
	if err != nil {
		return nil, err
	}
	if loaded.Region == "" {
		return nil, errors.New("no region: set one in the configuration, in AWS_REGION or in the profile")
	}
	if cfg.RoleARN != "" {
		role := stscreds.NewAssumeRoleProvider(sts.NewFromConfig(loaded), cfg.RoleARN, func(o *stscreds.AssumeRoleOptions) {
			o.RoleSessionName = "weir"
		})
		loaded.Credentials = credentials{aws.NewCredentialsCache(role)}
	}
	client, ok := loaded.HTTPClient.(*Client)
	if !ok {
		return nil, fmt.Errorf("the SDK replaced the HTTP client by a %T", loaded.HTTPClient)
	}
	if cfg.Timeout > 0 {
		client.Timeout = cfg.Timeout
	}
	o.Config, o.Client = loaded, client
	return &o, nil
}

func checkURL(s string) error {
	if u, err := url.Parse(s); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("endpoint %q: want http://host:port or https://host", s)
	}
	return nil
}

// LoadConfig is the SDK's default chain for a region and a profile, which may be
// empty: calls are tried once, over connections of their own. What it returns
// has a [*Client] as its HTTPClient.
func LoadConfig(ctx context.Context, region, profile string) (aws.Config, error) {
	opts := []func(*config.LoadOptions) error{
		config.WithRetryer(func() aws.Retryer { return aws.NopRetryer{} }),
		config.WithAppID("weir"),         // in the user agent
		config.WithLogger(logging.Nop{}), // what matters is in the errors
	}
	if region != "" {
		opts = append(opts, config.WithRegion(region))
	}
	if profile != "" {
		opts = append(opts, config.WithSharedConfigProfile(profile))
	}
	cfg, err := config.LoadDefaultConfig(ctx, opts...)
	if err != nil {
		return aws.Config{}, fmt.Errorf("read the AWS configuration: %w", err)
	}
	// Only now: the sources of credentials (instance metadata, single sign-on)
	// keep the SDK's client, with the short time-outs that they need.
	cfg.HTTPClient = &Client{Transport: Transport(), Timeout: DefaultTimeout}
	if cfg.Credentials != nil {
		cfg.Credentials = credentials{cfg.Credentials}
	}
	return cfg, nil
}

// credentials tells a failure to find credentials apart from a failure to use
// them, which the SDK's errors do not.
type credentials struct{ aws.CredentialsProvider }

// Retrieve implements [aws.CredentialsProvider].
func (c credentials) Retrieve(ctx context.Context) (aws.Credentials, error) {
	v, err := c.CredentialsProvider.Retrieve(ctx)
	if err != nil {
		return v, &credentialsError{err}
	}
	return v, nil
}

type credentialsError struct{ err error }

func (e *credentialsError) Error() string { return "no AWS credentials: " + e.err.Error() }
func (e *credentialsError) Unwrap() error { return e.err }

// Probe looks for credentials and asks nobody else. The error is one that
// [Classify] calls Access, or that of ctx.
func (o *Opened) Probe(ctx context.Context) error {
	if o.Config.Credentials == nil {
		return &credentialsError{errors.New("the configuration has none")}
	}
	_, err := o.Config.Credentials.Retrieve(ctx)
	return err
}
