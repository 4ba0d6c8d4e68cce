// Package control is how other commands and monitoring talk to a running Weir:
// HTTP on a Unix socket in the data directory, which is locked against a second
// Weir.
//
//	GET    /status      one page of status as JSON, see [Status]
//	GET    /metrics     the same figures for Prometheus
//	POST   /flow-logs   make flow logs: [flowlogs.Request], answered by [Created]
//	DELETE /flow-logs   end those with the ids ?id=…
//	GET    /delivered   what is delivered from now on, a [Delivered] per line,
//	                    until the client or Weir has had enough
//
// Status is the one source: metrics are made from it, so the two agree. They may
// be served on a TCP address as well, where the rest is not: who may open the
// socket may change what Weir does.
package control
