package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"weir/policy/book"
	"weir/policy/nft"
	"weir/vpc"
)

// labFile is what the book calls the file of the lab's topology.
const labFile = "weir lab --topology"

// labPolicy is the policy of a lab. It is in force in the lab's router alone: the
// firewall of this host is neither looked at nor changed, and it ends with the
// lab. The book remembers it, so that records can be explained later.
type labPolicy struct {
	book   *book.Book
	router string // path of the network namespace
}

// apply puts the topology's policy into force.
func (p *labPolicy) apply(ctx context.Context, t *vpc.Topology) (err error) {
	if err := p.free(); err != nil {
		return err
	}
	w, err := p.book.Lock(ctx)
	if err != nil {
		return bookError(err)
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	compiled, err := w.Compile(t)
	if err != nil {
		return bookError(err)
	}
	rulesets, err := nft.Render(compiled, nft.Options{})
	if err != nil {
		return err
	}
	if len(rulesets) != 1 || rulesets[0].Namespace != p.router {
		return fmt.Errorf("the lab's topology has devices outside of %s", p.router)
	}
	version, err := w.Keep(t)
	if err != nil {
		return bookError(err)
	}
	entry := book.Entry{
		Event: book.Applying, Version: version.Name, File: labFile,
		Seals: map[string]string{p.router: rulesets[0].Digest()},
	}
	if _, err := w.Record(entry); err != nil {
		return bookError(err)
	}
	if err := rulesets[0].Apply(ctx); err != nil {
		entry.Event, entry.Cause = book.Failed, err.Error()
		_, recordErr := w.Record(entry)
		return errors.Join(err, recordErr)
	}
	entry.Event = book.Applied
	_, err = w.Record(entry)
	return bookError(err)
}

// free refuses a data directory whose policy is about something else: there is
// one in force at a time, and the lab's would end the other one in the book but
// not in the kernel.
func (p *labPolicy) free() error {
	latest, _, err := p.book.Latest()
	if err != nil {
		return bookError(err)
	}
	if latest != nil && !p.own(latest) {
		return withHint(fmt.Errorf("a policy is in force from this data directory (version %s), and the lab has one of its own", latest.Version),
			"choose another directory for the lab: --data DIR")
	}
	return nil
}

// own reports whether an entry is about the lab's router alone. Whoever tries a
// change with "weir policy apply" makes such entries, too.
func (p *labPolicy) own(e *book.Entry) bool {
	_, here := e.Seals[p.router]
	return here && len(e.Seals) == 1
}

// remove ends the policy, also what a killed lab left. That there is none is no
// error.
func (p *labPolicy) remove(ctx context.Context) (err error) {
	latest, unfinished, err := p.book.Latest()
	if err != nil {
		return bookError(err)
	}
	// An apply that came to its end, or one that was killed on its way there.
	if (latest == nil || !p.own(latest)) && (unfinished == nil || !p.own(unfinished)) {
		return nil
	}
	w, err := p.book.Lock(ctx)
	if err != nil {
		return bookError(err)
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	if _, err := os.Stat(p.router); !errors.Is(err, fs.ErrNotExist) {
		if err := at(p.router).Remove(ctx); err != nil {
			return err
		}
	}
	_, err = w.Record(book.Entry{Event: book.Removed})
	return bookError(err)
}
