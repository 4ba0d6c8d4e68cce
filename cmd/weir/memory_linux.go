package main

import (
	"os"
	"runtime/debug"
)

// collectAt is how much of what is in use may become garbage before it is
// collected, in hundredths; Go's default is 100. See docs/decisions/0015.
const collectAt = 50

// boundMemory is for programs that run for long. Who sets GOGC knows better.
func boundMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectAt)
	}
}
