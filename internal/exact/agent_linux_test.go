package exact

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"

	"weir/netns"
)

// script is what one process does inside one namespace.
type script struct {
	TCP     []int // ports that swallow what comes and answer the first byte
	UDP     []int // ports that swallow what comes
	Flows   []stream
	Seconds float64 // how long the flows run; 0 runs until standard input closes
	CPU     string  // the process stays on this CPU; empty is anywhere
}

// stream is one sender.
type stream struct {
	Kind string // tcp, conn, udp, flood, ping
	To   string // address
	Port int
	Size int // payload bytes of a packet or a write
	PPS  int // writes per second
}

const agentEnv = "WEIR_EXACT_AGENT"

func TestMain(m *testing.M) {
	if text := os.Getenv(agentEnv); text != "" {
		var s script
		if err := json.Unmarshal([]byte(text), &s); err == nil {
			err = s.run()
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// start runs the script inside ns; the process ends with its flows, or when
// stop is called.
func (s script) start(t testing.TB, ns *netns.Namespace) (wait func(), stop func()) {
	t.Helper()
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	if s.CPU != "" {
		cmd = exec.Command("taskset", "-c", s.CPU, self)
	}
	cmd.Env = append(os.Environ(), agentEnv+"="+string(text))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := ns.Start(cmd); err != nil {
		t.Fatal(err)
	}
	ready := make([]byte, 1)
	if _, err := io.ReadFull(out, ready); err != nil {
		t.Fatalf("agent in %s did not come up: %v", ns.Name(), err)
	}
	var once sync.Once
	wait = func() {
		once.Do(func() {
			if err := cmd.Wait(); err != nil {
				t.Errorf("agent in %s: %v", ns.Name(), err)
			}
		})
	}
	stop = func() { _ = in.Close(); wait() }
	t.Cleanup(stop)
	return wait, stop
}

func (s script) run() error {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	if s.Seconds > 0 {
		ctx, cancel = context.WithTimeout(ctx, time.Duration(s.Seconds*float64(time.Second)))
		defer cancel()
	}
	go func() { // the parent's end closes it
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	for _, p := range s.TCP {
		l, err := net.Listen("tcp", fmt.Sprintf(":%d", p))
		if err != nil {
			return err
		}
		defer l.Close()
		go accept(l)
	}
	for _, p := range s.UDP {
		c, err := net.ListenPacket("udp", fmt.Sprintf(":%d", p))
		if err != nil {
			return err
		}
		defer c.Close()
		go swallow(c)
	}
	fmt.Print("r")
	var wg sync.WaitGroup
	for _, f := range s.Flows {
		wg.Go(func() { f.run(ctx) })
	}
	wg.Wait()
	if s.Seconds == 0 {
		<-ctx.Done()
	}
	return nil
}

func accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			_, _ = io.Copy(io.Discard, c)
		}()
	}
}

// batch is how many packets one system call sends or takes.
const batch = 64

func swallow(c net.PacketConn) {
	p := ipv4.NewPacketConn(c)
	messages := make([]ipv4.Message, batch)
	for i := range messages {
		messages[i].Buffers = [][]byte{make([]byte, 65536)}
	}
	for {
		if _, err := p.ReadBatch(messages, 0); err != nil {
			return
		}
	}
}

// run sends until ctx is done, at its pace in bursts of 10 ms. Refusals show as
// errors of the socket and are what the test is about: they are ignored.
func (f stream) run(ctx context.Context) {
	payload := make([]byte, f.Size)
	send, end := f.sender(ctx)
	if send == nil {
		return
	}
	defer end()
	const tick = 10 * time.Millisecond
	t := time.NewTicker(tick)
	defer t.Stop()
	due := 0.0
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		for due += float64(f.PPS) * tick.Seconds(); due >= 1 && ctx.Err() == nil; due-- {
			send(payload)
		}
	}
}

func (f stream) sender(ctx context.Context) (send func([]byte), end func()) {
	addr := net.JoinHostPort(f.To, fmt.Sprint(f.Port))
	switch f.Kind {
	case "tcp": // one connection for all writes; a refused one is tried again at each write
		var c net.Conn
		d := net.Dialer{Timeout: 200 * time.Millisecond}
		return func(b []byte) {
				if c == nil {
					var err error
					if c, err = d.DialContext(ctx, "tcp", addr); err != nil {
						c = nil
						return
					}
				}
				if _, err := c.Write(b); err != nil {
					_ = c.Close()
					c = nil
				}
			}, func() {
				if c != nil {
					_ = c.Close()
				}
			}
	case "conn": // one connection per write
		d := net.Dialer{Timeout: 200 * time.Millisecond}
		return func(b []byte) {
			if c, err := d.DialContext(ctx, "tcp", addr); err == nil {
				_, _ = c.Write(b)
				_ = c.Close()
			}
		}, func() {}
	case "udp":
		c, err := net.Dial("udp", addr)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return nil, nil
		}
		return func(b []byte) { _, _ = c.Write(b) }, func() { _ = c.Close() }
	case "flood": // as fast as it goes: many packets with one system call
		c, err := net.Dial("udp", addr)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return nil, nil
		}
		messages := make([]ipv4.Message, batch)
		for i := range messages {
			messages[i].Buffers = [][]byte{make([]byte, f.Size)}
		}
		pc := ipv4.NewPacketConn(c.(net.PacketConn))
		return func([]byte) { _, _ = pc.WriteBatch(messages, 0) }, func() { _ = c.Close() }
	case "ping":
		return f.pinger()
	}
	fmt.Fprintln(os.Stderr, "unknown kind", f.Kind)
	return nil, nil
}

func (f stream) pinger() (func([]byte), func()) {
	to := net.ParseIP(f.To)
	network, typ := "ip4:icmp", icmp.Type(ipv4.ICMPTypeEcho)
	if to.To4() == nil {
		network, typ = "ip6:ipv6-icmp", ipv6.ICMPTypeEchoRequest
	}
	c, err := icmp.ListenPacket(network, "")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return nil, nil
	}
	seq := 0
	return func(b []byte) {
		seq++
		m := icmp.Message{Type: typ, Body: &icmp.Echo{ID: os.Getpid() & 0xffff, Seq: seq & 0xffff, Data: b}}
		if raw, err := m.Marshal(nil); err == nil {
			_, _ = c.WriteTo(raw, &net.IPAddr{IP: to})
		}
	}, func() { _ = c.Close() }
}
