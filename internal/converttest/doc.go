// Package converttest measures weir convert beside DuckDB's COPY, which the room
// itself must not know, and compares what they write.
//
//	traffic → text.gz → weir convert → Parquet ┐
//	                  → DuckDB COPY  → Parquet ┴ the same rows?
package converttest
