// Package ddl writes the table definitions by which other engines read flow
// logs where they lie.
//
//	Table (format, location, layout) ─▶ one of Engines ─▶ SQL text
//
// Columns, their order and types come from the field table of package flowlog.
// A "-" is NULL where the column is a number and stays "-" where it is a
// string, as in Weir's own queries. A location holds one format: engines read
// text by position.
//
// Nothing here runs SQL or looks at the objects. An engine is one file and a
// line in [Engines].
package ddl
