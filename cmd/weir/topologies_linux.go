package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"weir/aggregate"
	"weir/deliver"
	"weir/vpc"
)

// topologies are the versions of the topology, in the catalogue: counts name the
// one that was in force when they were made, and become records by it, whenever
// that is.
type topologies struct {
	catalogue deliver.Catalogue
	log       *slog.Logger

	// changing keeps a version that is new from being tidied away before anything
	// names it.
	changing sync.Mutex

	mu      sync.Mutex // guards what follows
	current *topologyVersion
	known   map[string]*topologyVersion // those that were used lately
}

// topologyVersion answers the aggregation.
type topologyVersion struct {
	name  string
	index map[string]*vpc.Interface
}

// Interface implements aggregate.Topology.
func (v *topologyVersion) Interface(id string) (*vpc.Interface, bool) {
	i, ok := v.index[id]
	return i, ok
}

const (
	topologyKey = "topology."
	// knownTopologies are kept in memory: more than a pass comes across at a time.
	knownTopologies = 64
)

func newTopologies(catalogue deliver.Catalogue, log *slog.Logger) *topologies {
	return &topologies{catalogue: catalogue, log: log, current: &topologyVersion{}, known: map[string]*topologyVersion{}}
}

// use makes a list of interfaces the version that is in force. It is durable when
// use returns.
func (t *topologies) use(ctx context.Context, list []vpc.Interface) error {
	text, err := json.Marshal(list)
	if err != nil {
		return err
	}
	t.changing.Lock()
	defer t.changing.Unlock()
	sum := sha256.Sum256(text)
	name := hex.EncodeToString(sum[:8])
	t.mu.Lock()
	same := t.current.name == name
	t.mu.Unlock()
	if same {
		return nil
	}
	if err := deliver.Store(ctx, t.catalogue, topologyKey+name, &list); err != nil {
		return fmt.Errorf("keep the topology: %w", err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.current = versionOf(name, slices.Clone(list))
	t.keepLocked(t.current)
	return nil
}

func versionOf(name string, list []vpc.Interface) *topologyVersion {
	v := &topologyVersion{name: name, index: make(map[string]*vpc.Interface, len(list))}
	for i := range list {
		v.index[list[i].ID] = &list[i]
	}
	return v
}

// keepLocked keeps a version in memory, and lets go of some other.
func (t *topologies) keepLocked(v *topologyVersion) {
	for name := range t.known {
		if len(t.known) < knownTopologies {
			break
		}
		delete(t.known, name)
	}
	t.known[v.name] = v
}

// name is that of the version in force.
func (t *topologies) name() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.current.name
}

// At is a version by its name. One that cannot be read has no interfaces: their
// records have the id alone.
func (t *topologies) At(name string) aggregate.Topology {
	t.mu.Lock()
	v := t.known[name]
	t.mu.Unlock()
	if v != nil {
		return v
	}
	v, err := t.read(name)
	if err != nil {
		t.log.Error("a version of the topology cannot be read: its records have interface ids alone", "version", name, "err", err)
		v = &topologyVersion{name: name}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.keepLocked(v)
	return v
}

// read reads a version, and insists for a while: the catalogue may be away.
func (t *topologies) read(name string) (v *topologyVersion, err error) {
	const attempts, pause = 20, 500 * time.Millisecond
	for range attempts {
		var value []byte
		if value, err = t.catalogue.Get(context.Background(), topologyKey+name); err == nil {
			return decodeTopology(name, value)
		}
		time.Sleep(pause)
	}
	return nil, err
}

func decodeTopology(name string, value []byte) (*topologyVersion, error) {
	if value == nil {
		return nil, fmt.Errorf("the catalogue has no %s%s", topologyKey, name)
	}
	var list []vpc.Interface
	if err := deliver.Decode(topologyKey+name, value, &list); err != nil {
		return nil, err
	}
	return versionOf(name, list), nil
}

// tidy removes the versions that no counts in the journal name.
func (t *topologies) tidy(ctx context.Context, journal deliver.Journal) error {
	t.changing.Lock()
	defer t.changing.Unlock()
	keys, err := t.catalogue.Keys(ctx, topologyKey)
	if err != nil {
		return err
	}
	// Mostly there is the one in force alone, and no need to look at the journal.
	keys = slices.DeleteFunc(keys, func(key string) bool { return key == topologyKey+t.name() })
	if len(keys) == 0 {
		return nil
	}
	bounds, err := journal.Bounds(ctx)
	if err != nil {
		return err
	}
	inUse := map[string]bool{}
	if bounds.First <= bounds.Last {
		swaps, err := journal.Survey(ctx, bounds.First-1, bounds.Last)
		if err != nil {
			return err
		}
		for i := range swaps {
			inUse[swaps[i].Topology] = true
		}
	}
	for _, key := range keys {
		name := strings.TrimPrefix(key, topologyKey)
		if !inUse[name] {
			if err := t.catalogue.Delete(ctx, key); err != nil {
				return err
			}
		}
	}
	return nil
}
