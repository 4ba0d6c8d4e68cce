package policy_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"weir/policy"
)

var escapes = []struct{ words, escaped string }{
	{"", ""},
	{"network ACL private (acl-1) ingress rule *: deny tcp 22 from 10.0.0.0/8", "network%20ACL%20private%20(acl-1)%20ingress%20rule%20*:%20deny%20tcp%2022%20from%2010.0.0.0/8"},
	{"security groups a (sg-1), b~c_d (sg-2)", "security%20groups%20a%20(sg-1),%20b~c_d%20(sg-2)"},
	{"Büro", "B%C3%BCro"},
	{"100% + \t\"x\"=1&2;3|4", "100%25%20%2B%20%09%22x%22%3D1%262%3B3%7C4"},
}

func TestEscapeWords(t *testing.T) {
	for _, tt := range escapes {
		if got := policy.EscapeWords(tt.words); got != tt.escaped {
			t.Errorf("EscapeWords(%q) = %q, want %q", tt.words, got, tt.escaped)
		}
		if got, err := policy.UnescapeWords(tt.escaped); got != tt.words || err != nil {
			t.Errorf("UnescapeWords(%q) = %q, %v, want %q", tt.escaped, got, err, tt.words)
		}
	}
	if got, err := policy.UnescapeWords("b%c3%bcro c"); got != "büro c" || err != nil {
		t.Errorf("lower case and a space: %q, %v", got, err)
	}
}

func TestUnescapeWordsRefuses(t *testing.T) {
	for in, want := range map[string]string{"a%": "byte 1", "%2": "byte 0", "ab%zz": "byte 2", "%2g": "byte 0", "%%20": "byte 0"} {
		if got, err := policy.UnescapeWords(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("UnescapeWords(%q) = %q, %v, want an error at %s", in, got, err, want)
		}
	}
}

func FuzzEscapeWords(f *testing.F) {
	for _, tt := range escapes {
		f.Add(tt.words)
		f.Add(tt.escaped)
	}
	f.Fuzz(func(t *testing.T, s string) {
		escaped := policy.EscapeWords(s)
		if strings.ContainsAny(escaped, " \t\r\n\"'") || !utf8.ValidString(escaped) {
			t.Errorf("EscapeWords(%q) = %q", s, escaped)
		}
		if back, err := policy.UnescapeWords(escaped); back != s || err != nil {
			t.Errorf("%q came back as %q, %v", s, back, err)
		}
		if words, err := policy.UnescapeWords(s); err == nil {
			if again, err := policy.UnescapeWords(policy.EscapeWords(words)); again != words || err != nil {
				t.Errorf("%q came back as %q, %v", words, again, err)
			}
		}
	})
}
