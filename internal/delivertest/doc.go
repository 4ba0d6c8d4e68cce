// Package delivertest holds tests of delivery as a whole, against peers that are
// not ours: an S3 server, DuckDB's readers, another Parquet library.
//
//	records ─ deliver/s3 ─▶ internal/faults ─▶ versitygw ─▶ objects ─▶ DuckDB, parquet-go
//
// The server is bin/versitygw, which scripts/versitygw builds; [StartS3] starts
// one for a test and ends it.
package delivertest
