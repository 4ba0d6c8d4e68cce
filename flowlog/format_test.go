package flowlog_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"weir/flowlog"
)

const defaultFormat = "${version} ${account-id} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} ${protocol} " +
	"${packets} ${bytes} ${start} ${end} ${action} ${log-status}"

func TestDefaultFormat(t *testing.T) {
	f := flowlog.DefaultFormat()
	if got := f.String(); got != defaultFormat {
		t.Errorf("String() = %s\nwant %s", got, defaultFormat)
	}
	if got := f.Version(); got != 2 {
		t.Errorf("Version() = %d, want 2", got)
	}
	want := "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status"
	if got := f.Header(); got != want {
		t.Errorf("Header() = %s\nwant %s", got, want)
	}
}

// formats holds what ParseFormat takes (version of the records) and what it
// refuses (position and message).
var formats = []struct {
	name, in string
	version  int
	pos      int
	msg      string
}{
	{"default", defaultFormat, 2, 0, ""},
	{"one field", "${srcaddr}", 2, 0, ""},
	{"highest version wins", "${version} ${vpc-id} ${region} ${bytes}", 4, 0, ""},
	{"direction is version 5", "${flow-direction} ${version}", 5, 0, ""},
	{"own order", "${end} ${start}", 2, 0, ""},
	{"empty", "", 0, 0, "the format is empty"},
	{"bare word", "version", 0, 0, `want "${field}"`},
	{"no brace at the end", "${version} ${srcaddr", 0, 11, `"${" without "}"`},
	{"no space", "${version}${srcaddr}", 0, 10, "want one space"},
	{"space at the begin", " ${version}", 0, 0, "a second space between fields"},
	{"two spaces", "${version}  ${srcaddr}", 0, 11, "a second space between fields"},
	{"space at the end", "${version} ", 0, 11, "a space at the end"},
	{"tab", "${version}\t${srcaddr}", 0, 10, "want one space"},
	{"line feed at the end", "${version}\n", 0, 10, "want one space"},
	{"braces in braces", "${${version}}", 0, 12, "want one space"},
	{"upper case", "${Version}", 0, 2, `did you mean "version"`},
	{"name of Insights", "${srcAddr} ${dstPort}", 0, 2, `did you mean "srcaddr"`},
	{"all of a transit gateway", "", 6, 0, ""},
	{"all of a VPC", "", 11, 0, ""},
	{"gateway after VPC", "${version} ${interface-id} ${tgw-id}", 0, 29, `"tgw-id" is of transit gateway flow logs, "interface-id" before it of VPC flow logs`},
	{"VPC after gateway", "${tgw-id} ${action}", 0, 12, `"action" is of VPC flow logs, "tgw-id" before it of transit gateway flow logs`},
	{"a field of Weir's", "${version} ${weir-rule-id}", 2, 0, ""},
	{"no name", "${version} ${}", 0, 13, "without a name"},
	{"unknown field", "${version} ${srcadr}", 0, 13, `unknown field "srcadr" (did you mean "srcaddr"?)`},
	{"underscore", "${interface_id}", 0, 2, `did you mean "interface-id"`},
	{"unlike any field", "${xyzzy}", 0, 2, `unknown field "xyzzy"`},
	{"twice", "${srcaddr} ${dstaddr} ${srcaddr}", 0, 24, `"srcaddr" stands there twice`},
}

func TestParseFormat(t *testing.T) {
	for _, tt := range formats {
		switch tt.name {
		case "all of a transit gateway":
			tt.in = flowlog.GatewayFormat().String()
		case "all of a VPC":
			tt.in = awsFormat(t).String()
		}
		t.Run(tt.name, func(t *testing.T) {
			f, err := flowlog.ParseFormat(tt.in)
			if tt.msg == "" {
				if err != nil {
					t.Fatal(err)
				}
				if f.Version() != tt.version {
					t.Errorf("Version() = %d, want %d", f.Version(), tt.version)
				}
				if f.String() != tt.in {
					t.Errorf("String() = %q, want the input %q", f.String(), tt.in)
				}
				return
			}
			if fe, ok := errors.AsType[*flowlog.FormatError](err); !ok || fe.Pos != tt.pos || !strings.Contains(err.Error(), tt.msg) {
				t.Errorf("error %v, want position %d and %q", err, tt.pos, tt.msg)
			}
			if !f.IsZero() {
				t.Error("a format beside an error")
			}
		})
	}
}

func TestFormatFromHeader(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		pos      int
		msg      string // empty: accepted
	}{
		{"default", flowlog.DefaultFormat().Header(), 0, ""},
		{"custom", "pkt-srcaddr srcaddr vpc-id", 0, ""},
		{"empty", "", 0, "header line is empty"},
		{"two spaces", "version  srcaddr", 8, "without a name"},
		{"unknown", "version srcaddr tgw-idd", 16, `unknown field "tgw-idd" (did you mean "tgw-id"?)`},
		{"two families", "interface-id tgw-id", 13, `"tgw-id" is of transit gateway`},
		{"space at the end", "version ", 8, "without a name"},
		// The name stands inside an earlier one too; the position is the later one's.
		{"twice", "pkt-srcaddr srcaddr srcaddr", 20, "stands there twice"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, err := flowlog.FormatFromHeader(tt.in)
			if tt.msg == "" {
				if err != nil || f.Header() != tt.in {
					t.Errorf("header %q, error %v", f.Header(), err)
				}
				return
			}
			if fe, ok := errors.AsType[*flowlog.FormatError](err); !ok || fe.Pos != tt.pos || !strings.Contains(err.Error(), tt.msg) {
				t.Errorf("error %v, want position %d and %q", err, tt.pos, tt.msg)
			}
		})
	}
}

func TestFieldsAreOneConsistentList(t *testing.T) {
	seen := map[string]bool{}
	for i := range flowlog.Fields() {
		f := &flowlog.Fields()[i]
		if seen[f.Name] {
			t.Errorf("%s stands there twice", f.Name)
		}
		seen[f.Name] = true
		if f.Meaning == "" || f.Dash == "" || f.Family == 0 || (f.Version < 2) != strings.HasPrefix(f.Name, "weir-") {
			t.Errorf("%s: meaning %q, version %d", f.Name, f.Meaning, f.Version)
		}
		if got, ok := flowlog.FieldByName(f.Name); !ok || got != f {
			t.Errorf("FieldByName(%q) finds another field", f.Name)
		}
		if want := strings.ReplaceAll(f.Name, "-", "_"); f.Column() != want {
			t.Errorf("%s: column %s, want %s", f.Name, f.Column(), want)
		}
		if got, ok := flowlog.FieldByColumn(f.Column()); !ok || got != f {
			t.Errorf("FieldByColumn(%q) finds another field", f.Column())
		}
		if f.Place() != i {
			t.Errorf("%s: place %d, want %d", f.Name, f.Place(), i)
		}
	}
}

// Source: Amazon VPC User Guide and Transit Gateway guide, "Flow log records".
func TestFieldsPerVersion(t *testing.T) {
	upTo := map[int]int{}
	gateway := 0
	for i := range flowlog.Fields() {
		f := &flowlog.Fields()[i]
		if f.Family&flowlog.TransitGateway != 0 {
			gateway++
		}
		for v := f.Version; f.Family&flowlog.VPC != 0 && v > 0 && v <= 11; v++ {
			upTo[v]++
		}
	}
	want := map[int]int{2: 14, 3: 21, 4: 25, 5: 29, 6: 29, 7: 39, 8: 40, 9: 41, 10: 42, 11: 54}
	if diff := cmp.Diff(want, upTo); diff != "" {
		t.Errorf("fields of a VPC up to each version (-want +got):\n%s", diff)
	}
	if gateway != 36 || len(flowlog.GatewayFormat().Fields()) != 36 {
		t.Errorf("%d fields of a transit gateway, want 36", gateway)
	}
	if v := flowlog.GatewayFormat().Version(); v != 6 {
		t.Errorf("a transit gateway's default format has version %d, want 6", v)
	}
}

func TestParseFormatForFamily(t *testing.T) {
	for _, tt := range []struct {
		family flowlog.Family
		in     string
		pos    int
		msg    string // empty: accepted
	}{
		{flowlog.VPC, "${version} ${action}", 0, ""},
		{flowlog.TransitGateway, "${version} ${tgw-id}", 0, ""},
		{flowlog.TransitGateway, "${version} ${action}", 13, `"action" is of VPC flow logs, not of transit gateway flow logs`},
		{flowlog.VPC, "${tgw-id}", 2, `"tgw-id" is of transit gateway flow logs, not of VPC flow logs`},
		// What is suggested is of the family too.
		{flowlog.TransitGateway, "${tgw-src-enni}", 2, `did you mean "tgw-src-eni"`},
		{flowlog.VPC, "${interface-i}", 2, `did you mean "interface-id"`},
	} {
		_, err := flowlog.ParseFormatFor(tt.family, tt.in)
		fe, ok := errors.AsType[*flowlog.FormatError](err)
		switch {
		case tt.msg == "" && err == nil:
		case tt.msg == "" || !ok || fe.Pos != tt.pos || !strings.Contains(err.Error(), tt.msg):
			t.Errorf("%s %q: error %v, want position %d and %q", tt.family, tt.in, err, tt.pos, tt.msg)
		}
	}
}

// The version of a format is the highest among its fields (Weir's own count as
// 2), whatever their order,
// and all spellings of it read back.
func TestFormatRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := anyFormat().Draw(t, "format")
		version := 2
		family := flowlog.VPC | flowlog.TransitGateway
		for _, field := range f.Fields() {
			version = max(version, field.Version)
			family &= field.Family
			if !f.Has(field.Name) {
				t.Fatalf("%s does not have %s", f, field.Name)
			}
		}
		if f.Version() != version || f.Family() != family {
			t.Fatalf("version %d, want %d; family %s, want %s", f.Version(), version, f.Family(), family)
		}
		again, err := flowlog.ParseFormat(f.String())
		if err != nil || !again.Equal(f) {
			t.Fatalf("%s reads back as %s, %v", f, again, err)
		}
		again, err = flowlog.FormatFromHeader(f.Header())
		if err != nil || !again.Equal(f) {
			t.Fatalf("header %s reads back as %s, %v", f.Header(), again, err)
		}
	})
}

// A slip of a finger is an error at the name, and the right name is suggested.
func TestMisspeltFieldIsSuggested(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := anyFormat().Draw(t, "format")
		i := rapid.IntRange(0, len(f.Fields())-1).Draw(t, "which")
		name := f.Fields()[i].Name
		wrong := rapid.SampledFrom([]string{
			strings.ReplaceAll(name, "-", "_"), strings.ToUpper(name[:1]) + name[1:], name + "x", name[:len(name)-1], name[:1] + name, f.Fields()[i].Insights(),
		}).Draw(t, "wrong")
		if _, ok := flowlog.FieldByName(wrong); ok {
			t.Skip("that is a field")
		}
		names := strings.Split(f.Header(), " ")
		names[i] = wrong
		in := "${" + strings.Join(names, "} ${") + "}"
		want := len("${" + strings.Join(names[:i], "} ${") + "} ${")
		if i == 0 {
			want = len("${")
		}
		_, err := flowlog.ParseFormat(in)
		fe, ok := errors.AsType[*flowlog.FormatError](err)
		if !ok || fe.Pos != want || !strings.HasPrefix(in[fe.Pos:], wrong) {
			t.Fatalf("%s: error %v, want position %d", in, err, want)
		}
		// Two names may be as near: "next-hop-vpc-i" could lack one letter or another.
		if fe.Hint != name && (fe.Hint == "" || edits(wrong, fe.Hint) > edits(wrong, name)) {
			t.Fatalf("%s: %q is suggested, want %q", wrong, fe.Hint, name)
		}
	})
}

// edits is how many letters must be put in, left out or replaced: by definition.
func edits(a, b string) int {
	type pair struct{ i, j int }
	known := map[pair]int{}
	var of func(i, j int) int
	of = func(i, j int) int {
		if i == 0 || j == 0 {
			return i + j
		}
		if n, ok := known[pair{i, j}]; ok {
			return n
		}
		n := of(i-1, j-1)
		if a[i-1] != b[j-1] {
			n = 1 + min(n, of(i-1, j), of(i, j-1))
		}
		known[pair{i, j}] = n
		return n
	}
	return of(len(a), len(b))
}

// checkFormatError wants a position in the text.
func checkFormatError(t *testing.T, in string, f flowlog.Format, err error) {
	t.Helper()
	fe, ok := errors.AsType[*flowlog.FormatError](err)
	if !ok || fe.Pos < 0 || fe.Pos > len(in) || !f.IsZero() {
		t.Fatalf("%q: error %v, want one with a position within %d bytes and no format", in, err, len(in))
	}
	if _, ok := flowlog.FieldByName(fe.Hint); fe.Hint != "" && !ok {
		t.Fatalf("%q: suggests %q, which is no field", in, fe.Hint)
	}
	if len(err.Error()) > 1000 {
		t.Fatalf("an error of %d bytes", len(err.Error()))
	}
}

func FuzzFormat(f *testing.F) {
	for _, tt := range formats {
		f.Add(tt.in)
	}
	f.Add(flowlog.GatewayFormat().String())
	f.Add(flowlog.GatewayFormat().Header())
	f.Add(awsFormat(f).Header())
	f.Fuzz(func(t *testing.T, in string) {
		if format, err := flowlog.ParseFormat(in); err != nil {
			checkFormatError(t, in, format, err)
		} else if format.String() != in {
			t.Errorf("String() = %q, want %q", format.String(), in)
		} else if again, err := flowlog.FormatFromHeader(format.Header()); err != nil || !again.Equal(format) {
			t.Errorf("by its header: %q, %v", again, err)
		}
		if format, err := flowlog.FormatFromHeader(in); err != nil {
			checkFormatError(t, in, format, err)
		} else if format.Header() != in {
			t.Errorf("Header() = %q, want %q", format.Header(), in)
		} else if again, err := flowlog.ParseFormat(format.String()); err != nil || !again.Equal(format) {
			t.Errorf("by its string: %q, %v", again, err)
		}
	})
}
