// Package housetest guards the plan of the house: which room may import what,
// and that every package says what it is for.
//
//	go list -deps ─▶ every package's imports ─▶ compared with the rooms and rules here
//
// It holds tests only. docs/architecture.md explains the rooms; a new room is
// a line in [rooms] and a row there.
package housetest
