package deliverybench

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/flowlog"
	"weir/flowlog/parquet"
)

// foundIn adds up the records of all objects below a directory.
func foundIn(t testing.TB, dir string) (all sums) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		read := addText
		if strings.HasSuffix(path, ".parquet") {
			read = addParquet
		}
		return read(data, &all)
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func addText(data []byte, all *sums) error {
	r := flowlog.NewReader(bytes.NewReader(data), flowlog.Format{})
	var record flowlog.Record
	for {
		err := r.Read(&record)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		all.add(sums{1, record.Packets, record.Bytes})
	}
}

func addParquet(data []byte, all *sums) error {
	r, err := parquet.NewReader(bytes.NewReader(data), int64(len(data)), parquet.ReadOptions{})
	if err != nil {
		return err
	}
	packets, _ := flowlog.FieldByName("packets")
	octets, _ := flowlog.FieldByName("bytes")
	for {
		b, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		for i := range b.Rows {
			all.add(sums{1, b.Columns[packets.Place()].Ints[i], b.Columns[octets.Place()].Ints[i]})
		}
	}
}
