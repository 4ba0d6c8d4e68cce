package main

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"
)

// currentSession is the SSH session that weir was started from, or nil. sudo
// drops the variable that says so; the processes above still have it. A variable
// that is there and empty says that there is none.
func currentSession() *session {
	text, ok := os.LookupEnv("SSH_CONNECTION")
	for pid := os.Getppid(); !ok && pid > 1; pid = parent(pid) {
		text, ok = variable(pid, "SSH_CONNECTION")
	}
	s := parseSession(text)
	if s != nil {
		s.device = deviceTo(s.peer.Addr())
	}
	return s
}

// parseSession reads "peer port local port" (ssh(1), ENVIRONMENT), nil when it
// is something else.
func parseSession(text string) *session {
	words := strings.Fields(text)
	if len(words) != 4 {
		return nil
	}
	peer, err1 := parseAddrPort(words[0], words[1])
	local, err2 := parseAddrPort(words[2], words[3])
	if err1 != nil || err2 != nil {
		return nil
	}
	return &session{peer: peer, local: local}
}

func parseAddrPort(addr, port string) (netip.AddrPort, error) {
	a, err := netip.ParseAddr(addr)
	if err != nil {
		return netip.AddrPort{}, err
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return netip.AddrPortFrom(a.Unmap().WithZone(""), uint16(n)), err
}

// deviceTo is the device that packets to an address leave through, empty when
// there is no way.
func deviceTo(a netip.Addr) string {
	routes, err := netlink.RouteGet(a.AsSlice())
	if err != nil || len(routes) == 0 {
		return ""
	}
	l, err := netlink.LinkByIndex(routes[0].LinkIndex)
	if err != nil {
		return ""
	}
	return l.Attrs().Name
}

// variable is an environment variable that a process was started with.
func variable(pid int, name string) (string, bool) {
	environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		return "", false
	}
	for v := range bytes.SplitSeq(environ, []byte{0}) {
		if value, ok := strings.CutPrefix(string(v), name+"="); ok {
			return value, true
		}
	}
	return "", false
}

// parent is the process above another one, 0 when it is gone.
func parent(pid int) int {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// The name in parentheses may hold anything (proc(5)); state and parent follow.
	if fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:]); len(fields) > 1 {
		n, _ := strconv.Atoi(string(fields[1]))
		return n
	}
	return 0
}
