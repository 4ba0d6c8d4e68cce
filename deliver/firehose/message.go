package firehose

import (
	"bytes"
	"encoding/json"
)

// A record of the stream is a JSON object that holds the flow log's record, as
// AWS's delivery writes it whatever its guide says of plain text (seen by
// elastic/integrations, pull request 4830).
const (
	opening = `{"message":"`
	closing = `"}`
	// delimiter ends a record. Whether AWS's has one is not known; with it, what
	// Firehose writes to a bucket is lines of JSON, and its API reference
	// (PutRecordBatch) advises one. No parser of a single record minds.
	delimiter = "\n"
)

// appendMessage appends the record of the stream that holds a line.
func appendMessage(dst, line []byte) []byte {
	dst = append(dst, opening...)
	if isPlain(line) {
		dst = append(dst, line...)
	} else {
		dst = appendEscaped(dst, line)
	}
	return append(dst, closing+delimiter...)
}

// isPlain reports whether a line stands in a JSON string as it is. Nearly every
// record does; tags and names are where others come from.
func isPlain(line []byte) bool {
	for _, c := range line {
		if c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// appendEscaped escapes what JSON wants escaped and nothing else: "&" stays "&".
// What is not UTF-8 becomes U+FFFD.
func appendEscaped(dst, line []byte) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(string(line)); err != nil {
		panic(err) // a string can always be encoded
	}
	return append(dst, b.Bytes()[1:b.Len()-len("\"\n")]...)
}
