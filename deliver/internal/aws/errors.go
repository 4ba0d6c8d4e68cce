package aws

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"weir/deliver"
)

// kinds are the error codes that mean something for the owner of a flow log.
// Sources: "Common Errors" and the errors of PutLogEvents, PutRecordBatch and
// PutObject in the services' API references; the SDK's list of codes that ask
// for fewer calls (aws/retry, DefaultThrottleErrorCodes).
var kinds = map[string]deliver.Kind{
	"BandwidthLimitExceeded":                 deliver.Rate,
	"EC2ThrottledException":                  deliver.Rate,
	"LimitExceededException":                 deliver.Rate,
	"PriorRequestNotComplete":                deliver.Rate,
	"ProvisionedThroughputExceededException": deliver.Rate,
	"RequestLimitExceeded":                   deliver.Rate,
	"RequestThrottled":                       deliver.Rate,
	"RequestThrottledException":              deliver.Rate,
	"ServiceQuotaExceededException":          deliver.Rate,
	"ServiceUnavailable":                     deliver.Rate,
	"ServiceUnavailableException":            deliver.Rate,
	"SlowDown":                               deliver.Rate,
	"Throttling":                             deliver.Rate,
	"ThrottledException":                     deliver.Rate,
	"ThrottlingException":                    deliver.Rate,
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
	"UnauthorizedOperation":               deliver.Access,
	"UnrecognizedClientException":         deliver.Access,
}

// KindOf is what an error code means, also one in the answer's body.
func KindOf(code string) deliver.Kind { return kinds[code] }

// Classify says what an error of a client is for a flow log: its kind, the
// service's code ("" when no service spoke) and message, how long the service
// asks to wait (0 when it does not say), and whether it may have taken the
// request all the same. Contexts that ended are the caller's to look at, before.
func Classify(err error) (kind deliver.Kind, code, message string, after time.Duration, doubtful bool) {
	if err == nil {
		return deliver.Unknown, "", "", 0, false
	}
	if none, ok := errors.AsType[*credentialsError](err); ok {
		return deliver.Access, "", none.Error(), 0, false
	}
	if send, ok := errors.AsType[*sendError](err); ok {
		return deliver.Unknown, "", send.Error(), 0, send.written
	}

	var status int
	if answer, ok := errors.AsType[*smithyhttp.ResponseError](err); ok && answer.Response != nil && answer.Response.Response != nil {
		status = answer.HTTPStatusCode()
		after = retryAfter(answer.Response.Header)
	}
	message = err.Error()
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		code, message = api.ErrorCode(), api.ErrorMessage()
	}
	if code == "UnknownError" {
		code = "" // the SDK's name for an answer that it does not understand
	}
	kind, known := kinds[code]
	switch {
	case known:
		// A service that says so has not taken it, whatever the status.
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable:
		kind = deliver.Rate
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		kind = deliver.Access
	case status >= http.StatusInternalServerError:
		// "If there is an internal server error or a timeout, the write might have
		// completed or it might have failed" (PutRecordBatch; it holds for all).
		doubtful = true
	case status >= 200 && status < 300:
		doubtful = true // it said yes, and what else it said could not be read
	}
	return kind, code, message, after, doubtful
}

// retryAfter reads the header in its form of seconds; AWS and its likenesses
// send no other.
func retryAfter(h http.Header) time.Duration {
	s, err := strconv.ParseUint(h.Get("Retry-After"), 10, 31)
	if err != nil {
		return 0
	}
	return time.Duration(s) * time.Second
}

// Error is an error of a client as destinations return it: that of ctx when it
// has ended, a [*deliver.Error] otherwise. op and target are for people.
func Error(ctx context.Context, op, target string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	kind, code, message, after, doubtful := Classify(err)
	return &deliver.Error{
		Op: op, Target: target, Kind: kind, Doubtful: doubtful, After: after,
		Err:  &failure{code: code, message: message, err: err},
		Next: hint(kind, code, err),
	}
}

// failure is a client's error without the SDK's layers in its text; they are
// still there for [errors.As].
type failure struct {
	code, message string
	err           error
}

func (e *failure) Error() string {
	switch {
	case e.code == "":
		return e.message
	case e.message == "":
		return e.code
	}
	return e.code + ": " + e.message
}

func (e *failure) Unwrap() error { return e.err }

func hint(kind deliver.Kind, code string, err error) string {
	if _, ok := errors.AsType[*credentialsError](err); ok {
		return "give credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or a role of the instance"
	}
	switch {
	case code == "RequestTimeTooSkewed", code == "RequestExpired":
		return "set the clock of this machine"
	case code == "ExpiredToken", code == "ExpiredTokenException":
		return "renew the credentials; delivery goes on by itself"
	case code == "ResourceNotFoundException", code == "NoSuchBucket":
		return "create the destination, or look whether region and account are the ones meant"
	case kind == deliver.Access:
		return "look at the credentials and at what their policy allows"
	case kind == deliver.Rate:
		return "delivery goes on by itself, slower; ask for a higher quota if it stays so"
	}
	return ""
}
