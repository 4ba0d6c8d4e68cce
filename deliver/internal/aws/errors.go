package aws

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"weir/deliver"
)

// kinds are the error codes that mean something for the owner of a flow log.
// Sources: "Common Errors" and the errors of PutLogEvents, PutRecordBatch and
// PutObject in the services' API references; the SDK's list of codes that ask
// for fewer calls (aws/retry, DefaultThrottleErrorCodes).
var kinds = map[string]deliver.Kind{
	"BandwidthLimitExceeded":                 deliver.Rate,
	"LimitExceededException":                 deliver.Rate,
	"PriorRequestNotComplete":                deliver.Rate,
	"ProvisionedThroughputExceededException": deliver.Rate,
	"RequestLimitExceeded":                   deliver.Rate,
	"ServiceQuotaExceededException":          deliver.Rate,
	"ServiceUnavailable":                     deliver.Rate,
	"ServiceUnavailableException":            deliver.Rate,
	"SlowDown":                               deliver.Rate,
	"TooManyRequestsException":               deliver.Rate,

	"AccessDenied":                        deliver.Access,
	"AccessDeniedException":               deliver.Access,
	"AccountProblem":                      deliver.Access,
	"AllAccessDisabled":                   deliver.Access,
	"AuthFailure":                         deliver.Access,
	"ExpiredToken":                        deliver.Access,
	"ExpiredTokenException":               deliver.Access,
	"IncompleteSignature":                 deliver.Access,
	"IncompleteSignatureException":        deliver.Access,
	"InvalidAccessKeyId":                  deliver.Access,
	"InvalidClientTokenId":                deliver.Access,
	"InvalidKMSResourceException":         deliver.Access,
	"InvalidSignatureException":           deliver.Access,
	"InvalidToken":                        deliver.Access,
	"KMSAccessDeniedException":            deliver.Access,
	"MissingAuthenticationToken":          deliver.Access,
	"MissingAuthenticationTokenException": deliver.Access,
	"NoSuchBucket":                        deliver.Access,
	"NotAuthorized":                       deliver.Access,
	"OptInRequired":                       deliver.Access,
	"RequestExpired":                      deliver.Access,
	"RequestTimeTooSkewed":                deliver.Access,
	"ResourceNotFoundException":           deliver.Access,
	"SignatureDoesNotMatch":               deliver.Access,
	"TokenRefreshRequired":                deliver.Access,
	"UnauthorizedOperation":               deliver.Access,
	"UnrecognizedClientException":         deliver.Access,
}

// KindOf is what an error code means, also one in the answer's body.
func KindOf(code string) deliver.Kind {
	if strings.Contains(code, "Throttl") { // there are a dozen
		return deliver.Rate
	}
	return kinds[code]
}

// Error is an error of a client as destinations return it: that of ctx when it
// has ended, a [*deliver.Error] otherwise. op and target are for people. What it
// wraps is an [*Answer] when the service gave one.
func Error(ctx context.Context, op, target string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	e := &deliver.Error{Op: op, Target: target, Err: err}
	if none, ok := errors.AsType[*credentialsError](err); ok {
		e.Kind, e.Err = deliver.Access, none
		e.Next = "give credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile of ~/.aws, or a role of the instance"
	} else if send, ok := errors.AsType[*sendError](err); ok {
		e.Err, e.Doubtful, e.Next = send, send.written, send.hint()
	} else if response, ok := errors.AsType[*awshttp.ResponseError](err); ok {
		a := answerOf(response, err)
		e.Err, e.After = a, retryAfter(a.Header)
		e.Kind, e.Doubtful = a.judge()
		e.Next = hint(e.Kind, a.Code)
	}
	return e
}

// Answer is what a service answered instead of doing what it was asked, without
// the SDK's words about itself; they are still there for [errors.As].
type Answer struct {
	Status    int    // of HTTP
	Code      string // "AccessDenied"; empty when the answer had none
	Message   string // may be empty
	RequestID string // for the service's support; may be empty
	Header    http.Header
	err       error
}

func answerOf(r *awshttp.ResponseError, err error) *Answer {
	a := &Answer{Status: r.HTTPStatusCode(), RequestID: r.ServiceRequestID(), Header: r.Response.Header, err: err}
	if api, ok := errors.AsType[smithy.APIError](r.Err); ok {
		a.Code, a.Message = api.ErrorCode(), api.ErrorMessage()
	}
	// Without a code in the answer the SDK makes one, of the status at best.
	if status := http.StatusText(a.Status); a.Code == "UnknownError" || a.Message == status && a.Code == strings.ReplaceAll(status, " ", "") {
		a.Code, a.Message = "", ""
	}
	return a
}

// Error is "AccessDenied: Access Denied".
func (a *Answer) Error() string {
	switch {
	case a.Code != "" && (a.Message == "" || a.Message == a.Code):
		return a.Code
	case a.Code != "":
		return a.Code + ": " + strings.TrimRight(a.Message, ". ")
	}
	s := fmt.Sprintf("HTTP status %d %s", a.Status, http.StatusText(a.Status))
	if broken, ok := errors.AsType[*smithy.DeserializationError](a.err); ok && a.Status < 300 {
		s += ", and the rest cannot be read: " + broken.Err.Error()
	}
	return s
}

func (a *Answer) Unwrap() error { return a.err }

// judge is what an answer means, and whether the service may have done what it
// was asked all the same.
func (a *Answer) judge() (kind deliver.Kind, doubtful bool) {
	if kind := KindOf(a.Code); kind != deliver.Unknown {
		return kind, false // a service that says so has not done it, whatever the status
	}
	switch s := a.Status; {
	case s == http.StatusTooManyRequests, s == http.StatusServiceUnavailable:
		return deliver.Rate, false
	case s == http.StatusUnauthorized, s == http.StatusForbidden:
		return deliver.Access, false
	case s >= 200 && s < 300: // it said yes, and what else it said could not be read
		return deliver.Unknown, true
	default:
		// "If there is an internal server error or a timeout, the write might have
		// completed or it might have failed" (PutRecordBatch; it holds for all).
		return deliver.Unknown, s >= http.StatusInternalServerError
	}
}

// retryAfter reads the header in its form of seconds (RFC 9110, 10.2.3); AWS and
// its likenesses send no other.
func retryAfter(h http.Header) time.Duration {
	s, err := strconv.ParseUint(h.Get("Retry-After"), 10, 31)
	if err != nil {
		return 0
	}
	return time.Duration(s) * time.Second
}

func hint(kind deliver.Kind, code string) string {
	switch code {
	case "RequestTimeTooSkewed", "RequestExpired":
		return "set this machine's clock: it is too far from the service's"
	case "ExpiredToken", "ExpiredTokenException", "InvalidToken", "TokenRefreshRequired":
		return "renew the credentials; delivery goes on by itself"
	case "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidClientTokenId", "InvalidSignatureException", "UnrecognizedClientException":
		return "check the access key and its secret"
	case "ResourceNotFoundException":
		return "create the destination, or look whether region and account are the ones meant"
	}
	switch kind {
	case deliver.Access:
		return "look at the credentials and at what their policy allows"
	case deliver.Rate:
		return "it is tried again by itself, more slowly; ask for a higher quota if it stays so"
	}
	return ""
}
