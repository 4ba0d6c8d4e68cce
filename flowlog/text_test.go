package flowlog_test

import (
	"errors"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"weir/flowlog"
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

var compareRecords = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

// lines are AWS's own examples. Source: Amazon VPC User Guide, "Flow log record
// examples".
var lines = []struct {
	name, header, line string
	want               flowlog.Record
}{
	{
		"accepted SSH", "",
		"2 123456789010 eni-1235b8ca123456789 172.31.16.139 172.31.16.21 20641 22 6 20 4249 1418530010 1418530070 ACCEPT OK",
		flowlog.Record{
			Version: 2, AccountID: "123456789010", InterfaceID: "eni-1235b8ca123456789",
			SrcAddr: addr("172.31.16.139"), DstAddr: addr("172.31.16.21"), SrcPort: 20641, DstPort: 22, Protocol: 6,
			Packets: 20, Bytes: 4249, Start: 1418530010, End: 1418530070, Action: flowlog.Accept, LogStatus: flowlog.OK,
		},
	},
	{
		"rejected RDP", "",
		"2 123456789010 eni-1235b8ca123456789 172.31.9.69 172.31.9.12 49761 3389 6 20 4249 1418530010 1418530070 REJECT OK",
		flowlog.Record{
			Version: 2, AccountID: "123456789010", InterfaceID: "eni-1235b8ca123456789",
			SrcAddr: addr("172.31.9.69"), DstAddr: addr("172.31.9.12"), SrcPort: 49761, DstPort: 3389, Protocol: 6,
			Packets: 20, Bytes: 4249, Start: 1418530010, End: 1418530070, Action: flowlog.Reject, LogStatus: flowlog.OK,
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
			Packets: 4, Bytes: 336, Start: 1432917027, End: 1432917142, Action: flowlog.Accept, LogStatus: flowlog.OK,
		},
	},
	{
		"its reply, refused", "",
		"2 123456789010 eni-1235b8ca123456789 172.31.16.139 203.0.113.12 0 0 1 4 336 1432917094 1432917142 REJECT OK",
		flowlog.Record{
			Version: 2, AccountID: "123456789010", InterfaceID: "eni-1235b8ca123456789",
			SrcAddr: addr("172.31.16.139"), DstAddr: addr("203.0.113.12"), Protocol: 1,
			Packets: 4, Bytes: 336, Start: 1432917094, End: 1432917142, Action: flowlog.Reject, LogStatus: flowlog.OK,
		},
	},
	{
		"IPv6 SSH", "",
		"2 123456789010 eni-1235b8ca123456789 2001:db8:1234:a100:8d6e:3477:df66:f105 2001:db8:1234:a102:3304:8879:34cf:4071 34892 22 6 54 8855 1477913708 1477913820 ACCEPT OK",
		flowlog.Record{
			Version: 2, AccountID: "123456789010", InterfaceID: "eni-1235b8ca123456789",
			SrcAddr: addr("2001:db8:1234:a100:8d6e:3477:df66:f105"), DstAddr: addr("2001:db8:1234:a102:3304:8879:34cf:4071"),
			SrcPort: 34892, DstPort: 22, Protocol: 6,
			Packets: 54, Bytes: 8855, Start: 1477913708, End: 1477913820, Action: flowlog.Accept, LogStatus: flowlog.OK,
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
			Start: 1566848875, End: 1566848933, Action: flowlog.Accept, TCPFlags: 2, LogStatus: flowlog.OK,
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

// missingOf is what Record.Missing holds beside a line: numbers that the format
// does not have, or that are "-".
func missingOf(f flowlog.Format, line string) flowlog.FieldSet {
	var s flowlog.FieldSet
	texts := strings.Split(line, " ")
	for i := range flowlog.Fields() {
		field := &flowlog.Fields()[i]
		place := slices.Index(f.Fields(), field)
		if isNumber(field) && (place < 0 || texts[place] == "-") {
			s.Add(i)
		}
	}
	return s
}

func TestParseTextLines(t *testing.T) {
	for _, tt := range lines {
		t.Run(tt.name, func(t *testing.T) {
			f := formatOf(t, tt.header)
			tt.want.Missing = missingOf(f, tt.line)
			var got flowlog.Record
			if err := f.ParseText(&got, tt.line); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got, compareRecords); diff != "" {
				t.Errorf("record (-want +got):\n%s", diff)
			}
			if line := string(f.AppendText(nil, &tt.want)); line != tt.line {
				t.Errorf("AppendText = %s\nwant         %s", line, tt.line)
			}
			if doubt := f.Doubt(&got); doubt != "" {
				t.Errorf("doubt: %s", doubt)
			}
		})
	}
}

// malformed lines of the default format, and what their error says. Some were
// seen in the wild.
var malformed = []struct{ name, line, msg string }{
	{"junk", "bogus line", "2 fields, want 14"},
	{"empty", "", "an empty line"},
	{"cut short", "2 12345678910 eni-0eb1e4178af74336c - - - - - - - 1742570089 1742570142 -", "13 fields, want 14"},
	{"one too many", "2 12345678910 eni-0eb1e4178af74336c - - - - - - - 1742570089 1742570142 - NODATA one-too-many", "15 fields, want 14"},
	{"doubled space", "2 123456789010  eni-1 - - - - - - 1 2 - NODATA", "field interface-id: nothing between two spaces"},
	{"space at the begin", " 2 123456789010 eni-1 - - - - - - - 1 2 - NODATA", "15 fields, want 14: a space at the beginning"},
	{"space at the end", "2 123456789010 eni-1 - - - - - - - 1 2 - NODATA ", "15 fields, want 14: a space at the end"},
	{"nothing at the end", "2 123456789010 eni-1 - - - - - - - 1 2 - ", "field log-status: nothing"},
	{"port too large", "2 1 eni-1 10.0.0.1 10.0.0.2 65536 22 6 1 1 1 2 ACCEPT OK", `field srcport: "65536" is out of its range`},
	{"negative", "2 1 eni-1 10.0.0.1 10.0.0.2 -1 22 6 1 1 1 2 ACCEPT OK", `field srcport: "-1" is not a number`},
	{"leading zero", "2 1 eni-1 10.0.0.1 10.0.0.2 022 22 6 1 1 1 2 ACCEPT OK", "field srcport"},
	{"bytes beyond 63 bits", "2 1 eni-1 10.0.0.1 10.0.0.2 1 22 6 1 9223372036854775808 1 2 ACCEPT OK", `field bytes: "9223372036854775808" is out of its range`},
	{"bytes of 20 digits", "2 1 eni-1 10.0.0.1 10.0.0.2 1 22 6 1 18446744073709551617 1 2 ACCEPT OK", "field bytes"},
	{"no address", "2 1 eni-1 10.0.0 10.0.0.2 1 22 6 1 1 1 2 ACCEPT OK", "field srcaddr"},
	{"address with a zone", "2 1 eni-1 fe80::1%eth0 10.0.0.2 1 22 6 1 1 1 2 ACCEPT OK", "field srcaddr"},
	{"carriage return", "2 1 eni-1 10.0.0.1 10.0.0.2 1 22 6 1 1 1 2 ACCEPT OK\r", "a control character"},
	{"tabs", "2\t1\teni-1\t-\t-\t-\t-\t-\t-\t-\t1\t2\t-\tNODATA", "a control character"},
	{"two lines", "2 1 eni-1 - - - - - - - 1 2 - NODATA\n2 1 eni-1 - - - - - - - 1 2 - NODATA", "a control character"},
	{"delete", "2 1 eni-\x7f - - - - - - - 1 2 - NODATA", "a control character"},
	{"not UTF-8", "2 1 eni-\xff - - - - - - - 1 2 - NODATA", "not UTF-8"},
	{"half a letter at the end", "2 1 eni-1 - - - - - - - 1 2 - NODAT\xc3", "not UTF-8"},
	{"JSON", `{"message":"2 1 eni-1 - - - - - - - 1 2 - NODATA"}`, "field version"},
	{"too long", "2 1 eni-" + strings.Repeat("1", flowlog.MaxLine) + " - - - - - - - 1 2 - NODATA", "longer than 65536 bytes"},
}

func TestMalformedLines(t *testing.T) {
	f := flowlog.DefaultFormat()
	for _, tt := range malformed {
		t.Run(tt.name, func(t *testing.T) {
			var r flowlog.Record
			err := f.ParseText(&r, tt.line)
			if !errors.Is(err, flowlog.ErrMalformed) || !strings.Contains(err.Error(), tt.msg) {
				t.Fatalf("error %v, want a malformed line with %q", err, tt.msg)
			}
			if len(err.Error()) > 200 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
		})
	}
}

// AWS's own words are an open set: a reader takes what it does not know, and
// doubts it.
func TestDoubts(t *testing.T) {
	const v5 = "version interface-id srcaddr dstaddr type tcp-flags action flow-direction traffic-path start end log-status"
	for _, tt := range []struct{ name, header, line, want string }{
		{"nothing", v5, "5 eni-1a 10.0.0.1 10.0.0.2 IPv4 3 ACCEPT egress 8 1 2 OK", ""},
		{"version", v5, "2 eni-1a 10.0.0.1 10.0.0.2 IPv4 3 ACCEPT egress 8 1 2 OK", "version is 2, but the fields are of version 5"},
		{"milliseconds", v5, "5 eni-1a 10.0.0.1 10.0.0.2 IPv4 3 ACCEPT egress 8 1780308000000 1780308000001 OK", "milliseconds"},
		{"ends before it starts", v5, "5 eni-1a 10.0.0.1 10.0.0.2 IPv4 3 ACCEPT egress 8 2 1 OK", "start 2 is after end 1"},
		{"a bare ACK", v5, "5 eni-1a 10.0.0.1 10.0.0.2 IPv4 16 ACCEPT egress 8 1 2 OK", "tcp-flags 16"},
		{"ACK and PSH", v5, "5 eni-1a 10.0.0.1 10.0.0.2 IPv4 24 ACCEPT egress 8 1 2 OK", "tcp-flags 24"},
		{"all flags there are", v5, "5 eni-1a 10.0.0.1 10.0.0.2 IPv4 23 ACCEPT egress 8 1 2 OK", ""},
		{"action", v5, "5 eni-1a 10.0.0.1 10.0.0.2 IPv4 3 accept egress 8 1 2 OK", `action is "accept"`},
		{"type", v5, "5 eni-1a 10.0.0.1 10.0.0.2 IPX 3 ACCEPT egress 8 1 2 OK", `type is "IPX"`},
		{"type and address", v5, "5 eni-1a 10.0.0.1 10.0.0.2 IPv6 3 ACCEPT egress 8 1 2 OK", "type is IPv6, srcaddr is IPv4"},
		{"EFA", v5, "5 eni-1a 10.0.0.1 10.0.0.2 EFA 0 ACCEPT egress 1 1 2 OK", ""},
		{"two families", v5, "5 eni-1a 10.0.0.1 2001:db8::1 - 3 ACCEPT egress 8 1 2 OK", "srcaddr is IPv4, dstaddr is IPv6"},
		{"direction", v5, "5 eni-1a 10.0.0.1 10.0.0.2 IPv4 3 ACCEPT out 8 1 2 OK", `flow-direction is "out"`},
		{"path of ingress", v5, "5 eni-1a 10.0.0.1 10.0.0.2 IPv4 3 ACCEPT ingress 8 1 2 OK", "traffic-path 8 for ingress"},
		{"ninth path", v5, "5 eni-1a 10.0.0.1 10.0.0.2 IPv4 3 ACCEPT egress 9 1 2 OK", "traffic-path is 9"},
		{"status", v5, "5 eni-1a 10.0.0.1 10.0.0.2 IPv4 3 ACCEPT egress 8 1 2 FINE", `log-status is "FINE"`},
		{"NODATA with data", v5, "5 eni-1a 10.0.0.1 10.0.0.2 - - - - - 1 2 NODATA", "NODATA with values of a flow"},
		{"OK without action", v5, "5 eni-1a 10.0.0.1 10.0.0.2 IPv4 3 - egress 8 1 2 OK", "OK without a flow's values"},
		{"OK without address", v5, "5 eni-1a - 10.0.0.2 IPv4 3 ACCEPT egress 8 1 2 OK", "OK without a flow's values"},
		{"OK without packets", "action packets log-status", "ACCEPT - OK", "OK without a flow's values"},
		{"OK without bytes", "action packets bytes log-status", "REJECT 1 - OK", ""}, // VPC Block Public Access
		{"OK without a format's fields", "start log-status", "1 OK", ""},
		{"id", v5, "5 eni-1.2 10.0.0.1 10.0.0.2 IPv4 3 ACCEPT egress 8 1 2 OK", `interface-id "eni-1.2" is not an id: want eni-…`},
		{"id of another kind", "vpc-id", "subnet-1a", `vpc-id "subnet-1a" is not an id`},
		{"no digits in an id", "vpc-id", "vpc-", `vpc-id "vpc-" is not an id`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := formatOf(t, tt.header)
			var r flowlog.Record
			if err := f.ParseText(&r, tt.line); err != nil {
				t.Fatal(err)
			}
			got := f.Doubt(&r)
			if (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) {
				t.Errorf("doubt %q, want %q", got, tt.want)
			}
			// A parser says the same.
			p := flowlog.NewParser(f, nil)
			p.Doubts = true
			p.Parse(flowlog.Chunk{Text: []byte(tt.line)})
			if b, _ := p.Next(); b == nil {
				t.Fatal("the parser has no record")
			}
			if ps := p.Report().Problems; len(ps) > 0 != (got != "") || (len(ps) == 1 && ps[0].Reason != got) {
				t.Errorf("the parser says %v, want %q", ps, got)
			}
		})
	}
}

// A parser that was not asked for a column does not doubt it.
func TestDoubtsOfSomeColumns(t *testing.T) {
	want := make([]bool, len(flowlog.Fields()))
	bytes, _ := flowlog.FieldByName("bytes")
	status, _ := flowlog.FieldByName("log-status")
	want[bytes.Place()], want[status.Place()] = true, true
	p := flowlog.NewParser(flowlog.DefaultFormat(), want)
	p.Doubts = true
	p.Parse(flowlog.Chunk{Text: []byte(lines[0].line)})
	b, _ := p.Next()
	if r := p.Report(); b == nil || r.Records != 1 || r.Doubtful != 0 {
		t.Errorf("report %+v, want one record and no doubt", r)
	}
	for place := range b.Columns {
		if b.Columns[place].Present != want[place] {
			t.Errorf("%s: present %v, want %v", flowlog.Fields()[place].Name, b.Columns[place].Present, want[place])
		}
	}
}

// NODATA hides all that is a flow's, and keeps what is the interface's.
func TestSetStatus(t *testing.T) {
	r := lines[0].want
	r.SetStatus(flowlog.NoData)
	want := "2 123456789010 eni-1235b8ca123456789 - - - - - - - 1418530010 1418530070 - NODATA"
	if got := string(flowlog.DefaultFormat().AppendText(nil, &r)); got != want {
		t.Errorf("AppendText = %s\nwant         %s", got, want)
	}
	f := flowlog.DefaultFormat()
	if doubt := f.Doubt(&r); doubt != "" {
		t.Errorf("doubt: %s", doubt)
	}
}

// agree holds ParseText, the parser of batches and the plain reference against
// each other, and reports whether the line is a record.
func agree(t fataler, f flowlog.Format, line string) bool {
	t.Helper()
	want, texts, ok := refLine(f, line)
	var got flowlog.Record
	err := f.ParseText(&got, line)
	if (err == nil) != ok {
		t.Fatalf("%q: ParseText: %v, want %v", line, err, ok)
	}
	if err != nil && !errors.Is(err, flowlog.ErrMalformed) {
		t.Fatalf("%q: %v is not ErrMalformed", line, err)
	}
	if ok && got != want {
		t.Fatalf("%q: record (-want +got):\n%s", line, cmp.Diff(want, got, compareRecords))
	}
	if strings.ContainsAny(line, "\r\n") || refIsHeader(line, true) {
		return ok // for the parser that is no line of its own, or a header
	}
	p := flowlog.NewParser(f, nil)
	p.Doubts = true
	p.Parse(flowlog.Chunk{Text: []byte(line)})
	b, format := p.Next()
	if (b != nil) != ok && line != "" {
		t.Fatalf("%q: the parser: %v, want %v", line, p.Report().Problems, ok)
	}
	if !ok {
		if ps := p.Report().Problems; line != "" && (len(ps) != 1 || !strings.HasSuffix(err.Error(), ps[0].Reason)) {
			t.Fatalf("%q: the parser says %v, ParseText %v", line, ps, err)
		}
		return false
	}
	doubt := f.Doubt(&got)
	if ps := p.Report().Problems; len(ps) > 0 != (doubt != "") || (len(ps) > 0 && ps[0].Reason != doubt) {
		t.Fatalf("%q: the parser doubts %v, Doubt says %q", line, ps, doubt)
	}
	if !format.Equal(f) || b.Rows != 1 {
		t.Fatalf("%q: %d rows of %s", line, b.Rows, format)
	}
	for i, field := range f.Fields() {
		c := &b.Columns[field.Place()]
		var is string
		switch {
		case !c.Present:
			is = "absent"
		case !isNumber(field):
			is = string(b.Text[c.Spans[0].Begin:c.Spans[0].End])
		case c.Null[0]:
			is = "-"
		default:
			is = string(rune(0))
			if c.Ints[0] == member(&want, field.Name).Int() {
				is = texts[i]
			}
		}
		if is != texts[i] {
			t.Fatalf("%q: column %s is %q", line, field.Name, is)
		}
	}
	b.Record(0, &got)
	if got != want {
		t.Fatalf("%q: record of the batch (-want +got):\n%s", line, cmp.Diff(want, got, compareRecords))
	}
	// The batch gives the line back as it was, the record with the addresses in
	// their one form; that line is a record equal to the first.
	if back := string(b.AppendText(nil, f, 0)); back != line {
		t.Fatalf("batch: %q was written as %q", line, back)
	}
	canonical := slices.Clone(texts)
	for i, field := range f.Fields() {
		if a, ok := reflect.TypeAssert[netip.Addr](member(&want, field.Name)); ok && a.IsValid() {
			canonical[i] = a.String()
		}
	}
	back := string(f.AppendText(nil, &want))
	if back != strings.Join(canonical, " ") {
		t.Fatalf("%q was written as %q", line, back)
	}
	// Through a batch that is appended to it comes to the same.
	appended := flowlog.NewBatch(f)
	appended.Append(&want)
	appended.Record(0, &got)
	if got != want || string(appended.AppendText(nil, f, 0)) != back {
		t.Fatalf("%q: appended to a batch it is %q (-want +got):\n%s", line, appended.AppendText(nil, f, 0), cmp.Diff(want, got, compareRecords))
	}
	return true
}

func TestLinesAgree(t *testing.T) {
	for _, tt := range lines {
		if !agree(t, formatOf(t, tt.header), tt.line) {
			t.Errorf("%s: malformed", tt.name)
		}
	}
	for _, tt := range malformed {
		if agree(t, flowlog.DefaultFormat(), tt.line) {
			t.Errorf("%s: a record", tt.name)
		}
	}
}

func TestTextRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := anyFormat().Draw(t, "format")
		line := anyLine(t, f)
		if !agree(t, f, line) {
			t.Fatalf("%s: %q is malformed", f, line)
		}
		agree(t, f, spoiled(t, line))
	})
}

func TestRecordRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := anyFormat().Draw(t, "format")
		want := anyRecord(t, f)
		line := string(f.AppendText(nil, &want))
		var got flowlog.Record
		if err := f.ParseText(&got, line); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if got != want {
			t.Fatalf("%q: record (-want +got):\n%s", line, cmp.Diff(want, got, compareRecords))
		}
	})
}

func FuzzLine(f *testing.F) {
	for _, tt := range lines {
		f.Add(formatOf(f, tt.header).Header(), tt.line)
	}
	for _, tt := range malformed {
		f.Add(flowlog.DefaultFormat().Header(), tt.line)
	}
	for _, s := range samples {
		text := string(s.text(f))
		header, rest, _ := strings.Cut(text, "\n")
		if _, err := flowlog.FormatFromHeader(header); err == nil {
			line, _, _ := strings.Cut(rest, "\n")
			f.Add(header, line)
		}
	}
	f.Fuzz(func(t *testing.T, header, line string) {
		format, err := flowlog.FormatFromHeader(header)
		if err != nil {
			checkFormatError(t, header, format, err)
			format = flowlog.DefaultFormat()
		}
		agree(t, format, line)
	})
}

// fullLine is a record with a value in nearly every field.
func fullLine(t testing.TB) string {
	t.Helper()
	_, rest, _ := strings.Cut(string(sampleText(t, "made-v11-all-fields.log")), "\n")
	line, _, _ := strings.Cut(rest, "\n")
	return line
}

// shapes are the lines that costs are promised and measured for.
func shapes(t testing.TB) []shape {
	t.Helper()
	_, rest, _ := strings.Cut(string(sampleText(t, "aws-docs-service-path-v5.log")), "\n")
	header, _, _ := strings.Cut(string(sampleText(t, "aws-docs-service-path-v5.log")), "\n")
	line, _, _ := strings.Cut(rest, "\n")
	return []shape{
		{"14", flowlog.DefaultFormat(), lines[0].line},
		{"29", formatOf(t, header), line},
		{"36tgw", flowlog.GatewayFormat(), strings.SplitN(string(sampleText(t, "made-tgw-default-nodata.log")), "\n", 2)[0]},
		{"54", awsFormat(t), fullLine(t)},
	}
}

type shape struct {
	name   string
	format flowlog.Format
	line   string
}

func TestTextDoesNotAllocate(t *testing.T) {
	for _, s := range shapes(t) {
		var r flowlog.Record
		buf := make([]byte, 0, 4096)
		if n := testing.AllocsPerRun(100, func() {
			if err := s.format.ParseText(&r, s.line); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s fields: ParseText allocates %v times per record, want 0", s.name, n)
		}
		if n := testing.AllocsPerRun(100, func() { buf = s.format.AppendText(buf[:0], &r) }); n != 0 {
			t.Errorf("%s fields: AppendText allocates %v times per record, want 0", s.name, n)
		}
		b := flowlog.NewBatch(s.format)
		b.Text = make([]byte, 0, 4096)
		if n := testing.AllocsPerRun(100, func() { b.Reset(); b.Append(&r) }); n != 0 {
			t.Errorf("%s fields: Batch.Append allocates %v times per record, want 0", s.name, n)
		}
		if n := testing.AllocsPerRun(100, func() { s.format.Doubt(&r) }); n != 0 {
			t.Errorf("%s fields: Doubt allocates %v times per record, want 0", s.name, n)
		}
	}
}

// A reader gets memory for a chunk, not for a record; a parser has it already.
func TestFilesHardlyAllocate(t *testing.T) {
	const records = 20_000
	for _, s := range shapes(t) {
		text := s.format.Header() + "\n" + strings.Repeat(s.line+"\n", records)
		if n := testing.AllocsPerRun(1, func() {
			var rec flowlog.Record
			r := flowlog.NewReader(strings.NewReader(text), flowlog.Format{})
			for r.Read(&rec) == nil {
			}
			if got := r.Report().Records; got != records {
				t.Fatalf("%d records", got)
			}
		}); n > records/100 {
			t.Errorf("%s fields: Reader allocates %v times for %d records, want less than 1 per 100", s.name, n, records)
		}
		p := flowlog.NewParser(s.format, nil)
		p.Doubts = true
		chunk := flowlog.Chunk{Text: []byte(text)}
		if n := testing.AllocsPerRun(1, func() {
			p.Parse(chunk)
			for b, _ := p.Next(); b != nil; b, _ = p.Next() {
			}
		}); n > 100 {
			t.Errorf("%s fields: Parser allocates %v times for %d records, want nothing for each", s.name, n, records)
		}
	}
}
