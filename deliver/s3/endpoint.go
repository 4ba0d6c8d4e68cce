package s3

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	awsclient "weir/deliver/internal/aws"
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

// Timeouts bound the steps of a call; 0 is the default, and 3 minutes for all of
// it: an object of 75 MB goes through a line of 5 Mbit/s.
type Timeouts = awsclient.Timeouts

func (c EndpointConfig) withDefaults() (EndpointConfig, error) {
	c.Timeouts.Call = cmp.Or(c.Timeouts.Call, 3*time.Minute)
	c.Connections = cmp.Or(c.Connections, 32)
	switch c.Encryption {
	case "", "AES256", "aws:kms", "aws:kms:dsse":
	default:
		return c, fmt.Errorf("encryption %q: want AES256, aws:kms or aws:kms:dsse", c.Encryption)
	}
	if (c.KMSKeyID != "" || c.BucketKey) && c.Encryption != "aws:kms" && c.Encryption != "aws:kms:dsse" {
		return c, errors.New("a key of KMS is of use with encryption aws:kms only")
	}
	return c, nil
}

// Endpoint is an S3 service and its credentials. Its connections are shared by
// all buckets and flow logs.
type Endpoint struct {
	cfg    EndpointConfig
	opened *awsclient.Opened
	client *s3.Client
}

// OpenEndpoint reads what the environment and ~/.aws say, and connects to
// nothing yet. Missing credentials come to light with the first call.
func OpenEndpoint(ctx context.Context, cfg EndpointConfig) (*Endpoint, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("S3: %w", err)
	}
	opened, err := awsclient.Open(ctx, awsclient.EndpointConfig{
		URL: cfg.URL, Region: cfg.Region, Profile: cfg.Profile, Credentials: cfg.Credentials,
		Timeouts: cfg.Timeouts, Connections: cfg.Connections,
	})
	if err != nil {
		return nil, fmt.Errorf("S3: %w", err)
	}
	opened.Client.HTTP.CheckRedirect = onlyTemporary
	client := s3.NewFromConfig(opened.Config, func(o *s3.Options) {
		o.Retryer = newRetryer()
		// Every object carries its checksum in a header. Services other than
		// AWS's do not all know checksums behind the body, which the SDK prefers.
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
		if opened.URL != nil {
			o.BaseEndpoint = opened.URL
			o.UsePathStyle = !cfg.VirtualHost
		}
	})
	return &Endpoint{cfg: cfg, opened: opened, client: client}, nil
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
				if (retry.TimeouterError{}).IsErrorTimeout(err) == aws.TrueTernary {
					return aws.FalseTernary // it took long enough already
				}
				return aws.UnknownTernary
			}),
			retry.RetryableConnectionError{},
			retry.RetryableErrorCode{Codes: map[string]struct{}{"RequestTimeTooSkewed": {}}},
		}
	})
}

// Close closes the connections that nobody uses.
func (e *Endpoint) Close() error { return e.opened.Close() }

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
	if _, err := b.client.PutObject(ctx, in); err != nil {
		return b.failed(ctx, "put an object", b.String()+"/"+name, err)
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
	if _, err := b.client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &b.name}); err != nil {
		return b.probed(b.failed(ctx, "look at the bucket", b.String(), err))
	}
	return nil
}
