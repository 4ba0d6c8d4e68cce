// Package parquettest tests the files of flowlog/parquet against other engines,
// and measures them beside these. DuckDB is one of them, which the package itself
// must not know.
//
//	Traffic → flowlog.Batch → flowlog/parquet → DuckDB, and back
package parquettest
