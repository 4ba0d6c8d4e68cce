package faults

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Mode is what happens to a request. The zero value passes it.
type Mode struct {
	kind   kind
	bytes  int64
	answer answer
}

type kind uint8

const (
	pass kind = iota
	reply
	hang
	withhold
	refuse
	cutRequest
	cutResponse
)

type answer struct {
	status int
	header http.Header
	body   string
}

// Pass passes requests and answers.
func Pass() Mode { return Mode{} }

// Answer answers by itself; the target hears nothing.
func Answer(status int, header http.Header, body string) Mode {
	return Mode{kind: reply, answer: answer{status, header, body}}
}

// Hang takes a request and never answers; the target hears nothing. It ends when
// the client goes away, the mode changes or the proxy closes: then the
// connection is cut.
func Hang() Mode { return Mode{kind: hang} }

// Withhold passes a request and never hands out the answer: what the target did
// is done. It ends like [Hang].
func Withhold() Mode { return Mode{kind: withhold} }

// Refuse cuts the connection at once.
func Refuse() Mode { return Mode{kind: refuse} }

// CutRequest passes so many bytes of a request's body and then cuts both
// connections; shorter bodies are cut at their end, before an answer.
func CutRequest(bytes int64) Mode { return Mode{kind: cutRequest, bytes: bytes} }

// CutResponse passes the request, then so many bytes of the answer's body, and
// cuts the client's connection; with 0 the client does not even see a status.
// Answers with shorter bodies pass.
func CutResponse(bytes int64) Mode { return Mode{kind: cutResponse, bytes: bytes} }

// S3Error answers as S3 does (Amazon S3 API Reference, "Error responses").
func S3Error(status int, code, message string) Mode {
	var escaped strings.Builder
	_ = xml.EscapeText(&escaped, []byte(message))
	return Answer(status, http.Header{"Content-Type": {"application/xml"}}, fmt.Sprintf(
		`<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>%s</Message><RequestId>FAULT0000000001</RequestId></Error>`, code, escaped.String()))
}

// JSONError answers as CloudWatch Logs and Data Firehose do (AWS JSON 1.1).
func JSONError(status int, code, message string) Mode {
	return Answer(status, http.Header{"Content-Type": {"application/x-amz-json-1.1"}, "X-Amzn-Requestid": {"fault-0000-0001"}},
		fmt.Sprintf(`{"__type":%q,"message":%q}`, code, message))
}

// RetryAfter adds the header Retry-After to an answer, in whole seconds.
func (m Mode) RetryAfter(d time.Duration) Mode {
	h := m.answer.header.Clone()
	if h == nil {
		h = http.Header{}
	}
	h.Set("Retry-After", fmt.Sprint(int64(d/time.Second)))
	m.answer.header = h
	return m
}

// String is the mode for a log or a table.
func (m Mode) String() string {
	switch m.kind {
	case reply:
		return fmt.Sprintf("answer %d", m.answer.status)
	case hang:
		return "hang"
	case withhold:
		return "withhold the answer"
	case refuse:
		return "refuse"
	case cutRequest:
		return fmt.Sprintf("cut the request at %d", m.bytes)
	case cutResponse:
		return fmt.Sprintf("cut the answer at %d", m.bytes)
	}
	return "pass"
}
