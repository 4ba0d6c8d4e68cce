package declare

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// unit is a unit that a number is written with, and what it stands for.
type unit struct {
	name string
	size int64
}

// durations and sizes are the units, the largest first: what is written back is
// written in the largest that fits.
var (
	durations = []unit{
		{"d", int64(24 * time.Hour)}, {"h", int64(time.Hour)}, {"m", int64(time.Minute)}, {"s", int64(time.Second)},
	}
	sizes = []unit{
		{"TiB", 1 << 40}, {"TB", 1e12}, {"GiB", 1 << 30}, {"GB", 1e9}, {"MiB", 1 << 20}, {"MB", 1e6}, {"KiB", 1 << 10}, {"kB", 1e3}, {"B", 1},
	}
)

// ParseDuration reads a time span as files have it: 30s, 5m, 12h or 30d.
func ParseDuration(s string) (d time.Duration, ok bool) {
	n, ok := parseAmount(s, durations)
	return time.Duration(n), ok
}

// ParseSize reads a number of bytes as files have it: 512MiB or 10GB.
func ParseSize(s string) (n int64, ok bool) { return parseAmount(s, sizes) }

// duration is the key's time span, such as 30s, 5m, 12h or 30d, within bounds. It
// is 0 when the key is not there or wrong.
func (d *decoder) duration(n *node, key string, least, most time.Duration) time.Duration {
	const hint = "write 30s, 5m, 12h or 30d"
	return time.Duration(d.amount(n, key, durations, hint, int64(least), int64(most)))
}

// size is the key's number of bytes, such as 512MiB or 10GB, within bounds.
func (d *decoder) size(n *node, key string, least, most int64) int64 {
	return d.amount(n, key, sizes, "write 512MiB, 10GB or 1TB", least, most)
}

func (d *decoder) amount(n *node, key string, units []unit, hint string, least, most int64) int64 {
	v := n.get(key)
	if v == nil {
		return 0
	}
	s := d.word(v)
	if s == "" {
		return 0
	}
	amount, ok := parseAmount(s, units)
	switch {
	case !ok:
		d.add(v, hint, "%q is not a number with its unit", shorten(s))
	case amount < least || amount > most:
		d.add(v, "", "%s is not within %s to %s", shorten(s), amountText(least, units), amountText(most, units))
	default:
		return amount
	}
	return 0
}

// parseAmount reads a number directly followed by a unit; sizes in any case.
func parseAmount(s string, units []unit) (int64, bool) {
	digits := strings.TrimRight(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
	number, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || strings.Trim(digits, "0123456789") != "" {
		return 0, false
	}
	for _, u := range units {
		if !strings.EqualFold(u.name, s[len(digits):]) {
			continue
		}
		if number > math.MaxInt64/u.size {
			return math.MaxInt64, true // beyond every bound
		}
		return number * u.size, true
	}
	return 0, false
}

// amountText is an amount in the largest unit that it is a multiple of.
func amountText(amount int64, units []unit) string {
	for _, u := range units {
		if amount%u.size == 0 && amount >= u.size {
			return strconv.FormatInt(amount/u.size, 10) + u.name
		}
	}
	return strconv.FormatInt(amount, 10) + units[len(units)-1].name
}

// flag is the key's true or false; false when the key is not there or wrong.
func (d *decoder) flag(n *node, key string) bool {
	v := n.get(key)
	if v == nil {
		return false
	}
	switch s := d.word(v); s {
	case "true":
		return true
	case "false", "":
	default:
		d.add(v, "write true or false", "%q is neither true nor false", shorten(s))
	}
	return false
}

// choice is the key's word, one of a few; empty when the key is not there or
// wrong.
func (d *decoder) choice(n *node, key string, words ...string) string {
	v := n.get(key)
	if v == nil {
		return ""
	}
	s := d.word(v)
	if slices.Contains(words, s) {
		return s
	}
	if s != "" {
		hint := "write " + strings.Join(words, ", ")
		if near := nearest(s, words); near != "" {
			hint = "did you mean " + near + "?"
		}
		d.add(v, hint, "%q means nothing here", shorten(s))
	}
	return ""
}
