// Package parquet writes and reads flow logs as Parquet files with the columns,
// types and codec of the files that AWS delivers.
//
//	flowlog.Batch → Collector → RowGroup → Writer → file
//	file → Reader → flowlog.Batch
//
// No record is ever built on the way: a [Collector] takes a batch column by
// column, keeps the distinct values of each column and one number per row, and
// a [Reader] hands out columns whose strings point into the file's dictionaries.
//
// To use every core for one file, fill and encode one Collector per goroutine
// and hand the row groups to [Writer.Append] in order; to read one file with
// every core, give each goroutine a [Reader.Section] of the row groups.
//
// What is written: one column per field of the format, in its order, named
// [flowlog.Field.Column], all OPTIONAL. Strings are UTF-8 and keep a literal
// "-"; a number that is "-" in text is NULL. Data pages are of version 1, values
// are dictionary encoded while that pays and PLAIN or DELTA_BINARY_PACKED
// otherwise; statistics and page index are always there, sorting and Bloom
// filters on request.
//
// What is read: files of AWS, of this package, of DuckDB, Arrow and others,
// with flat columns in any order. Columns that are no field are passed over.
//
// A file may be hostile. Reading takes at most 512 MiB for all pages and
// dictionaries of a [Reader] together, 64 MiB for one page, 32 MiB for the
// footer and a small multiple of it for what is kept of it; more than 4096
// columns, nesting in a field's column and encryption are refused. An error
// names the part of the file, the row group and the column. Values are streamed:
// a small file may rightly say that it has very many equal rows, and whoever
// reads it decides how many to take.
//
// Sources: Apache Parquet format 2.12 (parquet.thrift, Encodings.md,
// BloomFilter.md, PageIndex.md); Amazon VPC User Guide, "Flow log files". AWS
// does not say which columns may be NULL nor how a number without a value
// stands in Parquet; OPTIONAL and NULL is what readers of both kinds accept.
package parquet
