package flowlog_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"weir/flowlog"
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

var compareRecords = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

// samples are the lines of spec section 1.11: AWS's own examples.
var samples = []struct {
	name, header, line string
	want               flowlog.Record
}{
	{
		"accepted SSH", "",
		"2 123456789010 eni-1235b8ca123456789 172.31.16.139 172.31.16.21 20641 22 6 20 4249 1418530010 1418530070 ACCEPT OK",
		flowlog.Record{
			Version: 2, AccountID: "123456789010", InterfaceID: "eni-1235b8ca123456789",
			SrcAddr: addr("172.31.16.139"), DstAddr: addr("172.31.16.21"), SrcPort: 20641, DstPort: 22, Protocol: 6,
			Packets: 20, Bytes: 4249, Start: 1418530010, End: 1418530070, Action: flowlog.Accept,
		},
	},
	{
		"rejected RDP", "",
		"2 123456789010 eni-1235b8ca123456789 172.31.9.69 172.31.9.12 49761 3389 6 20 4249 1418530010 1418530070 REJECT OK",
		flowlog.Record{
			Version: 2, AccountID: "123456789010", InterfaceID: "eni-1235b8ca123456789",
			SrcAddr: addr("172.31.9.69"), DstAddr: addr("172.31.9.12"), SrcPort: 49761, DstPort: 3389, Protocol: 6,
			Packets: 20, Bytes: 4249, Start: 1418530010, End: 1418530070, Action: flowlog.Reject,
		},
	},
	{
		"NODATA", "",
		"2 123456789010 eni-1235b8ca123456789 - - - - - - - 1431280876 1431280934 - NODATA",
		flowlog.Record{
			Version: 2, AccountID: "123456789010", InterfaceID: "eni-1235b8ca123456789",
			Start: 1431280876, End: 1431280934, LogStatus: flowlog.NoData,
		},
	},
	{
		"SKIPDATA", "",
		"2 123456789010 eni-11111111aaaaaaaaa - - - - - - - 1431280876 1431280934 - SKIPDATA",
		flowlog.Record{
			Version: 2, AccountID: "123456789010", InterfaceID: "eni-11111111aaaaaaaaa",
			Start: 1431280876, End: 1431280934, LogStatus: flowlog.SkipData,
		},
	},
	{
		"ping", "",
		"2 123456789010 eni-1235b8ca123456789 203.0.113.12 172.31.16.139 0 0 1 4 336 1432917027 1432917142 ACCEPT OK",
		flowlog.Record{
			Version: 2, AccountID: "123456789010", InterfaceID: "eni-1235b8ca123456789",
			SrcAddr: addr("203.0.113.12"), DstAddr: addr("172.31.16.139"), Protocol: 1,
			Packets: 4, Bytes: 336, Start: 1432917027, End: 1432917142, Action: flowlog.Accept,
		},
	},
	{
		"its reply, refused", "",
		"2 123456789010 eni-1235b8ca123456789 172.31.16.139 203.0.113.12 0 0 1 4 336 1432917094 1432917142 REJECT OK",
		flowlog.Record{
			Version: 2, AccountID: "123456789010", InterfaceID: "eni-1235b8ca123456789",
			SrcAddr: addr("172.31.16.139"), DstAddr: addr("203.0.113.12"), Protocol: 1,
			Packets: 4, Bytes: 336, Start: 1432917094, End: 1432917142, Action: flowlog.Reject,
		},
	},
	{
		"IPv6 SSH", "",
		"2 123456789010 eni-1235b8ca123456789 2001:db8:1234:a100:8d6e:3477:df66:f105 2001:db8:1234:a102:3304:8879:34cf:4071 34892 22 6 54 8855 1477913708 1477913820 ACCEPT OK",
		flowlog.Record{
			Version: 2, AccountID: "123456789010", InterfaceID: "eni-1235b8ca123456789",
			SrcAddr: addr("2001:db8:1234:a100:8d6e:3477:df66:f105"), DstAddr: addr("2001:db8:1234:a102:3304:8879:34cf:4071"),
			SrcPort: 34892, DstPort: 22, Protocol: 6,
			Packets: 54, Bytes: 8855, Start: 1477913708, End: 1477913820, Action: flowlog.Accept,
		},
	},
	{
		"TCP flags",
		"version vpc-id subnet-id instance-id interface-id account-id type srcaddr dstaddr srcport dstport pkt-srcaddr pkt-dstaddr protocol bytes packets start end action tcp-flags log-status",
		"3 vpc-abcdefab012345678 subnet-aaaaaaaa012345678 i-01234567890123456 eni-1235b8ca123456789 123456789010 IPv4 52.213.180.42 10.0.0.62 43416 5001 52.213.180.42 10.0.0.62 6 568 8 1566848875 1566848933 ACCEPT 2 OK",
		flowlog.Record{
			Version: 3, VPCID: "vpc-abcdefab012345678", SubnetID: "subnet-aaaaaaaa012345678", InstanceID: "i-01234567890123456",
			InterfaceID: "eni-1235b8ca123456789", AccountID: "123456789010", Type: flowlog.IPv4,
			SrcAddr: addr("52.213.180.42"), DstAddr: addr("10.0.0.62"), SrcPort: 43416, DstPort: 5001,
			PktSrcAddr: addr("52.213.180.42"), PktDstAddr: addr("10.0.0.62"), Protocol: 6, Bytes: 568, Packets: 8,
			Start: 1566848875, End: 1566848933, Action: flowlog.Accept, TCPFlags: 2,
		},
	},
	{
		"NAT gateway: no instance",
		"instance-id interface-id srcaddr dstaddr pkt-srcaddr pkt-dstaddr",
		"- eni-1235b8ca123456789 10.0.1.5 10.0.0.220 10.0.1.5 203.0.113.5",
		flowlog.Record{
			InterfaceID: "eni-1235b8ca123456789", SrcAddr: addr("10.0.1.5"), DstAddr: addr("10.0.0.220"),
			PktSrcAddr: addr("10.0.1.5"), PktDstAddr: addr("203.0.113.5"),
		},
	},
}

func formatOf(t testing.TB, header string) flowlog.Format {
	t.Helper()
	if header == "" {
		return flowlog.DefaultFormat()
	}
	f, err := flowlog.FormatFromHeader(header)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestSampleLines(t *testing.T) {
	for _, tt := range samples {
		t.Run(tt.name, func(t *testing.T) {
			f := formatOf(t, tt.header)
			var got flowlog.Record
			if err := f.ParseText(&got, []byte(tt.line)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got, compareRecords); diff != "" {
				t.Errorf("record (-want +got):\n%s", diff)
			}
			if line := string(f.AppendText(nil, &tt.want)); line != tt.line {
				t.Errorf("AppendText = %s\nwant         %s", line, tt.line)
			}
		})
	}
}

// malformed lines of the default format. Some were seen in the wild.
var malformed = []struct {
	name, line string
	want       error
	msg        string
}{
	{"junk", "bogus line", flowlog.ErrFieldValue, "field version"},
	{"empty", "", flowlog.ErrFieldValue, "field version"},
	{"cut short", "2 12345678910 eni-0eb1e4178af74336c - - - - - - - 1742570089 1742570142 -", flowlog.ErrFieldCount, "13, want 14"},
	{"one too many", "2 12345678910 eni-0eb1e4178af74336c - - - - - - - 1742570089 1742570142 - NODATA one-too-many", flowlog.ErrFieldCount, "more than 14"},
	{"doubled space", "2 123456789010  eni-1 - - - - - - 1 2 - NODATA", flowlog.ErrFieldValue, "field interface-id"},
	{"space at the end", "2 123456789010 eni-1 - - - - - - - 1 2 - NODATA ", flowlog.ErrFieldCount, "more than 14"},
	{"port too large", "2 1 eni-1 10.0.0.1 10.0.0.2 65536 22 6 1 1 1 2 ACCEPT OK", flowlog.ErrFieldValue, "field srcport"},
	{"negative", "2 1 eni-1 10.0.0.1 10.0.0.2 -1 22 6 1 1 1 2 ACCEPT OK", flowlog.ErrFieldValue, "field srcport"},
	{"leading zero", "2 1 eni-1 10.0.0.1 10.0.0.2 022 22 6 1 1 1 2 ACCEPT OK", flowlog.ErrFieldValue, "field srcport"},
	{"bytes beyond 64 bits", "2 1 eni-1 10.0.0.1 10.0.0.2 1 22 6 1 9223372036854775808 1 2 ACCEPT OK", flowlog.ErrFieldValue, "field bytes"},
	{"no address", "2 1 eni-1 10.0.0 10.0.0.2 1 22 6 1 1 1 2 ACCEPT OK", flowlog.ErrFieldValue, "field srcaddr"},
	{"address with a zone", "2 1 eni-1 fe80::1%eth0 10.0.0.2 1 22 6 1 1 1 2 ACCEPT OK", flowlog.ErrFieldValue, "field srcaddr"},
	{"unknown action", "2 1 eni-1 10.0.0.1 10.0.0.2 1 22 6 1 1 1 2 accept OK", flowlog.ErrFieldValue, "field action"},
	{"carriage return", "2 1 eni-1 10.0.0.1 10.0.0.2 1 22 6 1 1 1 2 ACCEPT OK\r", flowlog.ErrFieldValue, "field log-status"},
	{"not UTF-8", "2 1 eni-\xff - - - - - - - 1 2 - NODATA", flowlog.ErrFieldValue, "field interface-id"},
	{"JSON", `{"message":"2 1 eni-1 - - - - - - - 1 2 - NODATA"}`, flowlog.ErrFieldValue, "field version"},
}

func TestMalformedLines(t *testing.T) {
	f := flowlog.DefaultFormat()
	for _, tt := range malformed {
		t.Run(tt.name, func(t *testing.T) {
			var r flowlog.Record
			err := f.ParseText(&r, []byte(tt.line))
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.msg) {
				t.Errorf("error %v, want %v with %q", err, tt.want, tt.msg)
			}
		})
	}
}

// A record that cannot be read is never written either: NODATA lines hide what
// the flow fields hold.
func TestNoDataHidesFlowFields(t *testing.T) {
	r := samples[0].want
	r.LogStatus = flowlog.NoData
	want := "2 123456789010 eni-1235b8ca123456789 - - - - - - - 1418530010 1418530070 - NODATA"
	if got := string(flowlog.DefaultFormat().AppendText(nil, &r)); got != want {
		t.Errorf("AppendText = %s\nwant         %s", got, want)
	}
}

// genRecord draws a record that every field of can be written and read back.
func genRecord(t *rapid.T) flowlog.Record {
	id := func(name string) string { return rapid.StringMatching(`([a-z]{1,6}-[0-9a-f]{4,17})?`).Draw(t, name) }
	is6 := rapid.Bool().Draw(t, "IPv6")
	address := func(name string) netip.Addr {
		if is6 {
			return netip.AddrFrom16([16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, name)))
		}
		return netip.AddrFrom4([4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, name)))
	}
	r := flowlog.Record{
		Version:   rapid.Uint8().Draw(t, "version"),
		AccountID: rapid.StringMatching(`[0-9]{12}`).Draw(t, "account"), InterfaceID: id("interface"),
		VPCID: id("vpc"), SubnetID: id("subnet"), InstanceID: id("instance"), Region: id("region"), ZoneID: id("zone"),
		Start: rapid.Int64Range(0, 1<<62).Draw(t, "start"), End: rapid.Int64Range(0, 1<<62).Draw(t, "end"),
		LogStatus: rapid.SampledFrom([]flowlog.LogStatus{flowlog.OK, flowlog.NoData, flowlog.SkipData}).Draw(t, "status"),
	}
	if r.LogStatus != flowlog.OK {
		return r
	}
	r.SrcAddr, r.DstAddr = address("srcaddr"), address("dstaddr")
	r.PktSrcAddr, r.PktDstAddr = address("pkt-srcaddr"), address("pkt-dstaddr")
	r.SrcPort, r.DstPort = rapid.Uint16().Draw(t, "srcport"), rapid.Uint16().Draw(t, "dstport")
	r.Protocol, r.TCPFlags = rapid.Uint8().Draw(t, "protocol"), rapid.Uint8().Draw(t, "tcp-flags")
	r.Packets, r.Bytes = rapid.Uint64Range(0, 1<<63-1).Draw(t, "packets"), rapid.Uint64Range(0, 1<<63-1).Draw(t, "bytes")
	r.Action = rapid.SampledFrom([]flowlog.Action{flowlog.NoAction, flowlog.Accept, flowlog.Reject}).Draw(t, "action")
	r.Direction = rapid.SampledFrom([]flowlog.Direction{flowlog.NoDirection, flowlog.Ingress, flowlog.Egress}).Draw(t, "direction")
	r.Type = rapid.SampledFrom([]flowlog.TrafficType{flowlog.NoType, flowlog.IPv4, flowlog.IPv6, flowlog.EFA}).Draw(t, "type")
	return r
}

// allFields is the format with every field of the table, in table order.
func allFields(t testing.TB) flowlog.Format {
	t.Helper()
	var names []string
	for i := range flowlog.Fields() {
		names = append(names, flowlog.Fields()[i].Name)
	}
	return formatOf(t, strings.Join(names, " "))
}

func TestTextRoundTrip(t *testing.T) {
	f := allFields(t)
	rapid.Check(t, func(t *rapid.T) {
		want := genRecord(t)
		line := f.AppendText(nil, &want)
		var got flowlog.Record
		if err := f.ParseText(&got, line); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if diff := cmp.Diff(want, got, compareRecords); diff != "" {
			t.Fatalf("%s: record (-want +got):\n%s", line, diff)
		}
	})
}

func TestAppendTextDoesNotAllocate(t *testing.T) {
	f := allFields(t)
	for _, tt := range samples {
		buf := make([]byte, 0, 1024)
		if n := testing.AllocsPerRun(100, func() { buf = f.AppendText(buf[:0], &tt.want) }); n != 0 {
			t.Errorf("%s: AppendText allocates %v times per record, want 0", tt.name, n)
		}
	}
}

func FuzzParseText(f *testing.F) {
	for _, tt := range samples {
		f.Add([]byte(tt.line))
	}
	for _, tt := range malformed {
		f.Add([]byte(tt.line))
	}
	format := allFields(f)
	f.Add(format.AppendText(nil, &samples[7].want))
	f.Fuzz(func(t *testing.T, line []byte) {
		for _, format := range []flowlog.Format{flowlog.DefaultFormat(), format} {
			var r, again flowlog.Record
			if err := format.ParseText(&r, line); err != nil {
				if !errors.Is(err, flowlog.ErrFieldCount) && !errors.Is(err, flowlog.ErrFieldValue) {
					t.Fatalf("error %v is neither of the two", err)
				}
				continue
			}
			// What was read is written as a line that reads the same.
			written := format.AppendText(nil, &r)
			if err := format.ParseText(&again, written); err != nil {
				t.Fatalf("%q was written as %q, which does not read: %v", line, written, err)
			}
			if rewritten := format.AppendText(nil, &again); string(rewritten) != string(written) {
				t.Fatalf("%q was written as %q, then as %q", line, written, rewritten)
			}
		}
	})
}

func BenchmarkAppendText(b *testing.B) {
	f, buf := flowlog.DefaultFormat(), make([]byte, 0, 256)
	b.SetBytes(int64(len(f.AppendText(nil, &samples[0].want))))
	b.ReportAllocs()
	for b.Loop() {
		buf = f.AppendText(buf[:0], &samples[0].want)
	}
}

func BenchmarkParseText(b *testing.B) {
	f, line := flowlog.DefaultFormat(), []byte(samples[0].line)
	var r flowlog.Record
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		if err := f.ParseText(&r, line); err != nil {
			b.Fatal(err)
		}
	}
}
