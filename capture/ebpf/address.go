package ebpf

import (
	"encoding/binary"
	"net/netip"
)

// addressKey is the key of an instance's address in the address table.
func addressKey(netns uint32, a netip.Addr) weirAddress {
	k := weirAddress{Netns: netns}
	b := a.As16()
	for i := range k.Addr {
		k.Addr[i] = binary.NativeEndian.Uint32(b[4*i:])
	}
	return k
}
