// Package flowlogs is the flow log as a subscription: what is recorded, how, and
// where it goes. It knows what AWS accepts, in AWS's words, and which interfaces
// a flow log covers.
//
//	Request ─ New ─▶ FlowLog ─▶ Coverage ─▶ who records an interface
//	   │               ├──────▶ PlaceOf  ─▶ bucket, log group or stream
//	   └─▶ *Error      └──────▶ Changes  ─▶ what a file makes of the catalogue
//
// Nothing here does I/O: what a request is judged against comes with it, as
// [Facts]. docs/flow-logs.md is the page for people.
package flowlogs
