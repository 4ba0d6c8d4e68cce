package main

import (
	"testing"
	"time"
)

func TestParseTime(t *testing.T) {
	now := time.Date(2024, 3, 1, 1, 0, 0, 0, time.UTC)
	for in, want := range map[string]string{
		"2h":                        "2024-02-29T23:00:00Z",
		"90s":                       "2024-03-01T00:58:30Z",
		"2024-02-29":                "2024-02-29T00:00:00Z",
		"2024-02-29T12:34":          "2024-02-29T12:34:00Z",
		"2024-02-29 12:34:56":       "2024-02-29T12:34:56Z",
		"2024-02-29T12:34:56+01:00": "2024-02-29T11:34:56Z",
		"1709210096":                "2024-02-29T12:34:56Z",
		"2023-02-29":                "",
		"-2h":                       "",
		"tomorrow":                  "",
	} {
		got, err := parseTime(in, now)
		if want == "" {
			if err == nil {
				t.Errorf("%q is %v, want an error", in, got)
			}
			continue
		}
		if err != nil || got.Format(time.RFC3339) != want {
			t.Errorf("%q is %v, %v; want %s", in, got, err, want)
		}
	}
}
