// Package deliver is what every destination of a flow log has in common: the
// interface it fulfils and the figures it reports.
//
//	aggregate ─ flowlog.Record ─▶ Destination.Add ─ waits ─▶ Publish ─▶ Published
//	                                                  └─ Lost, when there is no room to wait
//
// The destinations stand in subfolders: deliver/s3. They start no goroutine:
// whoever owns the flow log calls Add and Publish in its own loop.
package deliver
