//go:build !linux

package main

// otherProgram is nothing here: no test starts the test binary as another program.
func otherProgram() func() { return nil }
