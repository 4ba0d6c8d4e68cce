// Package vpctest makes random topologies for property tests.
//
//	seed ─▶ rand.Rand ─▶ Random ─▶ *vpc.Topology, free of problems
//
// What it makes is small in addresses and ports, so that random packets meet
// rules often. Equal seeds give equal topologies.
package vpctest
