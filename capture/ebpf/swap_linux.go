package ebpf

import (
	"fmt"
	"slices"
	"time"

	"github.com/cilium/ebpf"

	"weir/count"
)

// Swap hands everything over that was counted since the last one, and begins a
// new epoch. The caller makes it durable and then calls [Capture.Release];
// until then the kernel keeps it, and Swap may not be called again.
//
// It takes two grace periods (about 10 ms each) and the settling time. If an
// earlier run ended between Swap and Release, the first call returns what that
// run did not release, and does not begin a new epoch.
func (c *Capture) Swap() (*count.Swap, error) {
	if c.waiting && c.read {
		return nil, &Error{"swap", "", fmt.Errorf("epoch %d has not been released", c.control.epoch()-1), ""}
	}
	if c.waiting {
		s, err := c.readLeft()
		if err != nil {
			return nil, err
		}
		if !nothing(s) {
			c.read = true
			return s, nil
		}
		if err := c.Release(); err != nil {
			return nil, err
		}
	}

	old := c.control.epoch()
	start := c.started
	// The base comes before the epoch: a program that sees the new epoch must
	// find its base.
	c.control.setBase(old+1, monotonic())
	end := c.cfg.Now()
	c.control.setEpoch(old + 1)
	c.started, c.waiting, c.read = end, true, false
	// From here no packet begins to be counted in the old epoch. After the
	// grace period none is being counted there, and whatever was refused on the
	// spot has been taken back. What was held together from fragments may
	// follow for a moment.
	if err := c.grace(); err != nil {
		return nil, err
	}
	time.Sleep(c.cfg.Settle)
	c.control.setDrained(old)
	if err := c.grace(); err != nil {
		return nil, err
	}
	s, err := c.readEpoch(old, start, end)
	if err != nil {
		return nil, err
	}
	c.read = true
	return s, nil
}

// readLeft reads the epoch before the current one, which an earlier run handed
// over and did not release, or was handing over when it ended.
func (c *Capture) readLeft() (*count.Swap, error) {
	epoch := c.control.epoch()
	c.control.setDrained(epoch - 1)
	if err := c.grace(); err != nil {
		return nil, err
	}
	start := c.started
	if was, now := c.control.base(epoch-1), c.control.base(epoch); was != 0 && was < now {
		start = start.Add(-time.Duration(now - was))
	}
	return c.readEpoch(epoch-1, start, c.started)
}

// nothing reports whether nothing was counted and nothing lost.
func nothing(s *count.Swap) bool {
	lost := slices.ContainsFunc(s.Interfaces, func(w count.Watched) bool { return w.Loss.Packets() > 0 })
	return len(s.Flows) == 0 && !lost
}

// grace waits until no program that runs now is running any more. Updating a
// map of maps does that: bpf_map_update_elem waits in maybe_wait_bpf_programs
// (kernel/bpf/syscall.c) for an RCU grace period. membarrier would not do, it
// waits for nothing on one CPU.
func (c *Capture) grace() error {
	if err := c.maps[weirMapLosses].Put(uint32(0), c.slots[0].losses); err != nil {
		return &Error{"wait for the programs", "", err, ""}
	}
	return nil
}

// Release clears the maps of the last swap, for the epoch after the current
// one. It is called when the swap's counts are safe.
func (c *Capture) Release() error {
	old := c.control.epoch() - 1
	slot := &c.slots[old&1]
	if err := c.clearFlows(slot, int(old&1)); err != nil {
		return err
	}
	zero := make([]weirLoss, possibleCPUs())
	for _, i := range append([]uint32{0}, c.indexesInUse()...) {
		if err := slot.losses.Put(i, zero); err != nil {
			return &Error{"clear the loss ledger", "", err, ""}
		}
	}
	c.waiting, c.read = false, false
	c.forget(old)
	return nil
}

// clearFlows makes a slot's flow maps empty, and gives them the size that was
// asked for if an earlier run asked for another. A new map for each swap would
// do as well, and was measured: it takes 46 to 350 ns for each flow it has room
// for, by how the kernel finds memory, against 300 for each that is deleted.
func (c *Capture) clearFlows(s *slot, i int) error {
	if int(s.flows4.MaxEntries()) == c.cfg.MaxFlows {
		if err := empty(s.flows4, &c.batch.keys4, &c.batch.counts); err != nil {
			return err
		}
		return empty(s.flows6, &c.batch.keys6, &c.batch.counts)
	}
	for outer, inner := range map[string]**ebpf.Map{weirMapFlows4: &s.flows4, weirMapFlows6: &s.flows6} {
		fresh, err := c.newInner(outer, i, c.cfg.MaxFlows)
		if err != nil {
			return err
		}
		_ = (*inner).Close() // the kernel frees it in the background
		*inner = fresh
	}
	return nil
}

func (c *Capture) indexesInUse() []uint32 {
	var list []uint32
	for _, w := range c.watched {
		list = append(list, uint32(w.index))
	}
	return list
}

// Occupancy is how full the current maps are, from 0 to 1: the flows of both
// families against the room of one.
func (c *Capture) Occupancy() (float64, error) {
	slot := &c.slots[c.control.epoch()&1]
	n, err := inserted(slot)
	return float64(n) / float64(slot.flows4.MaxEntries()), err
}

// inserted is how many flows were put into a slot's maps.
func inserted(s *slot) (uint64, error) {
	var perCPU []weirLoss
	if err := s.losses.Lookup(uint32(0), &perCPU); err != nil {
		return 0, &Error{"read the occupancy", "", err, ""}
	}
	var n uint64
	for i := range perCPU {
		n += perCPU[i].Inserted
	}
	return n, nil
}
