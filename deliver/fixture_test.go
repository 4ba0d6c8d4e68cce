package deliver

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/aggregate"
	"weir/count"
	"weir/flowlog"
	"weir/policy"
	"weir/vpc"
	"weir/vpc/flowlogs"
)

// memory is a journal and a catalogue without a disk: these tests are about what
// is read and written when. The real ones are tested in their own room.
type memory struct {
	mu     sync.Mutex
	first  uint64 // sequence number of the first swap
	swaps  []Entry
	more   chan struct{}   // closed when a swap comes
	active map[string]bool // interfaces that have had a packet
	values map[string][]byte
	fails  int // calls of Put that fail from now on
}

func newMemory() *memory {
	return &memory{first: 1, more: make(chan struct{}), values: map[string][]byte{}, active: map[string]bool{}}
}

// append stores a swap; each has three messages.
func (m *memory) append(s *count.Swap) {
	m.mu.Lock()
	defer m.mu.Unlock()
	last := m.first - 1
	if n := len(m.swaps); n > 0 {
		last = m.swaps[n-1].Seq
	}
	for i := range s.Interfaces {
		w := &s.Interfaces[i]
		if slices.ContainsFunc(s.Flows, func(f count.Flow) bool { return f.Key.Interface == w.Index }) {
			m.active[w.ID] = true
		}
		w.Active = m.active[w.ID]
	}
	m.swaps = append(m.swaps, Entry{Swap: s, Seq: last + 3})
	close(m.more)
	m.more = make(chan struct{})
}

type memoryReader struct {
	m     *memory
	after uint64
}

func (m *memory) Read(_ context.Context, after uint64) (Reader, error) {
	return &memoryReader{m, after}, nil
}

func (r *memoryReader) Next(ctx context.Context) (Entry, error) {
	for {
		r.m.mu.Lock()
		for _, e := range r.m.swaps {
			if e.Seq > r.after {
				r.after = e.Seq
				r.m.mu.Unlock()
				copied := *e.Swap
				return Entry{Swap: &copied, Seq: e.Seq}, nil
			}
		}
		more := r.m.more
		r.m.mu.Unlock()
		select {
		case <-ctx.Done():
			return Entry{}, ctx.Err()
		case <-more:
		}
	}
}

func (r *memoryReader) Close() error { return nil }

func (m *memory) Bounds(context.Context) (Bounds, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b := Bounds{First: m.first, Last: m.first - 1, Bytes: uint64(len(m.swaps)) * 1000}
	if n := len(m.swaps); n > 0 {
		b.Last, b.Oldest = m.swaps[n-1].Seq, m.swaps[0].Swap.End
	}
	return b, nil
}

func (m *memory) Survey(_ context.Context, after, upTo uint64) (list []Survey, _ error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.swaps {
		if e.Seq <= after || e.Seq > upTo {
			continue
		}
		s := Survey{Seq: e.Seq, Start: e.Swap.Start, End: e.Swap.End}
		for _, w := range e.Swap.Interfaces {
			c := Counted{ID: w.ID, VPCID: w.VPCID, SubnetID: w.SubnetID}
			for _, f := range e.Swap.Flows {
				if f.Key.Interface == w.Index {
					c.Packets += f.Seen.Packets
					c.Bytes += f.Seen.Bytes
				}
			}
			s.Interfaces = append(s.Interfaces, c)
		}
		list = append(list, s)
	}
	return list, nil
}

func (m *memory) Purge(_ context.Context, upTo uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.swaps = slices.DeleteFunc(m.swaps, func(e Entry) bool { return e.Seq <= upTo })
	m.first = max(m.first, upTo+1)
	return nil
}

var errPut = errors.New("no room in the catalogue")

func (m *memory) Get(_ context.Context, key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.values[key]), nil
}

func (m *memory) Put(ctx context.Context, key string, value []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fails > 0 {
		m.fails--
		return errPut
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	m.values[key] = slices.Clone(value)
	return nil
}

func (m *memory) Delete(_ context.Context, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.values, key)
	return nil
}

func (m *memory) Keys(_ context.Context, prefix string) (keys []string, _ error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for k := range m.values {
		if strings.HasPrefix(k, prefix) {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys, nil
}

// shelf is what a destination holds: it outlives the dispatcher, as a bucket
// outlives Weir.
type shelf struct {
	mu      sync.Mutex
	objects map[string][]string // lines, by name; a name that comes again is overwritten
	prompt  bool
	doubles bool // a part that comes again is there twice
	taken   int  // lines, each time that they came
	// misbehave is asked before each part: an error, and whether the part is taken
	// nevertheless.
	misbehave func() (err error, taken bool)
	rewritten int // objects that came again
	differed  int // with other lines
}

func newShelf(prompt bool) *shelf { return &shelf{objects: map[string][]string{}, prompt: prompt} }

func (s *shelf) lines() (all []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, lines := range s.objects {
		all = append(all, lines...)
	}
	slices.Sort(all)
	return all
}

// destination puts lines on a shelf, in parts of a few.
type destination struct {
	shelf  *shelf
	format flowlog.Format
}

func (d *destination) String() string { return "shelf" }
func (d *destination) Manner() Manner {
	return Manner{Prompt: d.shelf.prompt, Replaces: !d.shelf.doubles}
}
func (d *destination) Probe(context.Context) error { return nil }
func (d *destination) Close() error                { return nil }
func (d *destination) Begin(b Begin) Encoder       { return &encoder{d: d, begin: b} }

type encoder struct {
	d     *destination
	begin Begin
	lines []string
}

const partLines = 3

func (e *encoder) Add(r *flowlog.Record) {
	e.lines = append(e.lines, string(e.d.format.AppendText(nil, r)))
}
func (e *encoder) Held() int64 { return int64(len(e.lines)) * 100 }
func (e *encoder) Finish() (parts []Part, _ error) {
	for lines := range slices.Chunk(e.lines, partLines) {
		parts = append(parts, &part{e.d.shelf, uint32(e.begin.Ordinal) + uint32(len(parts)), lines})
	}
	for i, n := range e.begin.Cut { // names are those of before
		if i < len(parts) {
			parts[i].(*part).hash = n.Hash
		}
	}
	return parts, nil
}

type part struct {
	shelf *shelf
	hash  uint32
	lines []string
}

func (p *part) Note() Note { return Note{Hash: p.hash, Records: int64(len(p.lines))} }
func (p *part) Send(ctx context.Context) (Receipt, error) {
	p.shelf.mu.Lock()
	defer p.shelf.mu.Unlock()
	if ctx.Err() != nil {
		return Receipt{}, errors.New("not even begun")
	}
	var err error
	taken := true
	if p.shelf.misbehave != nil {
		err, taken = p.shelf.misbehave()
	}
	if taken {
		name := fmt.Sprintf("%08x", p.hash)
		if before, ok := p.shelf.objects[name]; ok {
			p.shelf.rewritten++
			if !slices.Equal(before, p.lines) {
				p.shelf.differed++
			}
		}
		p.shelf.objects[name] = p.lines
		p.shelf.taken += len(p.lines)
	}
	return Receipt{Name: "shelf", Bytes: int64(len(p.lines))}, err
}

var t0 = time.Date(2026, 11, 21, 16, 0, 0, 0, time.UTC)

// clock is a clock that is set by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = t
}

// topology has three interfaces in two subnets of one VPC.
type topology struct{}

func (topology) Interface(id string) (*vpc.Interface, bool) {
	subnet := "subnet-a"
	if id == "eni-3" {
		subnet = "subnet-b"
	}
	return &vpc.Interface{ID: id, AccountID: "123456789012", VPCID: "vpc-1", SubnetID: subnet, Side: vpc.Far, Tags: vpc.Tags{"team": "net ops", "of": id}}, true
}

// watched are the three interfaces.
func watched() []count.Watched {
	return []count.Watched{
		{Index: 1, ID: "eni-1", VPCID: "vpc-1", SubnetID: "subnet-a"},
		{Index: 2, ID: "eni-2", VPCID: "vpc-1", SubnetID: "subnet-a"},
		{Index: 3, ID: "eni-3", VPCID: "vpc-1", SubnetID: "subnet-b"},
	}
}

// swapOf is a swap with one flow of an interface; serial tells it from all others
// and is its number of packets as well.
func swapOf(start, end time.Time, index uint16, serial int, refused bool) *count.Swap {
	t := count.Tally{Packets: uint64(serial), Bytes: 100 * uint64(serial), First: start.UnixMilli(), Last: end.UnixMilli() - 1}
	f := count.Flow{Key: count.Key{
		Src: netip.MustParseAddr("198.51.100.7").As16(), Dst: netip.MustParseAddr("10.0.1.10").As16(),
		SrcPort: uint16(serial), DstPort: 443, Interface: index, Protocol: 6, Door: policy.Leaving,
	}}
	if refused {
		f.Refused = t
	} else {
		f.Seen = t
	}
	return &count.Swap{Start: start, End: end, Interfaces: watched(), Flows: []count.Flow{f}}
}

// rig is a dispatcher with all that stands around it.
type rig struct {
	t       testing.TB
	journal *memory
	clock   *clock
	shelves map[string]*shelf // by flow log
	logs    []flowlogs.FlowLog
	change  func(*Config)
	*Dispatcher
}

const testFormat = "${version} ${interface-id} ${srcport} ${packets} ${bytes} ${start} ${end} ${action} ${log-status}"

func newRig(t testing.TB) *rig {
	return &rig{t: t, journal: newMemory(), clock: &clock{now: t0}, shelves: map[string]*shelf{}}
}

// subscribe adds a flow log before the start.
func (r *rig) subscribe(id, resource, traffic string, interval int, prompt bool) *shelf {
	r.logs = append(r.logs, flowlogs.FlowLog{ID: id, ResourceID: resource, Traffic: traffic, Interval: interval, Format: testFormat})
	r.shelves[id] = newShelf(prompt)
	return r.shelves[id]
}

func (r *rig) config() Config {
	cfg := Config{
		Journal: r.journal, Catalogue: r.journal, Topology: aggregate.Always(topology{}),
		Destination: func(f flowlogs.FlowLog) (Destination, error) {
			format, err := flowlog.ParseFormat(f.Format)
			return &destination{r.shelves[f.ID], format}, err
		},
		Publish: time.Minute, FirstWait: time.Millisecond, Now: r.clock.Now,
	}
	if os.Getenv("DELIVER_LOG") != "" {
		cfg.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	if r.change != nil {
		r.change(&cfg)
	}
	return cfg
}

func (r *rig) start() {
	r.t.Helper()
	d, err := NewDispatcher(r.t.Context(), r.config(), r.logs)
	if err != nil {
		r.t.Fatal(err)
	}
	r.Dispatcher = d
}

// finish delivers everything and ends.
func (r *rig) finish() {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 20*time.Second)
	defer cancel()
	if err := r.Drain(ctx); err != nil {
		r.t.Fatalf("drain: %v; %s", err, r.inside())
	}
	r.Close()
}

// eventually waits until something holds.
func (r *rig) eventually(what string, holds func() bool) {
	r.t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if holds() {
			return
		}
	}
	r.t.Fatalf("never: %s; %+v%s", what, r.Status(), r.inside())
}

// checksum is a short name for a list of lines.
func checksum(lines []string) uint32 { return crc32.ChecksumIEEE([]byte(strings.Join(lines, "\n"))) }

// inside tells what the lanes do, for a test that waits for ever.
func (d *Dispatcher) inside() (s string) {
	for _, n := range d.allLanes() {
		n.mu.Lock()
		s += fmt.Sprintf("\nlane %v: %d passes, share %d", n.interval, n.running, n.share())
		if n.live != nil {
			s += fmt.Sprintf(", live at %d", n.live.boundary.Seq)
		}
		for _, l := range n.lines {
			l.mu.Lock()
			s += fmt.Sprintf("\n  %s: committed %d next %d, open %d-%d held %d filling %v sealed %v held %d", l.log.ID, l.state.Position.Seq, l.next.Seq, l.open.from.Seq, l.open.to.Seq, l.heldOpen, l.filling, l.sealed != nil, l.heldSealed)
			if l.pass != nil {
				s += fmt.Sprintf(" pass at %d", l.pass.boundary.Seq)
			}
			if c := l.open.cut; c != nil {
				s += fmt.Sprintf(" cut %d-%d", c.From, c.To.Seq)
			}
			l.mu.Unlock()
		}
		n.mu.Unlock()
	}
	return s
}
