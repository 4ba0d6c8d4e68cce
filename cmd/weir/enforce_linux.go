package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"weir/netns"
	"weir/policy"
	"weir/policy/book"
	"weir/policy/nft"
)

// enforcer puts policies into force and takes them away, in every network
// namespace, and writes that down. "weir policy" and "weir up --enforce" both go
// through it.
type enforcer struct {
	book *book.Book
	// takeOver is true when rules that another data directory's policy put into
	// force may be replaced and removed.
	takeOver bool
}

func (a *app) enforcer(takeOver bool) *enforcer { return &enforcer{a.book(), takeOver} }

// book is the memory of the data directory's policies.
func (a *app) book() *book.Book { return book.Open(filepath.Join(a.dataDir, "policy")) }

// outcome is what an apply or a removal has changed.
type outcome struct {
	Changed    bool              `json:"changed"`
	Version    string            `json:"version,omitempty"`
	Time       string            `json:"time,omitempty"`
	Namespaces []namespaceChange `json:"namespaces"`
}

// namespaceChange is what has changed in one network namespace.
type namespaceChange struct {
	Namespace string `json:"namespace"`
	figures
	Added   int    `json:"rules_added"` // that refuse
	Gone    int    `json:"rules_gone"`
	Removed bool   `json:"removed"` // nothing is filtered there any more
	Waiting bool   `json:"waiting"` // it does not exist yet
	Before  string `json:"before,omitempty"`
	After   string `json:"after,omitempty"`
}

// place is one network namespace in an apply.
type place struct {
	namespace    string
	former, next *nft.Ruleset // nil: no rules of ours
	seal         string       // in the kernel, before
	waiting      bool         // the namespace does not exist
}

// apply puts a topology into force everywhere, or nowhere: when it fails, what
// was in force before is again. What is in force already is left alone.
func (e *enforcer) apply(ctx context.Context, d *draft) (out *outcome, err error) {
	if err := mayEnforce(); err != nil {
		return nil, err
	}
	w, err := e.book.Lock(ctx)
	if err != nil {
		return nil, bookError(err)
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	former, unfinished, err := e.former()
	if err != nil {
		return nil, err
	}
	places, err := placesOf(ctx, former, unfinished, d)
	if err != nil {
		return nil, err
	}
	if places, err = e.ours(places); err != nil {
		return nil, err
	}
	out = d.outcome(former, places)
	same := former != nil && book.Digest(former.Topology) == book.Digest(d.topology)
	if same && unfinished == nil && !slices.ContainsFunc(places, place.differs) {
		out.Version, out.Time = former.Entry.Version, former.Entry.Time.Format(timeFormat)
		return out, nil
	}
	// From here on the ids of the draft are the rules' for ever.
	if _, err := w.Compile(d.topology); err != nil {
		return nil, bookError(err)
	}
	v, err := w.Keep(d.topology)
	if err != nil {
		return nil, bookError(err)
	}
	entry := book.Entry{Event: book.Applying, Version: v.Name, File: absolute(d.file), Seals: seals(places)}
	if _, err := w.Record(entry); err != nil {
		return nil, bookError(err)
	}
	// A signal must not leave half of the namespaces behind.
	ctx = context.WithoutCancel(ctx)
	if err := switchOver(ctx, places); err != nil {
		entry.Event, entry.Cause = book.Failed, err.Error()
		_, recordErr := w.Record(entry)
		return nil, errors.Join(stillInForce(err, former), recordErr)
	}
	entry.Event = book.Applied
	if entry, err = w.Record(entry); err != nil {
		return nil, stillInForce(errors.Join(bookError(err), putBack(ctx, places)), former)
	}
	out.Changed, out.Version, out.Time = true, v.Name, entry.Time.Format(timeFormat)
	return out, nil
}

// remove takes all rules of ours away and writes that down. It does not look at
// what they say: whatever has become of the book, they can be removed. When one
// namespace fails, the others are done all the same.
func (e *enforcer) remove(ctx context.Context) (out *outcome, err error) {
	if err := mayEnforce(); err != nil {
		return nil, err
	}
	w, err := e.book.Lock(ctx)
	if err != nil {
		return nil, bookError(err)
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	latest, unfinished, err := e.book.Latest()
	if err != nil {
		return nil, bookError(err)
	}
	out = &outcome{Namespaces: []namespaceChange{}}
	ctx = context.WithoutCancel(ctx) // a signal must not leave half of them behind
	var errs []error
	var strangers []string // namespaces with rules that this book did not put there
	for _, namespace := range namespacesOf(latest, unfinished) {
		p := place{namespace: namespace}
		err := p.look(ctx)
		var mine []place
		if err == nil {
			mine, err = e.ours([]place{p})
		}
		if err == nil && len(mine) == 0 {
			strangers = append(strangers, namespace)
			continue
		}
		if err == nil && p.differs() {
			err = put(ctx, namespace, nil)
		}
		if err == nil && p.seal != "" {
			out.Namespaces = append(out.Namespaces, namespaceChange{Namespace: namespace, Removed: true, Before: p.seal})
		}
		errs = append(errs, err)
	}
	if len(strangers) > 0 && len(out.Namespaces) == 0 && latest == nil {
		errs = append(errs, &strangerError{strangers[0], "remove"})
	}
	if err := errors.Join(errs...); err != nil || latest == nil && unfinished == nil && len(out.Namespaces) == 0 {
		return out, err
	}
	entry, err := w.Record(book.Entry{Event: book.Removed})
	out.Changed, out.Time = true, entry.Time.Format(timeFormat)
	return out, bookError(err)
}

// former is what is in force by the book, and an apply that was killed.
func (e *enforcer) former() (former *book.InForce, unfinished *book.Entry, err error) {
	latest, unfinished, err := e.book.Latest()
	if err != nil || latest == nil {
		return nil, unfinished, bookError(err)
	}
	if former, err = e.book.Load(*latest); err != nil {
		return nil, nil, withHint(bookError(err), "what was applied last cannot be read any more; take it away: weir policy remove; then apply again")
	}
	return former, unfinished, nil
}

// namespacesOf are the network namespaces that entries have rules in, and the one
// that weir runs in.
func namespacesOf(entries ...*book.Entry) []string {
	all := map[string]bool{"": true}
	for _, e := range entries {
		if e == nil {
			continue
		}
		for namespace := range e.Seals {
			all[namespace] = true
		}
	}
	return sortedKeys(all)
}

// placesOf are the namespaces that a draft is about, and those where the policy
// before it left rules, in the order of their paths. It finds what would make an
// apply fail: nft or the right to use it missing, a foreign table of our name,
// bridges whose traffic no rule sees.
func placesOf(ctx context.Context, former *book.InForce, unfinished *book.Entry, d *draft) ([]place, error) {
	of := map[string]*place{}
	at := func(namespace string) *place {
		if of[namespace] == nil {
			of[namespace] = &place{namespace: namespace}
		}
		return of[namespace]
	}
	for _, namespace := range namespacesOf(unfinished) {
		at(namespace)
	}
	if former != nil {
		rulesets, err := nft.Render(former.Policy, nft.Options{})
		if err != nil {
			return nil, err
		}
		for i := range rulesets {
			at(rulesets[i].Namespace).former = &rulesets[i]
		}
	}
	for i := range d.rulesets {
		at(d.rulesets[i].Namespace).next = &d.rulesets[i]
	}
	var list []place
	for _, namespace := range sortedKeys(of) {
		p := of[namespace]
		if err := p.look(ctx); err != nil {
			return nil, err
		}
		list = append(list, *p)
	}
	return list, nil
}

// look finds out what is in force at a place.
func (p *place) look(ctx context.Context) (err error) {
	if p.waiting = !namespaceExists(p.namespace); p.waiting {
		return nil
	}
	if p.next != nil {
		if err := bridgesFiltered(p.namespace, p.next.Bridges); err != nil {
			return withHint(err, "%s", bridgeHint)
		}
	}
	p.seal, err = at(p.namespace).Applied(ctx)
	return err
}

// ours leaves out the places whose rules are another data directory's, unless
// they may be taken over. Where rules are to be put over those, it is an error.
func (e *enforcer) ours(places []place) ([]place, error) {
	if e.takeOver {
		return places, nil
	}
	log, err := e.book.Log()
	if err != nil {
		return nil, bookError(err)
	}
	known := map[string]bool{"": true}
	for i := range log {
		for _, seal := range log[i].Seals {
			known[seal] = true
		}
	}
	var mine []place
	for _, p := range places {
		digest, _, _ := strings.Cut(p.seal, " ") // a part of the rules may be gone
		switch {
		case known[digest] || digest == sealOf(p.next):
			mine = append(mine, p)
		case p.next != nil:
			return nil, &strangerError{p.namespace, "apply"}
		}
	}
	return mine, nil
}

// strangerError is a namespace whose rules another data directory knows.
type strangerError struct{ namespace, verb string }

func (e *strangerError) Error() string {
	where := "this host"
	if e.namespace != "" {
		where = "network namespace " + filepath.Base(e.namespace)
	}
	return fmt.Sprintf("the policy in force in %s is not one of this data directory's", where)
}

// Hint is the next step.
func (e *strangerError) Hint() string {
	if e.verb == "remove" {
		return "remove it with the --data that applied it; if that is lost: --yes"
	}
	return "remove it first, with the --data that applied it; or replace it: --yes"
}

// namespaceExists reports whether there is a network namespace of that path.
func namespaceExists(namespace string) bool {
	if namespace == "" {
		return true
	}
	_, err := os.Stat(namespace)
	return !errors.Is(err, fs.ErrNotExist)
}

// at is a ruleset that can only be looked for and removed.
func at(namespace string) *nft.Ruleset {
	return &nft.Ruleset{Namespace: namespace, Table: nft.DefaultTable}
}

// differs reports whether there is something to do at a place.
func (p place) differs() bool {
	return !p.waiting && p.seal != sealOf(p.next)
}

func sealOf(r *nft.Ruleset) string {
	if r == nil {
		return ""
	}
	return r.Digest()
}

// switchOver brings every place from its former ruleset to its next. When one
// fails, all have their former again.
func switchOver(ctx context.Context, places []place) error {
	for i := range places {
		p := &places[i]
		if !p.differs() {
			continue
		}
		if err := put(ctx, p.namespace, p.next); err != nil {
			return errors.Join(err, putBack(ctx, places[:i+1]))
		}
	}
	return nil
}

// putBack gives places their former rulesets.
func putBack(ctx context.Context, places []place) error {
	var errs []error
	for i := range slices.Backward(places) {
		p := &places[i]
		if !p.differs() {
			continue
		}
		if now, err := at(p.namespace).Applied(ctx); err == nil && now == sealOf(p.former) {
			continue // it failed before anything changed
		}
		if err := put(ctx, p.namespace, p.former); err != nil {
			errs = append(errs, fmt.Errorf("and the former rules cannot be put back: %w", err))
		}
	}
	return errors.Join(errs...)
}

func put(ctx context.Context, namespace string, r *nft.Ruleset) error {
	if r == nil {
		return at(namespace).Remove(ctx)
	}
	return r.Apply(ctx)
}

func seals(places []place) map[string]string {
	m := map[string]string{}
	for _, p := range places {
		if p.next != nil && !p.waiting {
			m[p.namespace] = p.next.Digest()
		}
	}
	return m
}

// outcome compares what is rendered with what was.
func (d *draft) outcome(former *book.InForce, places []place) *outcome {
	out := &outcome{Namespaces: []namespaceChange{}}
	var was *policy.Policy
	if former != nil {
		was = former.Policy
	}
	for _, p := range places {
		if p.next == nil && p.former == nil && p.seal == "" {
			continue
		}
		before, after := refusing(was, p.namespace), refusing(d.policy, p.namespace)
		c := namespaceChange{
			Namespace: p.namespace, figures: figuresOf(d.policy, p.namespace),
			Removed: p.next == nil, Waiting: p.waiting, Before: p.seal, After: sealOf(p.next),
		}
		for id := range after {
			if !before[id] {
				c.Added++
			}
		}
		for id := range before {
			if !after[id] {
				c.Gone++
			}
		}
		out.Namespaces = append(out.Namespaces, c)
	}
	return out
}

func (c *namespaceChange) String() string {
	where := namespaceName(c.Namespace) + ": "
	switch {
	case c.Waiting && c.Removed:
		return where + "is gone"
	case c.Waiting:
		return where + "does not exist yet; nothing is filtered there"
	case c.Removed:
		return where + "the rules are gone, nothing is filtered"
	case c.Before == c.After:
		return where + c.figures.String() + "; as before"
	case c.Before == "":
		return where + c.figures.String() + "; nothing was filtered before"
	}
	return where + fmt.Sprintf("%s; %s came, %d went", c.figures, howMany(c.Added, "refusing rule"), c.Gone)
}

// namespaceName is what people call a network namespace.
func namespaceName(path string) string {
	if path == "" {
		return "this host"
	}
	return strings.TrimPrefix(path, netns.Dir+"/")
}

// stillInForce says what a failed apply has left.
func stillInForce(err error, former *book.InForce) error {
	state := "no policy is in force, as before"
	if former != nil {
		state = "version " + former.Entry.Version + " stays in force"
	}
	return &failedApply{err, state}
}

type failedApply struct {
	error
	state string
}

func (e *failedApply) Error() string { return e.error.Error() + "; " + e.state }
func (e *failedApply) Unwrap() error { return e.error }

// mayEnforce says at once what would fail later.
func mayEnforce() error {
	if os.Geteuid() != 0 {
		return withHint(errors.New("changing the firewall rules takes root"), "run weir as root; weir policy check, render and diff need no rights")
	}
	return nil
}

// bookError gives errors of the book their next step.
func bookError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, book.ErrBusy):
		return withHint(err, "try again when it is done; who it is: weir check")
	case errors.Is(err, fs.ErrPermission):
		return withHint(fmt.Errorf("the policies of this data directory: %w", err), "run weir as root, or choose another directory: --data DIR")
	}
	return withHint(fmt.Errorf("the policies of this data directory: %w", err),
		"its files are described in docs/policy.md; restore what was damaged, or begin another directory: --data DIR")
}

// absolute is a file's name that means the same elsewhere.
func absolute(file string) string {
	if file == "-" || file == "" {
		return file
	}
	if abs, err := filepath.Abs(file); err == nil {
		return abs
	}
	return file
}
