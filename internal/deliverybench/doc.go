// Package deliverybench measures delivery as a whole: how fresh records are, what
// a million flows take, what a flow log costs.
//
//	made-up swaps ─▶ journal ─▶ deliver ─▶ a directory, versitygw, HTTP sinks   (a process of its own)
//	                                        └─▶ read back and added up          (the benchmark's process)
//
// Only the kernel's part is left out: reading its maps and the hand-over. What is
// measured runs in a child process, so that its time and memory are its own. It
// holds tests only.
package deliverybench
