package main

import (
	"context"
	"errors"
	"log/slog"

	"weir/vpc"
	"weir/vpc/discover"
)

// interfaceSource says which interfaces "weir up" watches: those that a file
// describes, or those of the host.
type interfaceSource struct {
	described *described // nil: those of the host
	host      discover.Host
	list      []vpc.Interface // to begin with
	log       *slog.Logger
}

// interfaceSource finds what to watch at first, and what is wrong with it before
// anything has begun.
func (a *app) interfaceSource(f *upFlags, now *policyNow, log *slog.Logger) (*interfaceSource, error) {
	from := &interfaceSource{log: log}
	var err error
	if f.file != "" {
		from.described, err = a.openDescribed(describedConfig{f.file, f.account, f.region, f.enforce, f.yes}, now, log)
		return from, err
	}
	from.host = discover.Host{AccountID: f.account, Region: f.region, ZoneID: f.region + "-az1", Only: f.only}
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

// begin starts counting, then puts the policy into force: what it refuses from
// its first packet on is recorded. Devices of a file may come later; the host's
// own are there.
func (f *interfaceSource) begin(ctx context.Context, s *station) (<-chan struct{}, error) {
	if f.described != nil {
		f.list = f.described.interfaces()
	}
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
		select {
		case lists <- list:
		case <-ctx.Done():
			return
		}
	}
}
