package main

import (
	"os"
	"path/filepath"
	"time"
)

// The defaults, all of them. A flag goes before the environment, and that before
// these.
const (
	envData = "WEIR_DATA" // instead of --data

	// defaultAccountID is the account of AWS's own examples: valid wherever a
	// tool checks for 12 digits, and nobody's.
	defaultAccountID = "123456789012"
	defaultRegion    = "us-east-1"
	defaultBucket    = "weir-flow-logs"

	defaultAggregation = 60 * time.Second // AWS: 60 or 600
	defaultPublish     = 5 * time.Minute  // AWS's

	// The lab is for looking at, not for keeping.
	defaultLabAggregation = 10 * time.Second
	defaultLabPublish     = 10 * time.Second
	defaultLabFormat      = "${version} ${account-id} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} ${protocol} " +
		"${packets} ${bytes} ${start} ${end} ${action} ${log-status} ${flow-direction} ${tcp-flags} ${weir-rule-id} ${weir-rule}"

	// The captures' own directories: a lock and a bpffs each. /run ends with
	// the machine, as the kernel's counts do.
	defaultRunDir    = "/run/weir-up"
	defaultLabRunDir = "/run/weir-lab"

	// defaultMaxFlows is the room for flows of each address family between two
	// hand-overs: 2 x 19 MB of kernel memory for IPv4 and 2 x 22 MB for IPv6.
	defaultMaxFlows = 1 << 17

	// defaultQueryMemory bounds one query, in bytes; more spills to the disk.
	defaultQueryMemory = 2 << 30
)

// defaultDataDir is the state directory: of the machine for root, of the user
// otherwise (XDG Base Directory Specification).
func defaultDataDir() string {
	if dir := os.Getenv(envData); dir != "" {
		return dir
	}
	if os.Geteuid() == 0 {
		return "/var/lib/weir"
	}
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) { // others are to be ignored
		return filepath.Join(dir, "weir")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "weir-data" // no home at all: stay where we are
	}
	return filepath.Join(home, ".local", "state", "weir")
}
