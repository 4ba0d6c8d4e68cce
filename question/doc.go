// Package question answers what people ask of flow logs. Its first question is
// "why did this traffic not arrive, or not come back?".
//
//	words or a record ─ Parse ─▶ Question ─ Gather: SQL through query.Engine ─▶ Evidence
//	                                │                                            │
//	                                └──────────────▶ Explain ◀───────────────────┤
//	                      Past: topology and policy of that time ────────────────┘
//	                                                    └─▶ Explanation ─▶ text or JSON
//
// [Explain] is pure: equal evidence gives an equal answer, in whatever order the
// records lie. Every sentence of an [Explanation] says what it rests on, and how
// surely (see [Confidence]); what the records do not decide stays undecided and
// is said to be.
//
// Nothing here opens a file, reads a clock or knows an engine but by its
// interface. No word of a user's becomes SQL: see sql.go.
package question
