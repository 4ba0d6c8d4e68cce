package s3

import (
	"crypto/sha256"
	"encoding/binary"
)

// permutation maps the number of a part, counted over the life of a flow log in
// its journal, to the hash in its object's name: a keyed bijection of 32 bits.
// Two parts have the same hash only when 2^32 others lie between them; a part
// that is made again has its old one. Why it is no checksum of the contents:
// docs/decisions/0013-object-names.md.
type permutation struct{ keys [rounds]uint32 }

// rounds of a Feistel network are enough from 4 on to look like chance (Luby and
// Rackoff); nothing secret hangs on it.
const rounds = 6

// newPermutation is the flow log's, for ever: objects of one journal would meet
// if it changed.
func newPermutation(journalID, flowLogID string) permutation {
	seed := sha256.Sum256([]byte("weir object names 1\x00" + journalID + "\x00" + flowLogID))
	var p permutation
	for i := range p.keys {
		p.keys[i] = binary.BigEndian.Uint32(seed[4*i:])
	}
	return p
}

// of is the hash of part number n; only its lower 32 bits count.
func (p permutation) of(n uint64) uint32 {
	left, right := uint16(n>>16), uint16(n)
	for _, key := range p.keys {
		left, right = right, left^mix(right, key)
	}
	return uint32(left)<<16 | uint32(right)
}

// mix is a round's function: any will do for a bijection; this one spreads each
// bit over all (the finish of MurmurHash3).
func mix(half uint16, key uint32) uint16 {
	x := uint32(half) ^ key
	x ^= x >> 16
	x *= 0x85ebca6b
	x ^= x >> 13
	x *= 0xc2b2ae35
	x ^= x >> 16
	return uint16(x)
}
