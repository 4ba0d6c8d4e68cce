package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/count"
)

func mustAppend(t testing.TB, j *Journal, s *count.Swap) {
	t.Helper()
	if err := j.Append(t.Context(), s); err != nil {
		t.Fatalf("append epoch %d: %v", s.Epoch, err)
	}
}

func mustRead(t testing.TB, j *Journal, after uint64) count.Reader {
	t.Helper()
	r, err := j.Read(t.Context(), after)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func mustNext(t testing.TB, r count.Reader) count.Entry {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	e, err := r.Next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func bounds(t testing.TB, j *Journal) count.Bounds {
	t.Helper()
	b, err := j.Bounds(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What is appended comes out, whole and in order, for who waited and who comes
// later, with everything a swap has.
func TestRoundTrip(t *testing.T) {
	forEachPeer(t, func(t *testing.T, p *peer) {
		j := openJournal(t, p.cfg)
		if b := bounds(t, j); b.Last != b.First-1 || !b.Oldest.IsZero() {
			t.Errorf("an empty journal reaches %+v", b)
		}
		early := mustRead(t, j, 0)
		var want []*count.Swap
		for e := range uint64(4) {
			s := swapOf("a", e, 5, 20)
			s.Interfaces = append(s.Interfaces, count.Watched{Index: 60000, ID: "eni-quiet", Loss: count.Loss{FullPackets: e, FullBytes: 9 * e}})
			mustAppend(t, j, s)
			want = append(want, s)
		}
		want = append(want, &count.Swap{Source: "b", Epoch: 9, Start: start, End: start})
		mustAppend(t, j, want[4])
		for name, r := range map[string]count.Reader{"waiting": early, "later": mustRead(t, j, 0)} {
			seq := uint64(0)
			for i, w := range want {
				got := mustNext(t, r)
				if got.Seq <= seq {
					t.Errorf("%s: swap %d has the number %d behind %d", name, i, got.Seq, seq)
				}
				seq = got.Seq
				if !sameFlows(w, got.Swap) {
					t.Errorf("%s: the flows of swap %d differ", name, i)
				}
				a, b := *w, *got.Swap
				a.Flows, b.Flows = nil, nil
				if len(w.Flows) == 0 {
					a.Interfaces, b.Interfaces = nil, nil
				}
				if d := cmp.Diff(a, b); d != "" {
					t.Errorf("%s: swap %d (- want, + got):\n%s", name, i, d)
				}
			}
			if b := bounds(t, j); b.First != 1 || b.Last != seq || b.Bytes == 0 || b.Oldest.IsZero() {
				t.Errorf("the journal reaches %+v, want 1 to %d", b, seq)
			}
		}
		if s := j.Stats(t.Context()); s.Damaged+s.Gaps+s.Orphans+s.Doubled+s.Failures != 0 || s.Swaps != 5 || s.Flows != 400 {
			t.Errorf("figures: %+v", s)
		}
	})
}

// A swap that comes again is not stored again, in this run or the next, also when
// all of it has been given away.
func TestTakenTwice(t *testing.T) {
	forEachPeer(t, func(t *testing.T, p *peer) {
		j := openJournal(t, p.cfg)
		for e := range uint64(3) {
			mustAppend(t, j, swapOf("a", e, 2, 5))
			mustAppend(t, j, swapOf("a", e, 2, 5))
		}
		mustAppend(t, j, swapOf("a", 1, 2, 5)) // an earlier one
		j.Close()

		j = openJournal(t, p.cfg)
		mustAppend(t, j, swapOf("a", 2, 2, 5))
		last := bounds(t, j).Last
		if n := len(swapsIn(t, j, 0)); n != 3 {
			t.Errorf("%d swaps are stored, want 3", n)
		}
		if err := j.Purge(t.Context(), last); err != nil {
			t.Fatal(err)
		}
		j.Close()

		j = openJournal(t, p.cfg)
		mustAppend(t, j, swapOf("a", 2, 2, 5))
		if b := bounds(t, j); b.Last != last || b.First != last+1 {
			t.Errorf("after a purge up to %d and the same swap again the journal reaches %+v", last, b)
		}
		mustAppend(t, j, swapOf("a", 3, 2, 5))
		if got := swapsIn(t, j, last); len(got) != 1 || got[0].Swap.Epoch != 3 || got[0].Seq <= last {
			t.Errorf("behind the purge: %d swaps", len(got))
		}
		// Another source begins anew.
		mustAppend(t, j, swapOf("b", 2, 2, 5))
		if got := swapsIn(t, j, 0); len(got) != 2 {
			t.Errorf("%d swaps are stored, want 2", len(got))
		}
	})
}

// Chunks of an attempt that was broken off are left out; the next attempt is whole.
func TestBrokenOff(t *testing.T) {
	forEachPeer(t, func(t *testing.T, p *peer) {
		j := openJournal(t, p.cfg)
		mustAppend(t, j, swapOf("a", 0, 3, 10))
		s := swapOf("a", 1, 3, 10)
		order, per, err := byInterface(s)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := j.storeChunks(t.Context(), s, j.closingOf(s, per), order); err != nil {
			t.Fatal(err)
		}
		j.Close()
		j = openJournal(t, p.cfg)
		mustAppend(t, j, swapOf("a", 1, 3, 10))
		got := swapsIn(t, j, 0)
		if len(got) != 2 || !sameFlows(got[1].Swap, swapOf("a", 1, 3, 10)) || lossOf(got[1].Swap) > 0 {
			t.Errorf("%d swaps, the last one is not what was counted", len(got))
		}
		if s := j.Stats(t.Context()); s.Orphans != 3 || s.Damaged+s.Gaps != 0 {
			t.Errorf("figures: %+v", s)
		}
	})
}

// Epochs that are missing within a source are reported; the next source is none.
func TestGap(t *testing.T) {
	j := openJournal(t, Config{Dir: t.TempDir(), Log: quiet()})
	mustAppend(t, j, swapOf("a", 1, 1, 1))
	mustAppend(t, j, swapOf("a", 4, 1, 1))
	mustAppend(t, j, swapOf("b", 0, 1, 1))
	if n := len(swapsIn(t, j, 0)); n != 3 {
		t.Errorf("%d swaps, want 3", n)
	}
	if s := j.Stats(t.Context()); s.Gaps != 2 {
		t.Errorf("%d epochs are reported missing, want 2", s.Gaps)
	}
}

// A reader that is behind passes over what was given up, which is no damage.
func TestGivenUp(t *testing.T) {
	forEachPeer(t, func(t *testing.T, p *peer) {
		j := openJournal(t, p.cfg)
		mustAppend(t, j, swapOf("a", 0, 3, 10))
		r := mustRead(t, j, 0)
		mustNext(t, r)
		for e := uint64(1); e < 6; e++ {
			mustAppend(t, j, swapOf("a", e, 3, 10))
		}
		all, err := j.Survey(t.Context(), 0, 1<<40)
		if err != nil {
			t.Fatal(err)
		}
		if err := j.Purge(t.Context(), all[3].Seq); err != nil {
			t.Fatal(err)
		}
		for e := uint64(4); e < 6; e++ {
			if got := mustNext(t, r); got.Swap.Epoch != e || lossOf(got.Swap) > 0 {
				t.Errorf("epoch %d comes, want %d", got.Swap.Epoch, e)
			}
		}
		if s := j.Stats(t.Context()); s.Damaged+s.Gaps+s.Orphans != 0 {
			t.Errorf("figures: %+v", s)
		}
	})
}

// An interface is active from its first packet on, through restarts, and for a
// while when it is not watched.
func TestActive(t *testing.T) {
	forEachPeer(t, func(t *testing.T, p *peer) {
		j := openJournal(t, p.cfg)
		swap := func(epoch uint64, at time.Duration, packets bool, ids ...string) string {
			s := &count.Swap{Source: "a", Epoch: epoch, Start: start.Add(at), End: start.Add(at + 10*time.Second)}
			for i, id := range ids {
				s.Interfaces = append(s.Interfaces, count.Watched{Index: uint16(i), ID: id})
			}
			if packets {
				s.Flows = []count.Flow{{Seen: count.Tally{Packets: 1, Bytes: 40}}}
			}
			mustAppend(t, j, s)
			active := ""
			for _, w := range s.Interfaces {
				active += fmt.Sprintf("%s %v ", w.ID, w.Active)
			}
			return active
		}
		check := func(got, want string) {
			t.Helper()
			if strings.TrimSpace(got) != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
		check(swap(0, 0, false, "x", "y"), "x false y false")
		check(swap(1, 10*time.Second, true, "x", "y"), "x true y false")
		check(swap(2, 20*time.Second, false, "x", "y"), "x true y false")
		check(swap(3, 30*time.Second, false, "y"), "y false")
		j.Close()
		j = openJournal(t, p.cfg)
		check(swap(4, time.Hour, false, "x", "y"), "x true y false")
		check(swap(5, 2*time.Hour, false, "y"), "y false")
		check(swap(6, 27*time.Hour, false, "y"), "y false")
		check(swap(7, 28*time.Hour, false, "x"), "x false")
		for _, e := range swapsIn(t, j, 0) {
			if e.Swap.Epoch == 4 && (!e.Swap.Interfaces[0].Active || e.Swap.Interfaces[1].Active) {
				t.Errorf("what is read is not what was appended: %+v", e.Swap.Interfaces)
			}
		}
	})
}

func TestSurveyAndPurge(t *testing.T) {
	forEachPeer(t, func(t *testing.T, p *peer) {
		j := openJournal(t, p.cfg)
		for e := range uint64(6) {
			mustAppend(t, j, swapOf("a", e, 3, 10))
		}
		all := swapsIn(t, j, 0)
		check := func(after, upTo uint64, want []count.Entry) {
			t.Helper()
			got, err := j.Survey(t.Context(), after, upTo)
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != len(want) {
				t.Fatalf("%d swaps after %d up to %d, want %d", len(got), after, upTo, len(want))
			}
			for i := range got {
				packets := uint64(0)
				for _, c := range got[i].Interfaces {
					packets += c.Packets
				}
				if got[i].Seq != want[i].Seq || packets != sum(want[i].Swap) || !got[i].End.Equal(want[i].Swap.End) || got[i].Topology != "v1" {
					t.Errorf("survey %d: %+v", i, got[i])
				}
			}
		}
		check(0, 1<<40, all)
		check(all[1].Seq, all[3].Seq, all[2:4])
		check(all[5].Seq, 1<<40, nil)
		if err := j.Purge(t.Context(), all[2].Seq); err != nil {
			t.Fatal(err)
		}
		check(0, 1<<40, all[3:])
		if got := swapsIn(t, j, 0); len(got) != 3 || got[0].Seq != all[3].Seq {
			t.Errorf("%d swaps are left, want 3", len(got))
		}
		if b := bounds(t, j); b.First != all[2].Seq+1 {
			t.Errorf("after a purge up to %d the journal reaches %+v", all[2].Seq, b)
		}
		if s := j.Stats(t.Context()); s.Damaged != 0 {
			t.Errorf("what was purged is reported as damage: %+v", s)
		}
		for _, upTo := range []uint64{0, all[0].Seq, 1 << 40, 1 << 40} {
			if err := j.Purge(t.Context(), upTo); err != nil {
				t.Fatal(err)
			}
		}
		if b := bounds(t, j); b.First != all[5].Seq+1 || b.Last != all[5].Seq {
			t.Errorf("after everything was purged the journal reaches %+v", b)
		}
	})
}

// A full journal refuses, and takes again when there is room.
func TestFull(t *testing.T) {
	j := openJournal(t, Config{Dir: t.TempDir(), MaxBytes: 1 << 20, Log: quiet()})
	limit := j.cfg.hardLimit()
	s := swapOf("a", 0, 2, 100_000)
	var err error
	for ; err == nil; s.Epoch++ {
		err = j.Append(t.Context(), s)
	}
	s.Epoch--
	if !errors.Is(err, ErrFull) {
		t.Fatalf("the error is %v, want one of a full journal", err)
	}
	if b := bounds(t, j); int64(b.Bytes) > limit || int64(b.Bytes) < limit/2 {
		t.Errorf("it holds %d bytes, and may hold %d", b.Bytes, limit)
	}
	all, err := j.Survey(t.Context(), 0, 1<<40)
	if err != nil || len(all) != int(s.Epoch) {
		t.Fatalf("%d swaps, want %d: %v", len(all), s.Epoch, err)
	}
	if err := j.Purge(t.Context(), all[2].Seq); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, j, s)
	if got := swapsIn(t, j, all[len(all)-1].Seq); len(got) != 1 || lossOf(got[0].Swap) > 0 || len(got[0].Swap.Flows) != 200_000 {
		t.Errorf("what was stored when there was room is not whole")
	}
}

func TestClosed(t *testing.T) {
	forEachPeer(t, func(t *testing.T, p *peer) {
		j := openJournal(t, p.cfg)
		r := mustRead(t, j, 0)
		failed := make(chan error)
		go func() {
			_, err := r.Next(context.Background())
			failed <- err
		}()
		watch, err := j.Catalogue().Watch(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		_ = j.Close()
		if err := <-failed; !errors.Is(err, errClosed) {
			t.Errorf("who waits gets %v", err)
		}
		for range watch { // ends
		}
		if err := j.Append(t.Context(), swapOf("a", 0, 1, 1)); err == nil {
			t.Error("a closed journal takes a swap")
		}
		if _, err := j.Read(t.Context(), 0); err == nil {
			t.Error("a closed journal can be read")
		}
		if err := j.Catalogue().Put(t.Context(), "a", nil); err == nil {
			t.Error("a closed catalogue takes a value")
		}
		_ = j.Close()
	})
}

func TestConfig(t *testing.T) {
	for name, c := range map[string]Config{
		"nothing":                 {},
		"both":                    {Dir: "d", URL: "nats://h"},
		"credentials without URL": {Dir: "d", Token: "t"},
		"a certificate alone":     {URL: "tls://h", CertFile: "c"},
		"a bad name":              {Dir: "d", Name: "a.b"},
	} {
		if err := c.check(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if got := redact("nats://u:p@h:1,tls://k:2,u:p@h"); got != "nats://…@h:1,tls://k:2,…@h" {
		t.Errorf("redacted: %s", got)
	}
	if got := token("eni-0 a.b>*_Ü"); got != "eni-0_a_b____" {
		t.Errorf("token: %s", got)
	}
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func TestMain(m *testing.M) {
	if os.Getenv(childDir) != "" {
		child()
	}
	os.Exit(m.Run())
}
