package count

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"
)

// Closing is the message that closes a swap: all of it but the flows. Only a swap
// that has one has been stored.
type Closing struct {
	Host    string // that counted
	Attempt uint64 // of the swap's chunks
	// First is the journal's sequence number of the first chunk, 0 when there is
	// none.
	First  uint64
	Chunks uint32 // of all interfaces

	Source     string
	Epoch      uint64
	Topology   string
	Start, End time.Time // to the nanosecond, UTC
	Reasons    map[uint16]string
	Interfaces []Closed // ascending by Index
	Absent     []Absent
}

// Closed is one interface of a stored swap. Its chunks come right behind those
// of the interface before it.
type Closed struct {
	Watched
	Chunks         uint32
	Flows          uint64
	Packets, Bytes uint64 // of both verdicts, see [Flow.Sum]
}

// Absent is an interface that is not watched at present and has had a packet: it
// is still active when it comes back.
type Absent struct {
	ID   string
	Last int64 // end of the last swap that watched it, Unix seconds
}

// Sum is what a flow counted with both verdicts, each packet once: at an entering
// door what was refused has been seen, too.
func (f *Flow) Sum() (packets, octets uint64) {
	if f.Key.Door == 0 {
		return max(f.Seen.Packets, f.Refused.Packets), max(f.Seen.Bytes, f.Refused.Bytes)
	}
	return f.Seen.Packets + f.Refused.Packets, f.Seen.Bytes + f.Refused.Bytes
}

// Bits of an interface.
const (
	closedActive = 1 << iota
	closedLoss
	closedFlows
	closedKnown = closedActive | closedLoss | closedFlows
)

// AppendClosing appends the encoded message. It fails when a text is longer than
// 1,024 bytes, when interfaces do not ascend, or when the message would be longer
// than [MaxClosing]; dst is what it was then.
func AppendClosing(dst []byte, m *Closing) ([]byte, error) {
	if err := m.check(); err != nil {
		return dst, err
	}
	vpcs, subnets := table{}, table{}
	for i := range m.Interfaces {
		vpcs.add(m.Interfaces[i].VPCID)
		subnets.add(m.Interfaces[i].SubnetID)
	}
	b := binary.LittleEndian.AppendUint64(append(dst, closingLetter, version), m.Attempt)
	b = binary.AppendUvarint(b, m.First)
	b = binary.AppendUvarint(b, uint64(m.Chunks))
	b = appendText(b, m.Host)
	b = appendText(b, m.Source)
	b = binary.AppendUvarint(b, m.Epoch)
	b = appendText(b, m.Topology)
	b = binary.AppendVarint(b, m.Start.UnixNano())
	b = binary.AppendVarint(b, m.End.UnixNano()-m.Start.UnixNano())
	b = binary.AppendUvarint(b, uint64(len(m.Reasons)))
	for _, code := range slices.Sorted(maps.Keys(m.Reasons)) {
		b = binary.AppendUvarint(b, uint64(code))
		b = appendText(b, m.Reasons[code])
	}
	b = vpcs.append(b)
	b = subnets.append(b)
	b = binary.AppendUvarint(b, uint64(len(m.Interfaces)))
	next := 0
	for i := range m.Interfaces {
		c := &m.Interfaces[i]
		b = binary.AppendUvarint(b, uint64(int(c.Index)-next))
		next = int(c.Index) + 1
		b = appendText(b, c.ID)
		b = binary.AppendUvarint(b, uint64(vpcs.place[c.VPCID]))
		b = binary.AppendUvarint(b, uint64(subnets.place[c.SubnetID]))
		b = c.append(b)
	}
	b = binary.AppendUvarint(b, uint64(len(m.Absent)))
	for _, a := range m.Absent {
		b = appendText(b, a.ID)
		b = binary.AppendVarint(b, a.Last)
	}
	b = seal(b, len(dst))
	if n := len(b) - len(dst); n > MaxClosing {
		return dst, fmt.Errorf("a closing message of %d bytes is longer than the %d it may have", n, MaxClosing)
	}
	return b, nil
}

func (m *Closing) check() error {
	texts := []string{m.Host, m.Source, m.Topology}
	for i := range m.Interfaces {
		c := &m.Interfaces[i]
		if i > 0 && c.Index <= m.Interfaces[i-1].Index {
			return fmt.Errorf("interface %s has the index %d behind %d", c.ID, c.Index, m.Interfaces[i-1].Index)
		}
		texts = append(texts, c.ID, c.VPCID, c.SubnetID)
	}
	for _, a := range m.Absent {
		texts = append(texts, a.ID)
	}
	for _, name := range m.Reasons {
		texts = append(texts, name)
	}
	for _, t := range texts {
		if len(t) > maxText {
			return fmt.Errorf("%.40q… has %d bytes, a text of a closing message may have %d", t, len(t), maxText)
		}
	}
	return nil
}

// append writes what differs between interfaces.
func (c *Closed) append(b []byte) []byte {
	var bits byte
	if c.Active {
		bits |= closedActive
	}
	if c.Loss != (Loss{}) {
		bits |= closedLoss
	}
	flows := [...]uint64{uint64(c.Chunks), c.Flows, c.Packets, c.Bytes}
	if flows != [4]uint64{} {
		bits |= closedFlows
	}
	b = append(b, bits)
	if bits&closedLoss != 0 {
		for _, n := range c.Loss.numbers() {
			b = binary.AppendUvarint(b, *n)
		}
	}
	if bits&closedFlows != 0 {
		for _, n := range flows {
			b = binary.AppendUvarint(b, n)
		}
	}
	return b
}

// numbers are the fields in the order in which they are encoded.
func (l *Loss) numbers() [8]*uint64 {
	return [...]*uint64{
		&l.FullPackets, &l.FullBytes, &l.UnreadPackets, &l.UnreadBytes,
		&l.RefusedPackets, &l.RefusedBytes, &l.JournalPackets, &l.JournalBytes,
	}
}

// table is texts that many interfaces share.
type table struct {
	list  []string
	place map[string]int
}

func (t *table) add(s string) {
	if _, ok := t.place[s]; ok {
		return
	}
	if t.place == nil {
		t.place = map[string]int{}
	}
	t.place[s] = len(t.list)
	t.list = append(t.list, s)
}

func (t *table) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(t.list)))
	for _, s := range t.list {
		b = appendText(b, s)
	}
	return b
}

// DecodeClosing reads a closing message. It keeps nothing of b.
func DecodeClosing(b []byte) (*Closing, error) {
	c, err := open(b, closingLetter, "closing message", MaxClosing)
	if err != nil {
		return nil, err
	}
	m := &Closing{
		Attempt: c.uint64("attempt"),
		First:   c.uvarint("first chunk", math.MaxUint64),
		Chunks:  uint32(c.uvarint("number of chunks", math.MaxUint32)),
		Host:    c.text("host"),
		Source:  c.text("source"),
		Epoch:   c.uvarint("epoch", math.MaxUint64),
	}
	m.Topology = c.text("topology")
	start := c.varint("start")
	end := start + c.varint("end")
	m.Start, m.End = time.Unix(0, start).UTC(), time.Unix(0, end).UTC()
	if n := c.length("number of reasons", 2); n > 0 {
		m.Reasons = make(map[uint16]string, min(n, 1<<10))
		for range n {
			code := uint16(c.uvarint("reason", math.MaxUint16))
			m.Reasons[code] = c.text("name of a reason")
		}
	}
	vpcs, subnets := c.table("vpc"), c.table("subnet")
	if err := c.interfaces(m, vpcs, subnets); err != nil {
		return nil, err
	}
	if n := c.length("number of absent interfaces", 2); n > 0 {
		m.Absent = make([]Absent, n)
		for i := range m.Absent {
			m.Absent[i] = Absent{c.text("absent interface"), c.varint("its last time")}
		}
	}
	if err := c.end(); err != nil {
		return nil, err
	}
	return m, nil
}

func (c *cursor) table(what string) []string {
	n := c.length("number of "+what+"s", 1)
	if n == 0 {
		return nil
	}
	list := make([]string, n)
	for i := range list {
		list[i] = c.text(what)
	}
	return list
}

// interfaces reads the list of interfaces and compares the numbers of chunks.
func (c *cursor) interfaces(m *Closing, vpcs, subnets []string) error {
	n := c.length("number of interfaces", 5)
	if c.err == nil && n > math.MaxUint16+1 {
		return c.fail("number of interfaces", errNumber)
	}
	if n > 0 {
		m.Interfaces = make([]Closed, n)
	}
	next, chunks := uint64(0), uint64(0)
	for i := range m.Interfaces {
		w := &m.Interfaces[i]
		index := next + c.uvarint("index", math.MaxUint16)
		if c.err == nil && index > math.MaxUint16 {
			return c.fail("index", errNumber)
		}
		w.Index, next = uint16(index), index+1
		w.ID = c.text("interface")
		w.VPCID = c.entry("vpc of "+w.ID, vpcs)
		w.SubnetID = c.entry("subnet of "+w.ID, subnets)
		c.closed(w)
		if c.err != nil {
			return c.err
		}
		chunks += uint64(w.Chunks)
	}
	if c.err == nil && chunks != uint64(m.Chunks) {
		return c.fail("number of chunks", fmt.Errorf("%d in all, %d by interface", m.Chunks, chunks))
	}
	return c.err
}

// entry reads the place of a text in a table.
func (c *cursor) entry(what string, table []string) string {
	n := c.uvarint(what, math.MaxUint32)
	if c.err == nil && n >= uint64(len(table)) {
		_ = c.fail(what, errNumber)
	}
	if c.err != nil {
		return ""
	}
	return table[n]
}

func (c *cursor) closed(w *Closed) {
	bits := c.byte("bits of " + w.ID)
	if bits&^closedKnown != 0 {
		_ = c.fail("bits of "+w.ID, errUnused)
	}
	w.Active = bits&closedActive != 0
	if bits&closedLoss != 0 {
		for _, n := range w.Loss.numbers() {
			*n = c.uvarint("loss of "+w.ID, math.MaxUint64)
		}
	}
	if bits&closedFlows != 0 {
		w.Chunks = uint32(c.uvarint("chunks of "+w.ID, math.MaxUint32))
		w.Flows = c.uvarint("flows of "+w.ID, math.MaxUint64)
		w.Packets = c.uvarint("packets of "+w.ID, math.MaxUint64)
		w.Bytes = c.uvarint("bytes of "+w.ID, math.MaxUint64)
	}
}
