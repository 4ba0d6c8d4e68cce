package ebpf

import (
	"encoding/binary"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/rlimit"
)

// machine runs the tcx programs over packets that exist nowhere else, by
// BPF_PROG_TEST_RUN, and reads what one packet did. Its maps are not pinned and
// its programs not attached: nothing outlives the process, however it ends.
type machine struct {
	capture  *Capture
	ethernet *ebpf.Program // at a device with a link header
	bare     *ebpf.Program // and at one without
	keys4    []weirKey4
	keys6    []weirKey6
	values   []weirCounts
}

// A test run has the loopback device of the namespace that it is run in. Which
// device that is the programs learn from the interface table by the namespace
// that they were loaded for, so two made-up ones make two kinds of device.
var (
	ethernetDevice = weirDevice{Netns: 1, Ifindex: 1}
	bareDevice     = weirDevice{Netns: 2, Ifindex: 1}
)

func newMachine(tb testing.TB, flows int) *machine {
	tb.Helper()
	if os.Getuid() != 0 {
		tb.Skip("needs root: it loads eBPF programs")
	}
	c := unpinned(tb, flows)
	m := &machine{
		capture: c,
		keys4:   make([]weirKey4, 64), keys6: make([]weirKey6, 64), values: make([]weirCounts, 64),
	}
	enter(tb, c, ethernetDevice, weirInterface{Index: 1, L2: 14})
	enter(tb, c, bareDevice, weirInterface{Index: 2, L2: 0})
	m.ethernet = program(tb, c, ethernetDevice.Netns, weirProgWeirEntering)
	m.bare = program(tb, c, bareDevice.Netns, weirProgWeirEntering)
	return m
}

// unpinned is a capture without a run directory: maps only. Swap and Release
// work; Watch does not.
func unpinned(tb testing.TB, flows int) *Capture {
	tb.Helper()
	must(tb, rlimit.RemoveMemlock())
	c := &Capture{
		cfg:        Config{MaxFlows: flows, Settle: time.Millisecond, Log: slog.New(slog.DiscardHandler), Now: time.Now},
		namespaces: map[uint32]*programs{},
		watched:    map[weirDevice]*watched{},
	}
	var err error
	c.spec, err = loadWeir()
	must(tb, err)
	spec := c.spec.Copy()
	spec.Programs, spec.Variables = nil, nil
	delete(spec.Maps, ".rodata") // each copy of the programs has its own
	coll, err := ebpf.NewCollection(spec)
	must(tb, err)
	c.maps = coll.Maps
	tb.Cleanup(c.closeFiles)
	c.control, err = mapControl(c.maps[weirMapEpochs])
	must(tb, err)
	must(tb, c.openSlots())
	return c
}

// enter puts a device into the interface table as attach does.
func enter(tb testing.TB, c *Capture, dev weirDevice, i weirInterface) {
	tb.Helper()
	must(tb, c.maps[weirMapInterfaces].Put(dev, i))
	must(tb, c.maps[weirMapFronts].Put(frontOf(dev), weirFront{Device: dev, Index: i.Index, L2: i.L2}))
}

func program(tb testing.TB, c *Capture, netns uint32, name string) *ebpf.Program {
	tb.Helper()
	progs, err := c.load(netns, 0, name)
	must(tb, err)
	tb.Cleanup(func() { _ = progs[name].Close() })
	return progs[name]
}

// skBuff is struct __sk_buff of linux/bpf.h as far as gso_size.
type skBuff struct {
	_       [41]uint32
	GSOSegs uint32
	_       [2]uint32
	GSOSize uint32
	_       [3]uint32
}

// fits reports whether the kernel takes the packet for a test run: it wants a
// whole IP header behind a type that says IP, and makes one page of it. What it
// does not take is tested on a wire, see [TestParsersOnTheWire].
func (b buffer) fits() bool {
	if len(b.frame) <= 14 || len(b.frame) > 3000 {
		return false
	}
	switch binary.BigEndian.Uint16(b.frame[12:]) {
	case typeIPv4:
		return len(b.frame) >= 14+20
	case typeIPv6:
		return len(b.frame) >= 14+40
	}
	return true
}

// run feeds one packet and says what it did.
func (m *machine) run(tb testing.TB, b buffer) outcome {
	tb.Helper()
	prog, index := m.ethernet, uint32(1)
	if b.l3 {
		prog, index = m.bare, 2
	}
	opts := &ebpf.RunOptions{Data: b.frame, Context: &skBuff{GSOSegs: uint32(b.gsoSegs), GSOSize: uint32(b.gsoSize)}}
	ret, err := prog.Run(opts)
	if err != nil {
		tb.Fatalf("test run of %d bytes: %v", len(b.frame), err)
	}
	if int32(ret) != -1 {
		tb.Fatalf("the program returned %d, want TCX_NEXT", int32(ret))
	}
	return m.take(tb, index)
}

// take reads what was counted at an interface and clears it.
func (m *machine) take(tb testing.TB, index uint32) outcome {
	tb.Helper()
	var found []outcome
	slot := &m.capture.slots[m.capture.control.epoch()&1]
	clock := clock{}
	for _, k := range takeAll(tb, slot.flows4, m.keys4, m.values) {
		f, _ := clock.flow(&k.value)
		f.Key = key4(&k.key)
		found = append(found, outcomeOf(tb, &k.value, f.Key.Interface, index))
		o := &found[len(found)-1]
		o.Src, o.Dst = f.Key.Addrs()
		o.Proto, o.SrcPort, o.DstPort = f.Key.Protocol, f.Key.SrcPort, f.Key.DstPort
	}
	for _, k := range takeAll(tb, slot.flows6, m.keys6, m.values) {
		key := key6(&k.key)
		found = append(found, outcomeOf(tb, &k.value, key.Interface, index))
		o := &found[len(found)-1]
		o.Src, o.Dst = netip.AddrFrom16(key.Src), netip.AddrFrom16(key.Dst)
		o.Proto, o.SrcPort, o.DstPort = key.Protocol, key.SrcPort, key.DstPort
	}
	loss, err := readLoss(slot.losses, index)
	must(tb, err)
	if loss.Packets() > 0 || len(found) > 0 { // else nothing to clear
		zero := make([]weirLoss, possibleCPUs())
		must(tb, slot.losses.Put(index, zero))
		must(tb, slot.losses.Put(uint32(0), zero))
	}
	switch {
	case len(found) == 1 && loss.Packets() == 0:
		return found[0]
	case len(found) == 0 && loss.Packets() == 0:
		return outcome{What: ignored}
	case len(found) == 0 && loss.UnreadPackets == loss.Packets():
		return outcome{What: unread, Packets: loss.UnreadPackets, Bytes: loss.UnreadBytes}
	}
	tb.Fatalf("one packet made the flows %+v and the loss %+v", found, loss)
	return outcome{}
}

func outcomeOf(tb testing.TB, v *weirCounts, index uint16, want uint32) outcome {
	tb.Helper()
	if uint32(index) != want || v.RefusedPackets != 0 || v.Flags>>8 != 0 {
		tb.Fatalf("counted at interface %d, want %d: %+v", index, want, v)
	}
	return outcome{What: counted, Packets: v.SeenPackets, Bytes: v.SeenBytes, Flags: uint8(v.Flags)}
}

type entry[K any] struct {
	key   K
	value weirCounts
}

// takeAll empties a map and returns what was in it.
func takeAll[K any](tb testing.TB, m *ebpf.Map, keys []K, values []weirCounts) []entry[K] {
	tb.Helper()
	var list []entry[K]
	var cursor ebpf.MapBatchCursor
	for {
		n, err := m.BatchLookupAndDelete(&cursor, keys, values, nil)
		for i := range n {
			list = append(list, entry[K]{keys[i], values[i]})
		}
		if errors.Is(err, ebpf.ErrKeyNotExist) {
			return list
		}
		must(tb, err)
	}
}
