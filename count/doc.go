// Package count is the shape in which counts travel: the capture writes it, the
// aggregation reads it.
//
//	kernel map ─ one epoch ─▶ Swap{interfaces, losses, []Flow} ─▶ aggregate
//	                          ⇅ chunks, [Closing]
//
// A [Swap] is everything the kernel counted between two hand-overs. The journal
// keeps it as chunks and a closing message, whose bytes are made here and described
// in docs/journal.md. Nothing here does I/O.
package count
