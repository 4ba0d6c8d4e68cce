package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"weir/control"
	"weir/policy/book"
	"weir/vpc"
	"weir/vpc/declare"
	"weir/vpc/discover"
	"weir/vpc/watch"
)

// described follows a topology's file while weir runs: which interfaces there
// are and, when it enforces, their policy. What a new content gets wrong leaves
// the former in use.
type described struct {
	cfg  describedConfig
	file *watch.File
	now  *policyNow
	log  *slog.Logger
	// changedTo is told of each content that is used from now on; set before run.
	changedTo func(context.Context, *declare.File)

	// For the goroutine of run.
	data    []byte // that is in use
	content *declare.File
	inUse   *vpc.Topology
	digest  string
	seen    sighting
	sides   map[vpc.Device]vpc.Side // of devices that were there once: a side does not change when they go

	mu   sync.Mutex // guards what follows
	page control.Topology
}

type describedConfig struct {
	path            string
	account, region string
	enforce, yes    bool
	// found finds the interfaces when the file does not describe any.
	found discover.Host
}

// openDescribed reads the file for the first time; what is wrong with it ends
// weir before anything has begun.
func (a *app) openDescribed(cfg describedConfig, now *policyNow, log *slog.Logger) (*described, error) {
	d := &described{
		cfg: cfg, now: now, log: log,
		file:  watch.New(watch.Config{Path: cfg.path, Options: declare.Options{AccountID: cfg.account, Region: cfg.region}}),
		sides: map[vpc.Device]vpc.Side{},
		page:  control.Topology{File: absolute(cfg.path), Enforced: cfg.enforce},
	}
	c := d.file.Load()
	switch {
	case c.Err != nil:
		return nil, withHint(c.Err, "a topology's file is YAML: docs/topology.md; without a file, weir up watches what it finds")
	case c.File == nil:
		return nil, &problemsError{cfg.path, c.Problems}
	case cfg.enforce && !c.File.Described:
		return nil, withHint(errors.New("the file has no vpcs: there is nothing to enforce"), "security groups and network ACLs: docs/policy.md")
	}
	d.content = c.File
	if cfg.enforce { // all that can be known before counting begins
		if err := mayEnforce(); err != nil {
			return nil, err
		}
		if _, err := d.mayApply(d.parse(c.Data)); err != nil {
			return nil, err
		}
	}
	d.data = c.Data
	d.take(d.parse(c.Data))
	return d, nil
}

// parse reads a content, which has been found to be valid, with the sides of the
// devices that are there now or were once.
func (d *described) parse(data []byte) *vpc.Topology {
	var devices discover.Devices
	side := func(dev vpc.Device) (vpc.Side, bool) {
		if s, ok := devices.Side(dev); ok {
			d.sides[dev] = s
		}
		s, ok := d.sides[dev]
		return s, ok
	}
	f, _ := declare.ParseFile(data, declare.Options{AccountID: d.cfg.account, Region: d.cfg.region, Side: side})
	return f.Topology
}

// take makes a topology the one in use.
func (d *described) take(t *vpc.Topology) {
	d.inUse, d.digest = t, book.Digest(t)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.page.Loaded, d.page.Problem = time.Now(), ""
}

// interfaces are those whose devices are there. The others are waited for.
func (d *described) interfaces() []vpc.Interface {
	if !d.content.Described {
		list, err := d.cfg.found.Interfaces()
		if err != nil {
			d.log.Warn("cannot list the network devices", "err", err)
		}
		return list
	}
	d.seen = see(d.inUse)
	var list []vpc.Interface
	var waiting []string
	for _, i := range d.inUse.Interfaces {
		switch {
		case i.Device.Name == "":
		case d.seen.has(i.Device):
			list = append(list, i)
		default:
			waiting = append(waiting, deviceName(i.Device))
		}
	}
	undeclared := d.undeclared()
	d.mu.Lock()
	newWaiting, newUndeclared := !slices.Equal(waiting, d.page.Waiting), !slices.Equal(undeclared, d.page.Undeclared)
	d.page.Waiting, d.page.Undeclared = waiting, undeclared
	d.mu.Unlock()
	if newWaiting && len(waiting) > 0 {
		d.log.Info("waiting for devices", "devices", strings.Join(waiting, ","))
	}
	if newUndeclared && len(undeclared) > 0 {
		d.log.Info("not watched: not in the file", "devices", strings.Join(undeclared, ","))
	}
	return list
}

// undeclared are the devices that "weir up" without a file would watch.
func (d *described) undeclared() []string {
	found, err := discover.Host{}.Interfaces()
	if err != nil {
		return nil // shown nowhere but on the page of status
	}
	declared := map[vpc.Device]bool{}
	for _, i := range d.inUse.Interfaces {
		declared[i.Device] = true
	}
	var names []string
	for _, i := range found {
		if !declared[i.Device] {
			names = append(names, i.Device.Name)
		}
	}
	return names
}

// mayApply looks at a topology's policy without applying it. A device that is
// not there is waited for.
func (d *described) mayApply(t *vpc.Topology) (*draft, error) {
	dr, err := d.now.enforcer.draftOf(d.cfg.path, t, &discover.Devices{})
	if err != nil {
		return nil, err
	}
	return dr, errors.Join(dr.fits(true), dr.guard(d.cfg.yes))
}

// apply puts a topology's policy into force, if weir is to enforce it.
func (d *described) apply(ctx context.Context, t *vpc.Topology) error {
	if !d.cfg.enforce {
		return nil
	}
	dr, err := d.mayApply(t)
	if err != nil {
		return err
	}
	out, err := d.now.enforcer.apply(ctx, dr)
	d.now.refresh(ctx)
	if err != nil {
		return err
	}
	for i := range out.Namespaces {
		if c := &out.Namespaces[i]; out.Changed && c.Before != c.After {
			d.log.Info("policy applied", "version", out.Version, "what", c.String())
		}
	}
	return nil
}

// run sends the interfaces whenever the file or the devices change, until ctx is
// done. Changes tells of devices of this network namespace; those of others are
// looked for every second.
func (d *described) run(ctx context.Context, changes <-chan struct{}, lists chan<- []vpc.Interface) {
	const look, compare = time.Second, 10 * time.Second
	contents := make(chan watch.Change)
	watching := make(chan struct{})
	go func() {
		defer close(watching)
		d.file.Run(ctx, func(c watch.Change) {
			select {
			case contents <- c:
			case <-ctx.Done():
			}
		})
	}()
	defer func() { <-watching }()
	looks, compares := time.NewTicker(look), time.NewTicker(compare)
	defer looks.Stop()
	defer compares.Stop()
	for {
		news := false
		select {
		case <-ctx.Done():
			return
		case c := <-contents:
			news = d.changed(ctx, c)
		case <-changes:
			discover.Settle(ctx)
			news = d.devicesChanged(ctx)
		case <-looks.C:
			if !see(d.inUse).equal(d.seen) {
				news = d.devicesChanged(ctx)
			}
		case <-compares.C:
			d.heal(ctx)
		}
		if !news {
			continue
		}
		select {
		case lists <- d.interfaces():
		case <-ctx.Done():
			return
		}
	}
}

// changed takes another content in, if it can be used.
func (d *described) changed(ctx context.Context, c watch.Change) bool {
	switch {
	case c.Err != nil:
		d.refuse("reading the file", c.Err)
		return false
	case c.File == nil:
		if errs := c.Problems.Errors(); d.refuse("understanding the file", &problemsError{d.cfg.path, c.Problems}) {
			for _, p := range errs[:min(len(errs), loggedProblems)] {
				d.log.Warn("error in the topology's file", "at", fmt.Sprintf("%s:%d:%d", d.cfg.path, p.Line, p.Column), "path", p.Path, "problem", p.Cause, "hint", p.Hint)
			}
		}
		return false
	}
	if d.cfg.enforce && !c.File.Described {
		d.refuse("understanding the file", errors.New("it has no vpcs, and what they enforce is to stay"))
		return false
	}
	t := d.parse(c.Data)
	if err := d.apply(ctx, t); err != nil {
		d.refuse("applying its policy", err)
		return false
	}
	d.data, d.content = c.Data, c.File
	d.take(t)
	d.log.Info("file loaded", "file", d.cfg.path, "interfaces", len(t.Interfaces), "flow_logs", len(c.File.FlowLogs))
	if d.changedTo != nil {
		d.changedTo(ctx, c.File)
	}
	return true
}

// loggedProblems are shown of a file; "weir check FILE" shows all.
const loggedProblems = 10

// refuse says, once, what failed: the former content stays in use, and its policy
// in force. It returns whether that is news.
func (d *described) refuse(op string, err error) bool {
	text := err.Error()
	var de detailer
	if errors.As(err, &de) {
		text += ": " + strings.TrimSpace(de.Detail())
	}
	d.mu.Lock()
	again := d.page.Problem == text
	d.page.Problem = text
	d.mu.Unlock()
	if again {
		return false
	}
	attrs := []any{"op", op, "err", err}
	if _, ok := errors.AsType[*problemsError](err); !ok && de != nil {
		attrs = append(attrs, "detail", strings.TrimSpace(de.Detail()))
	}
	if hint := hintOf(err); hint != "" {
		attrs = append(attrs, "hint", hint)
	}
	d.log.Error("the topology's file is not used as it is now, the former content stays", attrs...)
	return true
}

// devicesChanged looks again at what the file leaves to the devices, such as
// their side.
func (d *described) devicesChanged(ctx context.Context) bool {
	t := d.parse(d.data)
	if err := d.apply(ctx, t); err != nil {
		d.refuse("applying its policy to the devices that there are now", err)
		return true // they are counted all the same
	}
	if book.Digest(t) != d.digest {
		d.take(t)
	}
	return true
}

// heal puts back rules that somebody else took away. A policy that was removed
// or replaced on purpose, through the book, is left as it is.
func (d *described) heal(ctx context.Context) {
	if !d.cfg.enforce {
		return
	}
	d.now.refresh(ctx)
	former, differs := d.now.state()
	if former == nil || differs == "" || book.Digest(former.Topology) != d.digest {
		return
	}
	d.log.Warn("putting the policy back into force", "because", differs)
	if err := d.apply(ctx, d.inUse); err != nil {
		d.refuse("putting its policy back into force", err)
	}
}

// describe adds the file to the page of status.
func (d *described) describe(st *control.Status) {
	d.mu.Lock()
	page := d.page
	d.mu.Unlock()
	st.Topology = &page
}
