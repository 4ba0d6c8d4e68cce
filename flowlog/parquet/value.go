package parquet

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"
)

// refuseText says why a string cannot be the value of a record, empty when it
// can: a record is a line of values with spaces between them.
func refuseText(v []byte) string {
	if len(v) > maxValue {
		return fmt.Sprintf("is longer than %d bytes", maxValue)
	}
	return refuse(v)
}

// refuse is refuseText whatever the length.
func refuse(v []byte) string {
	for len(v) >= 8 {
		if !plainASCII(binary.LittleEndian.Uint64(v)) {
			return refuseSlowly(v)
		}
		v = v[8:]
	}
	for _, c := range v {
		if c <= ' ' || c >= 0x7f {
			return refuseSlowly(v)
		}
	}
	return ""
}

// plainASCII reports whether all eight bytes are from '!' to '~'.
func plainASCII(w uint64) bool {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	// With no top bit set, adding 0x5f carries into it from 0x21 on, and adding
	// 1 only for 0x7f.
	return w&tops == 0 && (w+0x5f*ones)&tops == tops && (w+ones)&tops == 0
}

func refuseSlowly(v []byte) string {
	for len(v) > 0 {
		r, n := utf8.DecodeRune(v)
		switch {
		case r == utf8.RuneError && n <= 1:
			return "is not UTF-8"
		case r == ' ':
			return "has a space in it"
		case r < ' ' || r == 0x7f:
			return "has a control character in it"
		}
		v = v[n:]
	}
	return ""
}
