package flowlog_test

import (
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"weir/flowlog"
)

// formatOf is the format of a header; of none, the default.
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

// fieldNames are the fields of a family, in the table's order, with Weir's own
// or without.
func fieldNames(family flowlog.Family, own bool) []string {
	var names []string
	for i := range flowlog.Fields() {
		if f := &flowlog.Fields()[i]; f.Family&family != 0 && (own || !f.Extension()) {
			names = append(names, f.Name)
		}
	}
	return names
}

// awsFormat is all of AWS's 54 fields of a VPC's flow log.
func awsFormat(t testing.TB) flowlog.Format {
	t.Helper()
	return formatOf(t, strings.Join(fieldNames(flowlog.VPC, false), " "))
}

// anyFormat draws some fields of one family, in any order.
func anyFormat() *rapid.Generator[flowlog.Format] {
	return rapid.Custom(func(t *rapid.T) flowlog.Format {
		family := rapid.SampledFrom([]flowlog.Family{flowlog.VPC, flowlog.TransitGateway}).Draw(t, "family")
		names := rapid.Permutation(fieldNames(family, true)).Draw(t, "order")
		n := rapid.IntRange(1, min(54, len(names))).Draw(t, "fields")
		f, err := flowlog.FormatOf(names[:n]...)
		if err != nil {
			t.Fatal(err)
		}
		return f
	})
}

func anyAddr() *rapid.Generator[netip.Addr] {
	return rapid.Custom(func(t *rapid.T) netip.Addr {
		b := rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "address")
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			return netip.AddrFrom16([16]byte(b))
		case 1:
			return netip.AddrFrom16([16]byte{0: 0x20, 1: 1, 2: 0xd, 3: 0xb8, 15: b[0]})
		case 2:
			return netip.AddrFrom16(netip.AddrFrom4([4]byte(b)).As16()) // ::ffff:…
		}
		return netip.AddrFrom4([4]byte(b))
	})
}

func anyNumber(name string) *rapid.Generator[int64] {
	low, high := rangeOf(name)
	return rapid.OneOf(rapid.Int64Range(low, high), rapid.SampledFrom([]int64{low, high}))
}

// anyText is a value of a field that is text; never "-", which is none.
func anyText() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.StringMatching(`[a-z]{1,6}-[0-9a-f]{4,17}`),
		rapid.StringMatching(`[!-~]{2,30}`),
		rapid.SampledFrom([]string{"ACCEPT", "REJECT", "OK", "NODATA", "SKIPDATA", "IPv4", "IPv6", "egress", "unknown", "--", "é", "caf%C3%A9", "日本", "\u0080", "\u2028"}),
	)
}

// anyRecord draws a record that has the fields of a format, or "-".
func anyRecord(t *rapid.T, f flowlog.Format) flowlog.Record {
	var r flowlog.Record
	for i := range flowlog.Fields() {
		if isNumber(&flowlog.Fields()[i]) {
			r.Missing.Add(i)
		}
	}
	for _, field := range f.Fields() {
		if rapid.IntRange(0, 4).Draw(t, "dash") == 0 {
			continue
		}
		m := member(&r, field.Name)
		switch {
		case field.Address():
			m.Set(reflect.ValueOf(anyAddr().Draw(t, field.Name)))
		case isNumber(field):
			m.SetInt(anyNumber(field.Name).Draw(t, field.Name))
			r.Missing[field.Place()/64] &^= 1 << (field.Place() % 64)
		default:
			m.SetString(anyText().Draw(t, field.Name))
		}
	}
	return r
}

// anyLine draws a record of the format as a line, without the package's help.
func anyLine(t *rapid.T, f flowlog.Format) string {
	r := anyRecord(t, f)
	texts := make([]string, 0, len(f.Fields()))
	for _, field := range f.Fields() {
		text := "-"
		switch v := member(&r, field.Name).Interface().(type) {
		case netip.Addr:
			if v.IsValid() {
				text = v.String()
			}
		case int64:
			if !r.Missing.Has(field.Place()) {
				text = strconv.FormatInt(v, 10)
			}
		case string:
			if v != "" {
				text = v
			}
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, " ")
}

// spoiled draws a line with one text of it replaced, removed or doubled. It may
// be a record still.
func spoiled(t *rapid.T, line string) string {
	texts := strings.Split(line, " ")
	i := rapid.IntRange(0, len(texts)-1).Draw(t, "spoil")
	switch rapid.IntRange(0, 3).Draw(t, "how") {
	case 0:
		texts = slices.Delete(texts, i, i+1)
	case 1:
		texts = slices.Insert(texts, i, texts[i])
	default:
		texts[i] = rapid.SampledFrom([]string{
			"", "-", "--", "0", "00", "-1", "+1", "1.5", "255", "256", "65536", "9223372036854775807", "9223372036854775808", "18446744073709551616",
			"10.0.0.01", "10.0.0", "10.0.0.256", "1.2.3.4.5", "::", "::1%eth0", "::ffff:10.0.0.1", "2001:DB8::1", "1:2:3:4:5:6:7::", "fe80::1%",
			"a\tb", "a\x00", "\x7f", "\xff", "a\r", "\u00a0",
		}).Draw(t, "value")
	}
	return strings.Join(texts, " ")
}

// junk is lines that were never records.
var junk = []string{
	"", " ", "-", "bogus line", "bogus!", `{"message":"2 1 eni-1 - - - - - - - 1 2 - NODATA"}`, "\x00\x01\x02", "\xff\xfe", "\r", "a\rb", "version  srcaddr",
	"srcaddr srcaddr", "tgw-id interface-id", "Version", "version srcaddr future-field", "end of the line", "\xef\xbb\xbfversion",
	strings.Repeat("x", flowlog.MaxLine), strings.Repeat("x ", flowlog.MaxLine/2) + "x", strings.Repeat("- ", 100) + "-",
}

// anyFile draws the text of a file: headers, records, junk, in any order.
func anyFile(t *rapid.T) string {
	var b strings.Builder
	if rapid.IntRange(0, 9).Draw(t, "mark") == 0 {
		b.WriteString("\ufeff")
	}
	format, end := flowlog.DefaultFormat(), "\n"
	header := format.Header()
	for range rapid.IntRange(0, 12).Draw(t, "lines") {
		switch rapid.IntRange(0, 9).Draw(t, "line") {
		case 0:
			format = rapid.OneOf(anyFormat(), rapid.Just(flowlog.GatewayFormat())).Draw(t, "format")
			header = format.Header()
			b.WriteString(header)
		case 1:
			b.WriteString(header)
		case 2:
			b.WriteString(rapid.SampledFrom(junk).Draw(t, "junk"))
		case 3:
			b.WriteString(spoiled(t, anyLine(t, format)))
		case 4:
			end = rapid.SampledFrom([]string{"\n", "\r\n"}).Draw(t, "end")
			b.WriteString(header + " future-field")
		default:
			b.WriteString(anyLine(t, format))
		}
		b.WriteString(end)
	}
	text := b.String()
	if rapid.Bool().Draw(t, "no last line feed") {
		text = strings.TrimSuffix(text, "\n")
	}
	return text
}
