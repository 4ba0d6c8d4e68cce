// Package derive guards what is made from the field table of package flowlog:
// formats, table definitions, query view, documentation page.
//
//	flowlog.Fields ─▶ each derivation's columns ─▶ compared, in order and type
//	the guides' tables, written by hand ─▶ compared with flowlog.Fields
//
// It holds tests only. What derives from the table is a row in derive_test.go;
// docs/fields.md is written by "go test ./internal/derive -update".
package derive
