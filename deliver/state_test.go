package deliver

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestStoreAndLoad(t *testing.T) {
	m := newMemory()
	for _, n := range []int{0, 3, 20_000} {
		want := manifest{From: 7, To: Position{Seq: 99, Carry: []byte{1, 2}, Early: true}}
		for i := range n {
			want.Notes = append(want.Notes, Note{Slot: 1795276800, Hash: uint32(i) * 2654435761, Records: int64(i)})
		}
		if err := Store(t.Context(), m, "k", &want); err != nil {
			t.Fatal(err)
		}
		if b := m.values["k"]; len(b) > 400_000 {
			t.Errorf("%d notes take %d bytes", n, len(b))
		}
		var got manifest
		if ok, err := Load(t.Context(), m, "k", &got); !ok || err != nil {
			t.Fatal(ok, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%d notes:\n%s", n, diff)
		}
	}
	var got manifest
	if ok, err := Load(t.Context(), m, "none", &got); ok || err != nil {
		t.Errorf("no such key: %v, %v", ok, err)
	}
	for _, bad := range []string{"x", `{"from":`, "\x1f\x8b..."} {
		m.values["k"] = []byte(bad)
		if _, err := Load(t.Context(), m, "k", &got); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
