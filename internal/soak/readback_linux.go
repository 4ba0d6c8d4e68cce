package soak

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"weir/flowlog"
	"weir/flowlog/parquet"
)

// ReadBucket adds all objects of a bucket, which is a directory, to a ledger.
// There need be no bucket. format tells what of a record is compared.
func ReadBucket(l *Ledger, dir string, format flowlog.Format) (objects int, err error) {
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist) && path == dir:
			return filepath.SkipAll
		case err != nil:
			return err
		case e.IsDir() && strings.HasPrefix(e.Name(), ".sgwtmp"): // the S3 server's own
			return filepath.SkipDir
		case e.IsDir(), strings.HasPrefix(e.Name(), ".weir-"): // half-written: no object
			return nil
		}
		objects++
		if err := readObject(l, path, format); err != nil {
			l.Strange(fmt.Sprintf("%s: %v", path, err))
		}
		return nil
	})
	return objects, err
}

func readObject(l *Ledger, path string, format flowlog.Format) error {
	key := path
	if i := strings.Index(path, "AWSLogs/"); i >= 0 {
		key = path[i:]
	}
	if _, err := flowlog.ParseObjectKey(key); err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if strings.HasSuffix(path, ".parquet") {
		return readParquet(l, f, format)
	}
	var r flowlog.Record
	var line []byte
	in := flowlog.NewReader(f, flowlog.Format{})
	for {
		if err := in.Read(&r); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
		line = format.AppendText(line[:0], &r)
		l.Add(&r, line)
	}
	if n := in.Report().Malformed; n > 0 {
		return fmt.Errorf("%d lines are no records", n)
	}
	return nil
}

func readParquet(l *Ledger, f *os.File, format flowlog.Format) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	in, err := parquet.NewReader(f, info.Size(), parquet.ReadOptions{})
	if err != nil {
		return err
	}
	var r flowlog.Record
	var line []byte
	for {
		b, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		for i := range b.Rows {
			b.Record(i, &r)
			line = format.AppendText(line[:0], &r)
			l.Add(&r, line)
		}
	}
	if n := in.Malformed(); n > 0 {
		return fmt.Errorf("%d rows are no records", n)
	}
	return nil
}
