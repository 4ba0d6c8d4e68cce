package policy

import (
	"fmt"
	"strings"
)

// EscapeWords makes words a value of the record field weir-rule: UTF-8,
// percent-encoded (RFC 3986, 2.1) so that no space and nothing that a reader of
// the file may take for a separator is left. AWS encodes its tag fields like
// this. Letters, digits and -._~:/,()* stay readable; "+" does not, because some
// decoders take it for a space.
func EscapeWords(words string) string {
	var b strings.Builder
	b.Grow(len(words) + len(words)/2)
	for i := range len(words) {
		c := words[i]
		if isPlain(c) {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(hexDigits[c>>4])
		b.WriteByte(hexDigits[c&15])
	}
	return b.String()
}

const hexDigits = "0123456789ABCDEF"

func isPlain(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~:/,()*", c) >= 0
}

// UnescapeWords is the inverse of EscapeWords. It takes any percent-encoding, and
// fails where a "%" is not followed by two hexadecimal digits.
func UnescapeWords(s string) (string, error) {
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		if i+2 >= len(s) || unhex(s[i+1]) < 0 || unhex(s[i+2]) < 0 {
			return "", fmt.Errorf("percent-encoding broken at byte %d of %q", i, s)
		}
		b.WriteByte(byte(unhex(s[i+1])<<4 | unhex(s[i+2])))
		i += 2
	}
	return b.String(), nil
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
