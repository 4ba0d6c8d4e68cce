// Package firehose delivers a flow log to a stream of Amazon Data Firehose:
// AWS's, or a compatible service's.
//
//	Add ─ {"message":"<record>"} ─▶ calls of 500, as they fill up
//	Send ─ PutRecordBatch ─▶ what failed of it waits for the next Send
//
// The protocol cannot tell a call that is repeated from a new one: when an answer
// gets lost, the call's records may arrive twice. Such errors are marked
// doubtful, and nothing else is ever sent twice.
package firehose
