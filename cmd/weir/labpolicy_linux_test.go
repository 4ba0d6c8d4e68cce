package main

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"weir/policy/book"
)

func TestLabPolicyAndOthers(t *testing.T) {
	const router, version = "/run/netns/no-such-lab-router", "20261121T171500Z-1a2b3c4d5e6f7890"
	entry := func(event string, namespaces ...string) book.Entry {
		e := book.Entry{Event: event, Version: version, Seals: map[string]string{}}
		for _, n := range namespaces {
			e.Seals[n] = "seal"
		}
		return e
	}
	for _, tt := range []struct {
		name    string
		log     []book.Entry
		free    bool
		removed bool // by remove
	}{
		{"nothing was ever in force", nil, true, false},
		{"a killed lab's", []book.Entry{entry(book.Applying, router), entry(book.Applied, router)}, true, true},
		{"a lab killed on its way", []book.Entry{entry(book.Applying, router)}, true, true},
		{"one that failed", []book.Entry{entry(book.Applying, router), entry(book.Failed, router)}, true, false},
		{"removed by hand", []book.Entry{entry(book.Applied, router), {Event: book.Removed}}, true, false},
		{"this host's", []book.Entry{entry(book.Applied, "")}, false, false},
		{"the router's and this host's", []book.Entry{entry(book.Applied, "", router)}, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := &labPolicy{book: book.Open(filepath.Join(t.TempDir(), "policy")), router: router}
			w, err := p.book.Lock(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range tt.log {
				if _, err := w.Record(e); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			err = p.free()
			var h hinter
			if (err == nil) != tt.free || err != nil && (!errors.As(err, &h) || !strings.Contains(h.Hint(), "--data")) {
				t.Errorf("free: %v", err)
			}
			for range 2 {
				if err := p.remove(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			all, err := p.book.Log()
			if err != nil {
				t.Fatal(err)
			}
			want := len(tt.log)
			if tt.removed {
				want++
			}
			if len(all) != want || tt.removed && all[want-1].Event != book.Removed {
				t.Errorf("the log is %v", all)
			}
		})
	}
}
