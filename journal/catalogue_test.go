package journal

import (
	"bytes"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCatalogue(t *testing.T) {
	forEachPeer(t, func(t *testing.T, p *peer) {
		ctx := t.Context()
		j := openJournal(t, p.cfg)
		c := j.Catalogue()
		put := func(key, value string) {
			t.Helper()
			if err := c.Put(ctx, key, []byte(value)); err != nil {
				t.Fatal(err)
			}
		}
		get := func(key, want string) {
			t.Helper()
			got, err := c.Get(ctx, key)
			if err != nil || string(got) != want || got == nil {
				t.Errorf("%s is %q, %v; want %q", key, got, err, want)
			}
		}
		put("flow-log.fl-1", "one")
		put("flow-log.fl-1", "two")
		put("flow-log.fl-10.position", "")
		put("flow-logs", "x")
		put("a_B-9", "y")
		get("flow-log.fl-1", "two")
		get("flow-log.fl-10.position", "")
		if v, err := c.Get(ctx, "flow-log"); v != nil || err != nil {
			t.Errorf("a key that is not there is %q, %v", v, err)
		}
		keys := func(prefix string, want ...string) {
			t.Helper()
			got, err := c.Keys(ctx, prefix)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("keys of %q (- want, + got):\n%s", prefix, d)
			}
		}
		keys("flow-log", "flow-log.fl-1", "flow-log.fl-10.position", "flow-logs")
		keys("flow-log.", "flow-log.fl-1", "flow-log.fl-10.position")
		keys("flow-log.fl-1", "flow-log.fl-1", "flow-log.fl-10.position")
		keys("flow-log.fl-10.", "flow-log.fl-10.position")
		keys("none")
		for range 2 {
			if err := c.Delete(ctx, "flow-log.fl-1"); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.Delete(ctx, "never-there"); err != nil {
			t.Fatal(err)
		}
		keys("flow-log.", "flow-log.fl-10.position")
		j.Close()

		j = openJournal(t, p.cfg)
		c = j.Catalogue()
		get("flow-logs", "x")
		keys("flow-log.", "flow-log.fl-10.position")
		for _, key := range []string{"", ".", "a.", ".a", "a..b", "a b", "a*", "ü", "a/b"} {
			if err := c.Put(ctx, key, nil); err == nil {
				t.Errorf("the key %q is taken", key)
			}
			if _, err := c.Get(ctx, key); err == nil {
				t.Errorf("the key %q is looked for", key)
			}
		}
		big := make([]byte, j.nc.MaxPayload())
		if err := c.Put(ctx, "big", big); err == nil {
			t.Error("a value beyond the server's limit is taken")
		}
		big = bytes.Repeat([]byte("x"), int(j.nc.MaxPayload())-1024)
		put("big", string(big))
		get("big", string(big))
	})
}

func TestWatch(t *testing.T) {
	forEachPeer(t, func(t *testing.T, p *peer) {
		ctx := t.Context()
		c := openJournal(t, p.cfg).Catalogue()
		put := func(key, value string) {
			t.Helper()
			if err := c.Put(ctx, key, []byte(value)); err != nil {
				t.Fatal(err)
			}
		}
		put("a.1", "before")
		put("b.1", "before")
		changes, err := c.Watch(ctx, "a.")
		if err != nil {
			t.Fatal(err)
		}
		put("b.2", "other")
		put("a.2", "new")
		if err := c.Delete(ctx, "a.1"); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"a.1=before false", "a.2=new false", "a.1= true"} {
			got := <-changes
			if s := fmt.Sprintf("%s=%s %v", got.Key, got.Value, got.Deleted); s != want {
				t.Errorf("change %s, want %s", s, want)
			}
		}
	})
}

// Many write at the same time; each finds what it wrote.
func TestCatalogueConcurrently(t *testing.T) {
	forEachPeer(t, func(t *testing.T, p *peer) {
		c := openJournal(t, p.cfg).Catalogue()
		var group sync.WaitGroup
		for w := range 16 {
			group.Go(func() {
				key := fmt.Sprintf("w.%d", w)
				for n := range 20 {
					want := fmt.Sprint(n)
					if err := c.Put(t.Context(), key, []byte(want)); err != nil {
						t.Error(err)
						return
					}
					if got, err := c.Get(t.Context(), key); err != nil || string(got) != want {
						t.Errorf("%s is %q, %v; want %s", key, got, err, want)
					}
				}
			})
		}
		group.Wait()
	})
}
