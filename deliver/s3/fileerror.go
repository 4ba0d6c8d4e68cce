package s3

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"weir/deliver"
)

// fileError is a failure of a local bucket, with what to do about it.
func fileError(op, path string, err error) *deliver.Error {
	e := &deliver.Error{Op: op, Target: path, Err: bare(err)}
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		e.Next = fmt.Sprintf("free space on the filesystem of %s, or remove old days from the bucket; delivery goes on by itself", filepath.Dir(path))
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		e.Kind = deliver.Access
		e.Next = fmt.Sprintf("let the user that runs weir write to %s, or choose another place with --data", filepath.Dir(path))
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, fs.ErrExist):
		e.Next = fmt.Sprintf("a file stands where a folder of the bucket belongs: move %s away", path)
	}
	return e
}

// bare drops the operation and the paths of a file's error: the message has them.
func bare(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	if e, ok := errors.AsType[*os.LinkError](err); ok {
		return e.Err
	}
	return err
}
