package s3

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"weir/deliver"
	"weir/flowlog"
)

// directory is a bucket on this machine: keys are paths below it.
type directory struct {
	dir    string
	create func(dir, pattern string) (unfinished, error) // createUnfinished, but in tests
}

// unfinished is what an object is written to; *os.File.
type unfinished interface {
	io.WriteCloser
	Name() string
	Sync() error
}

// OpenDirectory is the bucket that a directory is; its name is the directory's.
// The directory is made with the first object, readable to its group.
func OpenDirectory(dir string) Bucket { return openDirectory(dir) }

func openDirectory(dir string) *directory {
	return &directory{dir: filepath.Clean(dir), create: createUnfinished}
}

func (d *directory) String() string { return "s3://" + filepath.Base(d.dir) }

// Put writes beside the keys, so that the rename stays within one filesystem,
// syncs, and renames. A name that the disk does not promise to keep is an error
// although the object stands there: the next attempt replaces it.
func (d *directory) Put(ctx context.Context, key flowlog.ObjectKey, body *Body) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := makeDir(d.dir); err != nil {
		return fileError("make the bucket", d.dir, err)
	}
	temporary, err := d.write(unfinishedPrefix(key.FlowLogID), body)
	if err != nil {
		return err
	}
	if err := d.place(temporary, filepath.Join(d.dir, filepath.FromSlash(key.String()))); err != nil {
		_ = os.Remove(temporary) // or at the next start
		return err
	}
	return nil
}

// write makes the file durable under a name that is no object's; on failure
// nothing of it remains.
func (d *directory) write(prefix string, body *Body) (name string, err error) {
	f, err := d.create(d.dir, prefix+"*"+unfinishedSuffix)
	if err != nil {
		return "", fileError("begin an object", d.dir, err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	_, err = body.WriteTo(f)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return "", fileError("write an object", f.Name(), err)
	}
	return f.Name(), nil
}

// place gives a finished file its key. A folder that [Prune] found empty may go
// between making and using it, so there is a second attempt.
func (d *directory) place(temporary, path string) error {
	folder := filepath.Dir(path)
	for attempt := 0; ; attempt++ {
		if err := makeDir(folder); err != nil {
			return fileError("make a folder of the bucket", folder, err)
		}
		err := os.Rename(temporary, path)
		if err == nil {
			break
		}
		if attempt >= 10 || !errors.Is(err, fs.ErrNotExist) {
			return fileError("name an object", path, err)
		}
	}
	if err := syncDir(folder); err != nil {
		return fileError("write a folder to disk", folder, err)
	}
	return nil
}

// Probe finds out by making a folder, which it removes, in the bucket or where
// the bucket would be made.
func (d *directory) Probe(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	dir := d.dir
	for {
		info, err := os.Stat(dir)
		if err == nil && !info.IsDir() {
			return fileError("look at the bucket", dir, fs.ErrExist)
		}
		if err == nil || filepath.Dir(dir) == dir {
			break
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return d.denied(dir, err)
		}
		dir = filepath.Dir(dir)
	}
	probe, err := os.MkdirTemp(dir, ".weir-probe-*")
	if err != nil {
		return d.denied(dir, err)
	}
	if err := os.Remove(probe); err != nil {
		return fileError("look at the bucket", probe, err)
	}
	return nil
}

// denied is the error of a probe in dir.
func (d *directory) denied(dir string, err error) error {
	e := fileError("look at the bucket", dir, err)
	if e.Kind == deliver.Access {
		e.Err = &DeniedError{Bucket: filepath.Base(d.dir), Err: e.Err}
	}
	return e
}

// Names of unfinished objects begin with a dot, which readers never take for an
// object's.
const unfinishedSuffix = ".tmp"

func unfinishedPrefix(flowLogID string) string { return ".weir-" + flowLogID + "-" }

// createUnfinished makes a file readable to its group, like a log file, and to
// nobody else.
func createUnfinished(dir, pattern string) (unfinished, error) {
	f, err := os.CreateTemp(dir, pattern)
	if err != nil {
		return nil, err
	}
	if err := f.Chmod(0o640); err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	return f, nil
}

// Tidy is for the time when no other process writes for the flow log.
func (d *directory) Tidy(flowLogID string) error {
	entries, err := os.ReadDir(d.dir)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return fileError("clean up the bucket", d.dir, err)
	}
	for _, e := range entries {
		name := e.Name()
		rest, ok := strings.CutPrefix(name, unfinishedPrefix(flowLogID))
		if !ok || !strings.HasSuffix(name, unfinishedSuffix) || strings.Contains(rest, "-") {
			continue // of another flow log, whose id may begin like this one's
		}
		if err := os.Remove(filepath.Join(d.dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fileError("clean up the bucket", filepath.Join(d.dir, name), err)
		}
	}
	return nil
}
