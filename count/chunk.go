package count

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"weir/policy"
)

// Chunk is the head of some flows of one interface of one swap.
type Chunk struct {
	// Attempt tells the chunks of one attempt to store a swap from those of
	// another one, which may have been broken off.
	Attempt uint64
	// Ordinal numbers the chunks of a swap from 0. The interface does not stand in
	// the chunk: the closing message says how many chunks each has, in order.
	Ordinal uint32
	Start   int64 // of the swap, Unix milliseconds; times of flows count from it
}

// Bits of the first byte of a flow.
const (
	flow6       = 1 << iota // addresses of 16 bytes
	flowLeaving             // the door
	flowSeen                // a tally follows
	flowRefused             // a tally follows
	flowVerdict             // rule and reason follow
	flowSameSrc             // as in the flow before
	flowSameDst
	flowPorts // ports follow; without it both are 0
)

// MaxFlow is how many bytes a flow takes at most: first byte, protocol,
// addresses, ports, two tallies, rule and reason.
const MaxFlow = 1 + 1 + 32 + 4 + 2*(4*binary.MaxVarintLen64+1) + binary.MaxVarintLen32 + binary.MaxVarintLen16

// minFlow is how many it takes at least: first byte, protocol.
const minFlow = 2

// maxHead is the most of letter, version and the numbers before the flows.
const maxHead = 2 + 8 + binary.MaxVarintLen32 + binary.MaxVarintLen64 + binary.MaxVarintLen32

// AppendChunk appends a chunk that holds flows until it would be longer than
// limit bytes, and returns how many it took. At least one is taken, so that a
// limit that is too small makes chunks that are too long instead of none. The
// interface of the keys is left out.
func AppendChunk(dst []byte, h Chunk, limit int, flows []Flow) (b []byte, taken int) {
	return AppendChunkOf(dst, h, limit, len(flows), func(i int) *Flow { return &flows[i] })
}

// AppendChunkOf is AppendChunk for n flows that lie anywhere.
func AppendChunkOf(dst []byte, h Chunk, limit, n int, flow func(i int) *Flow) (b []byte, taken int) {
	from := len(dst)
	dst = append(dst, chunkLetter, version)
	b = binary.LittleEndian.AppendUint64(dst, h.Attempt)
	b = binary.AppendUvarint(b, uint64(h.Ordinal))
	b = binary.AppendVarint(b, h.Start)
	// The number of flows is known at the end and takes four bytes in any case:
	// a varint that is longer than it needs to be.
	number := len(b)
	b = append(b, 0, 0, 0, 0)
	var before *Flow
	for ; taken < n; taken++ {
		if taken > 0 && (len(b)-from+MaxFlow+checksumSize > limit || taken == 1<<28-1) {
			break
		}
		f := flow(taken)
		b = appendFlow(b, f, before, h.Start)
		before = f
	}
	putUvarint4(b[number:], uint32(taken))
	return seal(b, from), taken
}

// putUvarint4 writes a varint of 28 bits in four bytes.
func putUvarint4(b []byte, n uint32) {
	b[0], b[1], b[2], b[3] = byte(n)|0x80, byte(n>>7)|0x80, byte(n>>14)|0x80, byte(n>>21)&0x7f
}

func appendFlow(b []byte, f, before *Flow, start int64) []byte {
	k := &f.Key
	var bits byte
	v6 := k.Is6()
	if v6 {
		bits |= flow6
	}
	if k.Door == policy.Leaving {
		bits |= flowLeaving
	}
	if f.Seen != (Tally{}) {
		bits |= flowSeen
	}
	if f.Refused != (Tally{}) {
		bits |= flowRefused
	}
	if f.Rule != 0 || f.Reason != 0 {
		bits |= flowVerdict
	}
	if before != nil && k.Src == before.Key.Src {
		bits |= flowSameSrc
	}
	if before != nil && k.Dst == before.Key.Dst {
		bits |= flowSameDst
	}
	if k.SrcPort != 0 || k.DstPort != 0 {
		bits |= flowPorts
	}
	b = append(b, bits, k.Protocol)
	if bits&flowSameSrc == 0 {
		b = appendAddr(b, &k.Src, v6)
	}
	if bits&flowSameDst == 0 {
		b = appendAddr(b, &k.Dst, v6)
	}
	if bits&flowPorts != 0 {
		b = append(b, byte(k.SrcPort>>8), byte(k.SrcPort), byte(k.DstPort>>8), byte(k.DstPort))
	}
	if bits&flowSeen != 0 {
		b = appendTally(b, &f.Seen, start)
	}
	if bits&flowRefused != 0 {
		b = appendTally(b, &f.Refused, start)
	}
	if bits&flowVerdict != 0 {
		b = binary.AppendUvarint(b, uint64(f.Rule))
		b = binary.AppendUvarint(b, uint64(f.Reason))
	}
	return b
}

func appendAddr(b []byte, a *[16]byte, v6 bool) []byte {
	if v6 {
		return append(b, a[:]...)
	}
	return append(b, a[12:]...)
}

// appendTally writes times as differences, which wrap around like int64 does:
// every time survives, however wrong a clock was.
func appendTally(b []byte, t *Tally, start int64) []byte {
	b = binary.AppendUvarint(b, t.Packets)
	b = binary.AppendUvarint(b, t.Bytes)
	b = binary.AppendVarint(b, t.First-start)
	b = binary.AppendVarint(b, t.Last-t.First)
	return append(b, t.Flags)
}

// DecodeHead reads the head of a chunk. It checks the whole chunk's checksum.
func DecodeHead(b []byte) (Chunk, error) {
	_, h, err := openChunk(b)
	return h, err
}

func openChunk(b []byte) (cursor, Chunk, error) {
	c, err := open(b, chunkLetter, "chunk", MaxChunk)
	if err != nil {
		return c, Chunk{}, err
	}
	h := Chunk{
		Attempt: c.uint64("attempt"),
		Ordinal: uint32(c.uvarint("ordinal", math.MaxUint32)),
		Start:   c.varint("start"),
	}
	return c, h, c.err
}

// DecodeChunk appends the flows of a chunk to dst, as flows of an interface by
// its index. After an error dst is what it was. It keeps nothing of b.
func DecodeChunk(dst []Flow, b []byte, index uint16) ([]Flow, error) {
	c, h, err := openChunk(b)
	if err != nil {
		return dst, err
	}
	n := c.length("number of flows", minFlow)
	if c.err != nil {
		return dst, c.err
	}
	was := len(dst)
	dst = slices.Grow(dst, n)[:was+n]
	var before *Key
	for i := range n {
		f := &dst[was+i]
		if what := c.flow(f, before, h.Start); what != "" {
			if c.err != nil {
				return dst[:was], c.err
			}
			return dst[:was], c.fail(fmt.Sprintf("flow %d: %s", i, what), errShort)
		}
		f.Key.Interface = index
		before = &f.Key
	}
	if err := c.end(); err != nil {
		return dst[:was], err
	}
	return dst, nil
}

// mapped is the beginning of an IPv4 address in its mapped form.
var mapped = [12]byte{10: 0xff, 11: 0xff}

// flow reads a flow into f, all of it, and returns what could not be read. It
// takes no errors apart, because it runs for every flow.
func (c *cursor) flow(f *Flow, before *Key, start int64) string {
	b := c.b[c.at:]
	if len(b) < minFlow {
		return "first bytes"
	}
	bits := b[0]
	*f = Flow{}
	k := &f.Key
	k.Protocol = b[1]
	at := 2
	if bits&flowLeaving != 0 {
		k.Door = policy.Leaving
	}
	if bits&(flowSameSrc|flowSameDst) != 0 && before == nil {
		_ = c.fail("first flow", errUnused)
		return "addresses"
	}
	size := 4
	if bits&flow6 != 0 {
		size = 16
	}
	if bits&flowSameSrc != 0 {
		k.Src = before.Src
	} else if at = takeAddr(&k.Src, b, at, size); at < 0 {
		return "source"
	}
	if bits&flowSameDst != 0 {
		k.Dst = before.Dst
	} else if at = takeAddr(&k.Dst, b, at, size); at < 0 {
		return "destination"
	}
	if bits&flowPorts != 0 {
		if len(b) < at+4 {
			return "ports"
		}
		k.SrcPort = binary.BigEndian.Uint16(b[at:])
		k.DstPort = binary.BigEndian.Uint16(b[at+2:])
		at += 4
	}
	if bits&flowSeen != 0 {
		if at = takeTally(&f.Seen, b, at, start); at < 0 {
			return "what was seen"
		}
	}
	if bits&flowRefused != 0 {
		if at = takeTally(&f.Refused, b, at, start); at < 0 {
			return "what was refused"
		}
	}
	if bits&flowVerdict != 0 {
		rule, n := binary.Uvarint(b[at:])
		if n <= 0 || rule > math.MaxUint32 {
			return "rule"
		}
		at += n
		reason, n := binary.Uvarint(b[at:])
		if n <= 0 || reason > math.MaxUint16 {
			return "reason"
		}
		at += n
		f.Rule, f.Reason = uint32(rule), uint16(reason)
	}
	c.at += at
	return ""
}

// takeAddr reads an address and returns where the next part begins, or -1.
func takeAddr(a *[16]byte, b []byte, at, size int) int {
	if len(b) < at+size {
		return -1
	}
	if size == 4 {
		copy(a[:], mapped[:])
	}
	copy(a[16-size:], b[at:at+size])
	return at + size
}

// takeTally reads a tally and returns where the next part begins, or -1.
func takeTally(t *Tally, b []byte, at int, start int64) int {
	var n int
	if t.Packets, n = binary.Uvarint(b[at:]); n <= 0 {
		return -1
	}
	at += n
	if t.Bytes, n = binary.Uvarint(b[at:]); n <= 0 {
		return -1
	}
	at += n
	first, n := binary.Varint(b[at:])
	if n <= 0 {
		return -1
	}
	at += n
	span, n := binary.Varint(b[at:])
	if n <= 0 || at+n >= len(b) {
		return -1
	}
	at += n
	t.First = start + first
	t.Last = t.First + span
	t.Flags = b[at]
	return at + 1
}
