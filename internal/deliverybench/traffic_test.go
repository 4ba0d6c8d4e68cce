package deliverybench

import (
	"fmt"
	"net/netip"
	"time"

	"weir/aggregate"
	"weir/count"
	"weir/policy"
	"weir/vpc"
)

// traffic is made up, the same for the same numbers. Each flow has one verdict, so
// that it is one record of each interval.
type traffic struct {
	Interfaces int
	Flows      int // of an interval, none of which another interval has
	Swaps      int // of an interval
	Each       int // how many swaps in a row a flow is in
	Interval   time.Duration
}

// sums are what the records of some flows add up to.
type sums struct{ Records, Packets, Bytes int64 }

func (s *sums) add(o sums) {
	s.Records += o.Records
	s.Packets += o.Packets
	s.Bytes += o.Bytes
}

const (
	accountID    = "123456789012"
	region       = "us-east-1"
	vpcID        = "vpc-0a1b2c3d4e5f60718"
	perSubnet    = 10
	refusedOf    = 20 // one flow of so many is refused
	lowestPort   = 1024
	ports        = 1<<16 - lowestPort
	portStep     = 40507 // has no divisor in common with ports
	remoteSpread = 1 << 12
)

func interfaceID(i int) string { return fmt.Sprintf("eni-%017x", 0xa000000+i) }
func subnetOf(i int) string    { return fmt.Sprintf("subnet-%017x", 0xb000000+i/perSubnet) }
func addressOf(i int) [4]byte  { return [4]byte{10, byte(i >> 14), byte(i >> 6), byte(i<<2) | 2} }

// topology knows all interfaces.
func (t *traffic) topology() aggregate.Topology {
	known := topology{}
	for i := range t.Interfaces {
		known[interfaceID(i)] = &vpc.Interface{
			ID: interfaceID(i), AccountID: accountID, Region: region, ZoneID: "use1-az1", VPCID: vpcID, SubnetID: subnetOf(i),
			Side: vpc.Far, Addresses: []netip.Addr{netip.AddrFrom4(addressOf(i))},
		}
	}
	return known
}

type topology map[string]*vpc.Interface

func (t topology) Interface(id string) (*vpc.Interface, bool) {
	i, ok := t[id]
	return i, ok
}

// swap is number s of an interval that begins at a time.
func (t *traffic) swap(interval, s int, begin time.Time) *count.Swap {
	length := t.Interval / time.Duration(t.Swaps)
	swap := &count.Swap{
		Source: "bench", Epoch: uint64(interval*t.Swaps + s + 1), Topology: "1",
		Start: begin.Add(time.Duration(s) * length), End: begin.Add(time.Duration(s+1) * length),
		Interfaces: make([]count.Watched, t.Interfaces),
		Flows:      make([]count.Flow, 0, t.Flows*t.Each/t.Swaps+t.Swaps),
		Reasons:    map[uint16]string{8: "NETFILTER_DROP"},
	}
	for i := range swap.Interfaces {
		swap.Interfaces[i] = count.Watched{Index: uint16(i), ID: interfaceID(i), VPCID: vpcID, SubnetID: subnetOf(i)}
	}
	first, width := swap.Start.UnixMilli(), uint64(length.Milliseconds())
	for n := range t.Flows {
		if (s-n%t.Swaps+t.Swaps)%t.Swaps < t.Each {
			swap.Flows = append(swap.Flows, t.flow(interval, s, n, first, width))
		}
	}
	return swap
}

// flow is number n of an interval in one of its swaps.
func (t *traffic) flow(interval, s, n int, first int64, width uint64) count.Flow {
	i, k := n%t.Interfaces, n/t.Interfaces
	own := netip.AddrFrom4(addressOf(i)).As16()
	h := mix(uint64(interval)<<40 | uint64(n))
	far := uint32(h % remoteSpread * (h % remoteSpread) / remoteSpread) // some more often than others
	remote := netip.AddrFrom4([4]byte{198, 18, byte(far >> 8), byte(far)}).As16()
	f := count.Flow{Key: count.Key{Interface: uint16(i), Protocol: 6}}
	port, service := uint16(lowestPort+(k*portStep+interval*977)%ports), [...]uint16{443, 443, 443, 80, 53, 22, 5432, 8080}[h>>16&7]
	if h>>20&1 == 0 {
		f.Key.Door = policy.Leaving
		f.Key.Src, f.Key.Dst, f.Key.SrcPort, f.Key.DstPort = remote, own, port, service
	} else {
		f.Key.Src, f.Key.Dst, f.Key.SrcPort, f.Key.DstPort = own, remote, service, port
	}
	tally := t.tally(h, s)
	tally.First = first + int64((h>>24+uint64(s))%width)
	tally.Last = min(tally.First+int64(h>>40%8000), first+int64(width)-1)
	if !refused(h) {
		f.Seen = tally
		return f
	}
	f.Refused, f.Rule, f.Reason = tally, uint32(100+h%50), 8
	if f.Key.Door == policy.Entering {
		f.Seen = tally // it is seen before it is refused
	}
	return f
}

func refused(h uint64) bool { return h>>32%refusedOf == 0 }

func (t *traffic) tally(h uint64, s int) count.Tally {
	packets := 1 + (h>>8+uint64(s))%50
	return count.Tally{Packets: packets, Bytes: packets * (40 + h>>12%1400), Flags: 2}
}

// want is what the records of some interfaces of some intervals add up to.
func (t *traffic) want(intervals int, covered func(i int) bool) (all sums) {
	for interval := range intervals {
		for n := range t.Flows {
			if !covered(n % t.Interfaces) {
				continue
			}
			h := mix(uint64(interval)<<40 | uint64(n))
			all.Records++
			for k := range t.Each {
				tally := t.tally(h, (n+k)%t.Swaps)
				all.Packets += int64(tally.Packets)
				all.Bytes += int64(tally.Bytes)
			}
		}
	}
	return all
}

// mix is splitmix64.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
