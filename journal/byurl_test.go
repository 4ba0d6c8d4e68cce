package journal

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/count"
)

// Two hosts store into one server at the same time; a reader may begin between
// the chunks of one.
func TestTwoHosts(t *testing.T) {
	p := byURLOf(t)
	a, b := p.cfg, p.cfg
	a.Host, b.Host = "a", "b"
	ja, jb := openJournal(t, a), openJournal(t, b)
	s := swapOf("b", 0, 3, 10)
	order, per, err := byInterface(s)
	if err != nil {
		t.Fatal(err)
	}
	m := jb.closingOf(s, per)
	_, last, err := jb.storeChunks(t.Context(), s, m, order)
	if err != nil {
		t.Fatal(err)
	}
	mustAppend(t, ja, swapOf("a", 0, 3, 10)) // comes between
	data, err := count.AppendClosing(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	if err := jb.close(t.Context(), m, data, last, 0); err != nil {
		t.Fatal(err)
	}
	all := swapsIn(t, ja, 0)
	if len(all) != 2 || all[0].Swap.Source != "a" || all[1].Swap.Source != "b" {
		t.Fatalf("%d swaps", len(all))
	}
	for _, e := range append(all, swapsIn(t, ja, all[0].Seq)...) {
		if !sameFlows(e.Swap, swapOf(e.Swap.Source, 0, 3, 10)) || lossOf(e.Swap) > 0 {
			t.Errorf("the swap of %s is not whole", e.Swap.Source)
		}
	}
}

// Readers and writers go on when the server comes back.
func TestServerRestarts(t *testing.T) {
	p := byURLOf(t)
	p.cfg.Log = quiet()
	j := openJournal(t, p.cfg)
	r := mustRead(t, j, 0)
	watch, err := j.Catalogue().Watch(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	for e := range uint64(6) {
		if e%2 == 1 {
			p.restart()
		}
		for try := 0; ; try++ {
			err := j.Append(t.Context(), swapOf("a", e, 3, 10))
			if err == nil {
				break
			}
			if try == 200 {
				t.Fatal(err)
			}
			pause(t.Context(), 50*time.Millisecond, nil)
		}
		if got := mustNext(t, r); got.Swap.Epoch != e || lossOf(got.Swap) > 0 {
			t.Fatalf("epoch %d comes, want %d", got.Swap.Epoch, e)
		}
	}
	if n := len(swapsIn(t, j, 0)); n != 6 {
		t.Errorf("%d swaps are stored, want 6", n)
	}
	if err := j.Catalogue().Put(t.Context(), "k", []byte("v")); err != nil {
		t.Fatal(err)
	}
	if c := <-watch; c.Key != "k" || string(c.Value) != "v" {
		t.Errorf("the watch shows %+v", c)
	}
}

// A server that comes back with less than it had acknowledged, as after a power
// cut without sync_interval: always, does not give numbers a second time.
func TestServerForgets(t *testing.T) {
	p := byURLOf(t)
	p.cfg.Log = quiet()
	j := openJournal(t, p.cfg)
	r := mustRead(t, j, 0)
	mustAppend(t, j, swapOf("a", 0, 3, 10))
	mustNext(t, r)
	p.stop()
	copied := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(copied, os.DirFS(p.store)); err != nil {
		t.Fatal(err)
	}
	p.start()
	store := func(epoch uint64) count.Entry {
		t.Helper()
		for try := 0; ; try++ {
			err := j.Append(t.Context(), swapOf("a", epoch, 3, 10))
			if err == nil {
				return mustNext(t, r)
			}
			if try == 200 {
				t.Fatal(err)
			}
			pause(t.Context(), 50*time.Millisecond, nil)
		}
	}
	before := store(1)
	p.stop()
	if err := os.RemoveAll(p.store); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(p.store, os.DirFS(copied)); err != nil {
		t.Fatal(err)
	}
	p.start()
	if after := store(2); after.Swap.Epoch != 2 || after.Seq <= before.Seq || lossOf(after.Swap) > 0 {
		t.Errorf("epoch %d comes with the number %d behind %d", after.Swap.Epoch, after.Seq, before.Seq)
	}
}

// While the server is away a swap is refused with a reason, soon.
func TestServerAway(t *testing.T) {
	p := byURLOf(t)
	p.cfg.Log = quiet()
	j := openJournal(t, p.cfg)
	p.stop()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	err := j.Append(ctx, swapOf("a", 0, 1, 1))
	var ours *Error
	if !errors.As(err, &ours) || ours.Hint() == "" {
		t.Errorf("the error is %v, want one with a hint", err)
	}
	p.start()
}

func TestWrongCredentials(t *testing.T) {
	p := peers[2].make(t)
	p.cfg.Log = quiet()
	for name, spoil := range map[string]func(c *Config){
		"password":    func(c *Config) { c.Password = "wine" },
		"authority":   func(c *Config) { c.CAFile = certificates(t).authority },
		"certificate": func(c *Config) { c.CertFile, c.KeyFile = "", "" },
		"no file":     func(c *Config) { c.CAFile = "/does/not/exist" },
		"both":        func(c *Config) { c.Token = "t" },
	} {
		c := p.cfg
		spoil(&c)
		j, err := Open(t.Context(), c)
		if err == nil {
			_ = j.Close()
			t.Errorf("%s: it opens", name)
			continue
		}
		if strings.Contains(err.Error(), "water") || strings.Contains(err.Error(), "wine") {
			t.Errorf("%s: the error tells the password: %v", name, err)
		}
	}
}

func byURLOf(t *testing.T) *peer { return peers[1].make(t) }
