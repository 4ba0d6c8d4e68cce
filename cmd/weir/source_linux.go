package main

import (
	"context"
	"errors"
	"log/slog"
	"reflect"

	"weir/vpc"
	"weir/vpc/declare"
	"weir/vpc/discover"
	"weir/vpc/flowlogs"
)

// interfaceSource says which interfaces "weir up" watches: those that a file
// describes, or those of the host.
type interfaceSource struct {
	described *described // nil: those of the host
	host      discover.Host
	list      []vpc.Interface // to begin with
	// changed is told of the interfaces that are found later.
	changed func([]vpc.Interface)
	log     *slog.Logger
}

// interfaceSource finds what to watch at first, and what is wrong with it before
// anything has begun.
func (a *app) interfaceSource(f *upFlags, now *policyNow, log *slog.Logger) (*interfaceSource, error) {
	from := &interfaceSource{log: log}
	from.host = discover.Host{AccountID: f.account, Region: f.region, ZoneID: f.region + "-az1", Only: f.only}
	var err error
	if f.file != "" {
		from.described, err = a.openDescribed(describedConfig{f.file, f.account, f.region, f.enforce, f.yes, from.host}, now, log)
		return from, err
	}
	from.list, err = from.host.Interfaces()
	switch {
	case errors.Is(err, discover.ErrNoDevice):
		return nil, withHint(err, "the devices of this host: ip link; what weir would watch: weir check")
	case err != nil:
		return nil, err
	case len(from.list) == 0:
		return nil, withHint(errors.New("this host has no network interface to watch"), "what weir looks for: weir check")
	}
	return from, nil
}

// resources tells a station what flow logs can be of: what the file describes, or
// what the interfaces that were found belong to.
func (f *interfaceSource) resources(s *station, list []vpc.Interface) {
	if f.described != nil && f.described.content.Described {
		s.subscriptions.describe(f.described.inUse)
		return
	}
	s.subscriptions.describe(vpc.Default(list))
}

// content is what the file says; nil without one.
func (f *interfaceSource) content() *declare.File {
	if f.described == nil {
		return nil
	}
	return f.described.content
}

// tell lets a station follow what the file says of flow logs. What it says of
// destinations and the journal counts from the next start.
func (f *interfaceSource) tell(s *station, own flowlogs.FlowLog) {
	f.changed = func(list []vpc.Interface) { f.resources(s, list) }
	if f.described == nil {
		return
	}
	settings := f.described.content.Settings
	f.described.changedTo = func(ctx context.Context, file *declare.File) {
		f.resources(s, f.described.inUse.Interfaces)
		if err := s.subscriptions.reconcile(ctx, wantedFlowLogs(own, file)); err != nil {
			f.log.Error("the file's flow logs are not those at work", "err", err, "hint", hintOf(err))
		}
		if !reflect.DeepEqual(settings, file.Settings) {
			settings = file.Settings
			f.log.Warn("the file's destinations or journal have changed: start weir again to use them")
		}
	}
}

// begin starts counting, then puts the policy into force: what it refuses from
// its first packet on is recorded. Devices of a file may come later; the host's
// own are there.
func (f *interfaceSource) begin(ctx context.Context, s *station) (<-chan struct{}, error) {
	if f.described != nil {
		f.list = f.described.interfaces()
	}
	f.resources(s, f.list)
	if len(f.list) > 0 {
		if err := s.watch(f.list); err != nil {
			return nil, err
		}
	}
	changes, err := discover.Changes(ctx)
	if err != nil || f.described == nil {
		return changes, err
	}
	return changes, f.described.apply(ctx, f.described.inUse)
}

// follow sends the list of interfaces whenever it changes, until ctx is done.
func (f *interfaceSource) follow(ctx context.Context, changes <-chan struct{}, lists chan<- []vpc.Interface) {
	if f.described != nil {
		f.described.run(ctx, changes, lists)
		return
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-changes:
		}
		discover.Settle(ctx)
		list, err := f.host.Interfaces()
		if err != nil && !errors.Is(err, discover.ErrNoDevice) {
			f.log.Warn("cannot list the network devices", "err", err)
			continue
		}
		f.changed(list)
		select {
		case lists <- list:
		case <-ctx.Done():
			return
		}
	}
}
