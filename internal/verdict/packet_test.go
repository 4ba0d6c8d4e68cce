package verdict

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"weir/policy"
	"weir/vpc"
)

// TCP flags.
const (
	fin = 1
	syn = 2
	rst = 4
	psh = 8
	ack = 16
)

// packet is what one AF_PACKET socket sends as one or three frames.
type packet struct {
	policy.Packet
	Flags      uint8  // of TCP
	Seq, Ack   uint32 // of TCP
	ICMPID     uint16
	Hops       uint8   // 0 is 64
	Fragmented bool    // in three pieces; UDP only
	About      *packet // of an ICMP error: the packet that it is about
}

func (p *packet) is6() bool { return p.Dst.Is6() }

func (p *packet) hops() uint8 {
	if p.Hops == 0 {
		return 64
	}
	return p.Hops
}

// pieces is how many frames it is.
func (p *packet) pieces() int {
	if p.Fragmented {
		return 3
	}
	return 1
}

func (p *packet) String() string {
	s := p.Packet.String()
	if p.Protocol == vpc.TCP {
		s += fmt.Sprintf(" flags %#02x", p.Flags)
	}
	if p.Fragmented {
		s += " in 3 pieces"
	}
	if p.About != nil {
		s += " about " + p.About.String()
	}
	return s
}

// pieceSize is the payload of each but the last fragment: a multiple of 8, and
// together too long for one frame.
const pieceSize = 1000

// frames is the packet with its link header, numbered: the IP identification or
// the flow label is the number, which every piece and no switch keeps as it is.
func (p *packet) frames(number int, to, from []byte) [][]byte {
	body := p.transport()
	if !p.Fragmented {
		return [][]byte{p.frame(number, to, from, body, 0, false)}
	}
	var out [][]byte
	for at := 0; at < len(body); at += pieceSize {
		end := min(at+pieceSize, len(body))
		out = append(out, p.frame(number, to, from, body[at:end], at, end < len(body)))
	}
	return out
}

func (p *packet) frame(number int, to, from, body []byte, offset int, more bool) []byte {
	b := append(append([]byte{}, to...), from...)
	if p.is6() {
		b = append(b, 0x86, 0xdd)
		return append(append(b, p.header6(number, len(body), offset, more)...), body...)
	}
	b = append(b, 0x08, 0x00)
	return append(append(b, p.header4(number, len(body), offset, more)...), body...)
}

func (p *packet) header4(number, size, offset int, more bool) []byte {
	h := make([]byte, 20)
	h[0], h[8], h[9] = 0x45, p.hops(), p.Protocol
	binary.BigEndian.PutUint16(h[2:], uint16(20+size))
	binary.BigEndian.PutUint16(h[4:], uint16(number))
	frag := uint16(offset / 8)
	if more {
		frag |= 0x2000
	}
	binary.BigEndian.PutUint16(h[6:], frag)
	copy(h[12:], p.Src.AsSlice())
	copy(h[16:], p.Dst.AsSlice())
	binary.BigEndian.PutUint16(h[10:], checksum(h, 0))
	return h
}

func (p *packet) header6(number, size, offset int, more bool) []byte {
	h := make([]byte, 40)
	binary.BigEndian.PutUint32(h, 6<<28|uint32(number))
	h[6], h[7] = p.Protocol, p.hops()
	copy(h[8:], p.Src.AsSlice())
	copy(h[24:], p.Dst.AsSlice())
	if p.Fragmented {
		h[6] = 44
		f := make([]byte, 8)
		f[0] = p.Protocol
		frag := uint16(offset)
		if more {
			frag |= 1
		}
		binary.BigEndian.PutUint16(f[2:], frag)
		binary.BigEndian.PutUint32(f[4:], uint32(number))
		h = append(h, f...)
	}
	binary.BigEndian.PutUint16(h[4:], uint16(len(h)-40+size))
	return h
}

// transport is everything above the IP header.
func (p *packet) transport() []byte {
	switch p.Protocol {
	case vpc.TCP:
		b := make([]byte, 20, 28)
		binary.BigEndian.PutUint16(b, p.SrcPort)
		binary.BigEndian.PutUint16(b[2:], p.DstPort)
		binary.BigEndian.PutUint32(b[4:], p.Seq)
		binary.BigEndian.PutUint32(b[8:], p.Ack)
		b[12], b[13] = 5<<4, p.Flags
		binary.BigEndian.PutUint16(b[14:], 65535)
		if p.Flags&psh != 0 {
			b = append(b, "12345678"...)
		}
		return p.sum(b, 16)
	case vpc.UDP:
		size := 8 + 8
		if p.Fragmented {
			size = 2*pieceSize + 500
		}
		b := make([]byte, size)
		binary.BigEndian.PutUint16(b, p.SrcPort)
		binary.BigEndian.PutUint16(b[2:], p.DstPort)
		binary.BigEndian.PutUint16(b[4:], uint16(size))
		return p.sum(b, 6)
	case vpc.ICMP, vpc.ICMPv6:
		b := make([]byte, 8, 64)
		b[0], b[1] = p.ICMPType, p.ICMPCode
		if p.About != nil {
			a := p.About
			body := a.transport()
			if a.is6() {
				b = append(b, a.header6(0, len(body), 0, false)...)
			} else {
				b = append(b, a.header4(0, len(body), 0, false)...)
			}
			b = append(b, body[:min(len(body), 8)]...)
		} else {
			binary.BigEndian.PutUint16(b[4:], p.ICMPID)
		}
		return p.sum(b, 2)
	}
	// Of SCTP, the first four bytes are ports. All zero, its chunks are none.
	return make([]byte, 16)
}

// sum puts the checksum at off.
func (p *packet) sum(b []byte, off int) []byte {
	var start uint32
	if p.Protocol != vpc.ICMP {
		pseudo := append(append([]byte{}, p.Src.AsSlice()...), p.Dst.AsSlice()...)
		pseudo = append(pseudo, 0, p.Protocol, byte(len(b)>>8), byte(len(b)))
		start = partial(pseudo, 0)
	}
	c := checksum(b, start)
	if c == 0 && p.Protocol == vpc.UDP {
		c = 0xffff
	}
	binary.BigEndian.PutUint16(b[off:], c)
	return b
}

func partial(b []byte, sum uint32) uint32 {
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(b[i])<<8 | uint32(b[i+1])
	}
	if len(b)%2 == 1 {
		sum += uint32(b[len(b)-1]) << 8
	}
	return sum
}

func checksum(b []byte, sum uint32) uint16 {
	sum = partial(b, sum)
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}

// numberOf is the number that a frame was given, -1 when it is no IP.
func numberOf(frame []byte) int {
	if len(frame) < 14+20 {
		return -1
	}
	switch binary.BigEndian.Uint16(frame[12:]) {
	case 0x0800:
		return int(binary.BigEndian.Uint16(frame[18:]))
	case 0x86dd:
		return int(binary.BigEndian.Uint32(frame[14:]) & 0xfffff)
	}
	return -1
}

// destinationOf is the frame's IP destination.
func destinationOf(frame []byte) netip.Addr {
	if binary.BigEndian.Uint16(frame[12:]) == 0x0800 {
		a, _ := netip.AddrFromSlice(frame[30:34])
		return a
	}
	if len(frame) < 54 {
		return netip.Addr{}
	}
	a, _ := netip.AddrFromSlice(frame[38:54])
	return a
}
