package flowlog

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"net/netip"
	"strconv"
	"unicode/utf8"
	"unsafe"
)

// Reasons why a text is not a field's value.
const (
	notNumber  = "not a number"
	outOfRange = "out of its range"
	notAddress = "not an IP address"
	isEmpty    = "nothing between two spaces"
)

func isDash(t []byte) bool { return len(t) == 1 && t[0] == '-' }

// parseNumber reads plain decimal digits: no sign, no leading zero.
func (f *Field) parseNumber(t []byte) (v int64, reason string) {
	if len(t) == 0 || len(t) > 19 || (t[0] == '0' && len(t) > 1) {
		return 0, notNumber
	}
	var u uint64
	for _, c := range t {
		d := c - '0'
		if d > 9 {
			return 0, notNumber
		}
		u = u*10 + uint64(d) // 19 digits fit into 64 bits
	}
	if u > uint64(f.max) || u < uint64(f.min) {
		return 0, outOfRange
	}
	return int64(u), ""
}

func appendNumber(dst []byte, v int64) []byte { return strconv.AppendUint(dst, uint64(v), 10) }

// parseIPv4 reads the dotted form, of which there is exactly one per address.
func parseIPv4(t []byte) (a [4]byte, ok bool) {
	if len(t) < len("0.0.0.0") || len(t) > len("255.255.255.255") {
		return a, false
	}
	part, digits, v := 0, 0, 0
	for _, c := range t {
		if d := c - '0'; d <= 9 {
			if digits > 0 && v == 0 {
				return a, false // a leading zero
			}
			v = v*10 + int(d)
			if digits++; v > 255 {
				return a, false
			}
			continue
		}
		if c != '.' || digits == 0 || part == 3 {
			return a, false
		}
		a[part] = byte(v)
		part, digits, v = part+1, 0, 0
	}
	a[3] = byte(v)
	return a, part == 3 && digits > 0
}

// parseAddr reads an address of either family. An IPv6 address may be in any
// form of RFC 4291, without a zone.
func parseAddr(t []byte) (netip.Addr, bool) {
	if a, ok := parseIPv4(t); ok {
		return netip.AddrFrom4(a), true
	}
	if len(t) > len("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255") {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(view(t))
	return a, err == nil && a.Is6() && a.Zone() == ""
}

// view is the bytes as a string. It must not outlive them.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// bytesOf is the string as bytes, which nobody may write to.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// unreadable is why a line is not even looked at, or "".
func unreadable(line []byte) string {
	switch {
	case len(line) > MaxLine:
		return fmt.Sprintf("longer than %d bytes", MaxLine)
	case len(line) == 0:
		return "an empty line"
	}
	return ""
}

// spaces notes where the spaces of a line are, as many as there is room for, and
// returns how many it has; or what the line has that no format allows: records
// are printable UTF-8. It looks at eight bytes at a time, because that is most
// of the work of parsing a line.
func spaces(line []byte, at []uint32) (n int, fault string) {
	const ones, low, high = 0x0101010101010101, 0x7f7f7f7f7f7f7f7f, 0x8080808080808080
	var control, wide uint64
	begin := 0
	for ; begin+8 <= len(line); begin += 8 {
		w := binary.LittleEndian.Uint64(line[begin:])
		wide |= w
		control |= (w - 0x20*ones) & ^w                        // below 0x20
		control |= ((w ^ 0x7f*ones) - ones) & ^(w ^ 0x7f*ones) // 0x7f
		x := w ^ ' '*ones
		for m := ^((x&low + low) | x | low); m != 0; m &= m - 1 { // the high bit of each byte that was a space
			if n < len(at) {
				at[n] = uint32(begin + bits.TrailingZeros64(m)>>3)
			}
			n++
		}
	}
	for ; begin < len(line); begin++ {
		c := line[begin]
		wide |= uint64(c)
		if c < 0x20 || c == 0x7f {
			control = high
		}
		if c == ' ' {
			if n < len(at) {
				at[n] = uint32(begin)
			}
			n++
		}
	}
	switch {
	case control&high != 0 && hasControl(line): // a borrow can make it seem so
		return n, "a control character"
	case wide&high != 0 && !utf8.Valid(line):
		return n, "not UTF-8"
	}
	return n, ""
}

func hasControl(line []byte) bool {
	for _, c := range line {
		if c < 0x20 || c == 0x7f {
			return true
		}
	}
	return false
}
