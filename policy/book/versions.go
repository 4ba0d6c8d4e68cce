package book

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"weir/policy"
	"weir/vpc"
	"weir/vpc/declare"
)

// Version is a topology that was applied at least once.
type Version struct {
	Name   string    // 20261121T171500Z-1a2b3c4d5e6f7890
	Time   time.Time // when it was applied first, to the second
	Digest string    // of the topology, see [Digest]
}

const (
	versionTime  = "20060102T150405Z"
	versionEnd   = ".yaml"
	digestLength = 16
)

// Digest names what a topology says: equal topologies have equal digests.
func Digest(t *vpc.Topology) string { return digest(declare.Append(nil, t)) }

func digest(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])[:digestLength]
}

func parseVersion(name string) (Version, error) {
	at, sum, _ := strings.Cut(name, "-")
	t, err := time.Parse(versionTime, at)
	if _, hexErr := hex.DecodeString(sum); err != nil || hexErr != nil || len(sum) != digestLength || strings.ToLower(sum) != sum {
		return Version{}, fmt.Errorf("%.60q is not the name of a version", name)
	}
	return Version{name, t, sum}, nil
}

// Versions are all topologies that were ever applied, by the time of the first.
func (b *Book) Versions() ([]Version, error) {
	list, err := os.ReadDir(b.versionDir())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []Version
	for _, f := range list { // by name, which begins with the time
		if strings.HasPrefix(f.Name(), ".") {
			continue // a writer's that died
		}
		name, yaml := strings.CutSuffix(f.Name(), versionEnd)
		v, err := parseVersion(name)
		if err != nil || !yaml {
			return nil, fmt.Errorf("%s: this is no version of a policy", filepath.Join(b.versionDir(), f.Name()))
		}
		all = append(all, v)
	}
	return all, nil
}

// Keep keeps a topology and returns the name of its version. One that was
// applied before has it already.
func (w *Writer) Keep(t *vpc.Topology) (Version, error) {
	b := w.book
	text := declare.Append(nil, t)
	sum := digest(text)
	all, err := b.Versions()
	if err != nil {
		return Version{}, err
	}
	for _, v := range all {
		if v.Digest != sum {
			continue
		}
		if have, err := os.ReadFile(b.versionPath(v.Name)); err != nil || bytes.Equal(have, text) {
			return v, err
		}
		return v, fmt.Errorf("%s: somebody changed it", b.versionPath(v.Name))
	}
	name := b.now().UTC().Format(versionTime) + "-" + sum
	v, err := parseVersion(name)
	if err != nil {
		return v, err
	}
	if err := writeFile(b.versionPath(name), text); err != nil {
		return v, fmt.Errorf("keep the topology: %w", err)
	}
	return v, nil
}

// writeFile makes a file that is there whole and on the disk, or not at all.
func writeFile(path string, text []byte) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	// One name: what a writer left that was killed is overwritten by the next.
	f, err := os.OpenFile(filepath.Join(dir, ".new"), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o640)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return errors.Join(syncDir(dir), syncDir(filepath.Dir(dir)))
}

// InForce is what was in force at some time.
type InForce struct {
	Entry    Entry
	Topology *vpc.Topology
	Policy   *policy.Policy
}

// At is what was in force at a time, nil when nothing was.
func (b *Book) At(t time.Time) (*InForce, error) {
	all, err := b.Log()
	if err != nil {
		return nil, err
	}
	e := at(all, t)
	if e == nil {
		return nil, nil
	}
	return b.Load(*e)
}

// Load reads the topology of an entry and compiles it with the ids that its
// rules had. The one that was loaded last is kept.
func (b *Book) Load(e Entry) (*InForce, error) {
	b.mu.Lock()
	cached, err := b.loaded, b.rules.refresh()
	b.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if cached != nil && cached.Entry.Version == e.Version {
		return &InForce{e, cached.Topology, cached.Policy}, nil
	}
	path := b.versionPath(e.Version)
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if v, err := parseVersion(e.Version); err != nil || v.Digest != digest(text) {
		return nil, fmt.Errorf("%s: somebody changed it: it is not what its name says", path)
	}
	t, problems := declare.Parse(text, declare.Options{})
	if err := problems.Err(); err != nil {
		return nil, fmt.Errorf("%s:%w", path, err)
	}
	p, err := policy.Compile(t, given{b})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	made := &InForce{e, t, p}
	b.mu.Lock()
	b.loaded = made
	b.mu.Unlock()
	return made, nil
}

func (b *Book) versionDir() string { return filepath.Join(b.dir, "versions") }

func (b *Book) versionPath(name string) string {
	return filepath.Join(b.versionDir(), name+versionEnd)
}
