package s3

import (
	"errors"
	"time"

	"weir/flowlog"
)

// Config describes one flow log and its bucket.
type Config struct {
	BucketDir string // made when it is missing; keys stand below it
	AccountID string // the flow log's owner, 12 digits
	Region    string
	FlowLogID string // fl-…; one Publisher per flow log and bucket at a time
	Format    flowlog.Format
	// MaxObject closes an object and begins a new one, in compressed bytes;
	// 0 is AWS's 75 MB.
	MaxObject int64
	// MaxPending bounds what waits, in bytes of text; 0 is 256 MiB, which is
	// some 2.4 million records of the default format.
	MaxPending int64
	// Now is the clock of Stats.LastPublish; nil is time.Now.
	Now func() time.Time
}

const maxPending = 256 << 20

func (c Config) withDefaults() (Config, error) {
	switch {
	case c.BucketDir == "":
		return c, errors.New("no bucket directory")
	case c.AccountID == "" || c.Region == "" || c.FlowLogID == "":
		return c, errors.New("a flow log's object keys need an account, a region and an id")
	case c.Format.IsZero():
		return c, errors.New("no format")
	}
	specimen := flowlog.ObjectKey{AccountID: c.AccountID, Region: c.Region, FlowLogID: c.FlowLogID}
	if err := specimen.Check(); err != nil {
		return c, err
	}
	if c.MaxObject == 0 {
		c.MaxObject = flowlog.MaxObjectBytes
	}
	if c.MaxPending == 0 {
		c.MaxPending = maxPending
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c, nil
}
