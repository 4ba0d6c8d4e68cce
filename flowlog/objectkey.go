package flowlog

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// SlotLength is the width of the time slot that one object covers: it holds
// records whose end lies in [slot, slot+SlotLength).
// Source: Amazon VPC User Guide, "Flow log files".
const SlotLength = 5 * time.Minute

// Slot is the beginning of the slot of a record that ended at end (Unix seconds).
func Slot(end int64) time.Time {
	return time.Unix(end, 0).UTC().Truncate(SlotLength)
}

// ObjectKey is the parts of an object's key below the bucket's prefix, in the
// plain layout: AWSLogs/A/vpcflowlogs/R/YYYY/MM/DD/A_vpcflowlogs_R_FL_T_HASH.log.gz.
type ObjectKey struct {
	AccountID string
	Region    string
	FlowLogID string
	Slot      time.Time // UTC, a multiple of [SlotLength]
	Hash      uint32    // written as 8 lower-case hexadecimal digits
}

const (
	slotLayout = "20060102T1504Z"
	textSuffix = ".log.gz"
)

// String is the key, without a leading slash.
func (k ObjectKey) String() string {
	t := k.Slot.UTC()
	return fmt.Sprintf("AWSLogs/%s/vpcflowlogs/%s/%s/%s_vpcflowlogs_%s_%s_%s_%08x%s",
		k.AccountID, k.Region, t.Format("2006/01/02"),
		k.AccountID, k.Region, k.FlowLogID, t.Format(slotLayout), k.Hash, textSuffix)
}

// ErrNotObjectKey is what [ParseObjectKey] returns for any other key.
var ErrNotObjectKey = errors.New("not the key of a flow log object")

// ParseObjectKey reads the file name at the end of a key; any prefix and any
// layout of folders may stand before it. What it accepts, [ObjectKey.String]
// ends in again.
func ParseObjectKey(key string) (ObjectKey, error) {
	name := key[strings.LastIndexByte(key, '/')+1:]
	base, ok := strings.CutSuffix(name, textSuffix)
	if !ok {
		return ObjectKey{}, ErrNotObjectKey
	}
	parts := strings.Split(base, "_")
	if len(parts) != 6 || parts[0] == "" || parts[1] != "vpcflowlogs" || parts[2] == "" || parts[3] == "" {
		return ObjectKey{}, ErrNotObjectKey
	}
	slot, err := time.Parse(slotLayout, parts[4])
	if err != nil || !slot.Equal(slot.Truncate(SlotLength)) {
		return ObjectKey{}, ErrNotObjectKey
	}
	hash, err := strconv.ParseUint(parts[5], 16, 32)
	if err != nil || fmt.Sprintf("%08x", hash) != parts[5] {
		return ObjectKey{}, ErrNotObjectKey // upper case, a sign or too few digits
	}
	return ObjectKey{AccountID: parts[0], Region: parts[2], FlowLogID: parts[3], Slot: slot, Hash: uint32(hash)}, nil
}
