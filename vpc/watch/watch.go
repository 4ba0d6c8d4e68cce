package watch

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"weir/vpc/declare"
)

// every is how often a file is looked at.
const every = time.Second

// Config says what to watch.
type Config struct {
	Path    string
	Options declare.Options
	// Looks, if not nil, takes the place of the clock: a look for each value.
	Looks <-chan time.Time
}

// Change is what a changed file says.
type Change struct {
	// File is what it says. It is nil when it cannot be used: the former content
	// stays in force then, and Problems or Err say why.
	File     *declare.File
	Problems declare.Problems // with a file, warnings only
	Err      error            // the file cannot be read
	Data     []byte           // what was read
}

// File is a watched file. Its methods are for one goroutine.
type File struct {
	cfg    Config
	read   fs.FileInfo // of the content that is known; nil: of none
	seen   fs.FileInfo // by the last look; nil: there was no file
	hash   [sha256.Size]byte
	known  bool // hash is of something
	failed bool // it is known that the file cannot be read
}

// New makes a File. Nothing is read yet.
func New(cfg Config) *File { return &File{cfg: cfg} }

// Load reads the file as it is now. Run tells of what comes after.
func (f *File) Load() Change {
	info, err := os.Stat(f.cfg.Path)
	if err != nil {
		return Change{Err: err}
	}
	f.seen = info
	c, _ := f.load(info)
	return c
}

// Run calls changed, one call at a time, for each content that differs from the
// one before, and once when the file cannot be read any more. It ends with ctx.
func (f *File) Run(ctx context.Context, changed func(Change)) {
	looks := f.cfg.Looks
	if looks == nil {
		t := time.NewTicker(every)
		defer t.Stop()
		looks = t.C
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-looks:
			if c, ok := f.look(); ok {
				changed(c)
			}
		}
	}
}

// look finds out whether there is a change.
func (f *File) look() (Change, bool) {
	info, err := os.Stat(f.cfg.Path)
	before := f.seen
	if err != nil {
		f.seen = nil
		if before != nil || f.failed {
			return Change{}, false // a file that is being replaced is gone for a moment
		}
		f.failed = true
		return Change{Err: err}, true
	}
	f.seen = info
	switch {
	case !same(before, info): // still being written
		return Change{}, false
	case same(f.read, info) && !f.failed:
		return Change{}, false
	}
	return f.load(info)
}

// same reports whether two looks saw the same file with the same content, as far
// as one can tell from outside.
func same(a, b fs.FileInfo) bool {
	return a != nil && b != nil && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) && os.SameFile(a, b)
}

// load reads the file; false when that brings nothing new.
func (f *File) load(info fs.FileInfo) (Change, bool) {
	data, err := Read(f.cfg.Path)
	if err != nil {
		again := f.failed
		f.failed = true
		return Change{Err: err}, !again
	}
	f.read, f.failed = info, false
	hash := sha256.Sum256(data)
	if f.known && hash == f.hash {
		return Change{}, false
	}
	f.hash, f.known = hash, true
	file, problems := declare.ParseFile(data, f.cfg.Options)
	if len(problems.Errors()) > 0 {
		file = nil
	}
	return Change{File: file, Problems: problems, Data: data}, true
}

// Read reads a topology's file, as much of it as one may have.
func Read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // nothing was written
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, fmt.Errorf("%s is a directory", path)
	}
	data, err := io.ReadAll(io.LimitReader(f, declare.MaxSize+1)) // one more: Parse says that it is too much
	if err != nil {
		return nil, fmt.Errorf("read the topology: %w", err)
	}
	return data, nil
}
