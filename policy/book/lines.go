package book

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// maxLine bounds a line. The longest are those of a rule that names hundreds of
// security groups.
const maxLine = 1 << 20

// lines is a file of lines that only grows, and how far it has been read. A file
// that does not exist is empty.
type lines struct {
	path string
	end  int64 // of the last line that was read
	n    int   // lines read
}

// read gives the whole lines that are new to take. What stands behind the last
// line's end is left: somebody is writing it, or died doing so. After an error
// the next call stumbles over the same line.
func (l *lines) read(take func(line []byte) error) error {
	f, err := os.Open(l.path)
	if errors.Is(err, fs.ErrNotExist) && l.end == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return err
	case info.Size() < l.end:
		return fmt.Errorf("%s: it had %d bytes and has %d: somebody cut it or put another in its place", l.path, l.end, info.Size())
	case info.Size() == l.end:
		return nil
	}
	if _, err := f.Seek(l.end, io.SeekStart); err != nil {
		return err
	}
	r := bufio.NewReaderSize(f, maxLine)
	for {
		line, err := r.ReadSlice('\n')
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, bufio.ErrBufferFull):
			err = fmt.Errorf("longer than %d bytes", maxLine)
		case err == nil:
			err = take(line[:len(line)-1])
		}
		if err != nil {
			return fmt.Errorf("%s:%d: %w", l.path, l.n+1, err)
		}
		l.n++
		l.end += int64(len(line))
	}
}

// repair cuts off what stands behind the last line that was read: a writer died
// before it was on the disk, so nobody has acted on it. The caller has the lock
// and has read everything.
func (l *lines) repair() error {
	info, err := os.Stat(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil || info.Size() == l.end {
		return err
	}
	f, err := os.OpenFile(l.path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Truncate(l.end), f.Sync(), f.Close())
}

// write adds lines and returns when they are on the disk. When it fails none of
// them is there. The caller has the lock and has read everything.
func (l *lines) write(text []byte) error {
	f, err := os.OpenFile(l.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o640)
	if err != nil {
		return err
	}
	if _, err = f.Write(text); err == nil {
		err = f.Sync()
	}
	if err != nil {
		// Should this fail, too, the next writer repairs.
		return errors.Join(err, f.Truncate(l.end), f.Close())
	}
	if err := f.Close(); err != nil {
		return err
	}
	if l.end == 0 {
		return syncDir(filepath.Dir(l.path))
	}
	return nil
}

// syncDir makes new names in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
