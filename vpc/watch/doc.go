// Package watch reads a topology's file and notices when it has changed.
//
//	file ─ stat ─▶ settled? ─ read ─▶ another hash? ─▶ declare.Parse ─▶ Change
//
// It looks once a second and needs no notification from the kernel: editors
// replace files by renaming, and some file systems notify nobody. A change counts
// when two looks in a row see the same file, so that one that is still being
// written is not read.
package watch
