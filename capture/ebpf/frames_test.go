package ebpf

import (
	"encoding/binary"
	"net/netip"
	"slices"
)

const (
	typeIPv4 = 0x0800
	typeARP  = 0x0806
	typeVLAN = 0x8100
	typeIPv6 = 0x86dd
	typeQinQ = 0x88a8
)

func cat(parts ...[]byte) []byte { return slices.Concat(parts...) }

// ether is a frame to nobody in particular: a host that gets it does not answer.
func ether(typ uint16, payload ...[]byte) []byte {
	head := []byte{0x02, 0, 0, 0, 0, 0xfe, 0x02, 0, 0, 0, 0, 0xff, byte(typ >> 8), byte(typ)}
	return cat(head, cat(payload...))
}

// tag is an 802.1Q tag's last half with the type of what follows.
func tag(vlan, typ uint16) []byte {
	return []byte{byte(vlan >> 8), byte(vlan), byte(typ >> 8), byte(typ)}
}

// v4 is an IPv4 header. Zero values give a plain one.
type v4 struct {
	src, dst string
	proto    uint8
	words    int    // header length in words of 4 bytes, 5 when 0
	fragment uint16 // flags and offset
	length   int    // total length when it shall not be the true one; -1 for 0
	version  uint8  // 4 when 0
}

func (h v4) packet(payload ...[]byte) []byte {
	body := cat(payload...)
	words, version := h.words, h.version
	if words == 0 {
		words = 5
	}
	if version == 0 {
		version = 4
	}
	b := make([]byte, max(20, words*4), max(20, words*4)+len(body))
	b[0] = version<<4 | uint8(words)
	length := len(b) + len(body)
	switch {
	case h.length < 0:
		length = 0
	case h.length > 0:
		length = h.length
	}
	binary.BigEndian.PutUint16(b[2:], uint16(length))
	binary.BigEndian.PutUint16(b[6:], h.fragment)
	b[8], b[9] = 64, h.proto
	src, dst := addr(h.src, "10.0.0.1").As4(), addr(h.dst, "10.0.0.2").As4()
	copy(b[12:], src[:])
	copy(b[16:], dst[:])
	for i := 20; i < len(b); i++ {
		b[i] = 1 // no-operation options
	}
	binary.BigEndian.PutUint16(b[10:], checksum(b))
	return append(b, body...)
}

// v6 is an IPv6 header. Zero values give a plain one, without a next header's sense.
type v6 struct {
	src, dst string
	next     uint8
	payload  int // length when it shall not be the true one; -1 for 0
}

func (h v6) packet(payload ...[]byte) []byte {
	body := cat(payload...)
	b := make([]byte, 40, 40+len(body))
	b[0] = 0x60
	length := len(body)
	switch {
	case h.payload < 0:
		length = 0
	case h.payload > 0:
		length = h.payload
	}
	binary.BigEndian.PutUint16(b[4:], uint16(length))
	b[6], b[7] = h.next, 64
	src, dst := addr(h.src, "2001:db8::1").As16(), addr(h.dst, "2001:db8::2").As16()
	copy(b[8:], src[:])
	copy(b[24:], dst[:])
	return append(b, body...)
}

func addr(s, otherwise string) netip.Addr {
	if s == "" {
		s = otherwise
	}
	return netip.MustParseAddr(s)
}

// extension is an IPv6 extension header of 8 × (units + 1) bytes.
func extension(next uint8, units int) []byte {
	b := make([]byte, 8*(units+1))
	b[0], b[1] = next, uint8(units)
	if len(b) >= 8 {
		b[2], b[3] = 1, uint8(len(b)-4) // PadN, so that a host would take it
	}
	return b
}

// authentication is an AH header of 4 × (words + 2) bytes.
func authentication(next uint8, words int) []byte {
	b := make([]byte, 4*(words+2))
	b[0], b[1] = next, uint8(words)
	return b
}

// fragment6 is an IPv6 fragment header; offset is in bytes.
func fragment6(next uint8, offset uint16, more bool) []byte {
	b := make([]byte, 8)
	b[0] = next
	binary.BigEndian.PutUint16(b[2:], offset&^7)
	if more {
		b[3] |= 1
	}
	return b
}

// tcp is a header with the given flags and n bytes of payload.
func tcp(sport, dport uint16, flags uint8, n int) []byte {
	b := make([]byte, 20+n)
	binary.BigEndian.PutUint16(b, sport)
	binary.BigEndian.PutUint16(b[2:], dport)
	b[12], b[13] = 5<<4, flags
	return b
}

// udp is a header and n bytes of payload. Without a checksum, which IPv4 allows.
func udp(sport, dport uint16, n int) []byte {
	b := make([]byte, 8+n)
	binary.BigEndian.PutUint16(b, sport)
	binary.BigEndian.PutUint16(b[2:], dport)
	binary.BigEndian.PutUint16(b[4:], uint16(len(b)))
	return b
}

// ports is the beginning that all transport protocols with ports share.
func ports(sport, dport uint16, n int) []byte {
	b := make([]byte, 4+n)
	binary.BigEndian.PutUint16(b, sport)
	binary.BigEndian.PutUint16(b[2:], dport)
	return b
}

// pad fills a frame up to n bytes, as Ethernet does up to 60.
func pad(frame []byte, n int) []byte {
	return append(slices.Clip(frame), make([]byte, max(0, n-len(frame)))...)
}

func checksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}
