package ebpf

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// link finds a device of the namespace.
func (s *space) link(dev string) (l netlink.Link) {
	s.t.Helper()
	s.do(func() (err error) {
		l, err = netlink.LinkByName(dev)
		return err
	})
	return l
}

func (s *space) hardware(dev string) net.HardwareAddr { return s.link(dev).Attrs().HardwareAddr }

func (s *space) address(dev string, addrs ...string) {
	s.t.Helper()
	s.do(func() error { return os.WriteFile("/proc/sys/net/ipv6/conf/"+dev+"/disable_ipv6", []byte("0"), 0o644) })
	l := s.link(dev)
	s.do(func() error {
		for _, text := range addrs {
			a, err := netlink.ParseAddr(text)
			if err != nil {
				return err
			}
			a.Flags = unix.IFA_F_NODAD
			if err := netlink.AddrAdd(l, a); err != nil {
				return err
			}
		}
		return nil
	})
}

// neighbour makes addresses known at a device's other end: asking is not IP.
func (s *space) neighbour(dev string, peer *space, addrs ...string) {
	s.t.Helper()
	l, mac := s.link(dev), peer.hardware("eth0")
	s.do(func() error {
		for _, a := range addrs {
			n := &netlink.Neigh{LinkIndex: l.Attrs().Index, State: netlink.NUD_PERMANENT, IP: net.ParseIP(a), HardwareAddr: mac}
			if err := netlink.NeighSet(n); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *space) pfifo(dev string) {
	s.t.Helper()
	l := s.link(dev)
	s.do(func() error {
		return netlink.QdiscReplace(&netlink.GenericQdisc{
			QdiscAttrs: netlink.QdiscAttrs{LinkIndex: l.Attrs().Index, Parent: netlink.HANDLE_ROOT},
			QdiscType:  "pfifo",
		})
	})
}

// sent is what a device's pfifo has sent: packets, and their IP bytes.
func (s *space) sent(dev string) (out sum) {
	s.t.Helper()
	l := s.link(dev)
	if a := l.Attrs().Statistics; a.TxDropped != 0 || a.RxDropped != 0 {
		s.t.Fatalf("the rig lost packets at %s: %d sent, %d received", dev, a.TxDropped, a.RxDropped)
	}
	s.do(func() error {
		list, err := netlink.QdiscList(l)
		for _, q := range list {
			if q.Type() == "pfifo" {
				b := q.Attrs().Statistics.Basic
				out = sum{uint64(b.Packets), b.Bytes - 14*uint64(b.Packets)}
				return nil
			}
		}
		return fmt.Errorf("no pfifo at %s: %w", dev, err)
	})
	return out
}

// counters reads the namespace's named nft counters.
func (s *space) counters() map[string]sum {
	s.t.Helper()
	var out strings.Builder
	cmd := exec.Command("nft", "-j", "list", "counters")
	cmd.Stdout = &out
	must(s.t, s.Start(cmd))
	must(s.t, cmd.Wait())
	var doc struct {
		Nftables []struct {
			Counter *struct {
				Name           string
				Packets, Bytes uint64
			}
		}
	}
	must(s.t, json.Unmarshal([]byte(out.String()), &doc))
	all := map[string]sum{}
	for _, e := range doc.Nftables {
		if e.Counter != nil {
			all[e.Counter.Name] = sum{e.Counter.Packets, e.Counter.Bytes}
		}
	}
	return all
}
