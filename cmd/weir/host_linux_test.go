package main

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"weir/netns"
)

// TestHost runs testdata/host: weir on a host of its own, which is a network
// namespace $HOST with the card eth0 (10.8.0.2), joined to a neighbour (10.8.0.1).
// "nsenter --net=$HOST weir up" enters it and leaves the mounts as they are.
// Beside the commands of TestScripts there are
//
//	send N PORT [DEVICE]  the neighbour sends N UDP packets of 100 IP bytes
//	await TEXT command …  run until its output holds the text, for 20 s
//	spray N               the neighbour sends one packet to each of N ports of a
//	                      multicast group, which nobody answers
//	accounted N           what was recorded and what the status says was lost
//	                      add up to N packets, and something was lost
//	card NAME             give the host another card, joined to the neighbour
//	pull NAME             take it away
//	attached NAME         wait until the capture in $RUN counts at the card
//	smalldisk DIR SIZE    mount a file system of that size
//
// and those of [policyCommands].
func TestHost(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: it makes network namespaces and loads eBPF programs")
	}
	if !hasDuckDB {
		t.Skip("needs DuckDB: what was recorded is asked by SQL")
	}
	if _, err := exec.LookPath("nsenter"); err != nil {
		t.Skip("needs nsenter (Debian: util-linux)")
	}
	commands := map[string]func(*testscript.TestScript, bool, []string){
		"status": wantStatus, "await": await, "send": send, "spray": spray, "accounted": accounted, "card": card, "pull": pull, "attached": attached, "smalldisk": smallDisk,
	}
	maps.Copy(commands, policyCommands)
	testscript.Run(t, testscript.Params{
		Dir:  "testdata/host",
		Cmds: commands,
		Condition: func(name string) (bool, error) {
			if name == "lab-free" { // somebody's lab is left alone
				_, err := os.Stat(filepath.Join(netns.Dir, "weir-lab-router"))
				return errors.Is(err, fs.ErrNotExist), nil
			}
			return false, fmt.Errorf("unknown condition %q", name)
		},
		Setup: func(e *testscript.Env) error {
			h := &host{name: fmt.Sprintf("weir-h%d-%s", os.Getpid(), filepath.Base(e.WorkDir))}
			e.Values["host"] = h
			e.Defer(h.close)
			e.Setenv("WEIR_DATA", e.WorkDir+"/data")
			e.Setenv("RUN", e.WorkDir+"/run")
			e.Setenv("SSH_CONNECTION", "") // whoever runs the tests may come by SSH
			e.Setenv("HOST", filepath.Join(netns.Dir, h.name))
			return h.open()
		},
	})
}

// host is the namespaces of one script.
type host struct {
	name            string
	self, neighbour *netns.Namespace
	cards           int
	conversation    *conversation
}

func (h *host) open() error {
	var err error
	if h.self, err = netns.Create(h.name); err != nil {
		return err
	}
	if h.neighbour, err = netns.Create(h.name + "-n"); err != nil {
		return err
	}
	return h.add("eth0")
}

func (h *host) close() {
	for _, ns := range []*netns.Namespace{h.self, h.neighbour} {
		if ns != nil {
			_ = ns.Close()
			_ = netns.Delete(ns.Name())
		}
	}
}

// add joins a card to the neighbour, with 10.8.N.2 here and 10.8.N.1 there.
// Neither family talks by itself: the counts are the script's alone.
func (h *host) add(name string) error {
	n := h.cards
	h.cards++
	up := func(own, other int) func() error {
		return func() error {
			if err := os.WriteFile("/proc/sys/net/ipv6/conf/"+name+"/disable_ipv6", []byte("1"), 0o644); err != nil {
				return err
			}
			l, err := netlink.LinkByName(name)
			if err != nil {
				return err
			}
			if err := netlink.AddrAdd(l, &netlink.Addr{IPNet: &net.IPNet{IP: net.IPv4(10, 8, byte(n), byte(own)), Mask: net.CIDRMask(24, 32)}}); err != nil {
				return err
			}
			if err := netlink.LinkSetUp(l); err != nil {
				return err
			}
			if own == 2 && n == 0 { // the default route makes a veth the host's own card
				return netlink.RouteAdd(&netlink.Route{LinkIndex: l.Attrs().Index, Gw: net.IPv4(10, 8, 0, byte(other))})
			}
			return nil
		}
	}
	err := h.self.Do(func() error {
		return netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: name}, PeerName: name, PeerNamespace: netlink.NsFd(h.neighbour.FD())})
	})
	return errors.Join(err, h.self.Do(up(2, 1)), h.neighbour.Do(up(1, 2)))
}

func theHost(ts *testscript.TestScript) *host { return ts.Value("host").(*host) }

func card(ts *testscript.TestScript, _ bool, args []string) { ts.Check(theHost(ts).add(args[0])) }

func pull(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(theHost(ts).self.Do(func() error {
		l, err := netlink.LinkByName(args[0])
		if err != nil {
			return err
		}
		return netlink.LinkDel(l)
	}))
}

// attached looks for the pin of the last program that is attached to a device.
func attached(ts *testscript.TestScript, _ bool, args []string) {
	var index int
	ts.Check(theHost(ts).self.Do(func() error {
		l, err := netlink.LinkByName(args[0])
		if err == nil {
			index = l.Attrs().Index
		}
		return err
	}))
	pin := filepath.Join(ts.Getenv("RUN"), "bpf", "links", fmt.Sprintf("*-%d-leaving", index))
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if found, _ := filepath.Glob(pin); len(found) > 0 {
			return
		}
	}
	ts.Fatalf("nobody counts at %s: no %s in 20 s", args[0], pin)
}

// send sends by plain system calls: they stay on the thread that entered the
// namespace.
func send(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	port, err := strconv.Atoi(args[1])
	ts.Check(err)
	to := [4]byte{10, 8, 0, 2}
	if len(args) > 2 {
		third, err := strconv.Atoi(strings.TrimPrefix(args[2], "eth"))
		ts.Check(err)
		to[2] = byte(third)
	}
	ts.Check(theHost(ts).neighbour.Do(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		payload := make([]byte, 72)
		for i := range n {
			binary.BigEndian.PutUint64(payload, uint64(i))
			// A closed port answers by ICMP, which shows at a later call.
			if err := unix.Sendto(fd, payload, 0, &unix.SockaddrInet4{Port: port, Addr: to}); err != nil && !errors.Is(err, unix.ECONNREFUSED) {
				return err
			}
		}
		return nil
	}))
}

func spray(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	ts.Check(theHost(ts).neighbour.Do(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		if err := unix.SetsockoptInet4Addr(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_IF, [4]byte{10, 8, 0, 1}); err != nil {
			return err
		}
		payload := make([]byte, 72)
		for port := 1; port <= n; port++ {
			if err := unix.Sendto(fd, payload, 0, &unix.SockaddrInet4{Port: port, Addr: [4]byte{239, 1, 1, 1}}); err != nil {
				return err
			}
		}
		return nil
	}))
}

func accounted(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	var recorded struct{ N, Skipdata int }
	var status struct {
		Running struct{ Lost struct{ Packets, Bytes int } }
	}
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		err := ts.Exec("weir", "query", "--json", "select coalesce(sum(packets), 0)::int as n, count(*) filter (log_status = 'SKIPDATA') as skipdata from flow_logs where protocol = 17 or log_status = 'SKIPDATA'")
		if err != nil || json.Unmarshal([]byte(ts.ReadFile("stdout")), &recorded) != nil {
			continue
		}
		ts.Check(ts.Exec("weir", "check", "--json"))
		ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &status))
		lost := status.Running.Lost
		if lost.Packets > 0 && recorded.N+lost.Packets == want && lost.Bytes == 100*lost.Packets && recorded.Skipdata > 0 {
			ts.Logf("%d recorded + %d lost = %d sent, %d SKIPDATA", recorded.N, lost.Packets, want, recorded.Skipdata)
			return
		}
	}
	ts.Fatalf("%d recorded, %+v lost, %d SKIPDATA; sent %d", recorded.N, status.Running.Lost, recorded.Skipdata, want)
}

func await(ts *testscript.TestScript, _ bool, args []string) {
	var out string
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		_ = ts.Exec(args[1], args[2:]...) // it may fail until it has what we wait for
		if out = ts.ReadFile("stdout") + ts.ReadFile("stderr"); strings.Contains(out, args[0]) {
			return
		}
	}
	ts.Fatalf("no %q in 20 s, but:\n%s", args[0], out)
}

func smallDisk(ts *testscript.TestScript, _ bool, args []string) {
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o755))
	ts.Check(unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+args[1]))
	ts.Defer(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
}
