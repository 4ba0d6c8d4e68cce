package s3

import (
	"testing"

	"pgregory.net/rapid"
)

// invert undoes [permutation.of]: what has an inverse is a bijection.
func (p permutation) invert(hash uint32) uint32 {
	left, right := uint16(hash>>16), uint16(hash)
	for i := len(p.keys) - 1; i >= 0; i-- {
		left, right = right^mix(left, p.keys[i]), left
	}
	return uint32(left)<<16 | uint32(right)
}

func TestPermutationHasAnInverse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := newPermutation(rapid.String().Draw(t, "journal"), rapid.String().Draw(t, "flow log"))
		n := rapid.Uint64().Draw(t, "n")
		if got := p.invert(p.of(n)); got != uint32(n) {
			t.Fatalf("%d comes back as %d", uint32(n), got)
		}
	})
}

// These are on disks: a change would let objects of one journal meet.
func TestNamesStay(t *testing.T) {
	p := newPermutation("journal-1", "fl-0123456789abcdef0")
	for n, want := range map[uint64]uint32{
		0: 0xc8f7847a, 1: 0x5e1a6a0e, 2: 0x0848e6d4,
		1 << 32: 0xc8f7847a, 1<<40 + 1: 0x5e1a6a0e, // only 32 bits count
	} {
		if got := p.of(n); got != want {
			t.Errorf("part %d has hash %08x, want %08x", n, got, want)
		}
	}
}

// Names tell flow logs and journals apart, and say nothing of their number.
func TestNamesLookLikeChance(t *testing.T) {
	seen := map[uint32]bool{}
	var ones int
	const n = 1 << 12
	for i := range uint64(n) {
		for _, p := range []permutation{newPermutation("a", "fl-1"), newPermutation("b", "fl-1"), newPermutation("a", "fl-2")} {
			h := p.of(i)
			seen[h] = true
			for ; h != 0; h &= h - 1 {
				ones++
			}
		}
	}
	if len(seen) < 3*n-3 { // of 2^32: 0.02 meetings are expected
		t.Errorf("%d hashes of %d are different", len(seen), 3*n)
	}
	if share := float64(ones) / (3 * n * 32); share < 0.49 || share > 0.51 {
		t.Errorf("%.3f of the bits are set", share)
	}
}
