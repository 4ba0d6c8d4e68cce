// Package flowlog is the shape of a VPC Flow Logs record: which fields exist,
// how a format is written, and how a record becomes a line of text and back.
//
//	Record ─ Format.AppendText ─▶ "2 123456789012 eni-… ACCEPT OK"
//	"2 123456789012 …" ─ Format.ParseText ─▶ Record
//	Record.End, flow log ─ ObjectKey ─▶ "AWSLogs/…_T1620Z_fe123456.log.gz"
//
// One table, [Fields], names every field; formats, header lines, parsers and
// query views are derived from it. Nothing in this package reads a clock, opens
// a file or logs. It depends on the standard library and a
// gzip alone.
package flowlog
