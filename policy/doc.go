// Package policy is about verdicts: which rule refuses a packet, and how the
// kernel tells us so.
//
// For now it holds the packet mark by which a refusing rule names itself; the
// model of security groups and network ACLs comes to stand beside it.
package policy
