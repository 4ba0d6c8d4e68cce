package book

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/policy"
	"weir/vpc"
	"weir/vpc/declare"
)

// topology has one interface with a group called name that allows some ports.
func topology(t *testing.T, name string, ports ...int) *vpc.Topology {
	t.Helper()
	var rules strings.Builder
	for _, p := range ports {
		fmt.Fprintf(&rules, "          - {protocol: tcp, ports: %d, from: 0.0.0.0/0}\n", p)
	}
	made, problems := declare.Parse([]byte(`
account-id: "123456789012"
region: us-east-1
vpcs:
  - name: v
    cidrs: [10.0.0.0/16]
    security-groups:
      - name: `+name+`
        id: sg-1
        ingress:
`+rules.String()+`
    subnets:
      - name: s
        cidrs: [10.0.1.0/24]
        interfaces:
          - {name: i, device: eth0, addresses: [10.0.1.10], security-groups: [`+name+`]}
`), declare.Options{})
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	return made
}

// rig is a book with a clock that is set by hand.
type rig struct {
	*Book
	t     *testing.T
	clock time.Time
}

func newRig(t *testing.T) *rig {
	r := &rig{t: t, clock: time.Date(2026, 11, 21, 17, 0, 0, 0, time.UTC)}
	r.Book = r.another(filepath.Join(t.TempDir(), "policy"))
	return r
}

// another opens the book as another process would.
func (r *rig) another(dir string) *Book {
	b := Open(dir)
	b.now = func() time.Time { return r.clock }
	return b
}

// write does something with the right to write.
func (r *rig) write(f func(*Writer) error) {
	r.t.Helper()
	w, err := r.Lock(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	if err := errors.Join(f(w), w.Close()); err != nil {
		r.t.Fatal(err)
	}
}

// apply writes down that a topology was applied.
func (r *rig) apply(top *vpc.Topology) (p *policy.Policy, e Entry) {
	r.t.Helper()
	r.write(func(w *Writer) (err error) {
		if p, err = w.Compile(top); err != nil {
			return err
		}
		v, err := w.Keep(top)
		if err != nil {
			return err
		}
		if _, err := w.Record(Entry{Event: Applying, Version: v.Name, File: "f.yaml"}); err != nil {
			return err
		}
		e, err = w.Record(Entry{Event: Applied, Version: v.Name, File: "f.yaml", Seals: map[string]string{"": "abc"}})
		return err
	})
	return p, e
}

func (r *rig) path(name string) string { return filepath.Join(r.dir, name) }

func (r *rig) text(name string) string {
	r.t.Helper()
	b, err := os.ReadFile(r.path(name))
	if err != nil {
		r.t.Fatal(err)
	}
	return string(b)
}

func ids(p *policy.Policy) map[string]uint32 {
	m := map[string]uint32{}
	for _, r := range p.Rules() {
		m[r.Key] = r.ID
	}
	return m
}

// refusal is the rule that refuses at the group's ingress.
func refusal(p *policy.Policy) *policy.Rule {
	return p.Interfaces()[0].Groups.Refusal[policy.Ingress]
}

func TestEmpty(t *testing.T) {
	r := newRig(t)
	latest, unfinished, err := r.Latest()
	if latest != nil || unfinished != nil || err != nil {
		t.Errorf("Latest: %v, %v, %v", latest, unfinished, err)
	}
	if f, err := r.At(r.clock); f != nil || err != nil {
		t.Errorf("At: %v, %v", f, err)
	}
	if v, err := r.Versions(); v != nil || err != nil {
		t.Errorf("Versions: %v, %v", v, err)
	}
	if words, ok := r.Rule(1); ok {
		t.Errorf("Rule: %q", words)
	}
	if _, err := r.Preview(topology(t, "web", 80)); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(r.dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("reading has made the directory: %v", err)
	}
}

func TestIDsAreForEver(t *testing.T) {
	r := newRig(t)
	preview, err := r.Preview(topology(t, "web", 80))
	if err != nil {
		t.Fatal(err)
	}
	first, _ := r.apply(topology(t, "web", 80))
	if diff := cmp.Diff(ids(preview), ids(first)); diff != "" {
		t.Errorf("the preview's ids are not those that were given:\n%s", diff)
	}
	second, _ := r.apply(topology(t, "web", 80, 443))
	if refusal(second).ID == refusal(first).ID {
		t.Error("a changed rule has the id of the former one")
	}
	again, _ := r.apply(topology(t, "web", 80))
	if diff := cmp.Diff(ids(first), ids(again)); diff != "" {
		t.Errorf("the same rules have other ids later:\n%s", diff)
	}
	if n := strings.Count(r.text("rules"), "\n"); n != 5 {
		t.Errorf("%d lines for 5 rules:\n%s", n, r.text("rules"))
	}
	b := r.another(r.dir)
	for _, p := range []*policy.Policy{first, second} {
		want := refusal(p)
		if words, ok := b.Rule(want.ID); !ok || words != policy.EscapeWords(want.Words) {
			t.Errorf("rule %d is %q, %v", want.ID, words, ok)
		}
	}
}

func TestWordsFollowAName(t *testing.T) {
	r := newRig(t)
	p, _ := r.apply(topology(t, "web", 80))
	id := refusal(p).ID
	reader := r.another(r.dir)
	if words, _ := reader.Rule(id); !strings.Contains(words, "web") {
		t.Errorf("the rule says %q", words)
	}
	renamed, _ := r.apply(topology(t, "shop", 80))
	if got := refusal(renamed).ID; got != id {
		t.Errorf("a renamed group's rule has the id %d, not %d", got, id)
	}
	if words, _ := r.Rule(id); !strings.Contains(words, "shop") {
		t.Errorf("after the group was renamed the rule says %q", words)
	}
}

// A running weir meets the id of a rule that another process has just applied.
func TestReaderSeesWhatIsNew(t *testing.T) {
	r := newRig(t)
	r.apply(topology(t, "web", 80))
	reader := r.another(r.dir)
	if _, ok := reader.Rule(1); !ok {
		t.Fatal("rule 1 is not there")
	}
	p, e := r.apply(topology(t, "web", 443))
	if words, ok := reader.Rule(refusal(p).ID); !ok || !strings.Contains(words, "ingress") {
		t.Errorf("the new rule is %q, %v", words, ok)
	}
	if latest, _, err := reader.Latest(); err != nil || latest.Version != e.Version {
		t.Errorf("the latest is %+v, %v", latest, err)
	}
}

func TestAt(t *testing.T) {
	r := newRig(t)
	begin := r.clock
	_, first := r.apply(topology(t, "web", 80))
	r.clock = begin.Add(time.Hour)
	_, second := r.apply(topology(t, "web", 443))
	r.clock = begin.Add(2 * time.Hour)
	r.write(func(w *Writer) error { _, err := w.Record(Entry{Event: Removed}); return err })

	reader := r.another(r.dir)
	for _, tt := range []struct {
		name string
		at   time.Time
		want string
	}{
		{"before all", begin.Add(-time.Second), ""},
		{"from the moment on", first.Time, first.Version},
		{"later", begin.Add(59 * time.Minute), first.Version},
		{"the next", second.Time, second.Version},
		{"removed", begin.Add(3 * time.Hour), ""},
	} {
		got, err := reader.At(tt.at)
		if err != nil {
			t.Fatal(err)
		}
		version := ""
		if got != nil {
			version = got.Entry.Version
			if got.Topology == nil || len(got.Policy.Rules()) == 0 {
				t.Errorf("%s: %+v", tt.name, got)
			}
		}
		if version != tt.want {
			t.Errorf("%s: version %q, want %q", tt.name, version, tt.want)
		}
	}
	if latest, _, _ := reader.Latest(); latest != nil {
		t.Errorf("after the removal %+v is in force", latest)
	}
}

func TestClockSetBack(t *testing.T) {
	r := newRig(t)
	_, first := r.apply(topology(t, "web", 80))
	r.clock = r.clock.Add(-time.Hour)
	_, second := r.apply(topology(t, "web", 443))
	if !second.Time.After(first.Time) {
		t.Errorf("%v is not after %v", second.Time, first.Time)
	}
	if latest, _, err := r.another(r.dir).Latest(); err != nil || latest.Version != second.Version {
		t.Errorf("the latest is %+v, %v", latest, err)
	}
}

func TestAVersionIsKeptOnce(t *testing.T) {
	r := newRig(t)
	_, first := r.apply(topology(t, "web", 80))
	r.clock = r.clock.Add(time.Hour)
	r.apply(topology(t, "web", 443))
	r.clock = r.clock.Add(time.Hour)
	_, again := r.apply(topology(t, "web", 80))
	if first.Version != again.Version {
		t.Errorf("the same topology is %s, then %s", first.Version, again.Version)
	}
	all, err := r.Versions()
	if err != nil || len(all) != 2 || all[0].Name != first.Version || all[0].Digest != Digest(topology(t, "web", 80)) {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestUnfinished(t *testing.T) {
	r := newRig(t)
	_, first := r.apply(topology(t, "web", 80))
	next := topology(t, "web", 443)
	r.write(func(w *Writer) error {
		v, err := w.Keep(next)
		if err != nil {
			return err
		}
		_, err = w.Record(Entry{Event: Applying, Version: v.Name})
		return err
	})
	latest, unfinished, err := r.Latest()
	if err != nil || latest == nil || latest.Version != first.Version || unfinished == nil {
		t.Fatalf("latest %+v, unfinished %+v, %v", latest, unfinished, err)
	}
	r.write(func(w *Writer) error {
		_, err := w.Record(Entry{Event: Failed, Version: unfinished.Version})
		return err
	})
	if latest, unfinished, _ = r.Latest(); latest.Version != first.Version || unfinished != nil {
		t.Errorf("latest %+v, unfinished %+v", latest, unfinished)
	}
}

// A line that a crash tore is not read, and cut off by the next writer.
func TestTornLine(t *testing.T) {
	for _, name := range []string{"rules", "log"} {
		for _, torn := range []string{"x", `{"id":99,"key":"k"`, "\x00\x00\x00"} {
			r := newRig(t)
			r.apply(topology(t, "web", 80))
			whole := r.text(name)
			if err := os.WriteFile(r.path(name), []byte(whole+torn), 0o600); err != nil {
				t.Fatal(err)
			}
			b := r.another(r.dir)
			if _, err := b.At(r.clock.Add(time.Hour)); err != nil {
				t.Errorf("%s, %q: %v", name, torn, err)
			}
			r.Book = b
			r.write(func(*Writer) error { return nil })
			if got := r.text(name); got != whole {
				t.Errorf("%s, %q: it is not repaired: %q", name, torn, got)
			}
		}
	}
}

func TestUnreadableIsNamed(t *testing.T) {
	r := newRig(t)
	_, e := r.apply(topology(t, "web", 80))
	r.apply(topology(t, "web", 443))
	version := filepath.Join("versions", e.Version+versionEnd)
	for _, tt := range []struct {
		name, file string
		change     func(string) string
		want       string
	}{
		{"no JSON", "rules", func(s string) string { return strings.Replace(s, "{", "", 1) }, "rules:1: not a rule"},
		{"an id twice", "rules", func(s string) string { return strings.Replace(s, `"id":2`, `"id":1`, 1) }, "rules:2: rule 1 is there already, with another key"},
		{"a key twice", "rules", func(s string) string {
			line, _, _ := strings.Cut(s, "\n")
			return s + strings.Replace(line, `"id":1`, `"id":9`, 1) + "\n"
		}, "rules:6: rule 9 has the key of rule 1"},
		{"an id out of range", "rules", func(s string) string { return strings.Replace(s, `"id":1`, `"id":0`, 1) }, "rules:1: not a rule: the id 0"},
		{"an empty line", "rules", func(s string) string { return "\n" + s }, "rules:1: not a rule"},
		{"a line without end", "rules", func(string) string { return strings.Repeat("x", maxLine+1) }, "rules:1: longer than"},
		{"no event", "log", func(s string) string { return strings.Replace(s, "applied", "imagined", 1) }, `log:2: not an entry: "imagined" is no event`},
		{"times not in order", "log", func(s string) string {
			a, b, _ := strings.Cut(s, "\n")
			return b + a + "\n"
		}, "log:4: "},
		{"a version cut off", version, func(s string) string { return s[:len(s)/2] }, e.Version + ".yaml: somebody changed it"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			was := r.text(tt.file)
			defer func() {
				if err := os.WriteFile(r.path(tt.file), []byte(was), 0o600); err != nil {
					t.Fatal(err)
				}
			}()
			if err := os.WriteFile(r.path(tt.file), []byte(tt.change(was)), 0o600); err != nil {
				t.Fatal(err)
			}
			b := r.another(r.dir)
			if _, err := b.At(e.Time); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("At: %v, want %q", err, tt.want)
			}
			if tt.file == version {
				return
			}
			if _, err := b.Lock(t.Context()); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Lock: %v, want %q", err, tt.want)
			}
		})
	}
	stray := r.path("versions/notes.txt")
	if err := os.WriteFile(stray, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Versions(); err == nil || !strings.Contains(err.Error(), stray) {
		t.Errorf("a stray file: %v", err)
	}
}

func TestOneWriter(t *testing.T) {
	r := newRig(t)
	w, err := r.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(r.path("lock"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if ok, err := tryLock(f); ok || err != nil {
		t.Errorf("a second writer: %v, %v", ok, err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if ok, err := tryLock(f); !ok || err != nil {
		t.Errorf("after the first has gone: %v, %v", ok, err)
	}
}

func FuzzRules(f *testing.F) {
	f.Add([]byte(`{"id":1,"key":"k","words":"w","time":"2026-11-21T17:00:00Z"}` + "\n"))
	f.Add([]byte("\n\n{}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "rules")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		l := newRuleList(path)
		err := l.refresh()
		if err != nil && !strings.Contains(err.Error(), fmt.Sprintf("rules:%d: ", l.n+1)) {
			t.Errorf("the error does not say where: %v", err)
		}
		if whole := strings.Count(string(data), "\n"); err == nil && l.n != whole {
			t.Errorf("%d of %d lines were read", l.n, whole)
		}
		seen := map[string]uint32{}
		for id, r := range l.byID {
			if other, twice := seen[r.Key]; twice || id != r.ID || id > l.top {
				t.Errorf("rule %+v under %d (also %d), top %d", r, id, other, l.top)
			}
			seen[r.Key] = id
		}
	})
}

func FuzzLog(f *testing.F) {
	f.Add([]byte(`{"time":"2026-11-21T17:00:00Z","event":"applied","version":"20261121T170000Z-0123456789abcdef","seals":{"":"x"}}` + "\n" + `{"time":"2026-11-21T18:00:00Z","event":"removed"}` + "\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "log")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		l := entryList{lines: lines{path: path}}
		if err := l.refresh(); err != nil && !strings.Contains(err.Error(), fmt.Sprintf("log:%d: ", l.n+1)) {
			t.Errorf("the error does not say where: %v", err)
		}
		for i, e := range l.all {
			if i > 0 && !e.Time.After(l.all[i-1].Time) {
				t.Errorf("%v does not follow %v", e.Time, l.all[i-1].Time)
			}
			if got := at(l.all, e.Time); e.Event == Applied && (got == nil || got.Version != e.Version) {
				t.Errorf("at %v %+v is in force", e.Time, got)
			}
		}
	})
}
