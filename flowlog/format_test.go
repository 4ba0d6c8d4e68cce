package flowlog_test

import (
	"errors"
	"strings"
	"testing"

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
	{"two spaces", "${version}  ${srcaddr}", 0, 11, `want "${field}"`},
	{"space at the end", "${version} ", 0, 11, `want "${field}"`},
	{"no name", "${version} ${}", 0, 13, "without a name"},
	{"unknown field", "${version} ${srcadr}", 0, 13, `unknown field "srcadr" (did you mean "srcaddr"?)`},
	{"underscore", "${interface_id}", 0, 2, `did you mean "interface-id"`},
	{"unlike any field", "${xyzzy}", 0, 2, `unknown field "xyzzy"`},
	{"twice", "${srcaddr} ${dstaddr} ${srcaddr}", 0, 24, `"srcaddr" stands there twice`},
}

func TestParseFormat(t *testing.T) {
	for _, tt := range formats {
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
		{"unknown", "version srcaddr tgw-id", 16, `unknown field "tgw-id"`},
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

func TestIsHeader(t *testing.T) {
	for line, want := range map[string]bool{
		flowlog.DefaultFormat().Header(): true,
		"srcaddr":                        true,
		"2 123456789012 eni-1":           false,
		"":                               false,
		" version":                       false,
		"versions srcaddr":               false,
	} {
		if got := flowlog.IsHeader([]byte(line)); got != want {
			t.Errorf("IsHeader(%q) = %v, want %v", line, got, want)
		}
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
		if f.Meaning == "" || f.Version < 2 {
			t.Errorf("%s: meaning %q, version %d", f.Name, f.Meaning, f.Version)
		}
		if got, ok := flowlog.FieldByName(f.Name); !ok || got != f {
			t.Errorf("FieldByName(%q) finds another field", f.Name)
		}
		if want := strings.ReplaceAll(f.Name, "-", "_"); f.Column() != want {
			t.Errorf("%s: column %s, want %s", f.Name, f.Column(), want)
		}
	}
}

func FuzzParseFormat(f *testing.F) {
	for _, tt := range formats {
		f.Add(tt.in)
	}
	f.Fuzz(func(t *testing.T, in string) {
		format, err := flowlog.ParseFormat(in)
		if err != nil {
			fe, ok := errors.AsType[*flowlog.FormatError](err)
			if !ok || fe.Pos < 0 || fe.Pos > len(in) {
				t.Fatalf("error %v, want one with a position within %d bytes", err, len(in))
			}
			return
		}
		if format.String() != in {
			t.Errorf("String() = %q, want %q", format.String(), in)
		}
		again, err := flowlog.FormatFromHeader(format.Header())
		if err != nil || again.String() != in {
			t.Errorf("by its header: %q, %v", again.String(), err)
		}
	})
}
