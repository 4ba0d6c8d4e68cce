// Package duckdb answers SQL with an embedded, in-memory DuckDB. It is the one
// room with cgo.
//
//	query.Source ─▶ table function (Go, every core) ─▶ view flow_logs ◀─ SQL
//
// Records are not loaded beforehand: the view is a table function that reads
// the source while the query runs, only the columns that the query names, a
// batch at a time. Memory stays within its limit however large the bucket is,
// and LIMIT stops the reading.
//
// The database is locked before anybody's SQL arrives: no file, no network, no
// extension, no setting can be reached from it.
//
// Without cgo, or with the tag noduckdb, the package builds too; [Open] then
// says that this build holds no DuckDB.
package duckdb
