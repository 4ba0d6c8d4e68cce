// Package lake is flow logs at rest: it finds the objects of a bucket directory
// that a time range needs, and reads them into columns.
//
//	directory ─ List: pruned by key ─▶ []Object
//	Object ─ flowlog.Chunks ─ flowlog.Parser ─▶ flowlog.Batch
//	                     └─ what cannot be read is counted ─▶ Report
//
// Input is never trusted: memory is bounded whatever an object inflates to, a
// damaged object or line stops nothing and is never silent. Each object is read
// by its own header, so formats may be mixed.
//
// It knows nothing of SQL; [Scan] is a query.Source.
package lake
