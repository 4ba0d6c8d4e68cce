package soak

import (
	"errors"
	"os"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Clock is the machine's clock and an offset that several processes share: a
// file of eight bytes, mapped into their memory.
type Clock struct {
	memory []byte
	offset *int64 // nanoseconds
}

// OpenClock opens the clock of a file, which is made if it is not there.
func OpenClock(path string) (*Clock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := f.Truncate(8); err != nil {
		return nil, err
	}
	memory, err := unix.Mmap(int(f.Fd()), 0, 8, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	if len(memory) < 8 {
		return nil, errors.New("the clock's file is too short")
	}
	return &Clock{memory, (*int64)(unsafe.Pointer(&memory[0]))}, nil
}

// Now is the time by this clock. It has no monotonic part, so that a step shows
// in every difference, as it does between two readings of the wall clock.
func (c *Clock) Now() time.Time {
	return time.Now().Round(0).Add(time.Duration(atomic.LoadInt64(c.offset)))
}

// Step sets the clock forward or back.
func (c *Clock) Step(d time.Duration) { atomic.AddInt64(c.offset, int64(d)) }

// Offset is by how much the clock is ahead of the machine's.
func (c *Clock) Offset() time.Duration { return time.Duration(atomic.LoadInt64(c.offset)) }

// Close lets go of the file.
func (c *Clock) Close() error { return unix.Munmap(c.memory) }
