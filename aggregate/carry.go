package aggregate

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"weir/policy"
)

// carryVersion is the first byte of what Carry returns.
const carryVersion = 1

// maxCarried bounds what goes over from one interval to the next. It is datagrams
// in fragments that trickled in across the boundary and were refused then; the
// kernel holds a few thousand at most (net.ipv4.ipfrag_high_thresh).
const maxCarried = 10_000

// Carry is what goes over from the intervals that are closed to those that come,
// when no interval is open: the refusals that are still owed. It is empty almost
// always. A new aggregator that [Aggregator.Restore] gives it to, and that is fed
// the same swaps from there on, emits the same records.
//
// The form: a version byte, then for each flow its interface's id (length,
// bytes), its key (addresses, ports, protocol, door) and the packets and bytes
// that are owed, as varints.
func (a *Aggregator) Carry() []byte {
	var owing []debt
	for n := range a.flows.count {
		f := a.flows.at(n)
		if r := a.flows.refusal(f); r != nil && r.owed != (owed{}) {
			owing = append(owing, debt{f.key, r.owed})
		}
	}
	if len(owing) == 0 {
		return nil
	}
	slices.SortFunc(owing, func(x, y debt) int {
		return cmp.Or(cmp.Compare(a.ids[x.place], a.ids[y.place]), x.Compare(&y.Key))
	})
	out := []byte{carryVersion}
	for i, k := range owing {
		if i == maxCarried {
			break
		}
		out = binary.AppendUvarint(out, uint64(len(a.ids[k.place])))
		out = append(out, a.ids[k.place]...)
		out = append(append(out, k.Src[:]...), k.Dst[:]...)
		out = binary.BigEndian.AppendUint16(out, k.SrcPort)
		out = binary.BigEndian.AppendUint16(out, k.DstPort)
		out = append(out, k.Protocol, byte(k.Door))
		out = binary.AppendVarint(out, k.packets)
		out = binary.AppendVarint(out, k.bytes)
	}
	return out
}

// Restore gives a new aggregator what an earlier one carried over. An error
// means that it is not what Carry returned; nothing is restored then.
func (a *Aggregator) Restore(carry []byte) error {
	if len(carry) == 0 {
		return nil
	}
	if carry[0] != carryVersion {
		return fmt.Errorf("carried over: version %d, want %d", carry[0], carryVersion)
	}
	var debts []debt
	in := carryReader{carry[1:], nil}
	for len(in.b) > 0 && in.err == nil {
		var k debt
		k.place = a.placeOf(string(in.bytes(int(min(in.uvarint(), 256)))))
		copy(k.Src[:], in.bytes(16))
		copy(k.Dst[:], in.bytes(16))
		ports := in.bytes(6)
		if in.err != nil {
			break
		}
		k.SrcPort, k.DstPort = binary.BigEndian.Uint16(ports), binary.BigEndian.Uint16(ports[2:])
		k.Protocol, k.Door = ports[4], policy.Door(ports[5])
		k.packets, k.bytes = in.varint(), in.varint()
		debts = append(debts, k)
	}
	if in.err != nil {
		return in.err
	}
	for i := range debts {
		a.flows.owe(&debts[i])
	}
	return nil
}

// carryReader reads what Carry wrote; the first error stays.
type carryReader struct {
	b   []byte
	err error
}

var errCarry = errors.New("carried over: cut off")

func (r *carryReader) bytes(n int) []byte {
	if r.err != nil || n > len(r.b) {
		r.err = errCarry
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *carryReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.err = errCarry
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *carryReader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.err = errCarry
		return 0
	}
	r.b = r.b[n:]
	return v
}
