package s3

import (
	"errors"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"

	"weir/deliver"
	"weir/flowlog"
)

// gzipLevel by BenchmarkPublish on one shared core, encoding included: 1 gives
// 1.2 M records/s and 14.7 % of the text's size, 5 gives 0.95 and 12.4 %, 6 gives
// 0.9 and 11.5 %, 7 gives 0.57 and 11.0 %. Objects are kept for months, so size
// counts; and no capture feeds 0.9 M records/s.
const gzipLevel = 6

// file is what an object is written to; *os.File.
type file interface {
	io.WriteCloser
	Name() string
	Sync() error
}

// createTemp makes the file that becomes an object: readable to its group, like
// a log file, and to nobody else.
func createTemp(dir, pattern string) (file, error) {
	f, err := os.CreateTemp(dir, pattern)
	if err != nil {
		return nil, err
	}
	if err := f.Chmod(0o640); err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	return f, nil
}

// writeObject writes blocks of a slot as one object, as many as fit, and makes
// it durable. On failure nothing of it remains.
func (p *Publisher) writeObject(slot time.Time, blocks []*block) (o deliver.Object, n int, err error) {
	// Beside the keys, so that the rename stays within one filesystem.
	f, err := p.create(p.cfg.BucketDir, temporaryPrefix(p.cfg.FlowLogID)+"*"+temporarySuffix)
	if err != nil {
		return o, 0, &Error{Op: "begin an object", Path: p.cfg.BucketDir, Err: err}
	}
	defer func() {
		if err != nil { // as if it had never begun; leftovers go at the next start
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	size, hash, n, err := p.compress(f, blocks)
	if err != nil {
		return o, 0, &Error{Op: "write an object", Path: f.Name(), Err: err}
	}
	if err = f.Sync(); err != nil {
		return o, 0, &Error{Op: "write an object to disk", Path: f.Name(), Err: err}
	}
	if err = f.Close(); err != nil {
		return o, 0, &Error{Op: "write an object to disk", Path: f.Name(), Err: err}
	}
	key, err := p.place(f.Name(), slot, hash)
	if err != nil {
		return o, 0, err
	}
	return deliver.Object{Key: key, Bytes: size}, n, nil
}

// room is what one more block can add to an object at most: its own text, what
// the compressor still holds (some 64 KiB), and their frames. Text that cannot be
// compressed comes near it.
const room = 2 * blockSize

// compress writes the header line and as many blocks as surely fit, but at least
// one; size is compressed, hash is of the text.
func (p *Publisher) compress(w io.Writer, blocks []*block) (size int64, hash uint32, n int, err error) {
	counted := &counter{w: w}
	zip, err := gzip.NewWriterLevel(counted, gzipLevel)
	if err != nil {
		return 0, 0, 0, err
	}
	text := io.MultiWriter(zip, hashOf(&hash))
	if _, err := io.WriteString(text, p.cfg.Format.Header()+"\n"); err != nil {
		return 0, 0, 0, err
	}
	for n < len(blocks) && (n == 0 || counted.n+room <= p.cfg.MaxObject) {
		if _, err := text.Write(blocks[n].text); err != nil {
			return 0, 0, 0, err
		}
		n++
	}
	if err := zip.Close(); err != nil { // it writes the end
		return 0, 0, 0, err
	}
	return counted.n, hash, n, nil
}

// place gives a finished file its key. The name's hash begins as the text's
// checksum and counts on while the slot has an object of that name: two objects
// never meet, and none is ever replaced. One publisher per flow log, and one
// Weir per data directory, make the check and the rename safe.
func (p *Publisher) place(temporary string, slot time.Time, hash uint32) (key string, err error) {
	k := flowlog.ObjectKey{AccountID: p.cfg.AccountID, Region: p.cfg.Region, FlowLogID: p.cfg.FlowLogID, Slot: slot, Hash: hash}
	path := filepath.Join(p.cfg.BucketDir, k.String())
	dir := filepath.Dir(path)
	if err := makeDir(dir); err != nil {
		return "", &Error{Op: "make a folder of the bucket", Path: dir, Err: err}
	}
	for ; ; k.Hash++ {
		path = filepath.Join(p.cfg.BucketDir, k.String())
		_, err := os.Lstat(path)
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil {
			return "", &Error{Op: "look for an object", Path: path, Err: err}
		}
	}
	if err := os.Rename(temporary, path); err != nil {
		return "", &Error{Op: "name an object", Path: path, Err: err}
	}
	if err := syncDir(dir); err != nil {
		// It would be delivered twice if it stayed.
		return "", &Error{Op: "write a folder to disk", Path: dir, Err: errors.Join(err, os.Remove(path))}
	}
	return k.String(), nil
}

// Temporary names begin with a dot, which readers never take for an object.
const temporarySuffix = ".tmp"

func temporaryPrefix(flowLogID string) string { return ".weir-" + flowLogID + "-" }

// removeLeftovers removes unfinished objects of a flow log whose writer died.
func removeLeftovers(bucket, flowLogID string) error {
	entries, err := os.ReadDir(bucket)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if name := e.Name(); strings.HasPrefix(name, temporaryPrefix(flowLogID)) && strings.HasSuffix(name, temporarySuffix) {
			if err := os.Remove(filepath.Join(bucket, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

// counter counts what passes.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

// hashOf updates a checksum with what is written.
func hashOf(sum *uint32) io.Writer { return checksum{sum} }

type checksum struct{ sum *uint32 }

func (c checksum) Write(b []byte) (int, error) {
	*c.sum = crc32.Update(*c.sum, crc32.IEEETable, b)
	return len(b), nil
}
