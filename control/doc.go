// Package control is how other commands and monitoring talk to a running Weir:
// HTTP on a Unix socket in the data directory, which is locked against a second
// Weir.
//
//	GET /status   one page of status as JSON, see [Status]
//	GET /metrics  the same figures for Prometheus
//
// Status is the one source: metrics are made from it, so the two agree.
package control
