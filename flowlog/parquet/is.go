package parquet

import "io"

// Is reports whether in begins as a Parquet file does.
func Is(in io.ReaderAt) bool {
	var head [len(magic)]byte
	n, _ := in.ReadAt(head[:], 0)
	return string(head[:n]) == magic
}
