package nft

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"weir/policy"
)

// The pieces have exactly the lines that are about their addresses, in order, and
// together they are all that lines are about: compared address by address.
func TestCut(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 0))
		lines := make([]line, 1+r.IntN(40))
		for n := range lines {
			// Nets of the first and last 256 addresses, so that they meet and so
			// that some end where addresses do.
			a := netip.AddrFrom4([4]byte{0, 0, 0, byte(r.IntN(256))})
			if r.IntN(2) == 0 {
				a = netip.AddrFrom4([4]byte{255, 255, 255, byte(r.IntN(256))})
			}
			lines[n] = line{net: netip.PrefixFrom(a, 24+r.IntN(9)).Masked(), traffic: fmt.Sprint(n)}
		}
		pieces := cut(lines)
		for n, p := range pieces {
			if p.To.Less(p.From) || n > 0 && !pieces[n-1].To.Less(p.From) {
				t.Fatalf("seed %d: piece %d is %v, after %v", seed, n, p.Range, pieces[n-1].Range)
			}
		}
		for first := range 2 {
			for last := range 256 {
				a := netip.AddrFrom4([4]byte{byte(255 * first), byte(255 * first), byte(255 * first), byte(last)})
				var want, got []string
				for _, l := range lines {
					if l.net.Contains(a) {
						want = append(want, l.traffic)
					}
				}
				for _, p := range pieces {
					if !a.Less(p.From) && !p.To.Less(a) {
						for _, l := range p.lines {
							got = append(got, l.traffic)
						}
					}
				}
				if !slices.Equal(got, want) {
					t.Fatalf("seed %d: %v: got lines %v, want %v", seed, a, got, want)
				}
			}
		}
	}
	everything := []line{{net: netip.MustParsePrefix("128.0.0.0/1")}, {net: netip.MustParsePrefix("0.0.0.0/1")}}
	want := []policy.Range{policy.RangeOf(everything[1].net), policy.RangeOf(everything[0].net)}
	for n, p := range cut(everything) {
		if p.Range != want[n] {
			t.Errorf("piece %d is %v, want %v", n, p.Range, want[n])
		}
	}
}
