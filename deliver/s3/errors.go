package s3

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"
)

// Error is a failure to deliver; what was to be delivered waits.
type Error struct {
	Op   string // "write an object"
	Path string
	Err  error
	// Waiting and WaitingBytes are the records that wait after it, and their
	// text.
	Waiting      int64
	WaitingBytes int64
}

func (e *Error) Error() string {
	s := fmt.Sprintf("%s: %s: %v", e.Op, e.Path, cause(e.Err))
	if e.Waiting > 0 {
		s += fmt.Sprintf("; %d records (%.1f MB) wait for the next attempt", e.Waiting, float64(e.WaitingBytes)/1e6)
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// Hint is what to do.
func (e *Error) Hint() string {
	switch {
	case errors.Is(e.Err, syscall.ENOSPC), errors.Is(e.Err, syscall.EDQUOT):
		return fmt.Sprintf("free space on the filesystem of %s, or remove old days from the bucket; delivery goes on by itself", filepath.Dir(e.Path))
	case errors.Is(e.Err, fs.ErrPermission), errors.Is(e.Err, syscall.EROFS):
		return fmt.Sprintf("let the user that runs weir write to %s, or choose another place with --data", filepath.Dir(e.Path))
	case errors.Is(e.Err, syscall.ENOTDIR), errors.Is(e.Err, fs.ErrExist):
		return fmt.Sprintf("a file stands where a folder of the bucket belongs: move %s away", e.Path)
	}
	return ""
}

// cause drops the operation and path of a path error: the message has them.
func cause(err error) error {
	if pe, ok := err.(*fs.PathError); ok { //nolint:errorlint // only the outermost: what wraps one says more
		return pe.Err
	}
	return err
}
