package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// The server inside reads a block file up to the first record that is damaged,
// and cuts the file off there: one byte takes up to 8 MB with it. So the files are
// looked at before the server is: what is damaged is taken out, what is whole
// behind it stays, and the file as it was is put aside.
//
// Files that are as they were when the server was last stopped are not looked at,
// so this costs nothing but after a crash, when the server reads everything, too.
// The lists are of the journal's two streams.

// checkedFile holds the size and time of each block file at the last stop.
const checkedFile = "checked.json"

// damagedDir takes the files that were damaged, the latest few.
const (
	damagedDir  = "damaged"
	keepDamaged = 8
)

// ours are the streams of the embedded server.
func (c *Config) ours() []string {
	n := newNames(c.Name)
	return []string{n.counts, "KV_" + n.catalogue}
}

// mend looks at the block files that have changed since remember. Whatever it
// cannot do is logged: the server does then what it does. It returns in how many
// places something was damaged.
func mend(c *Config) (places int, err error) {
	known := map[string]string{}
	if b, err := os.ReadFile(filepath.Join(c.Dir, checkedFile)); err == nil {
		_ = json.Unmarshal(b, &known) // a damaged list knows nothing
	}
	for _, stream := range c.ours() {
		mendHead(c, stream)
		files, err := blocks(c.Dir, stream)
		if err != nil {
			return places, err
		}
		for i, f := range files {
			if s, err := f.stamp(); err != nil || known[f.path] == s {
				continue
			}
			n, err := f.mend(c, i == len(files)-1)
			if err != nil {
				c.Log.Error("a file of the journal cannot be mended", "file", f.path, "err", err)
			}
			places += n
		}
	}
	return places, nil
}

// remember writes the list of the files as they are now.
func remember(c *Config) error {
	known := map[string]string{}
	for _, stream := range c.ours() {
		files, err := blocks(c.Dir, stream)
		if err != nil {
			return err
		}
		for _, f := range files {
			s, err := f.stamp()
			if err != nil {
				return err
			}
			known[f.path] = s
		}
	}
	b, err := json.Marshal(known)
	if err != nil {
		return err
	}
	path := filepath.Join(c.Dir, checkedFile)
	if err := os.WriteFile(path+".new", b, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// block is one block file.
type block struct {
	path   string
	stream string
	index  uint32
}

// blocks lists a stream's files in order; none when there is no stream.
func blocks(dir, stream string) ([]block, error) {
	msgs := filepath.Join(streams(dir), stream, "msgs")
	files, err := os.ReadDir(msgs)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	var list []block
	for _, f := range files {
		b := block{path: filepath.Join(msgs, f.Name()), stream: stream}
		if n, _ := fmt.Sscanf(f.Name(), "%d.blk", &b.index); n == 1 && strings.HasSuffix(f.Name(), ".blk") {
			list = append(list, b)
		}
	}
	slices.SortFunc(list, func(a, b block) int { return int(a.index) - int(b.index) })
	return list, nil
}

func (b *block) stamp() (string, error) {
	info, err := os.Stat(b.path)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d %d", info.Size(), info.ModTime().UnixNano()), nil
}

// mend takes the damaged parts out of a file, and returns how many there were.
func (b *block) mend(c *Config, last bool) (places int, err error) {
	data, err := os.ReadFile(b.path)
	if err != nil {
		return 0, err
	}
	f, err := newBlockFile(b.stream, b.index)
	if err != nil {
		return 0, err
	}
	damage := f.damage(data)
	if len(damage) == 0 {
		return 0, nil
	}
	if d := damage[0]; last && d.to == len(data) && len(data)-d.from < recordHead+recordHash {
		return 0, nil // a write that was not finished; the server cuts it off
	}
	aside, err := putAside(c, b)
	if err != nil {
		return len(damage), err
	}
	lost := 0
	for _, d := range slices.Backward(damage) {
		lost += d.to - d.from
		data = slices.Delete(data, d.from, d.to)
	}
	c.Log.Error("a file of the journal is damaged: what is whole is kept",
		"file", b.path, "lost_bytes", lost, "places", len(damage), "as_it_was", aside,
		"hint", "check the disk; remove the copy when nobody wants to look at it")
	return len(damage), b.replace(data)
}

// replace writes the file anew. The server's index knows the old one: without it
// the server reads the files.
func (b *block) replace(data []byte) error {
	index := filepath.Join(filepath.Dir(b.path), "index.db")
	if err := os.Remove(index); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if len(data) == 0 {
		return os.Remove(b.path)
	}
	tmp := b.path + ".mended"
	if err := os.WriteFile(tmp, data, 0o640); err != nil {
		return err
	}
	return errors.Join(syncPath(tmp), os.Rename(tmp, b.path), syncPath(filepath.Dir(b.path)))
}

// putAside keeps a file as it was, by a second name, and removes the oldest of
// those that were kept.
func putAside(c *Config, b *block) (string, error) {
	dir := filepath.Join(c.Dir, damagedDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	files, err := os.ReadDir(dir) // sorted: names begin with the time
	if err != nil {
		return "", err
	}
	for len(files) >= keepDamaged {
		if err := os.Remove(filepath.Join(dir, files[0].Name())); err != nil {
			return "", err
		}
		files = files[1:]
	}
	name := filepath.Join(dir, fmt.Sprintf("%s-%s-%s", c.Now().UTC().Format("20060102T150405.000Z"), b.stream, filepath.Base(b.path)))
	return name, os.Link(b.path, name)
}

// mendHead sees to a stream's description. One that is damaged is ignored by the
// server, with all of the stream; without it the stream is made anew and finds its
// block files.
func mendHead(c *Config, stream string) {
	dir := filepath.Join(streams(c.Dir), stream)
	if _, err := os.Stat(dir); err != nil {
		return
	}
	meta, err := os.ReadFile(filepath.Join(dir, "meta.inf"))
	sum, errSum := os.ReadFile(filepath.Join(dir, "meta.sum"))
	if err == nil && errSum == nil && string(sum) == metaSum(stream, meta) && json.Valid(meta) {
		return
	}
	for _, name := range []string{"meta.inf", "meta.sum"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			c.Log.Error("a damaged file of the journal cannot be removed", "file", filepath.Join(dir, name), "err", err)
		}
	}
	c.Log.Error("the description of a stream is damaged: it is made anew", "file", filepath.Join(dir, "meta.inf"))
}
