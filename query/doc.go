// Package query is what questions and engines agree on: how flow log records
// reach an engine, what a result is, and how an error points into a query.
//
//	lake ─ Source ─▶ Reader ─ Batch ─▶ Engine ◀─ SQL
//	                                     └─▶ Rows, or an Error with its place
//
// The engines live in subfolders (query/duckdb); whoever wires a command gives
// an [Engine] its [Source]. Nothing here opens a file or a database.
package query
