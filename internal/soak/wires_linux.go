package soak

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"unsafe"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"weir/netns"
)

// Quieten leaves nothing on the wires of a lab that two who count could count
// differently, and nothing that talks by itself for long:
//
//   - no segmentation in devices: what an instance sends is cut into wire packets
//     before it reaches the router, for whoever counts there;
//   - neighbours are told, not asked for: no ARP, no neighbour discovery;
//   - connections that get no answer are given up within seconds;
//   - no timer sends what is refused: a SYN goes once, and so does its answer. Some
//     kernels run no tracing program while certain tasks of theirs are current, and
//     count no miss either. What a timer's interrupt sends just then is dropped
//     unseen, by whoever looks (seen on a 6.18 that a provider of virtual machines
//     had changed: one refusal in ten thousand of those that timers send).
func Quieten(router *netns.Namespace, instances []*netns.Namespace) error {
	for _, ns := range append([]*netns.Namespace{router}, instances...) {
		if err := ns.Do(func() error { return quieten(ns.Name()) }); err != nil {
			return fmt.Errorf("%s: %w", ns.Name(), err)
		}
	}
	for _, ns := range instances {
		if err := nft(ns, onceTable); err != nil {
			return err
		}
		if err := introduce(router, ns); err != nil {
			return fmt.Errorf("the neighbours of %s: %w", ns.Name(), err)
		}
	}
	return nil
}

// quieten is for the thread's own namespace.
func quieten(name string) error {
	for key, value := range map[string]string{
		"ipv4/tcp_synack_retries": "0",
		"ipv4/tcp_syn_retries":    "2",
		"ipv4/tcp_orphan_retries": "1",
		"ipv4/tcp_fin_timeout":    "2",
		// Thousands of flows a second, each with an entry in the connection table:
		// they must not fill it.
		"netfilter/nf_conntrack_udp_timeout": "5",
	} {
		err := os.WriteFile(filepath.Join("/proc/sys/net", key), []byte(value), 0)
		if err != nil && !errors.Is(err, os.ErrNotExist) { // no connection table here
			return err
		}
	}
	links, err := netlink.LinkList()
	if err != nil {
		return err
	}
	for _, l := range links {
		if l.Type() != "veth" {
			continue
		}
		if err := noOffloads(l.Attrs().Name); err != nil {
			return fmt.Errorf("segmentation of %s in %s: %w", l.Attrs().Name, name, err)
		}
	}
	return nil
}

// Commands of ETHTOOL (linux/ethtool.h) that set one feature each.
const (
	setTSO = 0x1f
	setGSO = 0x24
	setGRO = 0x2c
)

// noOffloads turns segmentation and its reverse off in a device.
func noOffloads(device string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	for _, command := range []uint32{setTSO, setGSO, setGRO} {
		value := struct{ command, on uint32 }{command, 0}
		var request struct {
			name [unix.IFNAMSIZ]byte
			data unsafe.Pointer
			_    [16]byte
		}
		copy(request.name[:], device)
		request.data = unsafe.Pointer(&value)
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request))); errno != 0 {
			return errno
		}
	}
	return nil
}

// introduce tells the router and what hangs on one of its devices each other's
// hardware addresses, for every address that either might ask for.
func introduce(router, instance *netns.Namespace) error {
	inside, err := instance.Netlink()
	if err != nil {
		return err
	}
	defer inside.Close()
	outside, err := router.Netlink()
	if err != nil {
		return err
	}
	defer outside.Close()
	here, err := inside.LinkByName("eth0")
	if err != nil {
		return err
	}
	there, err := outside.LinkByIndex(here.Attrs().ParentIndex)
	if err != nil {
		return err
	}
	addresses, err := inside.AddrList(here, netlink.FAMILY_ALL)
	if err != nil {
		return err
	}
	for _, a := range addresses {
		if err := neighbour(outside, there, a.IP, here); err != nil {
			return err
		}
	}
	gateways, err := outside.AddrList(there, netlink.FAMILY_ALL)
	if err != nil {
		return err
	}
	for _, a := range gateways {
		if err := neighbour(inside, here, a.IP, there); err != nil {
			return err
		}
	}
	return nil
}

func neighbour(h *netlink.Handle, on netlink.Link, ip net.IP, is netlink.Link) error {
	return h.NeighSet(&netlink.Neigh{
		LinkIndex: on.Attrs().Index, State: netlink.NUD_PERMANENT, IP: ip, HardwareAddr: is.Attrs().HardwareAddr,
	})
}

// onceTable lets each SYN leave a namespace once.
const onceTable = `table inet weir-soak-once {
	set syn4 {
		type ipv4_addr . inet_service . ipv4_addr . inet_service
		flags dynamic,timeout
		timeout 10s
		size 200000
	}
	set syn6 {
		type ipv6_addr . inet_service . ipv6_addr . inet_service
		flags dynamic,timeout
		timeout 10s
		size 200000
	}
	chain out {
		type filter hook output priority 300; policy accept;
		tcp flags & (syn | ack) != syn accept
		ip saddr . tcp sport . ip daddr . tcp dport @syn4 drop
		ip6 saddr . tcp sport . ip6 daddr . tcp dport @syn6 drop
		meta nfproto ipv4 add @syn4 { ip saddr . tcp sport . ip daddr . tcp dport }
		meta nfproto ipv6 add @syn6 { ip6 saddr . tcp sport . ip6 daddr . tcp dport }
	}
}
`

// hushTable is the nftables table that ends all talk in a namespace.
const hushTable = `table inet weir-soak-hush {
	chain out { type filter hook output priority 300; policy drop; }
	chain through { type filter hook forward priority 300; policy drop; }
}
`

// Hush lets nothing leave the instances any more: what is on its way arrives, and
// then the wires are still.
func Hush(instances []*netns.Namespace) error {
	for _, ns := range instances {
		if err := nft(ns, hushTable); err != nil {
			return err
		}
	}
	return nil
}
