package ebpf

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/count"
	"weir/policy"
	"weir/vpc"
)

// On a wire the kernel has no wishes: packets that a test run refuses to take
// come as they are. And a firewall at the device refuses every one of them, so
// that the other parser, that of the drop program, reads what the first one
// read: what was refused must be what was seen, flow by flow.
func TestParsersOnTheWire(t *testing.T) {
	t.Parallel()
	needNFT(t)
	host, guest := newSpace(t), newSpace(t)
	host.veth("tap", guest, "eth0")
	c := openFor(t, Config{})
	must(t, c.Watch([]vpc.Interface{host.iface("tap", "eni-tap")}))
	host.nft(`table netdev doors { chain in {
		type filter hook ingress device "tap" priority 0; policy accept;
		` + mark(policy.Entering, 77) + ` drop;
	}
	}`)
	wire := guest.sender("eth0")

	r := rand.New(rand.NewPCG(2, 0))
	list := goldenPackets()
	var sent []buffer
	for _, g := range list {
		sent = append(sent, g.packet)
	}
	for range 6000 {
		sent = append(sent, damage(r, list[r.IntN(len(list))].packet))
	}
	want, ledger := map[outcome]sum{}, sum{}
	for _, b := range sent {
		b.gsoSize, b.gsoSegs = 0, 0
		if b.l3 || len(b.frame) > 1514 || tagged(b.frame) {
			continue
		}
		wire.send(b.frame)
		switch o := reference(b); o.What {
		case counted:
			n := sum{o.Packets, o.Bytes}
			o.Packets, o.Bytes, o.Flags = 0, 0, 0
			want[o] = want[o].plus(n)
		case unread:
			ledger = ledger.plus(sum{1, o.Bytes})
		}
	}
	got, refused, loss := map[outcome]sum{}, map[outcome]sum{}, count.Loss{}
	await(t, "all packets", func() bool {
		s, err := c.Swap()
		must(t, err)
		must(t, c.Release())
		for i := range s.Flows {
			f := &s.Flows[i]
			o := outcome{What: counted, Proto: f.Key.Protocol, SrcPort: f.Key.SrcPort, DstPort: f.Key.DstPort}
			o.Src, o.Dst = f.Key.Addrs()
			if f.Seen.Packets > 0 {
				got[o] = got[o].plus(sum{f.Seen.Packets, f.Seen.Bytes})
			}
			if f.Refused.Packets > 0 {
				refused[o] = refused[o].plus(sum{f.Refused.Packets, f.Refused.Bytes})
			}
			if f.Seen.Flags != f.Refused.Flags {
				t.Errorf("%+v: flags seen %#x, refused %#x", f.Key, f.Seen.Flags, f.Refused.Flags)
			}
			if f.Refused.Packets > 0 && f.Rule != 77 {
				t.Errorf("%+v: refused by rule %d, want 77", f.Key, f.Rule)
			}
		}
		loss.Add(s.Interfaces[0].Loss)
		return len(s.Flows) == 0
	})
	if diff := cmp.Diff(want, got, byValue); diff != "" {
		t.Errorf("seen (-reference +program)\n%s", diff)
	}
	if diff := cmp.Diff(got, refused, byValue); diff != "" {
		t.Errorf("refused, by the drop program (-seen +refused)\n%s", diff)
	}
	if diff := cmp.Diff(count.Loss{UnreadPackets: ledger.Packets, UnreadBytes: ledger.Bytes}, loss); diff != "" {
		t.Errorf("loss ledger (-reference +program)\n%s", diff)
	}
	t.Logf("%d packets, %d flows, %d unread", len(sent), len(want), ledger.Packets)
}

// tagged reports whether the frame has a VLAN tag. The kernel takes the outer
// one off before any program looks, and a firewall at the device sees the inner
// one where it expects an IP header.
func tagged(frame []byte) bool {
	return frame[12] == 0x81 && frame[13] == 0 || frame[12] == 0x88 && frame[13] == 0xa8
}
