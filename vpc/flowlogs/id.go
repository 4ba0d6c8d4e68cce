package flowlogs

import (
	"crypto/rand"
	"encoding/hex"
	"strconv"
	"strings"

	"weir/vpc"
)

// idKind is what ids of flow logs begin with.
const idKind = "fl"

// RandomID is an id for a flow log that is made by hand: fl-0 and 16 hexadecimal
// digits.
func RandomID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return idKind + "-0" + hex.EncodeToString(b[:])
}

// StableID derives the id of a flow log from all of its definition that never
// changes: what a file declares has the same id whenever and wherever it is
// read, and a new one when its definition changes. Who made it, tags, retention
// and roles are no part of it.
func StableID(f FlowLog) string {
	place := f.Destination
	if p, err := PlaceOf(f); err == nil {
		place = strings.Join([]string{p.Bucket, p.Prefix, p.LogGroup, p.Stream, p.AccountID, p.Region}, "\x01")
	}
	names := []string{
		f.AccountID, f.Region, f.ResourceID, f.Traffic, f.DestinationType, place,
		f.Format, f.FileFormat, strconv.FormatBool(f.Hive), strconv.FormatBool(f.PerHour), strconv.Itoa(f.Interval),
	}
	for _, t := range f.TagFields {
		names = append(names, t.ResourceType+"\x01"+strings.Join(t.Keys, "\x01"))
	}
	return vpc.DeriveID(idKind, names...)
}

// IsID reports whether a word is of the form of a flow log's id.
func IsID(s string) bool { return vpc.CheckID(idKind, s) == nil }

// ARN is the Amazon resource name of a flow log: that of policies, and of
// CreateTags's events.
func ARN(f FlowLog) string {
	return "arn:" + Partition(f.Region) + ":ec2:" + f.Region + ":" + f.AccountID + ":vpc-flow-log/" + f.ID
}
