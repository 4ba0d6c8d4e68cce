package policy_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"weir/policy"
	"weir/vpc"
)

func parsePacket(words []string) (k policy.Packet, err error) {
	protocol, err := vpc.ParseProtocol(words[0])
	if err != nil {
		return k, err
	}
	k.Protocol = uint8(protocol)
	ends := words[len(words)-2:]
	if protocol == vpc.TCP || protocol == vpc.UDP {
		var src, dst netip.AddrPort
		if src, err = netip.ParseAddrPort(ends[0]); err != nil {
			return k, err
		}
		dst, err = netip.ParseAddrPort(ends[1])
		k.Src, k.SrcPort, k.Dst, k.DstPort = src.Addr(), src.Port(), dst.Addr(), dst.Port()
		return k, err
	}
	if len(words) == 4 {
		if _, err = fmt.Sscanf(words[1], "%d/%d", &k.ICMPType, &k.ICMPCode); err != nil {
			return k, err
		}
	}
	if k.Src, err = netip.ParseAddr(ends[0]); err != nil {
		return k, err
	}
	k.Dst, err = netip.ParseAddr(ends[1])
	return k, err
}

func TestPacketString(t *testing.T) {
	for _, tt := range []struct{ packet, want string }{
		{"tcp 10.0.0.1:40000 10.0.0.2:443", "tcp from 10.0.0.1:40000 to 10.0.0.2:443"},
		{"udp [2001:db8::1]:5 [2001:db8::2]:53", "udp from [2001:db8::1]:5 to [2001:db8::2]:53"},
		{"icmp 8/0 10.0.0.1 10.0.0.2", "icmp type 8 (echo request) from 10.0.0.1 to 10.0.0.2"},
		{"icmp 3/4 10.0.0.1 10.0.0.2", "icmp type 3 (destination unreachable) code 4 from 10.0.0.1 to 10.0.0.2"},
		{"icmpv6 200/0 2001:db8::1 2001:db8::2", "icmpv6 type 200 from 2001:db8::1 to 2001:db8::2"},
		{"47 10.0.0.1 10.0.0.2", "protocol 47 from 10.0.0.1 to 10.0.0.2"},
	} {
		if got := packet(t, strings.Fields(tt.packet)...).String(); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.packet, got, tt.want)
		}
	}
}
