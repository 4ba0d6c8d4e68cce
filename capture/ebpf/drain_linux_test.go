package ebpf

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/count"
	"weir/policy"
)

// Numbers that the Go side repeats.
func TestNumbersAreTheSameInC(t *testing.T) {
	c := defines(t, "bpf/weir.h")
	spec, err := loadWeir()
	must(t, err)
	for name, want := range map[string]uint64{
		"MAX_INTERFACES": maxInterfaces,
		"TIME_SHIFT":     timeShift,
		"FRONTS":         uint64(spec.Maps[weirMapFronts].MaxEntries),
	} {
		if got, ok := c[name]; !ok || got != want {
			t.Errorf("%s: want %d, got %d in weir.h", name, want, got)
		}
	}
	if got, want := spec.Maps[weirMapLosses].InnerMap.MaxEntries, uint32(maxInterfaces); got != want {
		t.Errorf("the loss ledger has %d entries, want %d", got, want)
	}
	seen := uint32(0)
	for i := range uint32(5000) {
		seen = max(seen, frontOf(weirDevice{Netns: 4026531840 + i, Ifindex: i}))
	}
	if fronts := uint32(c["FRONTS"]); seen >= fronts || seen < fronts/2 {
		t.Errorf("fronts up to %d of %d are used", seen, fronts)
	}
	if fronts := c["FRONTS"]; fronts&(fronts-1) != 0 {
		t.Errorf("FRONTS is %d, want a power of two", fronts)
	}
}

// network is an address's bytes as the kernel's programs hold them.
func network(s string) (words [4]uint32) {
	b := netip.MustParseAddr(s).AsSlice()
	for i := range len(b) / 4 {
		words[i] = binary.NativeEndian.Uint32(b[4*i:])
	}
	return words
}

func networkPort(p uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, p))
}

func TestKey4(t *testing.T) {
	got := key4(&weirKey4{
		Src: network("192.0.2.1")[0], Dst: network("203.0.113.254")[0],
		Sport: networkPort(443), Dport: networkPort(51234), Iface: 4095, Proto: 6, Door: 1,
	})
	want := count.Key{
		Src: netip.MustParseAddr("::ffff:192.0.2.1").As16(), Dst: netip.MustParseAddr("::ffff:203.0.113.254").As16(),
		SrcPort: 443, DstPort: 51234, Interface: 4095, Protocol: 6, Door: policy.Leaving,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if got.Is6() {
		t.Error("taken for IPv6")
	}
	src, dst := got.Addrs()
	if src.String() != "192.0.2.1" || dst.String() != "203.0.113.254" {
		t.Errorf("addresses %v and %v", src, dst)
	}
}

func TestKey6(t *testing.T) {
	for _, tt := range []struct{ name, src, dst string }{
		{"global", "2001:db8::1", "2001:db8:ffff::2"},
		{"every byte differs", "102:304:506:708:90a:b0c:d0e:f10", "fffe:fdfc:fbfa:f9f8:f7f6:f5f4:f3f2:f1f0"},
		{"unspecified", "::", "ff02::1"},
		// On the wire as IPv6: both would have to be mapped to pass for IPv4.
		{"one mapped", "::ffff:192.0.2.1", "2001:db8::2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := key6(&weirKey6{Src: network(tt.src), Dst: network(tt.dst), Sport: networkPort(1), Dport: networkPort(65535), Iface: 1, Proto: 58})
			want := count.Key{
				Src: netip.MustParseAddr(tt.src).As16(), Dst: netip.MustParseAddr(tt.dst).As16(),
				SrcPort: 1, DstPort: 65535, Interface: 1, Protocol: 58, Door: policy.Entering,
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if !got.Is6() {
				t.Error("not taken for IPv6")
			}
		})
	}
}

func TestAddressKey(t *testing.T) {
	for _, tt := range []struct {
		addr string
		want [4]uint32
	}{
		{"2001:db8::2", network("2001:db8::2")},
		{"10.1.2.3", [4]uint32{0, 0, network("0.0.255.255")[0], network("10.1.2.3")[0]}},
		{"::ffff:10.1.2.3", [4]uint32{0, 0, network("0.0.255.255")[0], network("10.1.2.3")[0]}},
	} {
		want := weirAddress{Netns: 7, Addr: tt.want}
		if got := addressKey(7, netip.MustParseAddr(tt.addr)); got != want {
			t.Errorf("%s: want %v, got %v", tt.addr, want, got)
		}
	}
}

func TestClock(t *testing.T) {
	start := time.UnixMilli(1_700_000_000_000)
	c := clock{start.UnixNano()}
	const unit = 1 << timeShift // ns
	for _, tt := range []struct {
		name string
		in   uint32
		want time.Time // zero is never
	}{
		{"never", 0, time.Time{}},
		{"at the beginning", 1, start},
		{"one unit later", 2, start.Add(unit)},
		{"a minute later", 1 + 60_000_000_000/unit, start.Add(60_000_000_000 / unit * unit)},
		{"the last one", 1<<32 - 1, start.Add((1<<32 - 2) * unit)},
	} {
		want := int64(0)
		if !tt.want.IsZero() {
			want = tt.want.UnixMilli()
		}
		if got := c.millis(tt.in); got != want {
			t.Errorf("%s: want %d, got %d", tt.name, want, got)
		}
	}
}

func TestFlow(t *testing.T) {
	c := clock{0}
	for _, tt := range []struct {
		name string
		in   weirCounts
		want count.Flow
		ok   bool
	}{
		{"nothing counted", weirCounts{Flags: 2, SeenFirst: 1}, count.Flow{}, false},
		{
			"seen",
			weirCounts{SeenPackets: 3, SeenBytes: 180, SeenFirst: 1, SeenLast: 11, Flags: 0x12},
			count.Flow{Seen: count.Tally{Packets: 3, Bytes: 180, First: 0, Last: 10, Flags: 18}},
			true,
		},
		{
			"refused",
			weirCounts{RefusedPackets: 1, RefusedBytes: 60, RefusedFirst: 11, RefusedLast: 21, Flags: 0x0200, Rule: policy.MarkRuleMask, Reason: 12},
			count.Flow{Refused: count.Tally{Packets: 1, Bytes: 60, First: 10, Last: 20, Flags: 2}, Rule: policy.MarkRuleMask, Reason: 12},
			true,
		},
		{
			"both",
			weirCounts{SeenPackets: 1 << 40, SeenBytes: 1 << 50, RefusedPackets: 1, RefusedBytes: 40, Flags: 0x0417},
			count.Flow{Seen: count.Tally{Packets: 1 << 40, Bytes: 1 << 50, Flags: 0x17}, Refused: count.Tally{Packets: 1, Bytes: 40, Flags: 4}},
			true,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := c.flow(&tt.in)
			if ok != tt.ok {
				t.Errorf("want %v, got %v", tt.ok, ok)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestInterfaceID(t *testing.T) {
	for in, want := range map[string]string{
		"":                      "",
		"eni-0123456789abcdef0": "eni-0123456789abcdef0",
		"eni-a-name-that-is-longer-than-the-entry": "eni-a-name-that-is-longer-t",
	} {
		var e weirInterface
		setID(&e, in)
		if got := getID(&e); got != want {
			t.Errorf("%q: want %q, got %q", in, want, got)
		}
	}
}

func TestIndexes(t *testing.T) {
	var x indexes
	x.mark(2)
	for _, want := range []uint16{1, 3, 4} {
		if got, err := x.take(); err != nil || got != want {
			t.Fatalf("want %d, got %d, %v", want, got, err)
		}
	}
	x.give(2)
	if got, _ := x.take(); got != 2 {
		t.Errorf("want the lowest free one, 2, got %d", got)
	}
	for range maxInterfaces - 5 {
		if _, err := x.take(); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := x.take(); err == nil {
		t.Errorf("got %d after the last one", got)
	}
}
