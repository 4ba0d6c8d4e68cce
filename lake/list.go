package lake

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"weir/flowlog"
)

// Object is one object of flow logs.
type Object struct {
	Path string
	// Slot is the beginning of the five minutes that its records ended in, by
	// its key; zero when the name says nothing.
	Slot time.Time
}

// List finds the objects that may hold records which ended in [from, to); a
// zero time leaves that side open. They come in the order of their slots.
//
// A directory is searched whatever prefix and layout the keys have; folders and
// names that tell their time are pruned by it, other *.log.gz, *.log and
// *.parquet files are always taken. Names that begin with a dot are never objects. A path that
// is a file is the one object, whatever its name. A missing path is an error
// that matches fs.ErrNotExist.
func List(path string, from, to time.Time) ([]Object, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		key, _ := flowlog.ParseObjectKey(filepath.Base(path)) // wherever it was copied to
		return []Object{{Path: path, Slot: key.Slot}}, nil
	}
	l := lister{from: from, to: to}
	if err := l.walk(path, nil); err != nil {
		return nil, fmt.Errorf("list flow log objects: %w", err)
	}
	slices.SortFunc(l.found, func(a, b Object) int {
		return cmp.Or(a.Slot.Compare(b.Slot), strings.Compare(a.Path, b.Path))
	})
	return l.found, nil
}

type lister struct {
	from, to time.Time
	found    []Object
}

// walk searches dir; below is the folders between the path asked for and dir.
func (l *lister) walk(dir string, below []string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) && len(below) > 0 {
		return nil // removed since its parent was read
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := e.Name()
		path := filepath.Join(dir, name)
		switch {
		case strings.HasPrefix(name, "."):
		case e.IsDir():
			inside := append(slices.Clip(below), name)
			if begin, end, ok := folderTime(inside); ok && !l.overlaps(begin, end) {
				continue
			}
			if err := l.walk(path, inside); err != nil {
				return err
			}
		default:
			l.file(path, name)
		}
	}
	return nil
}

func (l *lister) file(path, name string) {
	key, err := flowlog.ParseObjectKey(name)
	switch {
	case err == nil && !l.overlaps(key.Slot, key.Slot.Add(flowlog.SlotLength)):
	case err == nil:
		l.found = append(l.found, Object{Path: path, Slot: key.Slot})
	case strings.HasSuffix(name, ".log.gz"), strings.HasSuffix(name, ".log"), strings.HasSuffix(name, ".parquet"):
		l.found = append(l.found, Object{Path: path})
	}
}

// overlaps reports whether [begin, end) and the range asked for share a moment.
func (l *lister) overlaps(begin, end time.Time) bool {
	return (l.from.IsZero() || end.After(l.from)) && (l.to.IsZero() || begin.Before(l.to))
}
