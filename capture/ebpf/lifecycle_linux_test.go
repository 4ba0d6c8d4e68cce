package ebpf

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"weir/vpc"
)

// objects are what one capture has in the kernel, by id.
type objects struct {
	dir      string
	maps     []ebpf.MapID
	programs []ebpf.ProgramID
	links    []link.ID
}

// lookAt finds everything in the kernel that belongs to the capture of a run
// directory: from its pinned maps to their inner ones, to every program that
// uses one of them, and the links and the other maps of those.
func lookAt(t testing.TB, cfg Config) *objects {
	t.Helper()
	o := &objects{dir: cfg.RunDir}
	known := map[ebpf.MapID]bool{}
	spec, err := loadWeir()
	must(t, err)
	for name := range spec.Maps {
		if strings.HasPrefix(name, ".") {
			continue // .rodata is not pinned
		}
		m, err := ebpf.LoadPinnedMap(filepath.Join(cfg.RunDir, "bpf", name), nil)
		must(t, err)
		info, err := m.Info()
		must(t, err)
		id, _ := info.ID()
		known[id] = true
		if m.Type() == ebpf.ArrayOfMaps {
			for slot := range m.MaxEntries() {
				var inner ebpf.MapID
				must(t, m.Lookup(slot, &inner))
				known[inner] = true
			}
		}
		must(t, m.Close())
	}
	ours := slices.Collect(maps.Keys(known))
	for id := ebpf.ProgramID(0); ; {
		if id, err = ebpf.ProgramGetNextID(id); err != nil {
			break
		}
		p, err := ebpf.NewProgramFromID(id)
		if err != nil {
			continue // gone meanwhile
		}
		info, err := p.Info()
		_ = p.Close()
		must(t, err)
		ids, _ := info.MapIDs()
		if slices.ContainsFunc(ids, func(id ebpf.MapID) bool { return slices.Contains(ours, id) }) {
			o.programs = append(o.programs, id)
			for _, id := range ids {
				known[id] = true // .rodata too
			}
		}
	}
	links := new(link.Iterator)
	defer links.Close()
	for links.Next() {
		if info, err := links.Link.Info(); err == nil && slices.Contains(o.programs, info.Program) {
			o.links = append(o.links, info.ID)
		}
	}
	must(t, links.Err())
	o.maps = slices.Sorted(maps.Keys(known))
	return o
}

// left is what of it is still there.
func (o *objects) left() (n objects) {
	n.dir = o.dir
	for _, id := range o.maps {
		if m, err := ebpf.NewMapFromID(id); err == nil {
			n.maps = append(n.maps, id)
			_ = m.Close()
		}
	}
	for _, id := range o.programs {
		if p, err := ebpf.NewProgramFromID(id); err == nil {
			n.programs = append(n.programs, id)
			_ = p.Close()
		}
	}
	for _, id := range o.links {
		if l, err := link.NewFromID(id); err == nil {
			n.links = append(n.links, id)
			_ = l.Close()
		}
	}
	return n
}

func (o *objects) wantThere(t testing.TB) {
	t.Helper()
	left := o.left()
	if len(left.maps) != len(o.maps) || len(left.programs) != len(o.programs) || len(left.links) != len(o.links) {
		t.Errorf("of %+v only %+v is left", *o, left)
	}
}

// wantGone waits: the kernel frees maps and programs in the background.
func (o *objects) wantGone(t testing.TB) {
	t.Helper()
	await(t, "programs, maps and links to go", func() bool {
		left := o.left()
		return len(left.maps)+len(left.programs)+len(left.links) == 0
	})
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	must(t, err)
	if strings.Contains(string(mounts), o.dir) {
		t.Errorf("something is still mounted below %s", o.dir)
	}
	if _, err := os.Stat(o.dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is still there: %v", o.dir, err)
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	// Not parallel: it counts the process's file descriptors.
	r := newRig(t)
	before := descriptors(t)
	cfg := Config{RunDir: runDirOf(t)}
	c := open(t, cfg)
	must(t, c.Watch([]vpc.Interface{r.tap}))
	r.wire.sendN(3, datagram(1))
	swap(t, c, totals{})
	o := lookAt(t, cfg)
	// 7 pinned maps, 6 inner ones, .rodata of the tcx programs; the drop program
	// reads none. Two tcx programs and one for drops, a link each.
	if len(o.maps) < 14 || len(o.programs) != 3 || len(o.links) != 3 {
		t.Errorf("capturing takes %d maps, %d programs and %d links: the test does not see them all", len(o.maps), len(o.programs), len(o.links))
	}
	must(t, c.Close(false))
	o.wantGone(t)
	if after := descriptors(t); after != before {
		t.Errorf("%d file descriptors before, %d after", before, after)
	}
}

func descriptors(t testing.TB) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	return len(list)
}

// Closing and opening in a row must not find the last one's programs in the way.
func TestCloseAndOpenInARow(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	cfg := Config{RunDir: runDirOf(t)}
	for range 5 {
		c := open(t, cfg)
		if err := c.Watch([]vpc.Interface{r.tap}); err != nil {
			t.Error(err)
		}
		r.wire.sendN(3, datagram(1))
		got := totals{}
		collect(t, c, got, 3)
		wantTotals(t, totals{"eni-tap in": datagrams(3)}, got)
		must(t, c.Close(false))
	}
}

// A stop that keeps the kernel counting, and devices that come and go meanwhile.
func TestOpenContinues(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.host.veth("gone", r.guest, "gone")
	gone, goneWire := r.host.iface("gone", "eni-gone"), r.guest.sender("gone")
	cfg := Config{RunDir: runDirOf(t)}
	c := open(t, cfg)
	must(t, c.Watch([]vpc.Interface{r.tap, gone}))
	got := totals{}
	r.wire.sendN(10, datagram(1))
	goneWire.sendN(4, datagram(1))
	swap(t, c, got)
	r.wire.sendN(20, datagram(2))
	goneWire.sendN(5, datagram(2))
	must(t, c.Close(true))

	r.wire.sendN(40, datagram(3))
	goneWire.sendN(6, datagram(3))
	r.host.delete("gone")
	r.host.veth("fresh", r.guest, "fresh")

	c = openFor(t, cfg)
	r.wire.sendN(80, datagram(4))
	must(t, c.Watch([]vpc.Interface{r.tap, r.host.iface("fresh", "eni-fresh")}))
	r.guest.sender("fresh").sendN(7, datagram(1))
	r.wire.sendN(160, datagram(5))
	collect(t, c, got, 310+15+7)
	wantTotals(t, totals{
		"eni-tap in":   datagrams(310),
		"eni-gone in":  datagrams(15),
		"eni-fresh in": datagrams(7),
	}, got)
	for range 3 {
		swap(t, c, got)
	}
	if n := len(swap(t, c, got).Interfaces); n != 2 {
		t.Errorf("%d interfaces, want 2: the one that is gone is forgotten", n)
	}
	o := lookAt(t, cfg)
	if len(o.links) != 5 {
		t.Errorf("%d links, want 5: two devices with two doors, and the drops", len(o.links))
	}
}

// The lock is the run directory's, not a process's.
func TestOneCapturePerRunDir(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	cfg := Config{RunDir: runDirOf(t)}
	c := openFor(t, cfg)
	must(t, c.Watch([]vpc.Interface{r.tap}))
	second, err := Open(cfg)
	if !errors.Is(err, ErrBusy) {
		t.Fatalf("a second Open: %v, %v, want ErrBusy", second, err)
	}
	var e *Error
	if !errors.As(err, &e) || e.Hint() == "" {
		t.Errorf("error %#v, want one with a hint", err)
	}
	got := totals{}
	r.wire.sendN(3, datagram(1))
	collect(t, c, got, 3)
	wantTotals(t, totals{"eni-tap in": datagrams(3)}, got)
}

func TestOneWeirPerDevice(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first, second := openFor(t, Config{}), Config{RunDir: runDirOf(t)}
	must(t, first.Watch([]vpc.Interface{r.tap}))
	c := open(t, second)
	r.host.veth("free", r.guest, "free")
	err := c.Watch([]vpc.Interface{r.tap, r.host.iface("free", "eni-free")})
	if !errors.Is(err, ErrWatched) || !strings.Contains(err.Error(), "tap") {
		t.Errorf("a second capture at the device: %v, want ErrWatched and its name", err)
	}
	if c.Watching() != 1 {
		t.Errorf("the second capture watches %d devices, want the free one", c.Watching())
	}
	r.wire.sendN(5, datagram(1))
	r.guest.sender("free").sendN(2, datagram(1))
	mine, theirs := totals{}, totals{}
	collect(t, first, mine, 5)
	collect(t, c, theirs, 2)
	wantTotals(t, totals{"eni-tap in": datagrams(5)}, mine)
	wantTotals(t, totals{"eni-free in": datagrams(2)}, theirs)
	o := lookAt(t, second)
	must(t, c.Close(false))
	o.wantGone(t)
	r.wire.sendN(5, datagram(1))
	collect(t, first, mine, 10)
	wantTotals(t, totals{"eni-tap in": datagrams(10)}, mine)
}

// A swap that was not released is not handed out again, and nothing else is.
func TestSwapWithoutRelease(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := openFor(t, Config{})
	must(t, c.Watch([]vpc.Interface{r.tap}))
	r.wire.sendN(3, datagram(1))
	s, err := c.Swap()
	must(t, err)
	if _, err := c.Swap(); err == nil {
		t.Fatal("a second Swap before Release is no error")
	}
	got := totals{}
	got.add(s)
	r.wire.sendN(4, datagram(1))
	must(t, c.Release())
	collect(t, c, got, 7)
	wantTotals(t, totals{"eni-tap in": datagrams(7)}, got)
}
