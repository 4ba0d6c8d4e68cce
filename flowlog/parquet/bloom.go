package parquet

import (
	"github.com/parquet-go/parquet-go/bloom"
	"github.com/parquet-go/parquet-go/bloom/xxhash"
)

// bloomBits for each distinct value: about one value in two hundred that is not
// there is taken for one that is.
const bloomBits = 12

// bloom appends the Bloom filter of a column of strings: whoever looks for one
// address skips nearly all row groups that do not have it. Engines write filters
// only beside a dictionary, which a column of very many addresses has not.
func (e *encoder) bloom(out *chunk, c *column) {
	hashes := make([]uint64, c.size())
	for id := range hashes {
		hashes[id] = xxhash.Sum64(c.texts.at(uint32(id)))
	}
	filter := make(bloom.SplitBlockFilter, max(1, bloom.NumSplitBlocksOf(int64(len(hashes)), bloomBits)))
	filter.InsertBulk(hashes)

	out.bloom = int64(len(e.data))
	w := thriftWriter{b: e.data}
	w.begin()
	w.i32(1, int64(len(filter.Bytes())))
	for id := 2; id <= 4; id++ { // algorithm BLOCK, hash XXHASH, not compressed
		union := w.structure(id)
		w.end(w.structure(1))
		w.end(union)
	}
	w.end(0)
	w.b = append(w.b, filter.Bytes()...)
	e.data = w.b
	out.bloomSize = int64(len(e.data)) - out.bloom
}
