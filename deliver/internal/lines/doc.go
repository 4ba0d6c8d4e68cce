// Package lines keeps many short texts in few pieces of memory: what the
// encoders of prompt destinations hold between a record and its call.
//
//	line ─ Add ─▶ Ref ─ Text ─▶ the line again, without a copy
//
// A million records are a hundred blocks and no string for each.
package lines
