package ebpf

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"weir/netns"
	"weir/vpc"
)

// watched is one device with our programs at both doors.
type watched struct {
	id    string
	name  string // of the device
	index uint16
	addrs []weirAddress
	links []link.Link
	// gone is the epoch in which the device vanished or was let go; 0 while it
	// is there. Its counts are still read once more, and its index is not used
	// again before that.
	gone uint32
}

// counts reports whether our programs are at both doors of the device. A link
// outlives its device, and names none then: an index of a device may be given
// to another one, in a namespace that was made again or by hand.
func (w *watched) counts(dev weirDevice) bool {
	if w.gone != 0 || len(w.links) != 2 {
		return false
	}
	for _, l := range w.links {
		info, err := l.Info()
		if err != nil || info.TCX() == nil || info.TCX().Ifindex != dev.Ifindex {
			return false
		}
	}
	return true
}

func (w *watched) closeLinks() {
	for _, l := range w.links {
		_ = l.Close()
	}
	w.links = nil
}

// Watch makes the capture watch exactly these interfaces: new ones are attached
// to, those that are not in the list any more are let go after their counts
// have been read. An interface whose device is missing is in the error; the
// others are watched all the same. An interface is known by its device's index,
// so a device that was removed and made again is a new one.
func (c *Capture) Watch(list []vpc.Interface) error {
	var errs []error
	var missing []*vpc.Interface
	wanted := map[weirDevice]bool{}
	for i := range list {
		dev, counting, err := c.look(&list[i])
		if err != nil {
			errs = append(errs, err)
			continue
		}
		wanted[dev] = true
		if !counting {
			missing = append(missing, &list[i])
		}
	}
	// Letting go comes first: a device that moved to another namespace still has
	// our programs, which must not be in the way there.
	for dev, w := range c.watched {
		if !wanted[dev] && w.gone == 0 {
			c.letGo(dev, w)
		}
	}
	for _, i := range missing {
		errs = append(errs, c.watch(i))
	}
	return errors.Join(errs...)
}

// look finds an interface's device, and whether it is being counted at.
func (c *Capture) look(i *vpc.Interface) (dev weirDevice, counting bool, err error) {
	err = c.atDevice(i, func(l netlink.Link, at weirDevice) error {
		dev = at
		if w := c.watched[dev]; w != nil && w.id == i.ID && w.counts(dev) {
			c.setAddresses(dev, w, i)
			counting = true
		}
		return nil
	})
	return dev, counting, err
}

func (c *Capture) watch(i *vpc.Interface) error {
	return c.atDevice(i, func(l netlink.Link, dev weirDevice) error {
		if w := c.watched[dev]; w != nil && w.id == i.ID && w.counts(dev) {
			return nil // it stands in the list twice
		}
		return c.attach(dev, i, linkHeader(l))
	})
}

// atDevice runs f inside the namespace of an interface's device.
func (c *Capture) atDevice(i *vpc.Interface, f func(netlink.Link, weirDevice) error) error {
	return inNamespace(i.Device.Namespace, func(inode uint32) error {
		l, err := netlink.LinkByName(i.Device.Name)
		if err != nil {
			return &Error{"find device", i.Device.String(), err, "the devices of this host: ip link"}
		}
		return f(l, weirDevice{Netns: inode, Ifindex: uint32(l.Attrs().Index)})
	})
}

// inNamespace runs f inside a network namespace, "" being the one we are in, and
// tells it the namespace's inode number.
func inNamespace(path string, f func(inode uint32) error) error {
	if path == "" {
		inode, err := inodeOf("/proc/thread-self/ns/net")
		if err != nil {
			return err
		}
		return f(inode)
	}
	inode, err := inodeOf(path)
	if err != nil {
		return err
	}
	ns, err := netns.Open(path)
	if err != nil {
		return &Error{"enter network namespace", path, err, ""}
	}
	defer ns.Close()
	return ns.Do(func() error { return f(inode) })
}

func inodeOf(path string) (uint32, error) {
	var s unix.Stat_t
	if err := unix.Stat(path, &s); err != nil {
		return 0, &Error{"find network namespace", path, err, ""}
	}
	return uint32(s.Ino), nil
}

// linkHeader is the length of the header before the network header at tcx.
func linkHeader(l netlink.Link) uint8 {
	switch l.Attrs().EncapType {
	case "ether", "loopback":
		return 14
	}
	return 0 // none, ppp, tunnels: the network header comes first
}

// attach puts our programs at both doors of a device, or takes over the ones an
// earlier run left there. It runs inside the device's namespace.
func (c *Capture) attach(dev weirDevice, i *vpc.Interface, l2 uint8) error {
	progs, err := c.programsFor(dev.Netns)
	if err != nil {
		return err
	}
	if w := c.watched[dev]; w != nil && w.id != i.ID {
		if err := c.retire(dev, w); err != nil {
			return err
		}
	}
	w := c.watched[dev]
	fresh := w == nil || w.gone != 0
	if w == nil {
		index, err := c.indexes.take()
		if err != nil {
			return &Error{"watch", i.Device.String(), err, ""}
		}
		w = &watched{index: index}
	}
	w.closeLinks()
	w.id, w.name, w.gone = i.ID, i.Device.Name, 0
	c.watched[dev] = w
	// The entry comes first: a program that does not find it counts nothing. It
	// is a gone one until the programs are there, so that nothing is taken back
	// that they have not seen.
	entry := weirInterface{Index: w.index, L2: l2}
	setID(&entry, i.ID)
	if fresh {
		entry.Gone = 1
	}
	if err := c.enter(dev, entry); err != nil {
		c.letGo(dev, w)
		return &Error{"enter into the interface table", i.Device.String(), err, ""}
	}
	c.setAddresses(dev, w, i)

	for _, door := range []struct {
		name   string
		prog   *ebpf.Program
		attach ebpf.AttachType
		anchor link.Anchor
	}{
		// First on the way in, last on the way out: what others redirect or
		// drop there is counted as it came and as it left.
		{entering, progs.entering, ebpf.AttachTCXIngress, link.Head()},
		{leaving, progs.leaving, ebpf.AttachTCXEgress, link.Tail()},
	} {
		pin := c.pin(dev, door.name)
		l, err := c.adoptLink(pin, dev.Ifindex, door.prog)
		if err != nil {
			c.letGo(dev, w)
			return &Error{"take over", pin, err, ""}
		}
		if l == nil {
			if err := notWatched(dev.Ifindex, door.attach); err != nil {
				c.letGo(dev, w)
				return &Error{"watch", i.Device.String(), err, "stop that Weir first; one that was killed leaves its programs counting: weir up --clean, or weir lab --clean"}
			}
			l, err = link.AttachTCX(link.TCXOptions{
				Interface: int(dev.Ifindex), Program: door.prog, Attach: door.attach, Anchor: door.anchor,
			})
			if err != nil {
				c.letGo(dev, w)
				return &Error{"attach to", i.Device.String(), err, "what this host can do: weir check"}
			}
			if err := l.Pin(pin); err != nil {
				_ = l.Close()
				c.letGo(dev, w)
				return &Error{"pin", pin, err, ""}
			}
		}
		w.links = append(w.links, l)
	}
	if entry.Gone != 0 {
		entry.Gone = 0
		if err := c.enter(dev, entry); err != nil {
			c.letGo(dev, w)
			return &Error{"enter into the interface table", i.Device.String(), err, ""}
		}
	}
	return nil
}

// enter puts a device into the interface table and, if the place is free, into
// its front. A front that another device is using stays: no program may read
// half of each.
func (c *Capture) enter(dev weirDevice, entry weirInterface) error {
	if err := c.maps[weirMapInterfaces].Put(dev, entry); err != nil {
		return err
	}
	var front weirFront
	if err := c.maps[weirMapFronts].Lookup(frontOf(dev), &front); err != nil {
		return err
	}
	if front.Device != (weirDevice{}) && front.Device != dev {
		return nil
	}
	return c.maps[weirMapFronts].Put(frontOf(dev), weirFront{Device: dev, Index: entry.Index, L2: entry.L2, Gone: entry.Gone})
}

// retire makes room for another interface at a device: what was counted under
// the old id is delivered under it, from a place in the table where no device
// is. The links stay pinned for the new one.
func (c *Capture) retire(dev weirDevice, w *watched) error {
	w.closeLinks()
	c.setAddresses(dev, w, &vpc.Interface{})
	nowhere := weirDevice{Netns: 0, Ifindex: uint32(w.index)}
	entry := weirInterface{Index: w.index, Gone: 1}
	setID(&entry, w.id)
	if err := c.maps[weirMapInterfaces].Put(nowhere, entry); err != nil {
		return &Error{"enter into the interface table", w.id, err, ""}
	}
	if w.gone == 0 {
		w.gone = c.control.epoch()
	}
	delete(c.watched, dev)
	c.watched[nowhere] = w
	return nil
}

const entering, leaving = "entering", "leaving"

// pin is where the link at one door of a device is pinned.
func (c *Capture) pin(dev weirDevice, door string) string {
	return filepath.Join(c.dir.links(), fmt.Sprintf("%d-%d-%s", dev.Netns, dev.Ifindex, door))
}

// adoptLink opens the link that an earlier run pinned and gives it our program
// in one step. It returns nil when there is none, or when it is of a device
// that is no more.
func (c *Capture) adoptLink(pin string, ifindex uint32, prog *ebpf.Program) (link.Link, error) {
	l, err := link.LoadPinnedLink(pin, nil)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	info, err := l.Info()
	if err == nil {
		if tcx := info.TCX(); tcx != nil && tcx.Ifindex == ifindex {
			return l, l.Update(prog)
		}
	}
	return nil, errors.Join(os.Remove(pin), l.Close())
}

// notWatched refuses to count twice: it is an error if another Weir's program
// is at the device.
func notWatched(ifindex uint32, attach ebpf.AttachType) error {
	attached, err := link.QueryPrograms(link.QueryOptions{Target: int(ifindex), Attach: attach})
	if err != nil {
		return nil // no tcx here: attaching will say so better
	}
	for _, a := range attached.Programs {
		prog, err := ebpf.NewProgramFromID(a.ID)
		if err != nil {
			continue // gone meanwhile
		}
		info, err := prog.Info()
		_ = prog.Close()
		if err == nil && (info.Name == weirProgWeirEntering || info.Name == weirProgWeirLeaving) {
			return fmt.Errorf("%w (program %d)", ErrWatched, a.ID)
		}
	}
	return nil
}

// letGo detaches from a device. Its counts are read with the next two swaps,
// then the index is free again.
func (c *Capture) letGo(dev weirDevice, w *watched) {
	// The entry says so first: from then on nothing is taken back of what the
	// programs did not see.
	var entry weirInterface
	if c.maps[weirMapInterfaces].Lookup(dev, &entry) == nil {
		entry.Gone = 1
		_ = c.enter(dev, entry)
	}
	for _, door := range []string{entering, leaving} {
		pin := c.pin(dev, door)
		// Detached, not left to the last reference: that ends in the background,
		// and until then our own program would look like another Weir's.
		if l, err := link.LoadPinnedLink(pin, nil); err == nil {
			_ = l.Detach() // fails when the device is no more
			_ = l.Close()
		}
		_ = os.Remove(pin)
	}
	w.closeLinks()
	c.setAddresses(dev, w, &vpc.Interface{})
	w.gone = c.control.epoch()
}

// forget ends what was let go before the epoch that has just been read.
func (c *Capture) forget(read uint32) {
	for dev, w := range c.watched {
		if w.gone != 0 && w.gone < read {
			_ = c.maps[weirMapInterfaces].Delete(dev)
			var front weirFront
			if c.maps[weirMapFronts].Lookup(frontOf(dev), &front) == nil && front.Device == dev {
				_ = c.maps[weirMapFronts].Put(frontOf(dev), weirFront{})
			}
			c.indexes.give(w.index)
			delete(c.watched, dev)
		}
	}
	used := map[uint32]bool{}
	for dev := range c.watched {
		used[dev.Netns] = true
	}
	for ns, p := range c.namespaces {
		if !used[ns] {
			p.close()
			delete(c.namespaces, ns)
		}
	}
}

// Watching is at how many interfaces packets are being counted.
func (c *Capture) Watching() int {
	n := 0
	for _, w := range c.watched {
		if w.gone == 0 && len(w.links) == 2 {
			n++
		}
	}
	return n
}

func (c *Capture) programsFor(ns uint32) (*programs, error) {
	if p := c.namespaces[ns]; p != nil {
		return p, nil
	}
	progs, err := c.load(ns, 0, weirProgWeirEntering, weirProgWeirLeaving)
	if err != nil {
		return nil, err
	}
	p := &programs{progs[weirProgWeirEntering], progs[weirProgWeirLeaving]}
	c.namespaces[ns] = p
	return p, nil
}

// setAddresses makes an instance known by its addresses too, for packets that
// a bridge hides the device of. The host's own addresses are at its card, where
// the device always tells.
func (c *Capture) setAddresses(dev weirDevice, w *watched, i *vpc.Interface) {
	m := c.maps[weirMapAddresses]
	var now []weirAddress
	if i.Side == vpc.Far {
		for _, a := range i.Addresses {
			now = append(now, addressKey(dev.Netns, a))
		}
	}
	for _, a := range w.addrs {
		var at weirDevice
		// Another device may have the address by now.
		if !slices.Contains(now, a) && m.Lookup(a, &at) == nil && at == dev {
			_ = m.Delete(a)
		}
	}
	for _, a := range now {
		if err := m.Put(a, dev); err != nil {
			c.cfg.Log.Warn("cannot enter an address into the table; refusals behind a bridge may not find their interface",
				"interface_id", w.id, "err", err)
		}
	}
	w.addrs = now
}

// adoptInterfaces reads the table that an earlier run left, so that its indexes
// keep their meaning. Everything in it counts as let go until Watch names it.
func (c *Capture) adoptInterfaces() error {
	var dev weirDevice
	var entry weirInterface
	iter := c.maps[weirMapInterfaces].Iterate()
	for iter.Next(&dev, &entry) {
		c.watched[dev] = &watched{id: getID(&entry), index: entry.Index}
		c.indexes.mark(entry.Index)
		if entry.Gone != 0 {
			c.watched[dev].gone = c.control.epoch()
		}
	}
	if err := iter.Err(); err != nil {
		return &Error{"read the interface table", "", err, ""}
	}
	var a weirAddress
	iter = c.maps[weirMapAddresses].Iterate()
	for iter.Next(&a, &dev) {
		if w := c.watched[dev]; w != nil {
			w.addrs = append(w.addrs, a)
		}
	}
	if err := iter.Err(); err != nil {
		return &Error{"read the address table", "", err, ""}
	}
	return nil
}

// sorted lists what is watched, ascending by index.
func (c *Capture) sorted() []*watched {
	list := make([]*watched, 0, len(c.watched))
	for _, w := range c.watched {
		list = append(list, w)
	}
	slices.SortFunc(list, func(a, b *watched) int { return cmp.Compare(a.index, b.index) })
	return list
}

func setID(e *weirInterface, id string) {
	for i := range min(len(id), len(e.Id)-1) {
		e.Id[i] = int8(id[i])
	}
}

func getID(e *weirInterface) string {
	var b strings.Builder
	for _, c := range e.Id {
		if c == 0 {
			break
		}
		b.WriteByte(byte(c))
	}
	return b.String()
}

// frontOf is front_of of bpf/weir.h.
func frontOf(d weirDevice) uint32 { return (d.Netns*31 + d.Ifindex) % 1024 }

// maxInterfaces is MAX_INTERFACES of bpf/weir.h; index 0 is not an interface.
const maxInterfaces = 4096

// indexes hands out dense indexes, the lowest free one first.
type indexes struct{ used [maxInterfaces]bool }

func (x *indexes) take() (uint16, error) {
	for i := 1; i < maxInterfaces; i++ {
		if !x.used[i] {
			x.used[i] = true
			return uint16(i), nil
		}
	}
	return 0, fmt.Errorf("all %d places are taken", maxInterfaces-1)
}

func (x *indexes) mark(i uint16) { x.used[i] = true }
func (x *indexes) give(i uint16) { x.used[i] = false }
