package ebpf

import (
	"fmt"
	"testing"
	"time"

	"weir/policy"
	"weir/vpc"
)

// refuseAll makes the door of a device refuse whatever enters.
func (s *space) refuseAll(dev string) {
	s.t.Helper()
	s.nft(`table netdev doors { chain in {
		type filter hook ingress device "` + dev + `" priority 0; policy accept;
		` + mark(policy.Entering, 1) + ` drop;
	}
	}`)
}

// Refusals go on while devices are attached to and let go. None may be counted
// of a packet that was not seen: it would be taken off packets that were.
func TestRefusedOnlyWhatWasSeen(t *testing.T) {
	t.Parallel()
	needNFT(t)
	r := newRig(t)
	r.host.refuseAll("tap")
	c := openFor(t, Config{Settle: 1})
	traffic := r.wire.stream(10)
	got := totals{}
	for range 10 {
		must(t, c.Watch([]vpc.Interface{r.tap}))
		swap(t, c, got)
		must(t, c.Watch(nil))
		swap(t, c, got)
	}
	traffic.stop()
	for range 3 {
		swap(t, c, got)
	}
	seen := got["eni-tap in"]
	if seen.Packets == 0 {
		t.Fatal("nothing was seen: the rig does not test it")
	}
	wantTotals(t, totals{"eni-tap in": seen, "eni-tap in refused": seen}, got)
}

// At the leaving door a refusal stands alone, so it counts as long as somebody
// looks and no longer.
func TestNothingIsRefusedAtADeviceLetGo(t *testing.T) {
	t.Parallel()
	needNFT(t)
	r := newRig(t)
	r.host.nft(`table netdev doors { chain out {
		type filter hook egress device "tap" priority 0; policy accept;
		` + mark(policy.Leaving, 2) + ` drop;
	}
	}`)
	c := openFor(t, Config{})
	must(t, c.Watch([]vpc.Interface{r.tap}))
	wire := r.host.sender("tap")
	for range 3 {
		// The sender hears of it: NET_XMIT_DROP is ENOBUFS.
		_ = wire.try(datagram(1))
	}
	got := totals{}
	swap(t, c, got)
	must(t, c.Watch(nil))
	_ = wire.try(datagram(1))
	swap(t, c, got)
	swap(t, c, got)
	wantTotals(t, totals{"eni-tap out refused": datagrams(3)}, got)
}

// A packet's tag holds the last eight bits of its epoch. After 256 swaps they
// come again, and refusals still find the epoch of their packets.
func TestEpochTagWrapsAround(t *testing.T) {
	t.Parallel()
	needNFT(t)
	r := newRig(t)
	r.host.refuseAll("tap")
	c := openFor(t, Config{Settle: 1, MaxFlows: 1024})
	must(t, c.Watch([]vpc.Interface{r.tap}))
	// As if 250 swaps, and then 2^32 less a few, had been.
	for _, epoch := range []uint32{250, 1<<32 - 8} {
		t.Run(fmt.Sprint(epoch), func(t *testing.T) {
			c.control.setBase(epoch, c.control.base(c.control.epoch()))
			c.control.setDrained(epoch - 1)
			c.control.setEpoch(epoch)
			traffic := r.wire.stream(10)
			got := totals{}
			for range 16 {
				s := swap(t, c, got)
				for _, f := range s.Flows {
					if f.Seen.Packets != f.Refused.Packets || f.Seen.Bytes != f.Refused.Bytes {
						t.Errorf("swap %d: seen %+v, refused %+v", s.Epoch, f.Seen, f.Refused)
					}
				}
			}
			want := datagrams(traffic.stop())
			collect(t, c, got, 2*int(want.Packets))
			wantTotals(t, totals{"eni-tap in": want, "eni-tap in refused": want}, got)
		})
	}
}

// A refusal has the time at which its packet was seen entering. One at the
// leaving door has a time of its own, and the clock for it is read once in a tick
// of the kernel's: it must not stand still.
func TestRefusedTimes(t *testing.T) {
	t.Parallel()
	needNFT(t)
	r := newRig(t)
	r.host.refuseAll("tap")
	r.host.nft(`table netdev doors { chain out {
		type filter hook egress device "tap" priority 0; policy accept;
		` + mark(policy.Leaving, 2) + ` drop;
	}
	}`)
	c := openFor(t, Config{})
	must(t, c.Watch([]vpc.Interface{r.tap}))
	wire := r.host.sender("tap")
	got := totals{}
	const coarse = 15 * time.Millisecond // a tick at 100 Hz, and the unit of the counts
	for range 4 {
		begin := time.Now()
		for range 3 {
			r.wire.send(datagram(1))
			_ = wire.try(datagram(1)) // the sender hears of it
			time.Sleep(2 * coarse)
		}
		end := time.Now().Add(-2 * coarse)
		flows := swap(t, c, got).Flows
		if len(flows) != 2 {
			t.Errorf("%d flows, want one at each door", len(flows))
		}
		for _, f := range flows {
			first, last := time.UnixMilli(f.Refused.First), time.UnixMilli(f.Refused.Last)
			if first.Before(begin.Add(-coarse)) || last.After(end.Add(coarse)) || last.Sub(first) < 3*coarse {
				t.Errorf("door %d: refused from %v to %v, sent from %v to %v", f.Key.Door, first, last, begin, end)
			}
			if f.Key.Door == policy.Entering && f.Seen != f.Refused {
				t.Errorf("seen %+v, refused %+v", f.Seen, f.Refused)
			}
		}
	}
	wantTotals(t, totals{"eni-tap in": datagrams(12), "eni-tap in refused": datagrams(12), "eni-tap out refused": datagrams(12)}, got)
}
