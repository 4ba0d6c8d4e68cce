package main

import (
	"fmt"
	"strconv"
	"time"

	"weir/query"
)

// timeLayouts are those that people write, in UTC unless they say otherwise.
var timeLayouts = []string{
	"2006-01-02", "2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02 15:04:05", time.RFC3339,
}

// parseWindow reads --from and --to; an empty one leaves its side open.
func parseWindow(from, to string, now time.Time) (w query.Window, err error) {
	if w.From, err = parseTime(from, now); err != nil {
		return w, fmt.Errorf("--from: %w", err)
	}
	if w.To, err = parseTime(to, now); err != nil {
		return w, fmt.Errorf("--to: %w", err)
	}
	if !w.From.IsZero() && !w.To.IsZero() && !w.From.Before(w.To) {
		return w, fmt.Errorf("--from %s is not before --to %s", from, to)
	}
	return w, nil
}

func parseTime(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(s); err == nil && ago >= 0 {
		return now.Add(-ago).UTC(), nil
	}
	if seconds, err := strconv.ParseInt(s, 10, 64); err == nil && seconds >= 0 {
		return time.Unix(seconds, 0).UTC(), nil
	}
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, withHint(fmt.Errorf("%q is not a time", s),
		"write 2h or 30m (ago), 2024-02-29, 2024-02-29T12:00 (UTC) or Unix seconds")
}
