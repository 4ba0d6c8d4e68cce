package ebpf

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/cilium/ebpf"

	"weir/count"
	"weir/policy"
)

// batches are the buffers in which maps are read and cleared, kept from one
// swap to the next.
type batches struct {
	keys4  []weirKey4
	keys6  []weirKey6
	counts []weirCounts
}

// batchSize is how many entries one system call reads at most. A hash bucket
// must fit whole, or the call fails with ENOSPC.
const batchSize = 8192

func possibleCPUs() int { return ebpf.MustPossibleCPU() }

// readEpoch reads one epoch's maps without deleting anything. It must have
// drained. What was counted lies between start and end by the wall clock.
func (c *Capture) readEpoch(epoch uint32, start, end time.Time) (*count.Swap, error) {
	slot := &c.slots[epoch&1]
	n, err := inserted(slot)
	if err != nil {
		return nil, err
	}
	s := &count.Swap{Source: c.source, Epoch: uint64(epoch), Start: start, End: end, Flows: make([]count.Flow, 0, n), Reasons: c.reasons}
	clock := clock{start.UnixNano()}

	err = drain(slot.flows4, &c.batch.keys4, &c.batch.counts, func(k *weirKey4, v *weirCounts) {
		if f, ok := clock.flow(v); ok {
			f.Key = key4(k)
			s.Flows = append(s.Flows, f)
		}
	})
	if err != nil {
		return nil, err
	}
	err = drain(slot.flows6, &c.batch.keys6, &c.batch.counts, func(k *weirKey6, v *weirCounts) {
		if f, ok := clock.flow(v); ok {
			f.Key = key6(k)
			s.Flows = append(s.Flows, f)
		}
	})
	if err != nil {
		return nil, err
	}
	for _, w := range c.sorted() {
		loss, err := readLoss(slot.losses, uint32(w.index))
		if err != nil {
			return nil, err
		}
		s.Interfaces = append(s.Interfaces, count.Watched{Index: w.index, ID: w.id, Loss: loss})
	}
	return s, nil
}

// drain calls f for every entry of a map that nothing writes to any more.
func drain[K any](m *ebpf.Map, keys *[]K, values *[]weirCounts, f func(*K, *weirCounts)) error {
	grow(keys, batchSize)
	grow(values, batchSize)
	var cursor ebpf.MapBatchCursor
	for {
		n, err := m.BatchLookup(&cursor, *keys, *values, nil)
		done := errors.Is(err, ebpf.ErrKeyNotExist) // the last batch comes with it
		if err != nil && !done {
			return &Error{"read map", m.String(), err, ""}
		}
		for i := range n {
			f(&(*keys)[i], &(*values)[i])
		}
		if done {
			return nil
		}
	}
}

// empty deletes every entry of a map that nothing writes to any more.
func empty[K any](m *ebpf.Map, keys *[]K, values *[]weirCounts) error {
	grow(keys, batchSize)
	grow(values, batchSize)
	var cursor ebpf.MapBatchCursor
	for {
		_, err := m.BatchLookupAndDelete(&cursor, *keys, *values, nil)
		if errors.Is(err, ebpf.ErrKeyNotExist) {
			return nil
		}
		if err != nil {
			return &Error{"clear map", m.String(), err, ""}
		}
	}
}

func grow[T any](s *[]T, n int) {
	if len(*s) < n {
		*s = make([]T, n)
	}
}

func readLoss(m *ebpf.Map, index uint32) (count.Loss, error) {
	var perCPU []weirLoss
	if err := m.Lookup(index, &perCPU); err != nil {
		return count.Loss{}, &Error{"read the loss ledger", "", err, ""}
	}
	var sum count.Loss
	for i := range perCPU {
		l := &perCPU[i]
		sum.Add(count.Loss{
			FullPackets: l.FullPackets, FullBytes: l.FullBytes,
			UnreadPackets: l.UnreadPackets, UnreadBytes: l.UnreadBytes,
			RefusedPackets: l.RefusedPackets, RefusedBytes: l.RefusedBytes,
		})
	}
	return sum, nil
}

// clock turns the kernel's times into wall-clock ones.
type clock struct{ start int64 } // Unix ns of the epoch's beginning

// timeShift is TIME_SHIFT of bpf/weir.h.
const timeShift = 20

func (c clock) millis(t uint32) int64 {
	if t == 0 {
		return 0
	}
	return (c.start + int64(t-1)<<timeShift) / 1e6
}

// flow is the value part of an entry; false when nothing has been counted in it,
// as when a swap came between making the entry and adding to it.
func (c clock) flow(v *weirCounts) (count.Flow, bool) {
	if v.SeenPackets == 0 && v.RefusedPackets == 0 {
		return count.Flow{}, false
	}
	return count.Flow{
		Seen: count.Tally{
			Packets: v.SeenPackets, Bytes: v.SeenBytes,
			First: c.millis(v.SeenFirst), Last: c.millis(v.SeenLast), Flags: uint8(v.Flags),
		},
		Refused: count.Tally{
			Packets: v.RefusedPackets, Bytes: v.RefusedBytes,
			First: c.millis(v.RefusedFirst), Last: c.millis(v.RefusedLast), Flags: uint8(v.Flags >> 8),
		},
		Rule:   v.Rule,
		Reason: uint16(v.Reason),
	}, true
}

func key4(k *weirKey4) count.Key {
	out := count.Key{
		SrcPort: hostOrder(k.Sport), DstPort: hostOrder(k.Dport),
		Interface: k.Iface, Protocol: k.Proto, Door: policy.Door(k.Door),
	}
	out.Src[10], out.Src[11], out.Dst[10], out.Dst[11] = 0xff, 0xff, 0xff, 0xff
	binary.NativeEndian.PutUint32(out.Src[12:], k.Src)
	binary.NativeEndian.PutUint32(out.Dst[12:], k.Dst)
	return out
}

func key6(k *weirKey6) count.Key {
	out := count.Key{
		SrcPort: hostOrder(k.Sport), DstPort: hostOrder(k.Dport),
		Interface: k.Iface, Protocol: k.Proto, Door: policy.Door(k.Door),
	}
	for i := range k.Src {
		binary.NativeEndian.PutUint32(out.Src[4*i:], k.Src[i])
		binary.NativeEndian.PutUint32(out.Dst[4*i:], k.Dst[i])
	}
	return out
}

// hostOrder turns a port from network order.
func hostOrder(p uint16) uint16 {
	var b [2]byte
	binary.NativeEndian.PutUint16(b[:], p)
	return binary.BigEndian.Uint16(b[:])
}
