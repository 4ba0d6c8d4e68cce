package main

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"weir/vpc/declare"
)

// parseAge reads a span of time such as 30d; empty is 0.
func parseAge(flag, s string) (time.Duration, error) {
	d, ok := declare.ParseDuration(s)
	if s != "" && (!ok || d == 0) { // 0 would keep everything
		return 0, withHint(fmt.Errorf("%s %.40q is not a span of time", flag, s), "write 12h or 30d: a number and one of s, m, h, d")
	}
	return d, nil
}

// parseSize reads a number of bytes such as 10GB; empty is 0.
func parseSize(flag, s string) (int64, error) {
	n, ok := declare.ParseSize(s)
	if s != "" && (!ok || n == 0) {
		return 0, withHint(fmt.Errorf("%s %.40q is not a size", flag, s), "write 512MiB or 10GB: a number and one of B, kB, MB, GB, TB, KiB, MiB, GiB, TiB")
	}
	return n, nil
}

// parseInterval reads an aggregation interval in seconds, as MaxAggregationInterval
// is, or with a unit. Which ones there can be is for the running Weir to say, in
// AWS's words.
func parseInterval(s string) (int, error) {
	if n, err := strconv.Atoi(s); err == nil && n != 0 { // 0 would be the default
		return n, nil
	}
	d, ok := declare.ParseDuration(s)
	if seconds := d / time.Second; ok && seconds > 0 && seconds <= math.MaxInt32 {
		return int(seconds), nil
	}
	return 0, withHint(fmt.Errorf("--interval %.40q is not an aggregation interval", s), "write 60 or 600 (60s, 10m) as on AWS, or 1 to 59")
}
