//go:build !unix

package book

import (
	"errors"
	"os"
)

// tryLock fails: policies are applied on Linux alone.
func tryLock(*os.File) (bool, error) { return false, errors.ErrUnsupported }
