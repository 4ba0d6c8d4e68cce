// Package convert turns files of flow logs into others: text into Parquet and
// back, any format into any format.
//
//	inputs ─ chunks of text, or row groups ─▶ jobs ─▶ workers ─ batches ─▶ encoders ─▶ output
//	          (read ahead, in order)                 (one per core)        (in order)
//
// A job is some 120,000 records: one row group of Parquet, or one member of a
// gzip file. Workers parse and encode jobs side by side, straight from columns
// to columns; what they make is written in the order of the input, so equal
// input gives equal bytes, however many workers there are. What waits is bounded
// whatever the inputs are: per worker some 32 MiB of text, a row group and its
// encoded form.
//
// Output appears under its name when it is whole. Until then it has a name that
// begins with a dot; such files are no inputs.
package convert
