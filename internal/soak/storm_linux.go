package soak

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"weir/flowlog"
	"weir/netns"
)

// Stream is one sender of a storm: UDP from an instance to an address, each flow
// with ports that no other has in the whole soak.
type Stream struct {
	Name      string
	From      *netns.Namespace
	Source    netip.Addr // its own, of IPv4
	To        netip.Addr
	Interface string // of the sender: its egress has all that is sent
	Share     int    // of ten flows
	Number    int    // of the stream: its source ports are its own

	sockets []int
	mu      sync.Mutex // guards what follows
	sent    []uint8    // packets of each flow, in the order of their beginnings
	times   []time.Time
}

const (
	payload   = 44
	wireBytes = payload + 28 // of a packet of the storm, with the headers of IP and UDP

	firstSource = 20000 // of the sockets' ports
	firstPort   = 1024
	ports       = 60000 // to which a socket sends
	maxSockets  = 200   // of a stream
	sampled     = 1024  // every so many flows have their time kept
)

// Storm sends flows at a steady rate.
type Storm struct {
	Streams []*Stream
	Rate    int // flows a second, of all streams
}

// Run sends until ctx is done.
func (s *Storm) Run(ctx context.Context) error {
	defer func() {
		for _, st := range s.Streams {
			for _, fd := range st.sockets {
				_ = unix.Close(fd)
			}
		}
	}()
	var order []*Stream
	for _, st := range s.Streams {
		for range st.Share {
			order = append(order, st)
		}
	}
	const step = 10 * time.Millisecond
	tick := time.NewTicker(step)
	defer tick.Stop()
	begin, n := time.Now(), 0
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			due := int(now.Sub(begin).Seconds() * float64(s.Rate))
			// After a stall it goes on at no more than twice the rate.
			if most := 2 * s.Rate * int(step) / int(time.Second); due-n > most+1 {
				begin = begin.Add(time.Duration(due-n-most-1) * time.Second / time.Duration(s.Rate))
				due = n + most + 1
			}
			for ; n < due; n++ {
				if err := order[n*7%len(order)].flow(); err != nil {
					return fmt.Errorf("the storm: %w", err)
				}
			}
		}
	}
}

// Flows is how many there were.
func (s *Storm) Flows() (n int) {
	for _, st := range s.Streams {
		st.mu.Lock()
		n += len(st.sent)
		st.mu.Unlock()
	}
	return n
}

// flow sends the next flow: one to three packets.
func (st *Stream) flow() error {
	st.mu.Lock()
	defer st.mu.Unlock()
	n := len(st.sent)
	if n/ports >= len(st.sockets) {
		if err := st.socket(); err != nil {
			return err
		}
	}
	if n%sampled == 0 {
		st.times = append(st.times, time.Now())
	}
	st.sent = append(st.sent, 0)
	to := &unix.SockaddrInet4{Port: firstPort + n%ports, Addr: st.To.As4()}
	var data [payload]byte
	for range 1 + n%3 {
		err := unix.Sendto(st.sockets[n/ports], data[:], 0, to)
		if errors.Is(err, unix.ENOBUFS) || errors.Is(err, unix.EAGAIN) {
			continue // it did not leave
		}
		if err != nil {
			return err
		}
		st.sent[n]++
	}
	return nil
}

// socket opens the next socket inside the namespace; it stays there.
func (st *Stream) socket() error {
	if len(st.sockets) == maxSockets {
		return fmt.Errorf("%s has sent %d flows: there are no ports left", st.Name, len(st.sent))
	}
	return st.From.Do(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		st.sockets = append(st.sockets, fd)
		return unix.Bind(fd, &unix.SockaddrInet4{Port: st.source() + len(st.sockets) - 1, Addr: st.Source.As4()})
	})
}

// find is the number of the flow that a record is of, if it is of this stream, as
// its sender's interface sees it.
func (st *Stream) find(r *flowlog.Record) (n int, ok bool) {
	if r.InterfaceID != st.Interface || r.Direction != flowlog.Egress || r.Protocol != unix.IPPROTO_UDP || r.DstAddr != st.To || r.SrcAddr != st.Source {
		return 0, false
	}
	socket, port := r.SrcPort-int64(st.source()), r.DstPort-firstPort
	if socket < 0 || socket >= maxSockets || port < 0 || port >= ports {
		return 0, false
	}
	return int(socket*ports + port), true
}

// source is its first port.
func (st *Stream) source() int { return firstSource + st.Number*maxSockets }

// at is when a flow was sent, about.
func (st *Stream) at(n int) time.Time { return st.times[n/sampled] }
