package verdict

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"testing"

	"weir/policy"
)

// number is a number from the environment, for the soak.
func number(t *testing.T, name string, or int) int {
	s := os.Getenv(name)
	if s == "" {
		return or
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatalf("%s=%s: %v", name, s, err)
	}
	return n
}

// TestModelEqualsKernel sends random packets through random topologies and
// compares, packet by packet, what the kernel did with what policy says: by the
// capture, by what arrived, and by the counters of the refusing rules.
// "make soak-verdicts" runs it for longer.
func TestModelEqualsKernel(t *testing.T) {
	needRoot(t)
	count := number(t, "WEIR_VERDICTS", 3000)
	seed := uint64(number(t, "WEIR_SEED", 1))
	const perTopology = 3500
	packets, differences := 0, 0
	met := map[string]int{}
	for n := 0; packets < count; n++ {
		t.Run(fmt.Sprint("topology ", n), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, uint64(n)))
			top := world(r)
			j := &judge{
				rig: newRig(t, "model", top), speaker: newSpeaker(r, top), state: conntrack{},
				met: met, refusals: map[policy.Mark]uint64{},
			}
			before := j.counters()
			for want := min(perTopology, count-packets); j.packets < want; {
				var all []conversation
				for range min(700, want-j.packets) {
					all = append(all, j.speak())
				}
				j.play(all)
			}
			j.compareCounters(before)
			packets += j.packets
			differences += len(j.differences)
			for i, d := range j.differences {
				if i == 5 {
					t.Errorf("and %d more", len(j.differences)-i)
					break
				}
				t.Error(d)
			}
		})
		if t.Failed() {
			break
		}
	}
	for _, k := range slices.Sorted(maps.Keys(met)) {
		t.Logf("%6d %s", met[k], k)
	}
	fmt.Printf("%d packets, %d differences, seed %d\n", packets, differences, seed)
}

// compareCounters holds nft's own counters of the refusing rules to the model:
// one packet each, however many pieces it came in.
func (j *judge) compareCounters(before map[policy.Mark]uint64) {
	j.t.Helper()
	got := j.counters()
	for m := range got {
		if n := got[m] - before[m]; n != j.refusals[m] {
			j.differ(fmt.Sprintf("the counter of mark %#x has %d, want %d", uint32(m), n, j.refusals[m]))
		}
	}
	for m := range j.refusals {
		if _, ok := got[m]; !ok {
			j.differ(fmt.Sprintf("no rule sets mark %#x", uint32(m)))
		}
	}
}

// counters are those of the refusing rules, by the mark that they set.
func (r *rig) counters() map[policy.Mark]uint64 {
	r.t.Helper()
	sum := map[policy.Mark]uint64{}
	for _, family := range []string{"ip", "ip6", "bridge"} {
		var out []byte
		r.must(r.router.Do(func() (err error) {
			out, err = exec.Command(nftPath(), "-j", "list", "table", family, r.rulesets[0].Table).Output()
			return err
		}))
		r.must(marks(out, sum))
	}
	return sum
}

// marks adds the counters of rules that set a mark, by mark.
func marks(doc []byte, sum map[policy.Mark]uint64) error {
	var d struct {
		Nftables []struct {
			Rule *struct {
				Expr []struct {
					Mangle  *struct{ Value any }
					Counter *struct{ Packets uint64 }
				}
			}
		}
	}
	if err := json.Unmarshal(doc, &d); err != nil {
		return err
	}
	for _, o := range d.Nftables {
		if o.Rule == nil {
			continue
		}
		var mark policy.Mark
		for _, e := range o.Rule.Expr {
			if e.Mangle != nil {
				if v, ok := e.Mangle.Value.(float64); ok {
					mark = policy.Mark(v)
				}
			}
			if e.Counter != nil && mark&policy.MarkMagicMask == policy.MarkMagic {
				sum[mark] += e.Counter.Packets
			}
		}
	}
	return nil
}
