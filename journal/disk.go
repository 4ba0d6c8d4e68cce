package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// disk makes durable what the server inside has written to one stream.
//
// The server acknowledges a message when it has written it to the stream's last
// block file, and leaves syncing for later. Its own setting (sync_interval: always)
// syncs at every message: 2,000 chunks took it one to four seconds. Here the
// files are synced once for all chunks of a swap, by their names: what fsync makes
// durable is the file, whoever wrote it.
type disk struct {
	dir string // of the block files

	mu     sync.Mutex // held while syncing: who waits finds his bytes synced, mostly
	synced map[string]stamp
}

// stamp is a file as it was before it was synced.
type stamp struct {
	size int64
	when time.Time
}

func newDisk(dir, stream string) *disk {
	return &disk{dir: filepath.Join(streams(dir), stream, "msgs"), synced: map[string]stamp{}}
}

// sync returns when everything that has been acknowledged is on disk.
func (d *disk) sync() error {
	if d == nil {
		return nil // the server's own setting says when
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	files, err := os.ReadDir(d.dir)
	if err != nil {
		return err
	}
	changed := false
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".blk") {
			continue
		}
		info, err := f.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // purged just now
		} else if err != nil {
			return err
		}
		now := stamp{info.Size(), info.ModTime()}
		if d.synced[f.Name()] == now {
			continue
		}
		if err := syncPath(filepath.Join(d.dir, f.Name())); err != nil {
			return err
		}
		d.synced[f.Name()] = now
		changed = true
	}
	if !changed {
		return nil
	}
	for name := range d.synced {
		if !holds(files, name) {
			delete(d.synced, name)
		}
	}
	return syncPath(d.dir) // a new file is durable when its name is
}

func holds(files []os.DirEntry, name string) bool {
	for _, f := range files {
		if f.Name() == name {
			return true
		}
	}
	return false
}

// all syncs the stream's every file and the directories above them, which Open
// may have made.
func (d *disk) all() error {
	if err := filepath.WalkDir(filepath.Dir(d.dir), func(path string, _ fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		} else if err != nil {
			return err
		}
		return syncPath(path)
	}); err != nil {
		return err
	}
	for dir := filepath.Dir(d.dir); len(dir) > 1; dir = filepath.Dir(dir) {
		if err := syncPath(dir); err != nil {
			return err
		}
		if filepath.Base(dir) == "jetstream" {
			dir = filepath.Dir(dir)
			return errors.Join(syncPath(dir), syncPath(filepath.Dir(dir)))
		}
	}
	return nil
}

func syncPath(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return fmt.Errorf("sync %s: %w", path, err)
	}
	return nil
}

// What must stay free beside what is to be stored. The server turns JetStream off
// when a write finds no space, so it must never come to that. The catalogue may
// go further down than the counts: its positions are what gives room back.
const (
	countsReserve    = 32 << 20
	catalogueReserve = 8 << 20
)

// hasRoom fails with ENOSPC when n more bytes would leave less than the reserve.
// On a filesystem below 256 MiB the counts' reserve is an eighth of it, and the
// catalogue's in proportion.
func (j *Journal) hasRoom(op string, n, reserve int64) error {
	if j.server == nil {
		return nil
	}
	free, size, err := room(j.cfg.Dir)
	if err != nil {
		return &Error{op, "", fmt.Errorf("free space of %s: %w", j.cfg.Dir, err), ""}
	}
	reserve = min(reserve, size/8*reserve/countsReserve)
	if free-n >= reserve {
		return nil
	}
	return &Error{
		op, "", fmt.Errorf("%s has %s free, %s more are needed and %s must stay free: %w", j.cfg.Dir, bytesText(free), bytesText(n), bytesText(reserve), syscall.ENOSPC),
		"make room on the filesystem; it goes on by itself then",
	}
}

// bytesText is a size for people.
func bytesText(n int64) string {
	if n < 10<<20 {
		return fmt.Sprintf("%d KiB", (n+1023)>>10)
	}
	return fmt.Sprintf("%d MiB", n>>20)
}
