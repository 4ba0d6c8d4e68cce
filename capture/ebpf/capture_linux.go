package ebpf

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/rlimit"
)

// Config says how to capture.
type Config struct {
	// RunDir is the capture's own directory, see [Clean]. One capture per directory.
	RunDir string
	// MaxFlows is how many flows of each address family fit between two swaps.
	// 0 means 131,072: 2 x 18 MB for IPv4 and 2 x 21 MB for IPv6.
	MaxFlows int
	// Settle is how long refusals may lag behind their packets across a swap:
	// the time that the fragments of one datagram take to arrive. 0 means 20 ms.
	Settle time.Duration
	// Log gets what is worth knowing and is not an error. nil discards it.
	Log *slog.Logger
	// Now is the wall clock by which packets get their times; nil is time.Now.
	Now func() time.Time `json:"-"`
}

const (
	defaultMaxFlows = 1 << 17
	defaultSettle   = 20 * time.Millisecond
)

// Capture counts at the interfaces it was told to watch. It is not safe for
// concurrent use, except for [Capture.Occupancy].
type Capture struct {
	cfg  Config
	dir  *runDir
	spec *ebpf.CollectionSpec

	maps    map[string]*ebpf.Map // the outer and plain ones, pinned
	slots   [2]slot
	control *control
	refused link.Link

	namespaces map[uint32]*programs // by inode number
	watched    map[weirDevice]*watched
	indexes    indexes

	inherited bool              // see Inherited
	source    string            // of the swaps, see count.Swap
	reasons   map[uint16]string // names of the kernel's drop reasons
	started   time.Time         // beginning of the current epoch
	waiting   bool              // an earlier epoch's maps have not been released
	read      bool              // … and have been handed out by Swap
	batch     batches
}

// slot is one of the two sets of inner maps.
type slot struct {
	flows4, flows6, losses *ebpf.Map
}

// programs are the tcx programs of one network namespace.
type programs struct {
	entering, leaving *ebpf.Program
}

func (p *programs) close() {
	_ = p.entering.Close()
	_ = p.leaving.Close()
}

// Open loads the programs, or takes over the maps and links that an earlier
// capture left counting in the same directory. Nothing is watched yet.
func Open(cfg Config) (_ *Capture, err error) {
	if cfg.MaxFlows <= 0 {
		cfg.MaxFlows = defaultMaxFlows
	}
	if cfg.Settle <= 0 {
		cfg.Settle = defaultSettle
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if err := rlimit.RemoveMemlock(); err != nil { // a no-op from 5.11 on
		// It asks the kernel with privilege, and without takes it for an old one.
		if missing := Require(); missing != nil {
			return nil, missing
		}
		return nil, &Error{"raise the locked memory limit", "", err, "run it as root"}
	}
	c := &Capture{
		cfg:        cfg,
		namespaces: map[uint32]*programs{},
		watched:    map[weirDevice]*watched{},
	}
	if c.reasons, err = dropReasons(); err != nil {
		return nil, &Error{"read the kernel's drop reasons", "", err, "use a kernel from 5.17 on, with BTF"}
	}
	if c.spec, err = loadWeir(); err != nil {
		return nil, &Error{"read the programs", "", err, "this is a fault of the build"}
	}
	if c.dir, err = openRunDir(cfg.RunDir); err != nil {
		return nil, err
	}
	fresh := isFresh(c.dir)
	defer func() {
		if err == nil {
			return
		}
		c.closeFiles()
		if fresh {
			err = errors.Join(err, c.dir.remove())
		} else {
			c.dir.unlock()
		}
	}()
	c.inherited = !fresh
	if err := c.openMaps(); err != nil {
		return nil, err
	}
	if err := c.openSlots(); err != nil {
		return nil, err
	}
	if err := c.attachRefused(); err != nil {
		return nil, err
	}
	if err := c.adoptInterfaces(); err != nil {
		return nil, err
	}
	return c, nil
}

// Inherited reports whether an earlier capture had left the kernel counting when
// this one was opened.
func (c *Capture) Inherited() bool { return c.inherited }

// isFresh reports whether no earlier capture left anything in the directory.
func isFresh(d *runDir) bool {
	entries, err := os.ReadDir(d.links())
	return err == nil && len(entries) == 0
}

// openMaps makes or opens the pinned maps.
func (c *Capture) openMaps() error {
	spec := c.spec.Copy()
	spec.Programs = nil
	spec.Variables = nil
	for name, m := range spec.Maps {
		switch name {
		case weirMapAddresses, weirMapEpochs, weirMapFronts, weirMapFlows4, weirMapFlows6, weirMapInterfaces, weirMapLosses:
			m.Pinning = ebpf.PinByName
		default:
			delete(spec.Maps, name)
		}
	}
	coll, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{
		Maps: ebpf.MapOptions{PinPath: c.dir.bpf()},
	})
	switch {
	case errors.Is(err, ebpf.ErrMapIncompatible):
		return &Error{
			"take over", c.dir.bpf(), fmt.Errorf("%w: %w", ErrSchema, err),
			"stop that version with a plain stop first, or give its counts up: weir up --clean",
		}
	case err != nil:
		return &Error{"make the maps", "", err, "what this host can do: weir check"}
	}
	c.maps = coll.Maps
	coll.Maps = nil
	coll.Close()
	if c.source, err = sourceOf(c.maps[weirMapEpochs]); err != nil {
		return err
	}
	c.control, err = mapControl(c.maps[weirMapEpochs])
	return err
}

// openSlots makes the inner maps, or opens those that are counting.
func (c *Capture) openSlots() error {
	first := c.control.epoch() == 0 // epochs begin at 1
	for i := range c.slots {
		var err error
		if c.slots[i].flows4, err = c.inner(weirMapFlows4, i, c.cfg.MaxFlows); err != nil {
			return err
		}
		if c.slots[i].flows6, err = c.inner(weirMapFlows6, i, c.cfg.MaxFlows); err != nil {
			return err
		}
		if c.slots[i].losses, err = c.inner(weirMapLosses, i, 0); err != nil {
			return err
		}
	}
	now, mono := c.cfg.Now(), monotonic()
	if first {
		c.control.setBase(1, mono)
		c.control.setDrained(0)
		c.control.setEpoch(1)
		c.started = now
		return nil
	}
	e := c.control.epoch()
	c.started = now.Add(-time.Duration(mono - c.control.base(e)))
	c.waiting = true // whoever ended may have left the other slot unread; reading an empty one is harmless
	c.cfg.Log.Info("taking over what an earlier run left counting", "epoch", e, "since", c.started.UTC())
	return nil
}

// inner opens the inner map at slot i of an outer one, or makes it with room
// for max entries (0: as many as the specification says).
func (c *Capture) inner(outer string, i, max int) (*ebpf.Map, error) {
	var id ebpf.MapID
	err := c.maps[outer].Lookup(uint32(i), &id)
	if err == nil {
		m, err := ebpf.NewMapFromID(id)
		if err != nil {
			return nil, &Error{"open map", outer, err, ""}
		}
		return m, nil
	}
	if !errors.Is(err, ebpf.ErrKeyNotExist) {
		return nil, &Error{"look up map", outer, err, ""}
	}
	return c.newInner(outer, i, max)
}

// newInner makes an inner map and puts it at slot i of the outer one.
func (c *Capture) newInner(outer string, i, max int) (*ebpf.Map, error) {
	spec := c.spec.Maps[outer].InnerMap.Copy()
	spec.Name = fmt.Sprintf("weir_%s_%d", outer, i)
	if max > 0 {
		spec.MaxEntries = uint32(max)
	}
	m, err := ebpf.NewMap(spec)
	if err != nil {
		return nil, &Error{"make map", spec.Name, err, "it takes memory for every flow; try a smaller --max-flows"}
	}
	if err := c.maps[outer].Put(uint32(i), m); err != nil {
		_ = m.Close()
		return nil, &Error{"put map", spec.Name, err, ""}
	}
	return m, nil
}

// load loads programs over the shared maps. The variable netns is set in them.
func (c *Capture) load(netns, benchFlows uint32, names ...string) (map[string]*ebpf.Program, error) {
	spec := c.spec.Copy()
	wanted := map[string]*ebpf.ProgramSpec{}
	for _, name := range names {
		wanted[name] = spec.Programs[name]
	}
	spec.Programs = wanted
	if err := spec.Variables[weirVarNetns].Set(netns); err != nil {
		return nil, err
	}
	if err := spec.Variables[weirVarBenchFlows].Set(benchFlows); err != nil {
		return nil, err
	}
	coll, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{MapReplacements: c.maps})
	if err != nil {
		return nil, &Error{"load the programs", "", err, "what this host can do: weir check"}
	}
	progs := coll.Programs
	coll.Programs = nil
	coll.Close()
	return progs, nil
}

// Close ends the capture. With keep the kernel goes on counting, and the next
// [Open] of the same directory picks up what it counted meanwhile; without,
// nothing stays behind, and what was not swapped out is given up.
func (c *Capture) Close(keep bool) error {
	c.closeFiles()
	if keep {
		c.dir.unlock()
		return nil
	}
	return c.dir.remove()
}

// closeFiles closes every file descriptor; what is pinned goes on.
func (c *Capture) closeFiles() {
	for _, w := range c.watched {
		w.closeLinks()
	}
	for _, p := range c.namespaces {
		p.close()
	}
	if c.refused != nil {
		_ = c.refused.Close()
	}
	if c.control != nil {
		c.control.close()
	}
	for i := range c.slots {
		for _, m := range []*ebpf.Map{c.slots[i].flows4, c.slots[i].flows6, c.slots[i].losses} {
			if m != nil {
				_ = m.Close()
			}
		}
	}
	for _, m := range c.maps {
		_ = m.Close()
	}
}
