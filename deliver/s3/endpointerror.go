package s3

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"weir/deliver"
	"weir/deliver/internal/aws"
)

// AnswerError is what a service answered instead of doing what it was asked.
type AnswerError struct {
	Status    int    // of HTTP
	Code      string // "AccessDenied"; empty when the answer had none
	Message   string // may be empty
	RequestID string // for the service's support; may be empty
}

// Error is "AccessDenied: Access Denied (request 4442587FB7D0A2F9)".
func (e *AnswerError) Error() string {
	s := e.Code
	switch {
	case s == "":
		s = fmt.Sprintf("HTTP status %d %s", e.Status, http.StatusText(e.Status))
	case e.Message != "" && e.Message != e.Code:
		s += ": " + strings.TrimRight(e.Message, ". ")
	}
	if e.RequestID != "" {
		s += " (request " + e.RequestID + ")"
	}
	return s
}

// failed is the error of a call, without the SDK's words about itself. ctx is the
// caller's, whose error is returned as it is; call has the time-out.
func (b *remote) failed(ctx, call context.Context, op, target string, err error) error {
	if cause := ctx.Err(); cause != nil {
		return cause
	}
	e := &deliver.Error{Op: op, Target: target, Err: err}
	if c, ok := errors.AsType[*credentialsError](err); ok {
		e.Kind, e.Err = deliver.Access, fmt.Errorf("no credentials: %w", c.error)
		e.Next = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile of ~/.aws"
		return e
	}
	if response, ok := errors.AsType[*awshttp.ResponseError](err); ok && response.HTTPStatusCode() != 0 {
		a := answerOf(response)
		e.Err, e.After = a, retryAfter(response.Response.Header)
		e.Kind, e.Next = b.judge(a, response.Response.Header)
		return e
	}
	e.Next, e.Err = b.unreached(call, err)
	return e
}

func answerOf(r *awshttp.ResponseError) *AnswerError {
	a := &AnswerError{Status: r.HTTPStatusCode(), RequestID: r.ServiceRequestID()}
	// Without a code in the answer the SDK makes one of the status.
	if api, ok := errors.AsType[smithy.APIError](r.Err); ok && api.ErrorCode() != "UnknownError" && api.ErrorMessage() != http.StatusText(a.Status) {
		a.Code, a.Message = api.ErrorCode(), api.ErrorMessage()
	}
	return a
}

// retryAfter is in seconds on the wire (RFC 9110, 10.2.3); dates are not used by
// any S3 service known.
func retryAfter(h http.Header) time.Duration {
	seconds, err := strconv.ParseUint(h.Get("Retry-After"), 10, 16)
	if err != nil {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

// judge tells what an answer means and what to do (Amazon S3 API Reference,
// "Error responses"). What codes of all services mean is in one table.
func (b *remote) judge(a *AnswerError, h http.Header) (kind deliver.Kind, next string) {
	switch a.Code {
	case "NoSuchBucket":
		return deliver.Access, fmt.Sprintf("make the bucket %s, or check its name; delivery goes on by itself", b.name)
	case "InvalidAccessKeyId", "SignatureDoesNotMatch":
		return deliver.Access, "check the access key and its secret"
	case "ExpiredToken", "InvalidToken", "TokenRefreshRequired", "ExpiredTokenException":
		return deliver.Access, "renew the session's credentials"
	case "RequestTimeTooSkewed":
		return deliver.Access, "set this machine's clock: it is too far from the service's"
	case "PermanentRedirect", "TemporaryRedirect", "MovedPermanently", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException":
		return deliver.Unknown, b.otherRegion(h)
	case "AccessControlListNotSupported", "InvalidBucketAclWithObjectOwnership":
		return deliver.Access, "the bucket takes no ACLs: leave the header x-amz-acl out"
	case "QuotaExceeded":
		return deliver.Rate, "make room, or raise the bucket's quota; delivery goes on by itself"
	}
	switch known := aws.KindOf(a.Code); {
	case known == deliver.Rate, strings.Contains(a.Code, "Throttl"), a.Status == http.StatusTooManyRequests, a.Status == http.StatusServiceUnavailable:
		return deliver.Rate, "it is tried again later by itself"
	case strings.HasPrefix(a.Code, "KMS."):
		return deliver.Access, "check the KMS key and that its policy allows kms:GenerateDataKey to these credentials"
	case known == deliver.Access, a.Status == http.StatusForbidden, a.Status == http.StatusUnauthorized:
		return deliver.Access, fmt.Sprintf("allow s3:PutObject, s3:PutObjectAcl and s3:ListBucket on %s to these credentials, in the bucket's policy or their own", b.name)
	case a.Status == http.StatusNotFound:
		return deliver.Access, fmt.Sprintf("check the bucket's name, %s, and the endpoint", b.name)
	case a.Status == http.StatusInsufficientStorage:
		return deliver.Unknown, "the service has no room left; delivery goes on by itself"
	case 300 <= a.Status && a.Status < 400:
		return deliver.Unknown, b.otherRegion(h)
	}
	return deliver.Unknown, ""
}

func (b *remote) otherRegion(h http.Header) string {
	if r := h.Get("X-Amz-Bucket-Region"); r != "" {
		return fmt.Sprintf("the bucket %s is in %s: set that region", b.name, r)
	}
	return fmt.Sprintf("the bucket %s is in another region: set that one", b.name)
}

// unreached tells what kept a call from an answer.
func (b *remote) unreached(call context.Context, err error) (next string, cause error) {
	at := b.cfg.URL
	if at == "" {
		at = "AWS"
	}
	if call.Err() != nil {
		return "check that " + at + " can be reached and is not overloaded", fmt.Errorf("no answer within %s", b.cfg.Timeouts.Call)
	}
	cause = err
	if u, ok := errors.AsType[*url.Error](err); ok {
		cause = u.Err
	}
	dns, unknown := errors.AsType[*net.DNSError](err)
	certificate, untrusted := errors.AsType[x509.UnknownAuthorityError](err)
	switch {
	case unknown:
		return "check the name in the endpoint's URL and this machine's resolver", dns
	case untrusted:
		return "name the file of the certificate's authority as AWS_CA_BUNDLE", certificate
	}
	return "check that " + at + " is up and can be reached", cause
}

// probed puts AWS's words for CreateFlowLogs around a probe's error.
func (b *remote) probed(err error) error {
	e, ok := errors.AsType[*deliver.Error](err)
	if !ok {
		return err
	}
	a, ok := errors.AsType[*AnswerError](e.Err)
	switch {
	case ok && a.Status == http.StatusNotFound:
		e.Err = &MissingError{Bucket: b.name}
		e.Next = fmt.Sprintf("make the bucket %s, or check its name", b.name)
	case e.Kind == deliver.Access:
		e.Err = &DeniedError{Bucket: b.name, Err: e.Err}
	}
	return err
}
