package flowlog

import (
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// The keys of objects are those of the Amazon VPC User Guide, "Flow log files",
// and of the Transit Gateways guide, page of the same name. All times are UTC.

const (
	// SlotLength is the width of the time slot that one object covers: it holds
	// records whose end lies in [slot, slot+SlotLength).
	SlotLength = 5 * time.Minute

	// MaxObjectBytes is the size, compressed, that an object is closed before;
	// the slot goes on in another object with another hash. 75 MB is the figure
	// of the archived VPC guide and of the Transit Gateways guide; the VPC guide
	// of today names none and speaks of several files.
	MaxObjectBytes = 75_000_000

	// MaxKeyBytes bounds a key, in bytes of UTF-8 (Amazon S3 User Guide, "Naming
	// Amazon S3 objects").
	MaxKeyBytes = 1024

	// MaxFolders bounds what [ObjectKey.Folders] gives: eleven years of hours.
	// It must stay below the days of the longest time.Duration, 106,751, at
	// which the difference of two times saturates.
	MaxFolders = 100_000
)

// Slot is the beginning of the slot of a record that ended at end (Unix seconds).
func Slot(end int64) time.Time {
	return time.Unix(end, 0).UTC().Truncate(SlotLength)
}

// Encoding is how an object holds its records.
type Encoding uint8

const (
	Text    Encoding = iota // lines, the whole file gzipped; the default
	Parquet                 // compressed inside
)

// String is the word of CreateFlowLogs for it (DestinationOptions.FileFormat).
func (e Encoding) String() string {
	switch e {
	case Text:
		return "plain-text"
	case Parquet:
		return "parquet"
	}
	return "Encoding(" + strconv.Itoa(int(e)) + ")"
}

func (e Encoding) suffix() string {
	if e == Parquet {
		return ".log.parquet"
	}
	return ".log.gz"
}

// KeyLayout is the folders between an object's prefix and its file name.
type KeyLayout uint8

const (
	PlainDaily    KeyLayout = iota // AWSLogs/A/vpcflowlogs/R/2018/06/20/; the default
	PlainHourly                    // …/2018/06/20/16/
	HiveDaily                      // AWSLogs/aws-account-id=A/aws-service=vpcflowlogs/aws-region=R/year=2018/month=06/day=20/
	HiveHourly                     // …/day=20/hour=16/
	TGWHiveDaily                   // as HiveDaily, but service=vpcflowlogs
	TGWHiveHourly                  // as HiveHourly, but service=vpcflowlogs

	// NoLayout is any other folders, or none: [ParseObjectKey] gives it to a
	// file that somebody copied about. Nothing is written so.
	NoLayout
)

// KeyLayoutFor is the layout of what a flow log writes, by the options that it was
// created with (DestinationOptions.HiveCompatiblePartitions, PerHourPartition).
//
// The guides contradict each other: in Hive-compatible folders the VPC guide
// spells the service aws-service=vpcflowlogs, the Transit Gateways guide
// service=vpcflowlogs. Each is followed for its own flow logs; what is read may
// have either.
func KeyLayoutFor(hive, perHour, transitGateway bool) KeyLayout {
	l := PlainDaily
	switch {
	case hive && transitGateway:
		l = TGWHiveDaily
	case hive:
		l = HiveDaily
	}
	if perHour {
		l++ // each hourly layout follows its daily one
	}
	return l
}

// keyLayouts is the one list that writer, parser and lister use.
var keyLayouts = [...]struct {
	name            string
	account, region string // what stands before their values
	service         string
	date            string // as time.Format takes it
	every           time.Duration
}{
	PlainDaily:    {"plain, daily", "", "", "vpcflowlogs", "2006/01/02", day},
	PlainHourly:   {"plain, hourly", "", "", "vpcflowlogs", "2006/01/02/15", time.Hour},
	HiveDaily:     {"Hive, daily", "aws-account-id=", "aws-region=", "aws-service=vpcflowlogs", "year=2006/month=01/day=02", day},
	HiveHourly:    {"Hive, hourly", "aws-account-id=", "aws-region=", "aws-service=vpcflowlogs", "year=2006/month=01/day=02/hour=15", time.Hour},
	TGWHiveDaily:  {"transit gateway Hive, daily", "aws-account-id=", "aws-region=", "service=vpcflowlogs", "year=2006/month=01/day=02", day},
	TGWHiveHourly: {"transit gateway Hive, hourly", "aws-account-id=", "aws-region=", "service=vpcflowlogs", "year=2006/month=01/day=02/hour=15", time.Hour},
}

const (
	day        = 24 * time.Hour // in UTC
	rootFolder = "AWSLogs"
	slotLayout = "20060102T1504Z"
)

func (l KeyLayout) known() bool { return l < NoLayout }

// String is the layout's name for people: "Hive, hourly".
func (l KeyLayout) String() string {
	switch {
	case l.known():
		return keyLayouts[l].name
	case l == NoLayout:
		return "none"
	}
	return "KeyLayout(" + strconv.Itoa(int(l)) + ")"
}

// ObjectKey is the parts of an object's key. Its zero Encoding and Layout are
// those of a flow log that was created without options. Comparable with ==
// while Slot is in UTC.
type ObjectKey struct {
	// Prefix is the folder of the destination's ARN as [CleanPrefix] gives it,
	// "" or "my-logs/"; with NoLayout, whatever stood before the file name.
	Prefix    string
	AccountID string // owner of the flow log
	Region    string
	FlowLogID string
	Slot      time.Time // a multiple of [SlotLength]
	Hash      uint32    // written as 8 lower-case hexadecimal digits
	Encoding  Encoding
	Layout    KeyLayout
}

// String is the key, without a leading slash: [ObjectKey.Folder], then
// [ObjectKey.Name]. It writes what it is given; see [ObjectKey.Check].
func (k ObjectKey) String() string { return k.Folder() + k.Name() }

// Name is the file name: A_vpcflowlogs_R_FL_20180620T1620Z_fe123456.log.gz.
func (k ObjectKey) Name() string {
	return fmt.Sprintf("%s_vpcflowlogs_%s_%s_%s_%08x%s",
		k.AccountID, k.Region, k.FlowLogID, k.Slot.UTC().Format(slotLayout), k.Hash, k.Encoding.suffix())
}

// Folder is what stands before the file name: "" or with a slash at its end,
// which is what a bucket is asked for to list the day or hour of Slot.
func (k ObjectKey) Folder() string {
	if !k.Layout.known() {
		return k.Prefix
	}
	return k.region() + k.Slot.UTC().Format(keyLayouts[k.Layout].date) + "/"
}

// region is the folder of the region. The layout is known.
func (k ObjectKey) region() string {
	l := &keyLayouts[k.Layout]
	return k.Prefix + rootFolder + "/" + l.account + k.AccountID + "/" + l.service + "/" + l.region + k.Region + "/"
}

// Folders are the folders that can hold slots with records that ended in
// [from, to), oldest first, each a [ObjectKey.Folder] by which to list a bucket.
// Prefix, AccountID, Region and Layout of k count, nothing else of it.
//
// A slot that only overlaps the range is in them. Widen the range to find
// records by their start: an end is up to an aggregation interval later. An
// empty range has no folders; one of more than [MaxFolders] is an error, and so
// are open ends.
func (k ObjectKey) Folders(from, to time.Time) (iter.Seq[string], error) {
	if err := k.checkFolder(); err != nil {
		return nil, fmt.Errorf("folders of objects: %w", err)
	}
	// Days and hours are whole slots: the folder of from is that of its slot.
	l := &keyLayouts[k.Layout]
	begin := from.UTC().Truncate(l.every)
	switch {
	case from.IsZero() || to.IsZero():
		return nil, errors.New("folders of objects: want a begin and an end")
	case !writable(begin) || !writable(to):
		return nil, fmt.Errorf("folders of objects: no key has the year of %s or %s", from.UTC(), to.UTC())
	case from.Before(to) && to.Sub(begin) > MaxFolders*l.every:
		return nil, fmt.Errorf("folders of objects: %s to %s (%s) is more than %d folders",
			from.UTC().Format(time.DateOnly), to.UTC().Format(time.DateOnly), k.Layout, MaxFolders)
	}
	region := k.region()
	return func(yield func(string) bool) {
		if !from.Before(to) {
			return
		}
		for t := begin; t.Before(to); t = t.Add(l.every) {
			if !yield(region + t.Format(l.date) + "/") {
				return
			}
		}
	}, nil
}

// Check reports why a key must not be written: it would be refused by S3, or
// read back as something else. Its length does not depend on Slot and Hash, so
// that one key of a flow log speaks for all. A prefix's error is a [*PrefixError].
func (k ObjectKey) Check() error {
	if err := k.checkFolder(); err != nil {
		return err
	}
	switch {
	case !isWord(k.FlowLogID):
		return fmt.Errorf("flow log id %q: want letters, digits, '-' and '.'", k.FlowLogID)
	case !isSlot(k.Slot) || !writable(k.Slot):
		return fmt.Errorf("slot %s: want a multiple of %s in a year of four digits", k.Slot.UTC(), SlotLength)
	case k.Encoding > Parquet:
		return fmt.Errorf("encoding %s: want %s or %s", k.Encoding, Text, Parquet)
	}
	if n := len(k.String()); n > MaxKeyBytes {
		return fmt.Errorf("object key of %d bytes: want at most %d", n, MaxKeyBytes)
	}
	return nil
}

// checkFolder is the part of Check that Folders needs.
func (k ObjectKey) checkFolder() error {
	switch {
	case !isWord(k.AccountID):
		return fmt.Errorf("account id %q: want letters, digits, '-' and '.'", k.AccountID)
	case !isWord(k.Region):
		return fmt.Errorf("region %q: want letters, digits, '-' and '.'", k.Region)
	case !k.Layout.known():
		return fmt.Errorf("layout %s: nothing is written so", k.Layout)
	}
	clean, err := CleanPrefix(k.Prefix)
	if err == nil && clean != k.Prefix {
		err = &PrefixError{Prefix: k.Prefix, Msg: fmt.Sprintf("want %q", clean)}
	}
	return err
}

func isSlot(t time.Time) bool { return t.Equal(t.Truncate(SlotLength)) }

// writable reports whether a time's year has four digits.
func writable(t time.Time) bool {
	y := t.UTC().Year()
	return 0 <= y && y <= 9999
}

// isWord reports whether s can stand between the underscores of a file name and
// between slashes. AWS's own parts are digits, lower-case letters and hyphens;
// those of other networks may have names. A dot first would hide a folder, or
// lead out of one where the bucket is a directory.
func isWord(s string) bool {
	for i, r := range s {
		if r != '-' && (r != '.' || i == 0) && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return false // invalid UTF-8 too: it is no letter
		}
	}
	return s != ""
}

// PrefixError says why a folder cannot be the prefix of objects.
type PrefixError struct {
	Prefix string
	Msg    string
}

func (e *PrefixError) Error() string {
	return fmt.Sprintf("prefix %q of the objects: %s", e.Prefix, e.Msg)
}

// CleanPrefix is the prefix for the folder of a destination's ARN, what follows
// the bucket's name there: without a leading slash, and with one at its end
// unless it is empty. The error is a [*PrefixError].
func CleanPrefix(folder string) (string, error) {
	refuse := func(msg string) (string, error) { return "", &PrefixError{Prefix: folder, Msg: msg} }
	prefix := strings.Trim(folder, "/")
	if prefix == "" {
		return "", nil
	}
	switch first, _, _ := strings.Cut(prefix, "/"); {
	case len(prefix) >= MaxKeyBytes:
		return refuse(fmt.Sprintf("%d bytes leave no room for a key of at most %d", len(prefix), MaxKeyBytes))
	case !utf8.ValidString(prefix) || strings.ContainsFunc(prefix, unicode.IsControl):
		return refuse("want printable UTF-8")
	case first == rootFolder:
		// The API reference of CreateFlowLogs, "LogDestination".
		return refuse(rootFolder + " is reserved and cannot be the folder")
	}
	for name := range strings.SplitSeq(prefix, "/") {
		switch name {
		case "", ".", "..":
			// S3 has such keys; a bucket that is a directory cannot keep them apart.
			return refuse(fmt.Sprintf("a folder cannot be named %q", name))
		}
	}
	return prefix + "/", nil
}

// ErrNotObjectKey is what [ParseObjectKey] returns for a key whose file name is
// not that of a flow log object: something else lies there.
var ErrNotObjectKey = errors.New("not the key of a flow log object")

// KeyMismatchError is a key whose folders follow a layout and say one thing,
// while its file name says another.
type KeyMismatchError struct {
	Key    string
	Part   string // "account", "region" or "date"
	Folder string // what the folders say: "2018/06/21"
	Name   string // what the file name says, written as a folder
}

func (e *KeyMismatchError) Error() string {
	return fmt.Sprintf("object key %q contradicts itself: %s %s by its folders, %s by its file name", e.Key, e.Part, e.Folder, e.Name)
}

// ParseObjectKey reads a key. When its folders end in a layout, they must agree
// with the file name, or the error is a [*KeyMismatchError]; what precedes them
// is Prefix, as it stands. With any other folders, or none, the file name alone
// is read and the layout is [NoLayout]. The error is [ErrNotObjectKey] when the
// file name is no object's. String gives the same bytes back.
func ParseObjectKey(key string) (ObjectKey, error) {
	slash := strings.LastIndexByte(key, '/') + 1
	dir, name := key[:slash], key[slash:]
	k, ok := parseFileName(name)
	if !ok {
		return ObjectKey{}, ErrNotObjectKey
	}
	for l := PlainDaily; l.known(); l++ {
		prefix, account, region, date, ok := l.cut(dir)
		if !ok {
			continue // at most one layout fits
		}
		for _, part := range [...]struct{ what, folder, name string }{
			{"account", account, k.AccountID},
			{"region", region, k.Region},
			{"date", date, k.Slot.Format(keyLayouts[l].date)},
		} {
			if part.folder != part.name {
				return ObjectKey{}, &KeyMismatchError{Key: key, Part: part.what, Folder: part.folder, Name: part.name}
			}
		}
		k.Prefix, k.Layout = prefix, l
		return k, nil
	}
	k.Prefix, k.Layout = dir, NoLayout
	return k, nil
}

// cut separates the folders of a layout from the end of dir, which is empty or
// ends with a slash; false when they are not of its shape.
func (l KeyLayout) cut(dir string) (prefix, account, region, date string, ok bool) {
	shape := &keyLayouts[l]
	rest, ok := strings.CutSuffix(dir, "/")
	date = lastFolders(rest, 1+strings.Count(shape.date, "/"))
	if !ok || !sameShape(date, shape.date) {
		return "", "", "", "", false
	}
	rest = strings.TrimSuffix(rest[:len(rest)-len(date)], "/")
	folders := strings.Split(lastFolders(rest, 4), "/")
	if len(folders) != 4 || folders[0] != rootFolder || folders[2] != shape.service {
		return "", "", "", "", false
	}
	account, isAccount := strings.CutPrefix(folders[1], shape.account)
	region, isRegion := strings.CutPrefix(folders[3], shape.region)
	if !isAccount || !isRegion || !isWord(account) || !isWord(region) {
		return "", "", "", "", false
	}
	prefix = rest[:len(rest)-len(lastFolders(rest, 4))]
	return prefix, account, region, date, true
}

// lastFolders is the last n folders of a path, or all of it when it has fewer.
func lastFolders(path string, n int) string {
	i := len(path)
	for ; n > 0 && i >= 0; n-- {
		i = strings.LastIndexByte(path[:i], '/')
	}
	return path[i+1:]
}

// sameShape reports whether s has digits where the date's layout has some, and
// is equal elsewhere.
func sameShape(s, layout string) bool {
	if len(s) != len(layout) {
		return false
	}
	for i := range len(s) {
		if isDigit(layout[i]) != isDigit(s[i]) || !isDigit(s[i]) && s[i] != layout[i] {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// parseFileName reads a file name; all but the folders of k are set.
func parseFileName(name string) (k ObjectKey, ok bool) {
	base, ok := strings.CutSuffix(name, Text.suffix())
	if !ok {
		k.Encoding = Parquet
		if base, ok = strings.CutSuffix(name, Parquet.suffix()); !ok {
			return k, false
		}
	}
	parts := strings.Split(base, "_")
	if len(parts) != 6 || !isWord(parts[0]) || parts[1] != "vpcflowlogs" || !isWord(parts[2]) || !isWord(parts[3]) {
		return k, false
	}
	slot, err := time.Parse(slotLayout, parts[4])
	if err != nil || !isSlot(slot) {
		return k, false
	}
	hash, err := strconv.ParseUint(parts[5], 16, 32)
	if err != nil || fmt.Sprintf("%08x", hash) != parts[5] {
		return k, false // upper case, a sign or too few digits
	}
	k.AccountID, k.Region, k.FlowLogID, k.Slot, k.Hash = parts[0], parts[2], parts[3], slot, uint32(hash)
	return k, true
}
