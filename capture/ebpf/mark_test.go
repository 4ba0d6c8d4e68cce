package ebpf

import (
	"os"
	"regexp"
	"strconv"
	"testing"

	"github.com/cilium/ebpf/btf"

	"weir/policy"
)

// defines reads the plain numbers that a C header defines.
func defines(t *testing.T, path string) map[string]uint64 {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]uint64{}
	for _, m := range regexp.MustCompile(`(?m)^#define (\w+) (0[xX][0-9a-fA-F]+|\d+)u?\b`).FindAllStringSubmatch(string(text), -1) {
		n, err := strconv.ParseUint(m[2], 0, 64)
		if err != nil {
			t.Fatalf("%s: %v", m[0], err)
		}
		all[m[1]] = n
	}
	return all
}

// The kernel's side and ours say the same of a packet mark and of the doors.
func TestMarkIsTheSameInC(t *testing.T) {
	c := defines(t, "bpf/weir.h")
	for name, want := range map[string]uint64{
		"MARK_MAGIC":      policy.MarkMagic,
		"MARK_MAGIC_MASK": policy.MarkMagicMask,
		"MARK_LEAVING":    policy.MarkLeaving,
		"MARK_RULE_MASK":  policy.MarkRuleMask,
		"ENTERING":        uint64(policy.Entering),
		"LEAVING":         uint64(policy.Leaving),
	} {
		if got, ok := c[name]; !ok || got != want {
			t.Errorf("%s: want %#x, got %#x in weir.h", name, want, got)
		}
	}
	if all := uint32(policy.MarkMagicMask | policy.MarkLeaving | policy.MarkRuleMask); all != 1<<32-1 {
		t.Errorf("the parts of a mark cover %#x, want every bit", all)
	}
	if policy.MarkMagicMask&policy.MarkLeaving|policy.MarkMagicMask&policy.MarkRuleMask|policy.MarkLeaving&policy.MarkRuleMask != 0 {
		t.Error("the parts of a mark overlap")
	}
}

// The shapes of keys and values are what the budget of memory is made from.
func TestSizesOfKeysAndValues(t *testing.T) {
	spec, err := loadWeir()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]uint32{"key4": 16, "key6": 40, "counts": 64} {
		var s *btf.Struct
		if err := spec.Types.TypeByName(name, &s); err != nil {
			t.Errorf("struct %s: %v", name, err)
			continue
		}
		if s.Size != want {
			t.Errorf("struct %s has %d bytes, want %d", name, s.Size, want)
		}
	}
	for name, want := range map[string][2]uint32{weirMapFlows4: {16, 64}, weirMapFlows6: {40, 64}} {
		inner := spec.Maps[name].InnerMap
		if got := [2]uint32{inner.KeySize, inner.ValueSize}; got != want {
			t.Errorf("%s: keys and values of %v bytes, want %v", name, got, want)
		}
	}
}
