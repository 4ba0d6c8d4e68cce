package s3

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	smithy "github.com/aws/smithy-go/middleware"

	"weir/flowlog"
)

// EndpointConfig describes an S3 service. Its zero value is AWS, in the region
// and with the credentials that the environment or ~/.aws name.
type EndpointConfig struct {
	// URL is http or https, with host and perhaps port: of a service that is not
	// AWS's, or of a VPC endpoint. Empty is AWS.
	URL    string
	Region string // empty: of the environment or profile, or us-east-1 beside a URL
	// VirtualHost puts the bucket's name before the URL's host instead of into
	// the path. With AWS it always stands there.
	VirtualHost bool
	Profile     string // of ~/.aws; empty: that of the environment
	// Credentials replaces the SDK's chain: environment, profile, web identity,
	// container, instance.
	Credentials aws.CredentialsProvider

	// NoACL leaves out the header x-amz-acl: bucket-owner-full-control, which
	// AWS's own policy for flow logs demands.
	NoACL        bool
	Encryption   string // x-amz-server-side-encryption: AES256, aws:kms, or empty: the bucket's default
	KMSKeyID     string // with aws:kms; empty: the key of AWS
	BucketKey    bool   // with aws:kms: fewer calls of KMS
	StorageClass string // x-amz-storage-class; empty: STANDARD

	Timeouts    Timeouts
	Connections int // at once to one host; 0 is 32
}

// Timeouts bound the steps of a call; 0 is what [DefaultTimeouts] has.
type Timeouts struct {
	Connect time.Duration // TCP
	TLS     time.Duration // its handshake
	Answer  time.Duration // from the end of the request to the first line of the answer
	Call    time.Duration // all of it, a second attempt included
}

// DefaultTimeouts let an object of 75 MB through a line of 5 Mbit/s.
var DefaultTimeouts = Timeouts{Connect: 5 * time.Second, TLS: 10 * time.Second, Answer: 30 * time.Second, Call: 3 * time.Minute}

const defaultConnections = 32

func (c EndpointConfig) withDefaults() (EndpointConfig, error) {
	t := &c.Timeouts
	for _, d := range [...]struct {
		value *time.Duration
		or    time.Duration
	}{{&t.Connect, DefaultTimeouts.Connect}, {&t.TLS, DefaultTimeouts.TLS}, {&t.Answer, DefaultTimeouts.Answer}, {&t.Call, DefaultTimeouts.Call}} {
		if *d.value <= 0 {
			*d.value = d.or
		}
	}
	if c.Connections <= 0 {
		c.Connections = defaultConnections
	}
	switch c.Encryption {
	case "", "AES256", "aws:kms", "aws:kms:dsse":
	default:
		return c, fmt.Errorf("encryption %q: want AES256, aws:kms or aws:kms:dsse", c.Encryption)
	}
	if (c.KMSKeyID != "" || c.BucketKey) && c.Encryption != "aws:kms" && c.Encryption != "aws:kms:dsse" {
		return c, errors.New("a key of KMS is of use with encryption aws:kms only")
	}
	if c.URL == "" {
		return c, nil
	}
	u, err := url.Parse(c.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return c, fmt.Errorf("endpoint %q: want http://host:port or https://host:port", c.URL)
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return c, fmt.Errorf("endpoint %q: want nothing but a scheme, a host and perhaps a path", u.Redacted())
	}
	return c, nil
}

// Endpoint is an S3 service and its credentials. Its connections are shared by
// all buckets and flow logs.
type Endpoint struct {
	cfg       EndpointConfig
	client    *s3.Client
	transport *http.Transport
}

// OpenEndpoint reads what the environment and ~/.aws say, and connects to
// nothing yet. Missing credentials come to light with the first call.
func OpenEndpoint(ctx context.Context, cfg EndpointConfig) (*Endpoint, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("S3: %w", err)
	}
	client := awshttp.NewBuildableClient().
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = cfg.Timeouts.Connect }).
		WithTransportOptions(func(t *http.Transport) {
			t.TLSHandshakeTimeout = cfg.Timeouts.TLS
			t.ResponseHeaderTimeout = cfg.Timeouts.Answer
			t.MaxConnsPerHost, t.MaxIdleConnsPerHost = cfg.Connections, cfg.Connections
			t.IdleConnTimeout = 30 * time.Second // less than servers keep theirs
		})
	load := []func(*awsconfig.LoadOptions) error{
		awsconfig.WithHTTPClient(client), // it gets AWS_CA_BUNDLE's certificates
		awsconfig.WithRetryer(newRetryer),
		// Every object carries its checksum in a header. Services other than
		// AWS's do not all know checksums behind the body, which the SDK prefers.
		awsconfig.WithRequestChecksumCalculation(aws.RequestChecksumCalculationWhenRequired),
		awsconfig.WithResponseChecksumValidation(aws.ResponseChecksumValidationWhenRequired),
		awsconfig.WithAPIOptions([]func(*smithy.Stack) error{middleware.AddUserAgentKey("weir")}),
	}
	if cfg.Region != "" {
		load = append(load, awsconfig.WithRegion(cfg.Region))
	} else if cfg.URL != "" {
		load = append(load, awsconfig.WithDefaultRegion("us-east-1"))
	}
	if cfg.Profile != "" {
		load = append(load, awsconfig.WithSharedConfigProfile(cfg.Profile))
	}
	if cfg.Credentials != nil {
		load = append(load, awsconfig.WithCredentialsProvider(cfg.Credentials))
	}
	loaded, err := awsconfig.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return nil, fmt.Errorf("S3: %w", err)
	}
	if loaded.Region == "" {
		return nil, errors.New("S3: no region: set it in the configuration, as AWS_REGION, or in the profile")
	}
	if loaded.Credentials != nil {
		loaded.Credentials = namedCredentials{loaded.Credentials}
	}
	e := &Endpoint{cfg: cfg, transport: loaded.HTTPClient.(*awshttp.BuildableClient).GetTransport()}
	loaded.HTTPClient = &http.Client{Transport: e.transport, CheckRedirect: onlyTemporary}
	e.client = s3.NewFromConfig(loaded, func(o *s3.Options) {
		if cfg.URL != "" {
			o.BaseEndpoint = &cfg.URL
			o.UsePathStyle = !cfg.VirtualHost
		}
	})
	return e, nil
}

// onlyTemporary follows what S3 says of a young bucket, and like the SDK's own
// client nothing else.
func onlyTemporary(r *http.Request, via []*http.Request) error {
	if s := r.Response.StatusCode; len(via) < 3 && (s == http.StatusTemporaryRedirect || s == http.StatusPermanentRedirect) {
		return nil
	}
	return http.ErrUseLastResponse
}

// newRetryer tries again once, and only what a fresh connection or a corrected
// clock mends: whoever sends has a back-off of his own.
func newRetryer() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = 2
		o.MaxBackoff = 200 * time.Millisecond
		o.RateLimiter = ratelimit.None
		o.Retryables = []retry.IsErrorRetryable{
			retry.NoRetryCanceledError{},
			retry.IsErrorRetryableFunc(func(err error) aws.Ternary {
				if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
					return aws.FalseTernary // it took long enough already
				}
				return aws.UnknownTernary
			}),
			retry.RetryableConnectionError{},
			retry.RetryableErrorCode{Codes: map[string]struct{}{"RequestTimeTooSkewed": {}}},
		}
	})
}

// namedCredentials marks the errors of a chain, which otherwise look like those
// of a call.
type namedCredentials struct{ aws.CredentialsProvider }

func (c namedCredentials) Retrieve(ctx context.Context) (aws.Credentials, error) {
	v, err := c.CredentialsProvider.Retrieve(ctx)
	if err != nil {
		err = &credentialsError{err}
	}
	return v, err
}

type credentialsError struct{ error }

func (e *credentialsError) Unwrap() error { return e.error }

// Close closes the connections that nobody uses.
func (e *Endpoint) Close() error {
	e.transport.CloseIdleConnections()
	return nil
}

// Bucket is a bucket of the service.
func (e *Endpoint) Bucket(name string) Bucket { return &remote{e, name} }

// remote is a bucket of a service.
type remote struct {
	*Endpoint
	name string
}

func (b *remote) String() string { return "s3://" + b.name }

// Tidy has nothing to do: an object that was not put whole is not there.
func (b *remote) Tidy(string) error { return nil }

// Put is one PutObject: at 75 MB there is no need for parts, and nothing is left
// to clean up when it fails.
func (b *remote) Put(ctx context.Context, key flowlog.ObjectKey, body *Body) error {
	call, stop := context.WithTimeout(ctx, b.cfg.Timeouts.Call)
	defer stop()
	name := key.String()
	in := &s3.PutObjectInput{
		Bucket: &b.name, Key: &name,
		Body: body.NewReader(), ContentLength: aws.Int64(body.Size()),
		ContentType:   aws.String(contentType(key.Encoding)),
		ChecksumCRC32: aws.String(checksum32(body)),
		StorageClass:  types.StorageClass(b.cfg.StorageClass),
	}
	if !b.cfg.NoACL {
		in.ACL = types.ObjectCannedACLBucketOwnerFullControl
	}
	if b.cfg.Encryption != "" {
		in.ServerSideEncryption = types.ServerSideEncryption(b.cfg.Encryption)
	}
	if b.cfg.KMSKeyID != "" {
		in.SSEKMSKeyId = &b.cfg.KMSKeyID
	}
	if b.cfg.BucketKey {
		in.BucketKeyEnabled = &b.cfg.BucketKey
	}
	if _, err := b.client.PutObject(call, in); err != nil {
		return b.failed(ctx, call, "put an object", b.String()+"/"+name, err)
	}
	return nil
}

// contentType is not told by AWS; there is no Content-Encoding, or clients would
// inflate what is called .gz.
func contentType(e flowlog.Encoding) string {
	if e == flowlog.Parquet {
		return "application/vnd.apache.parquet"
	}
	return "application/gzip"
}

// checksum32 is as x-amz-checksum-crc32 has it: CRC-32 (IEEE), big endian, in
// base 64.
func checksum32(b *Body) string {
	sum := crc32.NewIEEE()
	_, _ = b.WriteTo(sum)
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, sum.Sum32()))
}

// Probe is HeadBucket, which wants s3:ListBucket like AWS's check of a flow
// log's bucket.
func (b *remote) Probe(ctx context.Context) error {
	call, stop := context.WithTimeout(ctx, b.cfg.Timeouts.Call)
	defer stop()
	if _, err := b.client.HeadBucket(call, &s3.HeadBucketInput{Bucket: &b.name}); err != nil {
		return b.probed(b.failed(ctx, call, "look at the bucket", b.String(), err))
	}
	return nil
}
