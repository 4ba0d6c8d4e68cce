package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// unit is what a number is written with, as in Weir's files (docs/flow-logs.md).
type unit struct {
	name string
	size int64
}

var (
	ageUnits = []unit{
		{"s", int64(time.Second)}, {"m", int64(time.Minute)}, {"h", int64(time.Hour)}, {"d", int64(24 * time.Hour)},
	}
	sizeUnits = []unit{
		{"B", 1},
		{"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12},
		{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	}
)

// parseAge reads a span of time such as 30d; empty is 0.
func parseAge(flag, s string) (time.Duration, error) {
	n, ok := parseUnits(s, ageUnits)
	if !ok || n == 0 && s != "" {
		return 0, withHint(fmt.Errorf("%s %.40q is not a span of time", flag, s), "write 12h or 30d: a number and one of s, m, h, d")
	}
	return time.Duration(n), nil
}

// parseSize reads a number of bytes such as 10GB; empty is 0.
func parseSize(flag, s string) (int64, error) {
	n, ok := parseUnits(s, sizeUnits)
	if !ok || n == 0 && s != "" { // 0 would keep everything
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
	n, ok := parseUnits(s, ageUnits)
	if seconds := n / int64(time.Second); ok && seconds > 0 && seconds <= math.MaxInt32 {
		return int(seconds), nil
	}
	return 0, withHint(fmt.Errorf("--interval %.40q is not an aggregation interval", s), "write 60 or 600 (60s, 10m) as on AWS, or 1 to 59")
}

// parseUnits reads a number directly followed by its unit, in any case; what is
// beyond all bounds is the largest number.
func parseUnits(s string, units []unit) (int64, bool) {
	if s == "" {
		return 0, true
	}
	digits := strings.TrimRight(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || digits[0] == '+' {
		return 0, false
	}
	for _, u := range units {
		if !strings.EqualFold(u.name, s[len(digits):]) {
			continue
		}
		if n > math.MaxInt64/u.size {
			return math.MaxInt64, true
		}
		return n * u.size, true
	}
	return 0, false
}
