package ebpf

import (
	"sync/atomic"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// control is the programs' control word, mapped into this process: a store is
// one instruction, so no program sees half of it.
type control struct {
	memory []byte
	word   *weirControl
}

func mapControl(m *ebpf.Map) (*control, error) {
	memory, err := unix.Mmap(m.FD(), 0, unix.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, &Error{"map the control word", "", err, ""}
	}
	return &control{memory, (*weirControl)(unsafe.Pointer(&memory[0]))}, nil
}

func (c *control) close() { _ = unix.Munmap(c.memory) }

func (c *control) epoch() uint32        { return atomic.LoadUint32(&c.word.Epoch) }
func (c *control) setEpoch(e uint32)    { atomic.StoreUint32(&c.word.Epoch, e) }
func (c *control) setDrained(e uint32)  { atomic.StoreUint32(&c.word.Drained, e) }
func (c *control) base(e uint32) uint64 { return atomic.LoadUint64(&c.word.Base[e&1]) }
func (c *control) setBase(e uint32, ns uint64) {
	atomic.StoreUint64(&c.word.Base[e&1], ns)
}

// monotonic is CLOCK_MONOTONIC in nanoseconds, the clock of bpf_ktime_get_ns.
func monotonic() uint64 {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &t) // cannot fail for this clock
	return uint64(t.Nano())
}
