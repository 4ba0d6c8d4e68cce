// Package faults is a proxy for HTTP services that fails on demand: it stands
// between Weir and a real service, and passes, refuses, hangs or cuts as a test
// or a soak tells it, at any moment.
//
//	client ─▶ Proxy ─ Mode ─▶ target
//	            └─ an answer of its own, silence, a cut connection
//
// It reads requests as HTTP and passes them with their headers, the Host among
// them, so that signatures stay valid. It knows no service: what an answer
// looks like is in the Mode, and [S3Error] and [JSONError] write those of AWS.
package faults
