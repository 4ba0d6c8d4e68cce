// Package traffic makes network traffic for real: servers and clients of a few
// kinds, each a task that goes on until it is told to stop.
//
//	Role (JSON) ─ Run ─▶ one goroutine per task ─▶ packets
//	                                  └──────────▶ Result per task, every second
//
// It knows nothing of namespaces or of the lab's plan: a task says from which
// address it speaks and to whom. What is random follows the role's seed, the
// network's timing does not. Clients that fail count it and try again.
package traffic
