package aws

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/aws/middleware"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/middleware"
)

// EndpointConfig says how a service is reached. The zero value is AWS's own, in
// the region and with the credentials that the environment names.
type EndpointConfig struct {
	// URL is a compatible service, "http://127.0.0.1:4599"; empty is AWS's, or
	// what AWS_ENDPOINT_URL and the profile say.
	URL string
	// Region is what requests are signed for; empty is what AWS_REGION and the
	// profile say, or us-east-1 beside a URL.
	Region string
	// Profile is one of the files in ~/.aws; empty is what AWS_PROFILE says.
	Profile string
	// Credentials replaces the SDK's chain: environment, profile, web identity,
	// container, instance.
	Credentials aws.CredentialsProvider
	// RoleARN is assumed when it is not empty, at the STS that the environment
	// names: not at URL.
	RoleARN     string
	Timeouts    Timeouts
	Connections int // at once to one host; 0 is as many as there are calls
}

// Opened is what a service's client is made of.
type Opened struct {
	Config aws.Config
	Client *Client // in Config, too
	URL    *string // for a client's BaseEndpoint; nil is AWS's own
}

// Open prepares a client, which tries calls once. It reads files and the
// environment, and sends nothing: credentials are looked for when the first call
// needs them.
func Open(ctx context.Context, cfg EndpointConfig) (*Opened, error) {
	var o Opened
	if cfg.URL != "" {
		if err := checkURL(cfg.URL); err != nil {
			return nil, err
		}
		o.URL = &cfg.URL
	}
	limits := cfg.Timeouts.withDefaults()
	o.Client = &Client{Timeout: limits.Call}
	loaded, err := config.LoadDefaultConfig(ctx, func(l *config.LoadOptions) error {
		l.Region, l.SharedConfigProfile, l.Credentials = cfg.Region, cfg.Profile, cfg.Credentials
		if cfg.URL != "" {
			l.DefaultRegion = "us-east-1"
		}
		// The SDK gives it AWS_CA_BUNDLE's certificates, and it to the sources of
		// credentials, which know it and shorten its time-outs where they must.
		l.HTTPClient = buildable(limits, cfg.Connections)
		l.Retryer = func() aws.Retryer { return aws.NopRetryer{} }
		l.APIOptions = []func(*middleware.Stack) error{o.Client.start, sdk.AddUserAgentKey("weir")}
		l.Logger = logging.Nop{} // what matters is in the errors
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the AWS configuration: %w", err)
	}
	if loaded.Region == "" {
		return nil, errors.New("no region: set one in the configuration, in AWS_REGION or in the profile")
	}
	o.Client.HTTP = http.Client{
		Transport: loaded.HTTPClient.(*awshttp.BuildableClient).GetTransport(),
		// A redirect of a signed request cannot be followed, the signature covers
		// the host.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	loaded.HTTPClient = o.Client
	if loaded.Credentials != nil {
		loaded.Credentials = credentials{loaded.Credentials, limits.Call}
	}
	if cfg.RoleARN != "" {
		role := stscreds.NewAssumeRoleProvider(sts.NewFromConfig(loaded), cfg.RoleARN, func(o *stscreds.AssumeRoleOptions) {
			o.RoleSessionName = "weir"
		})
		loaded.Credentials = credentials{aws.NewCredentialsCache(role), limits.Call}
	}
	o.Config = loaded
	return &o, nil
}

func checkURL(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("endpoint %q: want http://host:port or https://host:port", s)
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("endpoint %q: want nothing but a scheme, a host and perhaps a path", u.Redacted())
	}
	return nil
}

// Probe looks for credentials and asks nobody else. The error is one that
// [Error] knows, or that of ctx.
func (o *Opened) Probe(ctx context.Context) error {
	if o.Config.Credentials == nil {
		return &credentialsError{errors.New("the configuration has none")}
	}
	_, err := o.Config.Credentials.Retrieve(ctx)
	return err
}

// Close closes the connections that no call uses.
func (o *Opened) Close() error {
	o.Client.HTTP.CloseIdleConnections()
	return nil
}

// credentials tells a failure to find credentials apart from a failure to use
// them, which the SDK's errors do not, and bounds the search.
type credentials struct {
	aws.CredentialsProvider
	within time.Duration
}

// Retrieve implements [aws.CredentialsProvider].
func (c credentials) Retrieve(ctx context.Context) (aws.Credentials, error) {
	ctx, cancel := context.WithTimeout(ctx, c.within)
	defer cancel()
	v, err := c.CredentialsProvider.Retrieve(ctx)
	if err != nil {
		return v, &credentialsError{err}
	}
	return v, nil
}

type credentialsError struct{ err error }

func (e *credentialsError) Error() string { return "no credentials: " + e.err.Error() }
func (e *credentialsError) Unwrap() error { return e.err }
