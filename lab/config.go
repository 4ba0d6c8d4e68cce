package lab

import (
	"cmp"
	"fmt"
	"log/slog"
	"regexp"
	"time"
)

// Config says how a lab is built. The zero value is the demo.
type Config struct {
	// Prefix begins the names of the namespaces and is the VPC's, so that labs
	// can run side by side and have ids of their own: 1 to 32 of a-z, 0-9 and
	// "-", a letter first. Default "weir-lab".
	Prefix string

	AccountID string // default "123456789012"
	Region    string // default "us-east-1"

	Rate      float64      // how busy the traffic is, bulk transfers too; default 1
	BulkBytes int64        // of one download; a database load has half; default 32 MiB
	Seed      uint64       // of everything random
	Logger    *slog.Logger // default: silent

	step func(name string) error // for tests: called after each step of Up, may fail it
}

// DefaultPrefix is the Prefix of a Config that names none.
const DefaultPrefix = "weir-lab"

var validPrefix = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)

func checkPrefix(prefix string) error {
	if !validPrefix.MatchString(prefix) {
		return fmt.Errorf("lab prefix %q: want 1 to 32 of a-z, 0-9 and \"-\", a letter first", prefix)
	}
	return nil
}

// withDefaults fills in what is not set and refuses what cannot work.
func (c Config) withDefaults() (Config, error) {
	c.Prefix = cmp.Or(c.Prefix, DefaultPrefix)
	c.AccountID = cmp.Or(c.AccountID, fileAccountID)
	c.Region = cmp.Or(c.Region, fileRegion)
	c.Rate = cmp.Or(c.Rate, 1)
	c.BulkBytes = cmp.Or(c.BulkBytes, 32<<20)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.step == nil {
		c.step = func(string) error { return nil }
	}
	if err := checkPrefix(c.Prefix); err != nil {
		return c, err
	}
	// The upper bound keeps the scanner's timer above the resolution of a busy machine.
	if !(c.Rate >= 0.01 && c.Rate <= 20) {
		return c, fmt.Errorf("lab rate %v: want 0.01 to 20", c.Rate)
	}
	if c.BulkBytes < 2 || c.BulkBytes > 1<<30 {
		return c, fmt.Errorf("lab bulk transfer of %d bytes: want 2 to 1 GiB", c.BulkBytes)
	}
	return c, nil
}

// every is the pause between two actions at the configured rate.
func (c Config) every(d time.Duration) time.Duration {
	return time.Duration(float64(d) / c.Rate)
}
