// Package s3 delivers a flow log to a bucket as AWS lays it out: objects of
// five-minute slots, gzipped text or Parquet, in a local directory or with an S3
// service.
//
//	Begin ─▶ encoder ─ by the slot of end ─▶ open part ─ full, or Finish ─▶ part
//	                                         text: lines → blocks → gzip
//	                                         Parquet: batches → row groups
//	part.Send ─▶ Bucket ─▶ directory: .weir-<flow log>-*.tmp, sync, rename
//	                   └─▶ endpoint: PutObject
//	         key: AWSLogs/…/…_T1620Z_fe123456.log.gz; its hash: names.go
//
// An object appears under its key whole and durable, or not at all. The same
// batch made twice has the same names and bytes, so that sending it again
// replaces it and doubles nothing. Nothing here waits, retries or gives up: that
// is the caller's. What is open takes memory, by encoder about:
//
//	none open        0.3 KiB
//	text             for each slot: the compressed bytes, and up to 256 KiB of text
//	Parquet          for each slot: the compressed bytes, and up to 64 Ki rows of
//	                 8 bytes for each column, or 8 Ki of 200 to 500 bytes
//
// Compressors and collectors are shared by all encoders, while they work.
package s3
