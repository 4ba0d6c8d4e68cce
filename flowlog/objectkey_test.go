package flowlog_test

import (
	"errors"
	"strings"
	"testing"
	"time"

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

// keys of objects; the first is the User Guide's, the next three were seen in
// public issues.
var keys = []struct {
	key  string // as ObjectKey.String writes it
	want flowlog.ObjectKey
}{
	{
		"AWSLogs/123456789012/vpcflowlogs/us-east-1/2018/06/20/123456789012_vpcflowlogs_us-east-1_fl-1234abcd_20180620T1620Z_fe123456.log.gz",
		flowlog.ObjectKey{AccountID: "123456789012", Region: "us-east-1", FlowLogID: "fl-1234abcd", Slot: at("2018-06-20T16:20:00Z"), Hash: 0xfe123456},
	},
	{
		"AWSLogs/869065819144/vpcflowlogs/us-east-1/2018/10/04/869065819144_vpcflowlogs_us-east-1_fl-0aa1a90b428bc0321_20181004T2115Z_b522ac4a.log.gz",
		flowlog.ObjectKey{AccountID: "869065819144", Region: "us-east-1", FlowLogID: "fl-0aa1a90b428bc0321", Slot: at("2018-10-04T21:15:00Z"), Hash: 0xb522ac4a},
	},
	{
		"AWSLogs/111111111111/vpcflowlogs/us-east-1/2020/10/26/111111111111_vpcflowlogs_us-east-1_fl-0c5605d9f1baf680d_20201026T1950Z_b1ea4a7a.log.gz",
		flowlog.ObjectKey{AccountID: "111111111111", Region: "us-east-1", FlowLogID: "fl-0c5605d9f1baf680d", Slot: at("2020-10-26T19:50:00Z"), Hash: 0xb1ea4a7a},
	},
	{
		"AWSLogs/601427279990/vpcflowlogs/us-east-1/2022/03/11/601427279990_vpcflowlogs_us-east-1_fl-0be887e94241898f5_20220311T1545Z_d884c282.log.gz",
		flowlog.ObjectKey{AccountID: "601427279990", Region: "us-east-1", FlowLogID: "fl-0be887e94241898f5", Slot: at("2022-03-11T15:45:00Z"), Hash: 0xd884c282},
	},
	{ // midnight, a leap day, a hash that begins with zeros
		"AWSLogs/000000000001/vpcflowlogs/eu-central-1/2024/02/29/000000000001_vpcflowlogs_eu-central-1_fl-1_20240229T0000Z_0000000a.log.gz",
		flowlog.ObjectKey{AccountID: "000000000001", Region: "eu-central-1", FlowLogID: "fl-1", Slot: at("2024-02-29T00:00:00Z"), Hash: 10},
	},
}

func TestObjectKey(t *testing.T) {
	for _, tt := range keys {
		if got := tt.want.String(); got != tt.key {
			t.Errorf("String() = %s\nwant       %s", got, tt.key)
		}
		for _, key := range []string{tt.key, "some/prefix/" + tt.key, tt.key[strings.LastIndexByte(tt.key, '/')+1:]} {
			if got, err := flowlog.ParseObjectKey(key); err != nil || got != tt.want {
				t.Errorf("ParseObjectKey(%s) = %+v, %v\nwant %+v", key, got, err, tt.want)
			}
		}
	}
}

// The key's day is the slot's in UTC, wherever the clock stands.
func TestObjectKeyIsInUTC(t *testing.T) {
	k := keys[0].want
	k.Slot = k.Slot.In(time.FixedZone("UTC+13", 13*3600))
	if got := k.String(); got != keys[0].key {
		t.Errorf("String() = %s\nwant       %s", got, keys[0].key)
	}
}

// strangers are names that are not those of flow log objects.
var strangers = []string{
	"",
	"/",
	"1_vpcflowlogs_us-east-1_fl-1_20180620T1620Z_fe123456.log",         // not compressed
	"1_vpcflowlogs_us-east-1_fl-1_20180620T1620Z_fe123456.log.parquet", // not text
	"1_vpcflowlogs_us-east-1_fl-1_20180620T1620Z_FE123456.log.gz",      // upper case
	"1_vpcflowlogs_us-east-1_fl-1_20180620T1620Z_fe12345.log.gz",       // short hash
	"1_vpcflowlogs_us-east-1_fl-1_20180620T1620Z_fe1234567.log.gz",     // long hash
	"1_vpcflowlogs_us-east-1_fl-1_20180620T1620Z_+e123456.log.gz",      // signed hash
	"1_vpcflowlogs_us-east-1_fl-1_20180620T1621Z_fe123456.log.gz",      // not a slot
	"1_vpcflowlogs_us-east-1_fl-1_20230229T1620Z_fe123456.log.gz",      // not a day
	"1_vpcflowlogs_us-east-1_fl-1_20180620T162000Z_fe123456.log.gz",    // seconds
	"1_CloudTrail_us-east-1_20180620T1620Z_fe123456.log.gz",            // another log
	"_vpcflowlogs_us-east-1_fl-1_20180620T1620Z_fe123456.log.gz",       // no account
	"1_vpcflowlogs_us-east-1_fl-1_20180620T1620Z_fe123456.log.gz/",     // a folder
	".weir-fl-1-123.tmp", // ours, unfinished
	"1_vpcflowlogs_us-east-1_fl-1_20180620T1620Z_fe123456_extra_.log.gz", // more
}

func TestParseObjectKeyRefuses(t *testing.T) {
	for _, key := range strangers {
		if got, err := flowlog.ParseObjectKey(key); !errors.Is(err, flowlog.ErrNotObjectKey) {
			t.Errorf("ParseObjectKey(%q) = %+v, %v; want ErrNotObjectKey", key, got, err)
		}
	}
}

func FuzzParseObjectKey(f *testing.F) {
	for _, tt := range keys {
		f.Add(tt.key)
	}
	for _, key := range strangers {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		k, err := flowlog.ParseObjectKey(key)
		if err != nil {
			return
		}
		name := key[strings.LastIndexByte(key, '/')+1:]
		if !strings.HasSuffix(k.String(), "/"+name) {
			t.Errorf("%q reads as %+v, which is written %q", key, k, k.String())
		}
	})
}
