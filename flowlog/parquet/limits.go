package parquet

import "fmt"

// What a file may ask of a reader. Files of the known writers stay far below:
// their pages have about 1 MiB, their footers about 150 bytes for each column
// chunk.
const (
	maxFooter     = 32 << 20 // bytes
	maxColumns    = 4096     // in the schema, groups among them
	maxHeader     = 1 << 20  // bytes of a page header; statistics may be long
	maxPage       = 64 << 20 // bytes, compressed or not
	maxPageValues = 1 << 26  // rows of a page; equal ones take no bytes
	maxMemory     = 512 << 20
	maxValue      = 1 << 20 // bytes of one string
)

// memory counts what a reader holds for pages, dictionaries and text.
type memory struct{ used int }

// room is b with length n; what was in it stays if it fits.
func (m *memory) room(b []byte, n int) ([]byte, error) {
	if n <= cap(b) {
		return b[:n], nil
	}
	size := max(n, min(2*cap(b), n+n/2))
	if err := m.take(size - cap(b)); err != nil {
		return nil, err
	}
	out := make([]byte, n, size)
	copy(out, b)
	return out, nil
}

func (m *memory) take(n int) error {
	if m.used += n; m.used > maxMemory {
		return fmt.Errorf("the pages and dictionaries in use take more than %d MiB", maxMemory>>20)
	}
	return nil
}
