package ebpf

import (
	"encoding/binary"
	"net/netip"
)

// outcome is what one packet does to the counts.
type outcome struct {
	What             what
	Src, Dst         netip.Addr
	Proto            uint8
	SrcPort, DstPort uint16
	Packets, Bytes   uint64
	Flags            uint8
}

// what becomes of a packet.
type what string

const (
	counted what = "counted"
	unread  what = "unread"  // marked IP, but not IP: in the loss ledger
	ignored what = "ignored" // not IP
)

// buffer is a packet as the kernel holds it.
type buffer struct {
	frame   []byte // from the link header on
	l3      bool   // the device has no link header
	gsoSize uint16
	gsoSegs uint16
}

// reference is the plain parser that the one in bpf/packet.h must agree with.
// It knows RFC 791, RFC 8200 and the rules of the Amazon VPC User Guide, and
// nothing of the other one's code.
func reference(b buffer) outcome {
	rest := b.frame
	if !b.l3 {
		rest = rest[14:]
	}
	// skb->protocol stands where the test run looks for it, link header or not.
	typ := binary.BigEndian.Uint16(b.frame[12:])
	for tags := 0; tags < 2 && (typ == typeVLAN || typ == typeQinQ); tags++ {
		if len(rest) < 4 {
			return outcome{What: ignored}
		}
		typ, rest = binary.BigEndian.Uint16(rest[2:]), rest[4:]
	}
	var o outcome
	var header int // bytes that every GSO segment repeats
	var length int // of the packet, as its header says; 0 when it does not
	var ok bool
	switch typ {
	case typeIPv4:
		o, header, length, ok = reference4(rest)
	case typeIPv6:
		o, header, length, ok = reference6(rest)
	default:
		return outcome{What: ignored}
	}
	if !ok {
		return outcome{What: unread, Packets: 1, Bytes: uint64(len(rest))}
	}
	o.What, o.Packets, o.Bytes = counted, 1, uint64(len(rest))
	if b.gsoSize == 0 {
		if length > 0 && length < len(rest) {
			o.Bytes = uint64(length) // the rest is Ethernet's padding
		}
		return o
	}
	segments := int(b.gsoSegs)
	if segments == 0 && len(rest) > header {
		size := int(b.gsoSize)
		segments = (len(rest) - header + size - 1) / size
	}
	if segments > 1 {
		o.Packets = uint64(segments)
		o.Bytes += uint64(segments-1) * uint64(header)
	}
	return o
}

func reference4(p []byte) (o outcome, header, length int, ok bool) {
	if len(p) < 20 || p[0]>>4 != 4 || p[0]&15 < 5 {
		return o, 0, 0, false
	}
	header = int(p[0]&15) * 4
	length = int(binary.BigEndian.Uint16(p[2:]))
	o.Src, o.Dst = netip.AddrFrom4([4]byte(p[12:])), netip.AddrFrom4([4]byte(p[16:]))
	o.Proto = p[9]
	if binary.BigEndian.Uint16(p[6:])&0x1fff != 0 {
		return o, header, length, true // a later fragment has no ports
	}
	header = referencePorts(&o, p, header)
	return o, header, length, true
}

func reference6(p []byte) (o outcome, header, length int, ok bool) {
	if len(p) < 40 || p[0]>>4 != 6 {
		return o, 0, 0, false
	}
	payload := int(binary.BigEndian.Uint16(p[4:]))
	o.Src, o.Dst = netip.AddrFrom16([16]byte(p[8:])), netip.AddrFrom16([16]byte(p[24:]))
	o.Proto = p[6]
	// Only a jumbogram, which begins with hop-by-hop options, says 0 and has more.
	if payload > 0 || o.Proto != 0 {
		length = 40 + payload
	}
	header = 40
	for range 8 { // longer chains count under the header where we stop
		if len(p) < header+4 {
			break
		}
		h := p[header:]
		switch o.Proto {
		case 0, 43, 60, 135: // hop-by-hop, routing, destination options, mobility
			header += 8 * (int(h[1]) + 1)
		case 51: // authentication
			header += 4 * (int(h[1]) + 2)
		case 44:
			header += 8
			if binary.BigEndian.Uint16(h[2:])>>3 != 0 {
				o.Proto = h[0]
				return o, header, length, true // a later fragment has no ports
			}
		default:
			return o, referencePorts(&o, p, header), length, true
		}
		o.Proto = h[0]
	}
	return o, referencePorts(&o, p, header), length, true
}

// referencePorts reads ports and flags at off and returns where the transport
// header ends, off when that is not known.
func referencePorts(o *outcome, p []byte, off int) int {
	switch o.Proto {
	case 6, 17, 33, 132, 136: // TCP, UDP, DCCP, SCTP, UDP-Lite
	default:
		return off
	}
	if len(p) < off+4 {
		return off
	}
	o.SrcPort, o.DstPort = binary.BigEndian.Uint16(p[off:]), binary.BigEndian.Uint16(p[off+2:])
	switch {
	case o.Proto == 17:
		return off + 8
	case o.Proto == 6 && len(p) >= off+14:
		o.Flags = referenceFlags(p[off+13])
		return off + int(p[off+12]>>4)*4
	}
	return off
}

// referenceFlags is the rule of the Amazon VPC User Guide: FIN 1, SYN 2, RST 4,
// SYN-ACK 18; an ACK without SYN is not recorded, nor is anything else.
func referenceFlags(f uint8) (v uint8) {
	const fin, syn, rst, ack = 1, 2, 4, 16
	for _, bit := range []uint8{fin, syn, rst} {
		if f&bit != 0 {
			v |= bit
		}
	}
	if f&syn != 0 && f&ack != 0 {
		v |= ack
	}
	return v
}
