package convert

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ToFile converts into the file at path, which appears when it is whole. An
// existing file is only replaced when force is true. What is no regular file, a
// pipe or a device, is written to as it is.
func ToFile(ctx context.Context, inputs []Input, path string, force bool, cfg Config) (Report, error) {
	path, mode, err := newTargets(inputs, force).check(path)
	if err != nil {
		return Report{}, err
	}
	return toFile(ctx, inputs, path, mode, cfg)
}

// toFile is ToFile for a path that was checked.
func toFile(ctx context.Context, inputs []Input, path string, mode fs.FileMode, cfg Config) (r Report, err error) {
	if !mode.IsRegular() {
		return toDevice(ctx, inputs, path, cfg)
	}
	temp, err := createTemp(filepath.Dir(path))
	if err != nil {
		return r, &OutputError{path, "make", bare(err)}
	}
	defer func() {
		if err != nil {
			_ = temp.Close()
			_ = os.Remove(temp.Name())
		}
	}()
	if r, err = Convert(ctx, inputs, temp, cfg); err != nil {
		return r, asOutputError(err, temp.Name(), path)
	}
	if mode != 0 {
		err = temp.Chmod(mode)
	}
	if err = errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return r, asOutputError(err, temp.Name(), path)
	}
	if err = os.Rename(temp.Name(), path); err != nil {
		return r, fmt.Errorf("name the output: %w", err)
	}
	return r, nil
}

func toDevice(ctx context.Context, inputs []Input, path string, cfg Config) (r Report, err error) {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return r, &OutputError{path, "open", bare(err)}
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	r, err = Convert(ctx, inputs, f, cfg)
	return r, asOutputError(err, path, path)
}

// createTemp makes a file that the user's mask has its say about, as about any
// file: [os.CreateTemp]'s are the owner's alone. It begins with a dot, so that
// one that a killed process left is no input.
func createTemp(dir string) (*os.File, error) {
	for {
		name := filepath.Join(dir, fmt.Sprintf(".weir-convert-%016x", rand.Uint64()))
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if !errors.Is(err, fs.ErrExist) {
			return f, err
		}
	}
}

// OutputError is an output that cannot be made or written.
type OutputError struct {
	Path string
	Verb string
	Err  error
}

func (e *OutputError) Error() string { return fmt.Sprintf("%s %s: %v", e.Verb, e.Path, e.Err) }
func (e *OutputError) Unwrap() error { return e.Err }

// Hint is the next step.
func (e *OutputError) Hint() string {
	switch dir := filepath.Dir(e.Path); {
	case errors.Is(e.Err, fs.ErrNotExist):
		return "there is no directory " + dir + ": mkdir -p " + dir
	case errors.Is(e.Err, fs.ErrPermission):
		return "give an output in a directory that you may write"
	}
	return ""
}

// asOutputError names the output in an error of writing the file that is to
// become it.
func asOutputError(err error, temp, path string) error {
	if at, ok := errors.AsType[*fs.PathError](err); ok && at.Path == temp {
		return &OutputError{path, "write", at.Err}
	}
	return err
}

// ExistsError is an output that is there already.
type ExistsError struct{ Path string }

func (e *ExistsError) Error() string { return e.Path + " exists already" }

// Hint is the next step.
func (e *ExistsError) Hint() string { return "give another output, or --force to replace it" }

// targets knows what outputs must not be.
type targets struct {
	inputs map[string]bool // real paths
	force  bool
}

func newTargets(inputs []Input, force bool) *targets {
	t := &targets{inputs: map[string]bool{}, force: force}
	for _, in := range inputs {
		if real, err := realPath(in.Path); err == nil && in.In == nil {
			t.inputs[real] = true
		}
	}
	return t
}

func realPath(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(path)
}

// check reports whether path may be written. It returns where it leads to, and
// the mode of what is there already, or 0.
func (t *targets) check(path string) (string, fs.FileMode, error) {
	there, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return path, 0, nil
	}
	if err != nil {
		return "", 0, &OutputError{path, "look for", bare(err)}
	}
	switch mode := there.Mode(); {
	case mode.IsDir():
		return "", 0, fmt.Errorf("%s is a directory", path)
	case !mode.IsRegular():
		return path, mode, nil // what /dev/fd/1 leads to may have no path
	}
	real, err := realPath(path)
	switch {
	case err != nil:
		return "", 0, &OutputError{path, "look for", bare(err)}
	case t.inputs[real]:
		return "", 0, fmt.Errorf("%s is an input and the output", path)
	case !t.force:
		return "", 0, &ExistsError{path}
	}
	return real, there.Mode().Perm(), nil // a link stays a link
}

// suffixes of files of flow logs.
var suffixes = []string{".log.gz", ".log.parquet", ".txt.gz", ".log", ".txt", ".gz", ".parquet"}

// Inputs finds the files to convert. A path that is a file is taken whatever its
// name; a directory is searched for files of flow logs (*.log, *.log.gz, *.txt,
// *.gz, *.parquet), in the order of their names. Names that begin with a dot are
// not looked at; links to files are followed, links to directories are not.
// passed are the other files and links, which are no inputs.
func Inputs(path string) (found []Input, passed []string, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, err
	}
	if !info.IsDir() {
		return []Input{{Path: path, Below: filepath.Base(path)}}, nil, nil
	}
	root := filepath.Clean(path) + string(filepath.Separator) // a link to a directory, too
	err = filepath.WalkDir(root, func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name != root && strings.HasPrefix(e.Name(), "."):
			if e.IsDir() {
				return fs.SkipDir
			}
		case e.IsDir():
		case hasSuffix(name) && isFile(name, e):
			below, err := filepath.Rel(root, name)
			found = append(found, Input{Path: name, Below: below})
			return err
		default:
			passed = append(passed, name)
		}
		return nil
	})
	return found, passed, err
}

func hasSuffix(name string) bool {
	return slices.ContainsFunc(suffixes, func(s string) bool { return strings.HasSuffix(name, s) })
}

func isFile(name string, e fs.DirEntry) bool {
	if e.Type()&fs.ModeSymlink == 0 {
		return e.Type().IsRegular()
	}
	info, err := os.Stat(name)
	// A link to nowhere is an input that cannot be read, which is then said.
	return err != nil || info.Mode().IsRegular()
}

// OutputName is the name of an input's output below a directory.
func OutputName(in Input, cfg Config) string {
	name := in.Below
	for _, s := range suffixes {
		if base, ok := strings.CutSuffix(name, s); ok && base != "" && !os.IsPathSeparator(base[len(base)-1]) {
			name = base
			break
		}
	}
	switch {
	case cfg.Parquet:
		return name + ".log.parquet"
	case cfg.Gzip:
		return name + ".log.gz"
	}
	return name + ".log"
}
