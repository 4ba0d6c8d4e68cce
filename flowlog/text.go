package flowlog

import (
	"net/netip"
	"strconv"
	"unicode/utf8"
)

const maxInt64 = 1<<63 - 1

func appendUint(dst []byte, v uint64) []byte { return strconv.AppendUint(dst, v, 10) }

func appendString(dst []byte, s string) []byte {
	if s == "" {
		return append(dst, '-')
	}
	return append(dst, s...)
}

func appendAddr(dst []byte, a netip.Addr) []byte {
	if !a.IsValid() {
		return append(dst, '-')
	}
	return a.AppendTo(dst)
}

// parseInto reads plain decimal digits, no sign and no leading zeros, up to limit.
func parseInto[T ~uint8 | ~uint16 | ~uint64 | ~int64](dst *T, text []byte, limit uint64) error {
	if len(text) == 0 || len(text) > 19 || (text[0] == '0' && len(text) > 1) {
		return ErrFieldValue
	}
	var v uint64
	for _, c := range text {
		if c < '0' || c > '9' {
			return ErrFieldValue
		}
		v = v*10 + uint64(c-'0') // 19 digits fit into 64 bits
	}
	if v > limit {
		return ErrFieldValue
	}
	*dst = T(v)
	return nil
}

// parseString takes anything but nothing and what is not UTF-8: ids and names
// are AWS's to choose.
func parseString(dst *string, text []byte) error {
	if len(text) == 0 || !utf8.Valid(text) {
		return ErrFieldValue
	}
	*dst = string(text)
	return nil
}

func parseAddr(dst *netip.Addr, text []byte) error {
	if len(text) > 45 { // the longest IPv6 text form; longer is not worth a copy
		return ErrFieldValue
	}
	a, err := netip.ParseAddr(string(text))
	if err != nil || a.Zone() != "" {
		return ErrFieldValue
	}
	*dst = a
	return nil
}

func parseName[T ~uint8](dst *T, names []string, text []byte) error {
	for i, n := range names {
		if n != "" && n == string(text) {
			*dst = T(i)
			return nil
		}
	}
	return ErrFieldValue
}
