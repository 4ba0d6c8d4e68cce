// Package count is the shape in which counts travel: the capture writes it, the
// aggregation reads it.
//
//	kernel map ─ one epoch ─▶ Swap{interfaces, losses, []Flow} ─▶ aggregate
//
// A [Swap] is everything the kernel counted between two hand-overs. Nothing
// here does I/O.
package count
