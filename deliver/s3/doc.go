// Package s3 delivers a flow log to a bucket as AWS lays it out: gzipped text
// objects of five-minute slots. For now a bucket is a local directory.
//
//	Add ─ text ─▶ blocks of each slot, in memory
//	Publish ─ gzip ─▶ .weir-<flow log>-*.tmp ─ fsync ─ rename ─▶ AWSLogs/…/…_T1620Z_fe123456.log.gz
//
// An object appears under its key whole and durable, or not at all. What cannot
// be written waits for the next Publish, within a bound; beyond it the oldest
// records are given up and counted.
package s3
