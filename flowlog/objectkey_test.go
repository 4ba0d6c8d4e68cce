package flowlog_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"weir/flowlog"
)

func at(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err) // the table is wrong
	}
	return t
}

func TestSlot(t *testing.T) {
	for end, want := range map[string]string{
		"2018-06-20T16:19:59Z": "2018-06-20T16:15:00Z",
		"2018-06-20T16:20:00Z": "2018-06-20T16:20:00Z",
		"2018-06-20T16:24:59Z": "2018-06-20T16:20:00Z",
		"2018-06-20T16:25:00Z": "2018-06-20T16:25:00Z",
		"2023-12-31T23:59:59Z": "2023-12-31T23:55:00Z",
		"2024-01-01T00:00:00Z": "2024-01-01T00:00:00Z",
		"2024-02-29T23:59:59Z": "2024-02-29T23:55:00Z",
		"2024-03-01T00:00:00Z": "2024-03-01T00:00:00Z",
		"1970-01-01T00:00:00Z": "1970-01-01T00:00:00Z",
	} {
		got := flowlog.Slot(at(end).Unix())
		if !got.Equal(at(want)) || got.Location() != time.UTC {
			t.Errorf("Slot(%s) = %v, want %s", end, got, want)
		}
	}
}

// names are those of objects, without the suffix; the first is the User Guide's,
// the next three were seen in public issues.
var names = []struct {
	name string
	want flowlog.ObjectKey
}{
	{
		"123456789012_vpcflowlogs_us-east-1_fl-1234abcd_20180620T1620Z_fe123456",
		flowlog.ObjectKey{AccountID: "123456789012", Region: "us-east-1", FlowLogID: "fl-1234abcd", Slot: at("2018-06-20T16:20:00Z"), Hash: 0xfe123456},
	},
	{
		"869065819144_vpcflowlogs_us-east-1_fl-0aa1a90b428bc0321_20181004T2115Z_b522ac4a",
		flowlog.ObjectKey{AccountID: "869065819144", Region: "us-east-1", FlowLogID: "fl-0aa1a90b428bc0321", Slot: at("2018-10-04T21:15:00Z"), Hash: 0xb522ac4a},
	},
	{
		"111111111111_vpcflowlogs_us-east-1_fl-0c5605d9f1baf680d_20201026T1950Z_b1ea4a7a",
		flowlog.ObjectKey{AccountID: "111111111111", Region: "us-east-1", FlowLogID: "fl-0c5605d9f1baf680d", Slot: at("2020-10-26T19:50:00Z"), Hash: 0xb1ea4a7a},
	},
	{
		"601427279990_vpcflowlogs_us-east-1_fl-0be887e94241898f5_20220311T1545Z_d884c282",
		flowlog.ObjectKey{AccountID: "601427279990", Region: "us-east-1", FlowLogID: "fl-0be887e94241898f5", Slot: at("2022-03-11T15:45:00Z"), Hash: 0xd884c282},
	},
	{ // midnight, a leap day, a hash that begins with zeros
		"000000000001_vpcflowlogs_eu-central-1_fl-1_20240229T0000Z_0000000a",
		flowlog.ObjectKey{AccountID: "000000000001", Region: "eu-central-1", FlowLogID: "fl-1", Slot: at("2024-02-29T00:00:00Z"), Hash: 10},
	},
}

// folders are those of names[0] in each layout.
var folders = map[flowlog.KeyLayout]string{
	flowlog.PlainDaily:    "AWSLogs/123456789012/vpcflowlogs/us-east-1/2018/06/20/",
	flowlog.PlainHourly:   "AWSLogs/123456789012/vpcflowlogs/us-east-1/2018/06/20/16/",
	flowlog.HiveDaily:     "AWSLogs/aws-account-id=123456789012/aws-service=vpcflowlogs/aws-region=us-east-1/year=2018/month=06/day=20/",
	flowlog.HiveHourly:    "AWSLogs/aws-account-id=123456789012/aws-service=vpcflowlogs/aws-region=us-east-1/year=2018/month=06/day=20/hour=16/",
	flowlog.TGWHiveDaily:  "AWSLogs/aws-account-id=123456789012/service=vpcflowlogs/aws-region=us-east-1/year=2018/month=06/day=20/",
	flowlog.TGWHiveHourly: "AWSLogs/aws-account-id=123456789012/service=vpcflowlogs/aws-region=us-east-1/year=2018/month=06/day=20/hour=16/",
}

// prefixes are as CleanPrefix gives them; the later ones look like a layout.
var prefixes = []string{
	"", "my-logs/", "team/network/2018/", "archive/year=2020/", "year=2020/month=01/day=02/", "größe x/",
	"old/AWSLogs/", "old/AWSLogs/123456789012/vpcflowlogs/us-east-1/2018/06/20/",
}

// Every name under every layout, prefix and encoding is written and read back.
func TestObjectKey(t *testing.T) {
	for layout := range flowlog.NoLayout {
		k := names[0].want
		k.Layout = layout
		if got := k.Folder(); got != folders[layout] {
			t.Errorf("%s: Folder() = %s\nwant %s", layout, got, folders[layout])
		}
		for _, tt := range names {
			for _, prefix := range prefixes {
				for encoding, suffix := range map[flowlog.Encoding]string{flowlog.Text: ".log.gz", flowlog.Parquet: ".log.parquet"} {
					k := tt.want
					k.Prefix, k.Layout, k.Encoding = prefix, layout, encoding
					key := k.String()
					if !strings.HasPrefix(key, prefix+"AWSLogs/") || !strings.HasSuffix(key, "/"+tt.name+suffix) || key != k.Folder()+k.Name() {
						t.Errorf("String() = %s", key)
					}
					if err := k.Check(); err != nil {
						t.Errorf("Check(%s) = %v", key, err)
					}
					if got, err := flowlog.ParseObjectKey(key); err != nil || got != k {
						t.Errorf("ParseObjectKey(%s) = %+v, %v\nwant %+v", key, got, err, k)
					}
				}
			}
		}
	}
}

// The key's day is the slot's in UTC, wherever the clock stands.
func TestObjectKeyIsInUTC(t *testing.T) {
	for layout, want := range folders {
		k := names[0].want
		k.Layout, k.Slot = layout, k.Slot.In(time.FixedZone("UTC+13", 13*3600))
		if got := k.String(); got != want+names[0].name+".log.gz" {
			t.Errorf("String() = %s", got)
		}
	}
}

func TestKeyLayoutFor(t *testing.T) {
	for _, tt := range []struct {
		hive, perHour, transitGateway bool
		want                          flowlog.KeyLayout
	}{
		{false, false, false, flowlog.PlainDaily},
		{false, true, false, flowlog.PlainHourly},
		{true, false, false, flowlog.HiveDaily},
		{true, true, false, flowlog.HiveHourly},
		{false, false, true, flowlog.PlainDaily},
		{false, true, true, flowlog.PlainHourly},
		{true, false, true, flowlog.TGWHiveDaily},
		{true, true, true, flowlog.TGWHiveHourly},
	} {
		if got := flowlog.KeyLayoutFor(tt.hive, tt.perHour, tt.transitGateway); got != tt.want {
			t.Errorf("KeyLayoutFor(%v, %v, %v) = %s, want %s", tt.hive, tt.perHour, tt.transitGateway, got, tt.want)
		}
	}
}

// elsewhere are folders that no layout has: the file name alone is read.
var elsewhere = []string{
	"",
	"/",
	"copied/by/hand/",
	"/var/lib/weir/buckets/flow/",
	"2018/06/20/",
	"my-logs/123456789012/vpcflowlogs/us-east-1/2018/06/20/",                                                                          // without AWSLogs
	"my-logsAWSLogs/123456789012/vpcflowlogs/us-east-1/2018/06/20/",                                                                   // not a folder of its own
	"AWSLogs/123456789012/CloudTrail/us-east-1/2018/06/20/",                                                                           // another service
	"AWSLogs/123456789012/vpcflowlogs/us-east-1/2018/06/",                                                                             // a month
	"AWSLogs/123456789012/vpcflowlogs/us-east-1/2018/6/20/",                                                                           // not padded
	"AWSLogs/123456789012/vpcflowlogs/us-east-1/2018/06/20/16/20/",                                                                    // minutes
	"AWSLogs/123456789012/vpcflowlogs/us-east-1/2018/06/20/done/",                                                                     // moved on
	"AWSLogs/123456789012/vpcflowlogs/us-east-1/2018/06/20//",                                                                         // an empty name
	"AWSLogs//vpcflowlogs/us-east-1/2018/06/20/",                                                                                      // no account
	"AWSLogs/123456789012/aws-service=vpcflowlogs/us-east-1/year=2018/month=06/day=20/",                                               // half Hive
	"AWSLogs/aws-account-id=123456789012/vpcflowlogs/aws-region=us-east-1/2018/06/20/",                                                // the other half
	"AWSLogs/aws-account-id=123456789012/aws-service=vpcflowlogs/aws-region=us-east-1/month=06/year=2018/day=20/",                     // another order
	"AWSLogs/aws-account-id=123456789012/aws-service=CloudTrail/aws-region=us-east-1/year=2018/month=06/day=20/",                      // another service
	"AWSLogs/aws-account-id=123456789012/aws-service=vpcflowlogs/aws-region=us-east-1/year=2018/month=06/day=20/hour=16/minute=20/",   // minutes
	"AWSLogs/aws-account-id=123456789012/aws-service=vpcflowlogs/aws-region=us-east-1/year=2018/month=06/day=20/some=2/hour=16/x=16/", // more
}

func TestParseObjectKeyElsewhere(t *testing.T) {
	for _, dir := range elsewhere {
		key := dir + names[0].name + ".log.gz"
		want := names[0].want
		want.Prefix, want.Layout = dir, flowlog.NoLayout
		got, err := flowlog.ParseObjectKey(key)
		if err != nil || got != want {
			t.Errorf("ParseObjectKey(%s) = %+v, %v\nwant %+v", key, got, err, want)
		}
		if got.String() != key || got.Folder() != dir {
			t.Errorf("String() = %s, Folder() = %s; want %s", got, got.Folder(), key)
		}
		if got.Check() == nil {
			t.Errorf("Check(%s) = nil, want an error: no layout", key)
		}
	}
}

// mismatches are folders of a layout that say something else than names[0].
var mismatches = []struct{ folder, part, says, name string }{
	{"AWSLogs/123456789013/vpcflowlogs/us-east-1/2018/06/20/", "account", "123456789013", "123456789012"},
	{"AWSLogs/123456789012/vpcflowlogs/us-west-1/2018/06/20/", "region", "us-west-1", "us-east-1"},
	{"AWSLogs/123456789012/vpcflowlogs/us-east-1/2018/06/21/", "date", "2018/06/21", "2018/06/20"},
	{"AWSLogs/123456789012/vpcflowlogs/us-east-1/2018/20/06/", "date", "2018/20/06", "2018/06/20"}, // no such day
	{"AWSLogs/123456789012/vpcflowlogs/us-east-1/2018/06/20/17/", "date", "2018/06/20/17", "2018/06/20/16"},
	{"AWSLogs/aws-account-id=1/aws-service=vpcflowlogs/aws-region=us-east-1/year=2018/month=06/day=20/", "account", "1", "123456789012"},
	{"AWSLogs/aws-account-id=123456789012/service=vpcflowlogs/aws-region=r/year=2018/month=06/day=20/hour=16/", "region", "r", "us-east-1"},
	{"AWSLogs/aws-account-id=123456789012/aws-service=vpcflowlogs/aws-region=us-east-1/year=2017/month=06/day=20/", "date", "year=2017/month=06/day=20", "year=2018/month=06/day=20"},
}

func TestParseObjectKeyContradiction(t *testing.T) {
	for _, tt := range mismatches {
		key := "my-logs/" + tt.folder + names[0].name + ".log.gz"
		got, err := flowlog.ParseObjectKey(key)
		e, ok := errors.AsType[*flowlog.KeyMismatchError](err)
		if !ok || errors.Is(err, flowlog.ErrNotObjectKey) || got != (flowlog.ObjectKey{}) {
			t.Errorf("ParseObjectKey(%s) = %+v, %v; want a KeyMismatchError", key, got, err)
			continue
		}
		if want := (flowlog.KeyMismatchError{Key: key, Part: tt.part, Folder: tt.says, Name: tt.name}); *e != want {
			t.Errorf("error %+v\nwant  %+v", *e, want)
		}
		if s := e.Error(); !strings.Contains(s, tt.says) || !strings.Contains(s, tt.name) {
			t.Errorf("error %q does not name both", s)
		}
	}
}

// strangers are names that are not those of flow log objects.
var strangers = []string{
	"",
	"/",
	"1_vpcflowlogs_us-east-1_fl-1_20180620T1620Z_fe123456.log",       // not compressed
	"1_vpcflowlogs_us-east-1_fl-1_20180620T1620Z_fe123456.parquet",   // half a suffix
	"1_vpcflowlogs_us-east-1_fl-1_20180620T1620Z_fe123456.log.gz.gz", // twice
	"1_vpcflowlogs_us-east-1_fl-1_20180620T1620Z_FE123456.log.gz",    // upper case
	"1_vpcflowlogs_us-east-1_fl-1_20180620T1620Z_fe12345.log.gz",     // short hash
	"1_vpcflowlogs_us-east-1_fl-1_20180620T1620Z_fe1234567.log.gz",   // long hash
	"1_vpcflowlogs_us-east-1_fl-1_20180620T1620Z_+e123456.log.gz",    // signed hash
	"1_vpcflowlogs_us-east-1_fl-1_20180620T1621Z_fe123456.log.gz",    // not a slot
	"1_vpcflowlogs_us-east-1_fl-1_20230229T1620Z_fe123456.log.gz",    // not a day
	"1_vpcflowlogs_us-east-1_fl-1_20180620T162000Z_fe123456.log.gz",  // seconds
	"1_CloudTrail_us-east-1_20180620T1620Z_fe123456.log.gz",          // another log
	"_vpcflowlogs_us-east-1_fl-1_20180620T1620Z_fe123456.log.gz",     // no account
	".._vpcflowlogs_us-east-1_fl-1_20180620T1620Z_fe123456.log.gz",   // a way out
	"1_vpcflowlogs__fl-1_20180620T1620Z_fe123456.log.gz",             // no region
	"1_vpcflowlogs_us east_fl-1_20180620T1620Z_fe123456.log.gz",      // a space
	"1_vpcflowlogs_us-east-1_\xff_20180620T1620Z_fe123456.log.gz",    // not UTF-8
	"1_vpcflowlogs_us-east-1_fl-1_20180620T1620Z_fe123456.log.gz/",   // a folder
	".weir-fl-1-123.tmp", // ours, unfinished
	"1_vpcflowlogs_us-east-1_fl-1_20180620T1620Z_fe123456_extra.log.gz", // more
}

func TestParseObjectKeyRefuses(t *testing.T) {
	for _, name := range strangers {
		for _, key := range []string{name, folders[flowlog.PlainDaily] + name} {
			if got, err := flowlog.ParseObjectKey(key); !errors.Is(err, flowlog.ErrNotObjectKey) || got != (flowlog.ObjectKey{}) {
				t.Errorf("ParseObjectKey(%q) = %+v, %v; want ErrNotObjectKey", key, got, err)
			}
		}
	}
}

func TestCleanPrefix(t *testing.T) {
	for folder, want := range map[string]string{
		"": "", "/": "", "//": "",
		"my-logs": "my-logs/", "my-logs/": "my-logs/", "/my-logs": "my-logs/", "//my-logs//": "my-logs/",
		"a/b/c": "a/b/c/", "year=2020/": "year=2020/", "größe x": "größe x/",
		"AWSLogs2": "AWSLogs2/", "awslogs": "awslogs/", "a/AWSLogs": "a/AWSLogs/", ".a/b..": ".a/b../",
		strings.Repeat("a", 1023): strings.Repeat("a", 1023) + "/",
	} {
		if got, err := flowlog.CleanPrefix(folder); err != nil || got != want {
			t.Errorf("CleanPrefix(%q) = %q, %v; want %q", folder, got, err, want)
		}
	}
	for folder, why := range map[string]string{
		"AWSLogs": "reserved", "/AWSLogs/": "reserved", "AWSLogs/x/": "reserved",
		"a//b": `""`, "..": `".."`, "a/../b": `".."`, "./a": `"."`,
		"a\x00": "printable", "a\nb/": "printable", "\xff": "UTF-8",
		strings.Repeat("a", 1024): "1024 bytes",
	} {
		got, err := flowlog.CleanPrefix(folder)
		e, ok := errors.AsType[*flowlog.PrefixError](err)
		if !ok || e.Prefix != folder || !strings.Contains(err.Error(), why) || got != "" {
			t.Errorf("CleanPrefix(%q) = %q, %v; want a PrefixError with %q", folder, got, err, why)
		}
	}
}

func TestObjectKeyCheck(t *testing.T) {
	for name, tt := range map[string]struct {
		spoil func(*flowlog.ObjectKey)
		want  string
	}{
		"no account":        {func(k *flowlog.ObjectKey) { k.AccountID = "" }, "account"},
		"account of two":    {func(k *flowlog.ObjectKey) { k.AccountID = "1/2" }, "account"},
		"way out":           {func(k *flowlog.ObjectKey) { k.AccountID = ".." }, "account"},
		"no region":         {func(k *flowlog.ObjectKey) { k.Region = "" }, "region"},
		"underscore":        {func(k *flowlog.ObjectKey) { k.Region = "us_east" }, "region"},
		"no flow log":       {func(k *flowlog.ObjectKey) { k.FlowLogID = "" }, "flow log"},
		"not a slot":        {func(k *flowlog.ObjectKey) { k.Slot = k.Slot.Add(time.Second) }, "slot"},
		"year 10000":        {func(k *flowlog.ObjectKey) { k.Slot = k.Slot.AddDate(8000, 0, 0) }, "slot"},
		"unknown encoding":  {func(k *flowlog.ObjectKey) { k.Encoding = 2 }, "Encoding(2)"},
		"no layout":         {func(k *flowlog.ObjectKey) { k.Layout = flowlog.NoLayout }, "layout none"},
		"unknown layout":    {func(k *flowlog.ObjectKey) { k.Layout = 99 }, "KeyLayout(99)"},
		"unclean prefix":    {func(k *flowlog.ObjectKey) { k.Prefix = "my-logs" }, `"my-logs/"`},
		"reserved prefix":   {func(k *flowlog.ObjectKey) { k.Prefix = "AWSLogs/" }, "reserved"},
		"too long together": {func(k *flowlog.ObjectKey) { k.Prefix = strings.Repeat("a", 1000) + "/" }, "at most 1024"},
	} {
		k := names[0].want
		tt.spoil(&k)
		if err := k.Check(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: Check() = %v, want an error with %q", name, err, tt.want)
		}
		_ = k.String() // does not panic
	}
}

func TestFolders(t *testing.T) {
	f := func(layout flowlog.KeyLayout, from, to string, want ...string) {
		t.Helper()
		k := flowlog.ObjectKey{Prefix: "p/", AccountID: "1", Region: "r", Layout: layout}
		seq, err := k.Folders(at(from), at(to))
		if err != nil {
			t.Errorf("%s, %s to %s: %v", layout, from, to, err)
			return
		}
		if diff := cmp.Diff(want, slices.Collect(seq)); diff != "" {
			t.Errorf("%s, %s to %s (-want +got):\n%s", layout, from, to, diff)
		}
	}
	const plain, hive = "p/AWSLogs/1/vpcflowlogs/r/", "p/AWSLogs/aws-account-id=1/aws-service=vpcflowlogs/aws-region=r/"
	// One second is enough for its day, and the slot it lies in is not cut off.
	f(flowlog.PlainDaily, "2024-02-29T00:00:01Z", "2024-02-29T00:00:02Z", plain+"2024/02/29/")
	f(flowlog.PlainDaily, "2024-02-28T23:59:59Z", "2024-03-01T00:00:00Z", plain+"2024/02/28/", plain+"2024/02/29/")
	f(flowlog.PlainDaily, "2023-12-31T12:00:00Z", "2024-01-01T00:00:01Z", plain+"2023/12/31/", plain+"2024/01/01/")
	f(flowlog.PlainHourly, "2024-02-29T22:59:59Z", "2024-03-01T00:04:00Z", plain+"2024/02/29/22/", plain+"2024/02/29/23/", plain+"2024/03/01/00/")
	f(flowlog.HiveDaily, "2024-02-29T12:00:00Z", "2024-02-29T13:00:00Z", hive+"year=2024/month=02/day=29/")
	f(flowlog.HiveHourly, "2024-02-29T12:00:00Z", "2024-02-29T13:00:00Z", hive+"year=2024/month=02/day=29/hour=12/")
	f(flowlog.TGWHiveHourly, "2024-02-29T12:59:00Z", "2024-02-29T13:00:00Z",
		"p/AWSLogs/aws-account-id=1/service=vpcflowlogs/aws-region=r/year=2024/month=02/day=29/hour=12/")
	// Midnight of another clock is not a day's begin.
	f(flowlog.PlainDaily, "2024-02-29T00:00:00+13:00", "2024-03-01T00:00:00+13:00", plain+"2024/02/28/", plain+"2024/02/29/")
	// Nothing.
	f(flowlog.PlainDaily, "2024-02-29T12:00:00Z", "2024-02-29T12:00:00Z")
	f(flowlog.PlainDaily, "2024-02-29T12:00:00Z", "2023-02-28T12:00:00Z")

	count := func(layout flowlog.KeyLayout, from, to time.Time) (n int, err error) {
		seq, err := flowlog.ObjectKey{AccountID: "1", Region: "r", Layout: layout}.Folders(from, to)
		if err == nil {
			n = len(slices.Collect(seq))
		}
		return n, err
	}
	year := at("2023-01-01T00:00:00Z")
	if n, err := count(flowlog.HiveHourly, year, year.AddDate(1, 0, 0)); n != 8760 || err != nil {
		t.Errorf("a year has %d hours, %v", n, err)
	}
	if n, err := count(flowlog.PlainHourly, year, year.Add(flowlog.MaxFolders*time.Hour)); n != flowlog.MaxFolders || err != nil {
		t.Errorf("the longest range has %d folders, %v", n, err)
	}
	for name, tt := range map[string]struct {
		layout   flowlog.KeyLayout
		from, to time.Time
	}{
		"one more than the bound": {flowlog.PlainHourly, year, year.Add(flowlog.MaxFolders*time.Hour + 1)},
		"millennia":               {flowlog.PlainDaily, at("0001-01-02T00:00:00Z"), at("9999-01-01T00:00:00Z")},
		"open begin":              {flowlog.PlainDaily, time.Time{}, year},
		"open end":                {flowlog.PlainDaily, year, time.Time{}},
		"five digits":             {flowlog.PlainDaily, year.AddDate(8000, 0, 0), year.AddDate(8000, 0, 1)},
		"no layout":               {flowlog.NoLayout, year, year.AddDate(0, 0, 1)},
	} {
		if n, err := count(tt.layout, tt.from, tt.to); err == nil {
			t.Errorf("%s: %d folders, want an error", name, n)
		}
	}
}

func anyLayout() *rapid.Generator[flowlog.KeyLayout] {
	return rapid.SampledFrom([]flowlog.KeyLayout{
		flowlog.PlainDaily, flowlog.PlainHourly, flowlog.HiveDaily, flowlog.HiveHourly, flowlog.TGWHiveDaily, flowlog.TGWHiveHourly,
	})
}

// anyKey gives keys that may be written; their prefixes and parts do their best
// to look like another layout.
func anyKey() *rapid.Generator[flowlog.ObjectKey] {
	folder := rapid.OneOf(
		rapid.SampledFrom([]string{"AWSLogs", "vpcflowlogs", "aws-service=vpcflowlogs", "aws-account-id=1", "2018", "06", "20", "year=2018", "month=06", "day=20", "hour=16"}),
		rapid.StringMatching(`[a-zA-Z0-9!=_ é€-]{1,12}`),
	)
	word := rapid.OneOf(rapid.SampledFrom([]string{"AWSLogs", "vpcflowlogs", "2018", "06"}), rapid.StringMatching(`[a-z0-9é-][a-z0-9.é-]{0,16}`))
	const lastSlot = 253402300799 / 300 // of year 9999
	return rapid.Custom(func(t *rapid.T) flowlog.ObjectKey {
		prefix, err := flowlog.CleanPrefix(strings.Join(rapid.SliceOfN(folder, 0, 12).Draw(t, "prefix"), "/"))
		if err != nil {
			prefix = "reserved/" // it began with AWSLogs
		}
		return flowlog.ObjectKey{
			Prefix: prefix, AccountID: word.Draw(t, "account"), Region: word.Draw(t, "region"), FlowLogID: word.Draw(t, "flow log"),
			Slot: flowlog.Slot(rapid.Int64Range(-62167219200/300, lastSlot).Draw(t, "slot") * 300), Hash: rapid.Uint32().Draw(t, "hash"),
			Encoding: rapid.SampledFrom([]flowlog.Encoding{flowlog.Text, flowlog.Parquet}).Draw(t, "encoding"),
			Layout:   anyLayout().Draw(t, "layout"),
		}
	})
}

func TestObjectKeyRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := anyKey().Draw(t, "key")
		if err := k.Check(); err != nil {
			t.Fatal(err)
		}
		if got, err := flowlog.ParseObjectKey(k.String()); err != nil || got != k {
			t.Fatalf("%s reads as %+v, %v\nwant %+v", k, got, err, k)
		}
	})
}

// Folders are exactly those of the slots that overlap the range, in order.
func TestFoldersAreThoseOfTheSlots(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := flowlog.ObjectKey{AccountID: "1", Region: "r", Layout: anyLayout().Draw(t, "layout")}
		from := time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "from"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanoseconds"))
		to := from.Add(time.Duration(rapid.Int64Range(0, int64(72*time.Hour)).Draw(t, "length")))
		var want []string
		for k.Slot = flowlog.Slot(from.Unix()); k.Slot.Before(to) && from.Before(to); k.Slot = k.Slot.Add(flowlog.SlotLength) {
			if folder := k.Folder(); len(want) == 0 || want[len(want)-1] != folder {
				want = append(want, folder)
			}
		}
		got, err := k.Folders(from, to)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, slices.Collect(got)); diff != "" {
			t.Fatalf("%s to %s (-want +got):\n%s", from.UTC(), to.UTC(), diff)
		}
	})
}

func FuzzObjectKey(f *testing.F) {
	for _, tt := range names {
		f.Add(tt.name + ".log.gz")
	}
	for _, folder := range folders {
		f.Add(folder + names[0].name + ".log.gz")
		f.Add("my-logs/year=2020/" + folder + names[0].name + ".log.parquet")
	}
	for _, folder := range elsewhere {
		f.Add(folder + names[0].name + ".log.gz")
	}
	for _, tt := range mismatches {
		f.Add(tt.folder + names[0].name + ".log.gz")
	}
	for _, key := range strangers {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		k, err := flowlog.ParseObjectKey(key)
		if mismatch, ok := errors.AsType[*flowlog.KeyMismatchError](err); ok {
			if mismatch.Folder == mismatch.Name || mismatch.Key != key || !strings.Contains(key, mismatch.Folder) {
				t.Errorf("%q: %+v", key, mismatch)
			}
			return
		}
		if err != nil {
			if err != flowlog.ErrNotObjectKey { //nolint:errorlint // it must not be wrapped: listers see it for every other file
				t.Errorf("%q: %v", key, err)
			}
			return
		}
		if got := k.String(); got != key {
			t.Errorf("%q reads as %+v, which is written %q", key, k, got)
		}
		if k.Folder() != key[:strings.LastIndexByte(key, '/')+1] {
			t.Errorf("%q has the folder %q", key, k.Folder())
		}
		// What was read may be written, but for its place.
		clean := k
		clean.Prefix = "p/"
		if k.Layout == flowlog.NoLayout {
			clean.Layout = flowlog.HiveHourly
		}
		if err := clean.Check(); err != nil && len(key) < flowlog.MaxKeyBytes/4 {
			t.Errorf("%q: %v", key, err)
		}
		if again, err := flowlog.ParseObjectKey(clean.String()); err != nil || again != clean {
			t.Errorf("%q reads as %+v, %v", clean, again, err)
		}
	})
}

func ExampleObjectKey() {
	key := flowlog.ObjectKey{
		Prefix: "my-logs/", AccountID: "123456789012", Region: "us-east-1", FlowLogID: "fl-1234abcd",
		Slot: flowlog.Slot(1529511683), Hash: 0xfe123456, Encoding: flowlog.Parquet,
		Layout: flowlog.KeyLayoutFor(true, true, false),
	}
	fmt.Println(key.Folder())
	fmt.Println(key.Name())
	// Output:
	// my-logs/AWSLogs/aws-account-id=123456789012/aws-service=vpcflowlogs/aws-region=us-east-1/year=2018/month=06/day=20/hour=16/
	// 123456789012_vpcflowlogs_us-east-1_fl-1234abcd_20180620T1620Z_fe123456.log.parquet
}

func ExampleParseObjectKey() {
	const name = "123456789012_vpcflowlogs_us-east-1_fl-1234abcd_20180620T1620Z_fe123456.log.gz"
	for _, folder := range []string{
		"my-logs/AWSLogs/123456789012/vpcflowlogs/us-east-1/2018/06/20/",
		"Downloads/",
		"AWSLogs/123456789012/vpcflowlogs/us-east-1/2018/06/21/",
	} {
		key, err := flowlog.ParseObjectKey(folder + name)
		if e, ok := errors.AsType[*flowlog.KeyMismatchError](err); ok {
			fmt.Println(e.Part, e.Folder, "is not", e.Name)
			continue
		}
		fmt.Printf("%s: prefix %q, %s of %s\n", key.Layout, key.Prefix, key.FlowLogID, key.Slot)
	}
	// Output:
	// plain, daily: prefix "my-logs/", fl-1234abcd of 2018-06-20 16:20:00 +0000 UTC
	// none: prefix "Downloads/", fl-1234abcd of 2018-06-20 16:20:00 +0000 UTC
	// date 2018/06/21 is not 2018/06/20
}

func ExampleObjectKey_Folders() {
	log := flowlog.ObjectKey{AccountID: "123456789012", Region: "us-east-1", Layout: flowlog.PlainHourly}
	folders, err := log.Folders(time.Date(2018, 6, 20, 22, 58, 0, 0, time.UTC), time.Date(2018, 6, 21, 0, 30, 0, 0, time.UTC))
	if err != nil {
		panic(err)
	}
	for folder := range folders {
		fmt.Println(folder)
	}
	// Output:
	// AWSLogs/123456789012/vpcflowlogs/us-east-1/2018/06/20/22/
	// AWSLogs/123456789012/vpcflowlogs/us-east-1/2018/06/20/23/
	// AWSLogs/123456789012/vpcflowlogs/us-east-1/2018/06/21/00/
}
