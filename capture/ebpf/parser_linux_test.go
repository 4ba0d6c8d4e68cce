package ebpf

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// golden is one packet and what becomes of it.
type golden struct {
	name   string
	packet buffer
	want   outcome
}

// flow4 and flow6 are the outcome of a packet between the usual addresses.
func flow4(proto uint8, sport, dport uint16, bytes uint64) outcome {
	return outcome{
		What: counted, Src: netip.MustParseAddr("10.0.0.1"), Dst: netip.MustParseAddr("10.0.0.2"),
		Proto: proto, SrcPort: sport, DstPort: dport, Packets: 1, Bytes: bytes,
	}
}

func flow6(proto uint8, sport, dport uint16, bytes uint64) outcome {
	o := flow4(proto, sport, dport, bytes)
	o.Src, o.Dst = netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")
	return o
}

func (o outcome) flags(f uint8) outcome { o.Flags = f; return o }

func (o outcome) wire(packets, bytes uint64) outcome {
	o.Packets, o.Bytes = packets, bytes
	return o
}

func lost(bytes uint64) outcome { return outcome{What: unread, Packets: 1, Bytes: bytes} }

var notIP = outcome{What: ignored}

func frame(b []byte) buffer { return buffer{frame: b} }

func goldenPackets() []golden {
	const syn, ack, psh = 0x02, 0x10, 0x08
	ip4 := func(h v4, payload ...[]byte) buffer { return frame(ether(typeIPv4, h.packet(payload...))) }
	ip6 := func(h v6, payload ...[]byte) buffer { return frame(ether(typeIPv6, h.packet(payload...))) }
	plain4 := v4{proto: 17}.packet(udp(1000, 53, 16)) // 44 bytes
	plain6 := v6{next: 17}.packet(udp(1000, 53, 16))  // 64 bytes
	cut := func(b buffer, n int) buffer { b.frame = b.frame[:len(b.frame)-n]; return b }
	gso := func(b buffer, size, segs uint16) buffer { b.gsoSize, b.gsoSegs = size, segs; return b }

	list := []golden{
		{"IPv4 UDP", ip4(v4{proto: 17}, udp(1000, 53, 16)), flow4(17, 1000, 53, 44)},
		{"IPv4 TCP", ip4(v4{proto: 6}, tcp(1000, 80, ack|psh, 5)), flow4(6, 1000, 80, 45)},
		{"IPv4 ICMP has no ports", ip4(v4{proto: 1}, ports(0x0800, 1, 4)), flow4(1, 0, 0, 28)},
		{"IPv4 SCTP", ip4(v4{proto: 132}, ports(1000, 36412, 8)), flow4(132, 1000, 36412, 32)},
		{"IPv4 DCCP", ip4(v4{proto: 33}, ports(1000, 5001, 12)), flow4(33, 1000, 5001, 36)},
		{"IPv4 UDP-Lite", ip4(v4{proto: 136}, ports(1000, 5004, 4)), flow4(136, 1000, 5004, 28)},
		{"IPv4 GRE has no ports", ip4(v4{proto: 47}, ports(1000, 2000, 4)), flow4(47, 0, 0, 28)},
		{"IPv4 ESP has no ports", ip4(v4{proto: 50}, ports(1000, 2000, 4)), flow4(50, 0, 0, 28)},
		{"IPv4 protocol 0 is no extension header", ip4(v4{proto: 0}, extension(17, 0), udp(1, 2, 0)), flow4(0, 0, 0, 36)},
		{"IPv4 protocol 255", ip4(v4{proto: 255}, ports(1, 2, 0)), flow4(255, 0, 0, 24)},
		{"IPv4 without payload", ip4(v4{proto: 17}), flow4(17, 0, 0, 20)},

		{"IPv4 first fragment has ports", ip4(v4{proto: 17, fragment: 0x2000}, udp(1000, 53, 16)), flow4(17, 1000, 53, 44)},
		{"IPv4 later fragment has none", ip4(v4{proto: 17, fragment: 0x2001}, udp(1000, 53, 16)), flow4(17, 0, 0, 44)},
		{"IPv4 last fragment has none", ip4(v4{proto: 6, fragment: 0x1fff}, tcp(1000, 80, syn, 0)), flow4(6, 0, 0, 40)},
		{"IPv4 do not fragment is no fragment", ip4(v4{proto: 17, fragment: 0x4000}, udp(1000, 53, 16)), flow4(17, 1000, 53, 44)},
		{"IPv4 reserved bit is no fragment", ip4(v4{proto: 17, fragment: 0x8000}, udp(1000, 53, 16)), flow4(17, 1000, 53, 44)},

		{"IPv4 UDP header cut within the ports", cut(ip4(v4{proto: 17}, udp(1000, 53, 0)), 5), flow4(17, 0, 0, 23)},
		{"IPv4 UDP header cut behind the ports", cut(ip4(v4{proto: 17}, udp(1000, 53, 0)), 4), flow4(17, 1000, 53, 24)},
		{"IPv4 TCP header cut before the flags", cut(ip4(v4{proto: 6}, tcp(1000, 80, syn, 0)), 7), flow4(6, 1000, 80, 33)},
		{"IPv4 TCP header cut behind the flags", cut(ip4(v4{proto: 6}, tcp(1000, 80, syn, 0)), 6), flow4(6, 1000, 80, 34).flags(2)},
		{"IPv4 header cut", cut(ip4(v4{proto: 17}), 1), lost(19)},
		{"IPv4 header of one byte", cut(ip4(v4{proto: 17}), 19), lost(1)},
		{"IPv4 options cut", cut(ip4(v4{proto: 17, words: 15}), 1), flow4(17, 0, 0, 59)},
		{"IPv4 header says 4 words", ip4(v4{proto: 17, words: 4}, udp(1, 2, 0)), lost(28)},
		{"IPv4 version 5", ip4(v4{proto: 17, version: 5}, udp(1, 2, 0)), lost(28)},
		{"IPv4 version 6", ip4(v4{proto: 17, version: 6}, udp(1, 2, 0)), lost(28)},
		{"IPv6 in an IPv4 frame", frame(ether(typeIPv4, plain6)), lost(64)},
		{"IPv4 in an IPv6 frame", frame(ether(typeIPv6, plain4)), lost(44)},
		{"IPv4 total length 0", ip4(v4{proto: 17, length: -1}, udp(1000, 53, 16)), flow4(17, 1000, 53, 44)},
		{"IPv4 total length beyond the frame", ip4(v4{proto: 17, length: 1500}, udp(1000, 53, 16)), flow4(17, 1000, 53, 44)},
		{"IPv4 padded to the shortest frame", frame(pad(ether(typeIPv4, plain4), 60)), flow4(17, 1000, 53, 44)},
		{"IPv4 empty and padded", frame(pad(ether(typeIPv4, v4{proto: 17}.packet()), 60)), flow4(17, 0, 0, 20)},

		{"IPv6 UDP", ip6(v6{next: 17}, udp(1000, 53, 16)), flow6(17, 1000, 53, 64)},
		{"IPv6 TCP", ip6(v6{next: 6}, tcp(1000, 80, syn|ack, 0)), flow6(6, 1000, 80, 60).flags(18)},
		{"IPv6 ICMPv6 has no ports", ip6(v6{next: 58}, ports(0x8000, 1, 4)), flow6(58, 0, 0, 48)},
		{"IPv6 SCTP", ip6(v6{next: 132}, ports(1000, 36412, 8)), flow6(132, 1000, 36412, 52)},
		{"IPv6 DCCP", ip6(v6{next: 33}, ports(1000, 5001, 12)), flow6(33, 1000, 5001, 56)},
		{"IPv6 UDP-Lite", ip6(v6{next: 136}, ports(1000, 5004, 4)), flow6(136, 1000, 5004, 48)},
		{"IPv6 unknown protocol", ip6(v6{next: 253}, ports(1, 2, 0)), flow6(253, 0, 0, 44)},
		{"IPv6 no next header", ip6(v6{next: 59}), flow6(59, 0, 0, 40)},
		{"IPv6 no next header, padded", frame(pad(ether(typeIPv6, v6{next: 59}.packet()), 60)), flow6(59, 0, 0, 40)},
		{"IPv6 no next header with bytes behind", ip6(v6{next: 59}, udp(1, 2, 0)), flow6(59, 0, 0, 48)},
		{"IPv6 ESP hides the rest", ip6(v6{next: 50}, ports(1, 2, 4)), flow6(50, 0, 0, 48)},
		{"IPv6 hop-by-hop", ip6(v6{next: 0}, extension(17, 0), udp(1000, 53, 0)), flow6(17, 1000, 53, 56)},
		{"IPv6 long hop-by-hop", ip6(v6{next: 0}, extension(17, 255), udp(1000, 53, 0)), flow6(17, 1000, 53, 40+2048+8)},
		{"IPv6 routing", ip6(v6{next: 43}, extension(6, 2), tcp(1000, 80, syn, 0)), flow6(6, 1000, 80, 84).flags(2)},
		{"IPv6 destination options", ip6(v6{next: 60}, extension(17, 1), udp(1000, 53, 0)), flow6(17, 1000, 53, 64)},
		{"IPv6 mobility", ip6(v6{next: 135}, extension(59, 0)), flow6(59, 0, 0, 48)},
		{"IPv6 authentication counts in words", ip6(v6{next: 51}, authentication(17, 4), udp(1000, 53, 0)), flow6(17, 1000, 53, 72)},
		{"IPv6 all of them", ip6(v6{next: 0}, extension(60, 0), extension(43, 0), extension(51, 1),
			authentication(135, 4), extension(60, 0), extension(6, 0), tcp(1000, 80, 1, 0)), flow6(6, 1000, 80, 40+8+8+16+24+8+8+20).flags(1)},
		{"IPv6 first fragment has ports", ip6(v6{next: 44}, fragment6(17, 0, true), udp(1000, 53, 0)), flow6(17, 1000, 53, 56)},
		{"IPv6 atomic fragment has ports", ip6(v6{next: 44}, fragment6(17, 0, false), udp(1000, 53, 0)), flow6(17, 1000, 53, 56)},
		{"IPv6 later fragment has none", ip6(v6{next: 44}, fragment6(17, 8, true), udp(1000, 53, 0)), flow6(17, 0, 0, 56)},
		{"IPv6 last fragment has none", ip6(v6{next: 44}, fragment6(6, 65528, false), tcp(1, 2, syn, 0)), flow6(6, 0, 0, 68)},
		{"IPv6 fragment behind options", ip6(v6{next: 0}, extension(44, 0), fragment6(17, 1448, false), udp(1, 2, 0)), flow6(17, 0, 0, 64)},
		{"IPv6 options behind a first fragment", ip6(v6{next: 44}, fragment6(60, 0, true), extension(17, 0), udp(1000, 53, 0)), flow6(17, 1000, 53, 64)},
		{"IPv6 options behind a later fragment stay unknown", ip6(v6{next: 44}, fragment6(60, 8, true), extension(17, 0), udp(1, 2, 0)), flow6(60, 0, 0, 64)},
		{"IPv6 chain of 8", ip6(v6{next: 60}, chain(8), udp(1000, 53, 0)), flow6(17, 1000, 53, 40+64+8)},
		{"IPv6 chain of 9 counts under the header where we stop", ip6(v6{next: 60}, chain(9), udp(1000, 53, 0)), flow6(60, 0, 0, 40+72+8)},
		{"IPv6 chain of 20", ip6(v6{next: 60}, chain(20), udp(1000, 53, 0)), flow6(60, 0, 0, 40+160+8)},
		{"IPv6 chain cut at its beginning", ip6(v6{next: 43}), flow6(43, 0, 0, 40)},
		{"IPv6 chain cut within a header", cut(ip6(v6{next: 0}, extension(43, 0), extension(17, 0)), 5), flow6(43, 0, 0, 51)},
		{"IPv6 chain that points behind the packet", ip6(v6{next: 0}, extension(17, 3)[:8]), flow6(17, 0, 0, 48)},
		{"IPv6 header cut", cut(ip6(v6{next: 17}), 1), lost(39)},
		{"IPv6 header of one byte", cut(ip6(v6{next: 17}), 39), lost(1)},
		{"IPv6 padded", frame(pad(ether(typeIPv6, v6{next: 17}.packet(udp(1, 2, 0))), 70)), flow6(17, 1, 2, 48)},
		{"IPv6 payload length beyond the frame", ip6(v6{next: 17, payload: 1400}, udp(1, 2, 0)), flow6(17, 1, 2, 48)},
		{"IPv6 jumbogram says 0", ip6(v6{next: 0, payload: -1}, extension(17, 0), udp(1, 2, 8)), flow6(17, 1, 2, 64)},

		{"802.1Q", frame(ether(typeVLAN, tag(7, typeIPv4), plain4)), flow4(17, 1000, 53, 44)},
		{"802.1Q, IPv6", frame(ether(typeVLAN, tag(7, typeIPv6), plain6)), flow6(17, 1000, 53, 64)},
		{"802.1ad", frame(ether(typeQinQ, tag(7, typeIPv4), plain4)), flow4(17, 1000, 53, 44)},
		{"QinQ", frame(ether(typeQinQ, tag(7, typeVLAN), tag(8, typeIPv4), plain4)), flow4(17, 1000, 53, 44)},
		{"QinQ, IPv6, padded", frame(pad(ether(typeQinQ, tag(7, typeVLAN), tag(8, typeIPv6), plain6), 100)), flow6(17, 1000, 53, 64)},
		{"802.1Q twice", frame(ether(typeVLAN, tag(7, typeVLAN), tag(8, typeIPv4), plain4)), flow4(17, 1000, 53, 44)},
		{"802.1Q of something else", frame(ether(typeVLAN, tag(7, typeARP), make([]byte, 28))), notIP},
		{"802.1Q of a broken packet", frame(ether(typeVLAN, tag(7, typeIPv4), plain4[:19])), lost(19)},
		{"802.1Q cut", frame(ether(typeVLAN, tag(7, typeIPv4)[:3])), notIP},
		{"three tags are beyond us", frame(ether(typeQinQ, tag(7, typeVLAN), tag(8, typeVLAN), tag(9, typeIPv4), plain4)), notIP},

		{"ARP", frame(ether(typeARP, make([]byte, 28))), notIP},
		{"LLDP", frame(ether(0x88cc, make([]byte, 46))), notIP},
		{"MPLS", frame(ether(0x8847, make([]byte, 46))), notIP},
		{"802.3 length instead of a type", frame(ether(46, make([]byte, 46))), notIP},

		// A device without link header: where the type stood are the source's
		// first bytes, which is how a test run learns it.
		{"IPv4 without link header", buffer{frame: v4{src: "8.0.0.1", proto: 17}.packet(udp(1000, 53, 16)), l3: true}, with(flow4(17, 1000, 53, 44), "8.0.0.1")},
		{"IPv6 without link header", buffer{frame: v6{src: "2001:db8:86dd::1", next: 6}.packet(tcp(1000, 80, syn, 0)), l3: true}, with(flow6(6, 1000, 80, 60), "2001:db8:86dd::1").flags(2)},
		{"IPv4 without link header, cut", buffer{frame: v4{src: "8.0.0.1"}.packet()[:19], l3: true}, lost(19)},

		// 45 segments of 1448 bytes, as TCP over Ethernet has them; the test run's
		// buffer is one page, so these are small ones.
		{"GSO TCP", gso(ip4(v4{proto: 6}, tcp(1000, 80, ack, 2500)), 1000, 3), flow4(6, 1000, 80, 0).wire(3, 2540+2*40)},
		{"GSO TCP, IPv6", gso(ip6(v6{next: 6}, tcp(1000, 80, ack, 2500)), 1000, 3), flow6(6, 1000, 80, 0).wire(3, 2560+2*60)},
		{"GSO without a number of segments", gso(ip4(v4{proto: 6}, tcp(1000, 80, ack, 2001)), 1000, 0), flow4(6, 1000, 80, 0).wire(3, 2041+2*40)},
		{"GSO without a number of segments, exact", gso(ip4(v4{proto: 6}, tcp(1000, 80, ack, 2000)), 1000, 0), flow4(6, 1000, 80, 0).wire(2, 2040+40)},
		{"GSO of one segment", gso(ip4(v4{proto: 6}, tcp(1000, 80, ack, 10)), 1000, 1), flow4(6, 1000, 80, 50)},
		{"GSO of nothing", gso(ip4(v4{proto: 6}, tcp(1000, 80, ack, 0)), 1000, 0), flow4(6, 1000, 80, 40)},
		{"GSO UDP", gso(ip4(v4{proto: 17}, udp(1000, 443, 2400)), 1200, 2), flow4(17, 1000, 443, 0).wire(2, 2428+28)},
		{"GSO UDP, IPv6 options repeat", gso(ip6(v6{next: 60}, extension(17, 0), udp(1000, 443, 2400)), 1200, 2), flow6(17, 1000, 443, 0).wire(2, 2456+56)},
		{"GSO total length 0, as in BIG TCP", gso(ip4(v4{proto: 6, length: -1}, tcp(1000, 80, ack, 2500)), 1000, 3), flow4(6, 1000, 80, 0).wire(3, 2540+2*40)},
		{"GSO payload length 0, as in BIG TCP", gso(ip6(v6{next: 6, payload: -1}, tcp(1000, 80, ack, 2500)), 1000, 3), flow6(6, 1000, 80, 0).wire(3, 2560+2*60)},
		{"GSO in a tag", gso(frame(ether(typeVLAN, tag(7, typeIPv4), v4{proto: 6}.packet(tcp(1000, 80, ack, 2500)))), 1000, 3), flow4(6, 1000, 80, 0).wire(3, 2540+2*40)},
		{"segments without a size are no GSO", gso(ip4(v4{proto: 17}, udp(1000, 53, 16)), 0, 5), flow4(17, 1000, 53, 44)},
	}
	for words := 5; words <= 15; words++ {
		list = append(list, golden{
			fmt.Sprintf("IPv4 header of %d words", words),
			ip4(v4{proto: 6, words: words}, tcp(1000, 80, syn, 3)),
			flow4(6, 1000, 80, uint64(words*4+23)).flags(2),
		})
	}
	for flags := range 256 {
		var want uint8
		if flags&0x01 != 0 {
			want |= 1 // FIN
		}
		if flags&0x02 != 0 {
			want |= 2 // SYN
			if flags&0x10 != 0 {
				want |= 16 // ACK, only beside SYN
			}
		}
		if flags&0x04 != 0 {
			want |= 4 // RST
		}
		list = append(list, golden{
			fmt.Sprintf("TCP flags %#02x", flags),
			ip4(v4{proto: 6}, tcp(1000, 80, uint8(flags), 0)),
			flow4(6, 1000, 80, 40).flags(want),
		})
	}
	return list
}

// chain is n destination options, the last of which names UDP.
func chain(n int) []byte {
	var b []byte
	for i := range n {
		next := uint8(60)
		if i == n-1 {
			next = 17
		}
		b = append(b, extension(next, 0)...)
	}
	return b
}

func with(o outcome, src string) outcome {
	o.Src = netip.MustParseAddr(src)
	return o
}

var byValue = cmpopts.EquateComparable(netip.Addr{})

// The reference parser alone, so that its word counts where the programs cannot run.
func TestReferenceParser(t *testing.T) {
	for _, tt := range goldenPackets() {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, reference(tt.packet), byValue); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestParser(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 64)
	for _, tt := range goldenPackets() {
		if !tt.packet.fits() {
			continue
		}
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, m.run(t, tt.packet), byValue); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// Packets that nobody thought of: golden ones, damaged at random.
func TestParserOnDamagedPackets(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 64)
	seed := uint64(1)
	r := rand.New(rand.NewPCG(seed, 0))
	list := goldenPackets()
	for i := range 20000 {
		g := list[r.IntN(len(list))]
		b := damage(r, g.packet)
		if !b.fits() {
			continue
		}
		if diff := cmp.Diff(reference(b), m.run(t, b), byValue); diff != "" {
			t.Fatalf("%d: %q damaged to %x (gso %d/%d, no link header: %v), (-reference +program)\n%s",
				i, g.name, b.frame, b.gsoSize, b.gsoSegs, b.l3, diff)
		}
	}
}

// damage changes a few bytes, mostly in the headers, the length, or what the
// buffer says of itself.
func damage(r *rand.Rand, b buffer) buffer {
	b.frame = slices.Clone(b.frame)
	interesting := []byte{0, 1, 4, 5, 6, 17, 43, 44, 50, 51, 58, 59, 60, 132, 135, 0x45, 0x46, 0x60, 0x81, 0x86, 0x88, 0xdd, 0xa8, 0xff}
	for range 1 + r.IntN(3) {
		at := r.IntN(min(len(b.frame), 14+40+40))
		switch r.IntN(6) {
		case 0:
			b.frame[at] = interesting[r.IntN(len(interesting))]
		case 1:
			b.frame[at] ^= 1 << r.IntN(8)
		case 2:
			b.frame[at] = byte(r.Uint32())
		case 3:
			b.frame = b.frame[:max(15, r.IntN(len(b.frame)+1))]
		case 4:
			b.frame = append(b.frame, make([]byte, r.IntN(60))...)
		case 5:
			b.gsoSize, b.gsoSegs = uint16(r.IntN(2000)), uint16(r.IntN(50))
		}
	}
	return b
}

// FuzzParser feeds the program and the reference the same bytes.
func FuzzParser(f *testing.F) {
	for _, g := range goldenPackets() {
		f.Add(g.packet.frame, g.packet.l3, g.packet.gsoSize, g.packet.gsoSegs)
	}
	m := newMachine(f, 64)
	f.Fuzz(func(t *testing.T, frame []byte, l3 bool, gsoSize, gsoSegs uint16) {
		b := buffer{frame, l3, gsoSize, gsoSegs}
		if !b.fits() {
			return
		}
		if diff := cmp.Diff(reference(b), m.run(t, b), byValue); diff != "" {
			t.Errorf("(-reference +program)\n%s", diff)
		}
	})
}
