package s3

import (
	"cmp"
	"container/heap"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"weir/flowlog"
	"weir/vpc/flowlogs"
)

// maxPruned is how many objects one [Prune] removes at most: more wait for the
// next, so that none takes long or much memory.
const maxPruned = 10_000

// Pruned is what one Prune removed.
type Pruned struct {
	Objects int
	Bytes   int64
	Left    int64 // bytes of the flow log's objects that stay
	More    bool  // there was more to remove than one call does
}

// Prune removes what a flow log may not keep any longer from the bucket that dir
// is: the objects whose slot ended longer than Age before now, and then the
// oldest until no more than Bytes are left. An object's age is that of the slot in
// its key, not of its file. Folders that become empty go, too.
//
// Only objects of this flow log in AWS's folders are touched: what somebody
// copied elsewhere, other flow logs' objects and foreign files stay. It may run
// while objects are put. It takes one walk over the names of the bucket, and
// memory for those that it removes. A bucket that is not there is empty. What
// cannot be removed is an error, and does not keep the rest.
func Prune(ctx context.Context, dir, flowLogID string, keep flowlogs.Retention, now time.Time) (Pruned, error) {
	return prune(ctx, dir, flowLogID, keep, now, maxPruned)
}

func prune(ctx context.Context, dir, flowLogID string, keep flowlogs.Retention, now time.Time, most int) (Pruned, error) {
	if keep.Age <= 0 && keep.Bytes <= 0 {
		return Pruned{}, nil
	}
	oldest, total, err := survey(ctx, dir, flowLogID, most)
	if err != nil {
		return Pruned{}, err
	}
	done := Pruned{Left: total}
	var failures []error
	// The heap has the youngest on top: it is emptied into the order of age.
	ordered := make([]stored, oldest.Len())
	for i := len(ordered) - 1; i >= 0; i-- {
		ordered[i] = heap.Pop(&oldest).(stored)
	}
	expired := func(o stored) bool {
		return keep.Age > 0 && now.Sub(o.slot.Add(flowlog.SlotLength)) > keep.Age || keep.Bytes > 0 && done.Left > keep.Bytes
	}
	for i, o := range ordered {
		if !expired(o) {
			break // so are all younger ones
		}
		if err := ctx.Err(); err != nil {
			return done, err
		}
		if err := remove(dir, o.path); err != nil {
			failures = append(failures, err)
			continue
		}
		done.Objects++
		done.Bytes += o.size
		done.Left -= o.size
		done.More = i == most-1
	}
	return done, errors.Join(failures...)
}

// remove removes an object, and the folders above it that have become empty.
func remove(dir, path string) error {
	full := filepath.Join(dir, path)
	if err := os.Remove(full); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fileError("remove an old object", full, err)
	}
	for folder := filepath.Dir(path); folder != "."; folder = filepath.Dir(folder) {
		if os.Remove(filepath.Join(dir, folder)) != nil {
			break // it is not empty
		}
	}
	return nil
}

// stored is an object in a local bucket.
type stored struct {
	path string // below the bucket
	slot time.Time
	size int64
}

func (a stored) compare(b stored) int {
	return cmp.Or(a.slot.Compare(b.slot), cmp.Compare(a.path, b.path))
}

// survey finds a flow log's oldest objects, so many at most, and the bytes of
// all.
func survey(ctx context.Context, dir, flowLogID string, most int) (oldest youngestFirst, total int64, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, fs.ErrNotExist):
			return nil // the bucket, or what went meanwhile
		case err != nil:
			return err
		case d.IsDir() && path != dir && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case !d.Type().IsRegular():
			return nil // a folder, or a link, which is not ours
		}
		below, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		k, err := flowlog.ParseObjectKey(filepath.ToSlash(below))
		if err != nil || k.FlowLogID != flowLogID || k.Layout == flowlog.NoLayout {
			return nil //nolint:nilerr // not an object of this flow log
		}
		info, err := d.Info()
		if err != nil {
			return nil //nolint:nilerr // it went meanwhile
		}
		total += info.Size()
		heap.Push(&oldest, stored{below, k.Slot, info.Size()})
		if oldest.Len() > most {
			heap.Pop(&oldest)
		}
		return nil
	})
	if err != nil && ctx.Err() == nil {
		err = fileError("look for old objects", dir, err)
	}
	return oldest, total, err
}

// youngestFirst is a heap.
type youngestFirst []stored

func (h youngestFirst) Len() int           { return len(h) }
func (h youngestFirst) Less(i, j int) bool { return h[i].compare(h[j]) > 0 }
func (h youngestFirst) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *youngestFirst) Push(v any)        { *h = append(*h, v.(stored)) }

func (h *youngestFirst) Pop() any {
	last := len(*h) - 1
	v := (*h)[last]
	*h = (*h)[:last]
	return v
}
