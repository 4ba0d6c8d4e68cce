package main

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"weir/netns"
	"weir/policy/nft"
)

// policyCommands are TestHost's for policies:
//
//	hold PORT  the neighbour opens a TCP connection to the host and talks on it
//	           until the script ends
//	held N     it has N more exchanges, and has never had to send anything twice
//	ask PORT   the neighbour tries to open a TCP connection; fails when refused
var policyCommands = map[string]func(*testscript.TestScript, bool, []string){
	"hold": hold, "held": held, "ask": ask,
}

// conversation is a TCP connection from the neighbour that never rests.
type conversation struct {
	client    *os.File
	exchanges atomic.Int64
	failed    atomic.Pointer[error]
}

func hold(ts *testscript.TestScript, _ bool, args []string) {
	h := theHost(ts)
	var l net.Listener
	ts.Check(h.self.Do(func() (err error) {
		l, err = net.Listen("tcp4", "10.8.0.2:"+args[0])
		return err
	}))
	ts.Defer(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(c, c); _ = c.Close() }()
		}
	}()
	c := &conversation{}
	var err error
	c.client, err = h.connect(args[0])
	ts.Check(err)
	ts.Defer(func() { _ = c.client.Close() })
	h.conversation = c
	go c.talk()
}

// connect opens a connection by plain system calls, on the thread that entered
// the namespace.
func (h *host) connect(port string) (f *os.File, err error) {
	n, err := strconv.Atoi(port)
	if err != nil {
		return nil, err
	}
	err = h.neighbour.Do(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		limit := unix.Timeval{Sec: 2}
		err = errors.Join(
			unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &limit), // also of connect
			unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit))
		if err == nil {
			err = unix.Connect(fd, &unix.SockaddrInet4{Port: n, Addr: [4]byte{10, 8, 0, 2}})
		}
		if err != nil {
			return errors.Join(err, unix.Close(fd))
		}
		f = os.NewFile(uintptr(fd), "conversation")
		return nil
	})
	return f, err
}

func (c *conversation) talk() {
	var b [8]byte
	for {
		_, err := c.client.Write(b[:])
		if err == nil {
			_, err = io.ReadFull(c.client, b[:])
		}
		if err != nil {
			c.failed.Store(&err)
			return
		}
		c.exchanges.Add(1)
		time.Sleep(time.Millisecond) // a pace, not a wait
	}
}

func held(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	c := theHost(ts).conversation
	want := c.exchanges.Load() + int64(n)
	for deadline := time.Now().Add(20 * time.Second); c.exchanges.Load() < want; time.Sleep(5 * time.Millisecond) {
		if err := c.failed.Load(); err != nil {
			ts.Fatalf("the connection ended: %v", *err)
		}
		if time.Now().After(deadline) {
			ts.Fatalf("the connection stands still at %d exchanges", c.exchanges.Load())
		}
	}
	info, err := unix.GetsockoptTCPInfo(int(c.client.Fd()), unix.IPPROTO_TCP, unix.TCP_INFO)
	ts.Check(err)
	if info.Total_retrans != 0 {
		ts.Fatalf("%d segments were lost on the way and sent again", info.Total_retrans)
	}
}

func ask(ts *testscript.TestScript, neg bool, args []string) {
	f, err := theHost(ts).connect(args[0])
	if f != nil {
		_ = f.Close()
	}
	passed := err == nil || errors.Is(err, unix.ECONNREFUSED) // nobody listens, but the packet came through
	if passed == neg {
		ts.Fatalf("port %s: %v", args[0], err)
	}
}

// When one namespace fails, those before it get their former rules back.
func TestSwitchOverPutsBack(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: it makes network namespaces and firewall rules")
	}
	var places []place
	for _, name := range []string{"a", "b"} {
		ns, err := netns.Create("weir-back-" + strconv.Itoa(os.Getpid()) + "-" + name)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = ns.Close(); _ = netns.Delete(ns.Name()) })
		places = append(places, place{namespace: ns.Path()})
	}
	ruleset := func(namespace, text string) *nft.Ruleset {
		return &nft.Ruleset{Namespace: namespace, Table: nft.DefaultTable, Text: text}
	}
	former, next := "table ip weir {\n\tchain former {\n\t}\n}\n", "table ip weir {\n\tchain next {\n\t}\n}\n"
	ctx := context.Background()
	a := &places[0]
	a.former, a.next = ruleset(a.namespace, former), ruleset(a.namespace, next)
	if err := a.former.Apply(ctx); err != nil {
		t.Fatal(err)
	}
	a.seal = a.former.Digest()
	b := &places[1]
	b.next = ruleset(b.namespace, "this is no ruleset\n")

	err := switchOver(ctx, places)
	if err == nil || !strings.Contains(err.Error(), b.namespace[strings.LastIndexByte(b.namespace, '/')+1:]) {
		t.Errorf("got %v, want an error that names the second namespace", err)
	}
	for i, want := range []string{a.former.Digest(), ""} {
		if got, err := at(places[i].namespace).Applied(ctx); got != want || err != nil {
			t.Errorf("namespace %d has %q, %v, want %q", i, got, err, want)
		}
	}
}
