// Package capture decides when counts are handed over, and to whom.
//
//	boundary, period, filling up, stop ─▶ Source.Swap ─▶ Sink ─▶ Source.Release
//
// The adapter that counts in the kernel is capture/ebpf. A swap is released only
// when the sink has taken it, so what the sink refuses stays in the kernel.
package capture
