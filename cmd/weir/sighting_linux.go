package main

import (
	"maps"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"weir/netns"
	"weir/vpc"
)

// sighting is which devices there are. A device that was taken away and made
// again has another index; a namespace, another inode.
type sighting map[vpc.Device][2]uint64

func (s sighting) has(d vpc.Device) bool     { _, ok := s[d]; return ok }
func (s sighting) equal(other sighting) bool { return maps.Equal(s, other) }

// see looks for the devices of a topology. What cannot be looked at is not there.
func see(t *vpc.Topology) sighting {
	s := sighting{}
	links := map[string]map[string]uint64{}
	inodes := map[string]uint64{}
	for i := range t.Interfaces {
		dev := t.Interfaces[i].Device
		if dev.Name == "" {
			continue
		}
		if _, listed := links[dev.Namespace]; !listed {
			links[dev.Namespace], inodes[dev.Namespace] = linksIn(dev.Namespace)
		}
		if index, ok := links[dev.Namespace][dev.Name]; ok {
			s[dev] = [2]uint64{inodes[dev.Namespace], index}
		}
	}
	return s
}

// linksIn are the indexes of a namespace's devices by name, and its inode.
func linksIn(namespace string) (links map[string]uint64, inode uint64) {
	h := &netlink.Handle{} // of this namespace
	if namespace != "" {
		var st unix.Stat_t
		ns, err := netns.Open(namespace)
		if err != nil || unix.Stat(namespace, &st) != nil {
			return nil, 0
		}
		defer func() { _ = ns.Close() }() // the handle has a socket of its own
		if h, err = ns.Netlink(); err != nil {
			return nil, 0
		}
		defer h.Close()
		inode = st.Ino
	}
	list, err := h.LinkList()
	if err != nil {
		return nil, 0
	}
	links = make(map[string]uint64, len(list))
	for _, l := range list {
		links[l.Attrs().Name] = uint64(l.Attrs().Index)
	}
	return links, inode
}
