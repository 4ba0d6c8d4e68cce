package deliver

import "time"

// Published is what one Publish delivered.
type Published struct {
	Objects []Object
	Records int64
	Bytes   int64 // as stored: compressed
}

// Object is one object that was written.
type Object struct {
	Key     string // in the bucket
	Records int64
	Bytes   int64 // as stored: compressed
}

// Stats are a destination's figures since it was made.
type Stats struct {
	Objects   int64 // written
	Records   int64 // delivered
	Bytes     int64 // delivered, as stored: compressed
	Failures  int64 // calls of Publish that left something behind
	LastError error // of the last Publish; nil when it succeeded
	// LastPublish is the time of the last Publish that delivered something;
	// zero when there was none.
	LastPublish    time.Time
	PendingRecords int64 // waiting
	PendingBytes   int64 // waiting, as encoded: not compressed
	Lost           Lost
}

// Lost is what was given up because it could wait no longer. Nothing else is
// ever dropped.
type Lost struct {
	Records int64 // of any status, NODATA too
	Packets uint64
	Bytes   uint64 // of traffic, not of text
}

// Add adds o.
func (l *Lost) Add(o Lost) {
	l.Records += o.Records
	l.Packets += o.Packets
	l.Bytes += o.Bytes
}
