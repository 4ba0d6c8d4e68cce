package flowlogs

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Code is an error code of the EC2 API (Amazon EC2 API Reference, "Error codes
// for the Amazon EC2 API"). All of these are answered with HTTP status 400.
type Code string

// The codes that a request for a flow log can meet.
const (
	MissingParameter     Code = "MissingParameter"
	InvalidParameter     Code = "InvalidParameter"
	InvalidValue         Code = "InvalidParameterValue"
	UnsupportedOperation Code = "UnsupportedOperation"
	AlreadyExists        Code = "FlowLogAlreadyExists"
	LimitExceeded        Code = "FlowLogsLimitExceeded"
	VPCNotFound          Code = "InvalidVpcID.NotFound"
	SubnetNotFound       Code = "InvalidSubnetID.NotFound"
	InterfaceNotFound    Code = "InvalidNetworkInterfaceID.NotFound"
	FlowLogNotFound      Code = "InvalidFlowLogId.NotFound"
	TokenMismatch        Code = "IdempotentParameterMismatch"
	TagLimitExceeded     Code = "TagLimitExceeded"
	FilterLimitExceeded  Code = "FilterLimitExceeded"
)

// Error is a request that AWS would refuse, in its words. Texts are exact where
// AWS's is known; where it is not, the comment beside the text says so.
type Error struct {
	Code    Code
	Message string
	Param   string // the parameter as the API reference spells it: LogDestination
	// FlowLogID is the flow log that is there already, of code AlreadyExists and
	// TokenMismatch.
	FlowLogID string
	hint      string
}

// Error is the code and the message, as AWS's own tools print them.
func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

// Hint says in our own words what to do; it may be empty. AWS has none.
func (e *Error) Hint() string { return e.hint }

// withHint returns e, with a hint.
func (e *Error) withHint(format string, args ...any) *Error {
	e.hint = fmt.Sprintf(format, args...)
	return e
}

func parameter(param, message string) *Error {
	return &Error{Code: InvalidParameter, Message: message, Param: param}
}

// missing is AWS's text for a parameter that must be there. It is known of
// ResourceIds and taken to be the same for the others.
func missing(param string) *Error {
	return &Error{
		Code: MissingParameter, Param: param,
		Message: fmt.Sprintf("The request must include the %s parameter. Add the required parameter and retry the request.", param),
	}
}

// value is the form of EC2's texts about a value: "Value ( aws:x ) for parameter
// key is invalid. …". Where AWS's own sentence about a parameter of flow logs is
// not known, ours stands in this form.
func value(param, v, sentence string) *Error {
	return &Error{
		Code: InvalidValue, Param: param,
		Message: fmt.Sprintf("Value ( %s ) for parameter %s is invalid. %s", excerpt(v), lowerFirst(param), sentence),
	}
}

// notApplicable is AWS's text for DeliverLogsPermissionArn, taken to be the same
// for other parameters that a type of destination does not have.
func notApplicable(param, destinationType string) *Error {
	return parameter(param, fmt.Sprintf("%s is not applicable for %s delivery", param, destinationType))
}

func lowerFirst(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToLower(r)) + s[n:]
}

// excerpt keeps an error readable whatever somebody sent.
func excerpt(s string) string {
	const most = 256
	if len(s) > most {
		s = s[:most] + "…"
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// NotFound is the error for flow logs that do not exist (DeleteFlowLogs). The
// text is moto's; AWS's is not known.
func NotFound(ids ...string) *Error {
	return &Error{
		Code: FlowLogNotFound, Param: "FlowLogIds",
		Message: fmt.Sprintf("These flow log ids in the input list are not found: [TotalCount: %d] %s", len(ids), strings.Join(ids, " ")),
	}
}

// Unsuccessful is a resource that got no flow log because of the destination:
// AWS answers with HTTP status 200 and such an item.
type Unsuccessful struct {
	ResourceID string
	Code       string // "400", literally
	Message    string
}

// unsuccessfulCode is what stands in the items that people have shown of such
// answers.
const unsuccessfulCode = "400"

// DestinationError is what a destination answers when it is asked whether
// delivery could work: see [Facts.Probe].
type DestinationError struct{ Message string }

func (e *DestinationError) Error() string { return e.Message }

// AccessDenied is a bucket that refuses the delivery.
func AccessDenied(bucket string) *DestinationError {
	return &DestinationError{fmt.Sprintf("Access Denied for LogDestination: %s. Please check LogDestination permission", bucket)}
}

// NoDestination is a bucket that does not exist. Emulators differ in a full stop
// at the end; Terraform's tests take either.
func NoDestination(bucket string) *DestinationError {
	return &DestinationError{fmt.Sprintf("LogDestination: %s does not exist", bucket)}
}

// Undeliverable is a bucket whose default encryption names its key by id, not by
// ARN.
func Undeliverable(bucket string) *DestinationError {
	return &DestinationError{fmt.Sprintf("LogDestination %s is undeliverable", bucket)}
}

// NewError is an error that has travelled: made anew from its parts.
func NewError(code Code, message, param, hint string) *Error {
	return &Error{Code: code, Message: message, Param: param, hint: hint}
}
