package main

import (
	"context"
	"path/filepath"
	"time"

	"weir/deliver/s3"
	"weir/vpc/flowlogs"
)

const (
	// reapEvery is how often the journal is looked at. At 100 MB/s it grows by
	// 1 GB in this time; its own bound stands above.
	reapEvery = 10 * time.Second
	// tidyEvery is how often what else is not needed any more is removed.
	tidyEvery = time.Minute
)

// keepTidy removes what is not needed any more, until ctx is done: counts that are
// delivered, versions of the topology, and objects that a flow log of a local
// bucket may not keep.
func (s *station) keepTidy(ctx context.Context) {
	reap, tidy := time.NewTicker(reapEvery), time.NewTicker(tidyEvery)
	defer reap.Stop()
	defer tidy.Stop()
	s.tidy(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case <-reap.C:
			if err := s.dispatcher.Reap(ctx); err != nil && ctx.Err() == nil {
				s.cfg.Log.Warn("cannot tidy the journal", "err", err)
			}
		case <-tidy.C:
			s.tidy(ctx)
		}
	}
}

func (s *station) tidy(ctx context.Context) {
	if err := s.topologies.tidy(ctx, s.journal); err != nil && ctx.Err() == nil {
		s.cfg.Log.Warn("cannot tidy the catalogue", "err", err)
	}
	s.prune(ctx)
}

// prune removes the objects that flow logs may not keep any longer.
func (s *station) prune(ctx context.Context) {
	if s.destinations.remote() {
		return // the bucket's own lifecycle rules do
	}
	for _, f := range s.subscriptions.all() {
		place, err := flowlogs.PlaceOf(f)
		if err != nil || place.Type != flowlogs.S3 || f.Retention == (flowlogs.Retention{}) {
			continue
		}
		done, err := s3.Prune(ctx, filepath.Join(s.cfg.Buckets, place.Bucket), f.ID, f.Retention, s.cfg.Now())
		if err != nil && ctx.Err() == nil {
			s.cfg.Log.Warn("cannot remove old objects", "flow_log", f.ID, "err", err)
		}
		if done.Objects > 0 {
			s.cfg.Log.Info("old objects are removed", "flow_log", f.ID, "objects", done.Objects, "bytes", done.Bytes)
		}
	}
}
