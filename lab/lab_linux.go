package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"weir/netns"
	"weir/vpc"
)

// Lab is a VPC that stands. Its methods are safe for concurrent use.
type Lab struct {
	config     Config
	plan       *plan
	lock       *lock
	namespaces map[string]*netns.Namespace // by place; not changed after Up

	mu      sync.Mutex // protects what follows
	running *run       // the traffic under way
	results map[string][]TaskResult
	closed  bool
}

// Up builds a lab, without policy and traffic. After an error nothing of it is left. The
// error is [fs.ErrExist] when a lab with this prefix runs or has left something
// behind, [fs.ErrPermission] without root.
func Up(ctx context.Context, c Config) (*Lab, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := needRoot(os.Geteuid(), "build"); err != nil {
		return nil, err
	}
	p, err := newPlan(c)
	if err != nil {
		return nil, err
	}
	l := &Lab{config: c, plan: p, namespaces: map[string]*netns.Namespace{}, results: map[string][]TaskResult{}}
	if err := l.build(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("build lab %s: %w", c.Prefix, err), l.Close())
	}
	return l, nil
}

func (l *Lab) build(ctx context.Context) error {
	for _, step := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"lock", l.takeLock},
		{"namespaces", l.makeNamespaces},
		{"settings", l.applySettings},
		{"translation", l.translate},
		{"devices", l.makeDevices},
		{"router", l.setUpRouter},
		{"instances", l.setUpInstances},
		{"internet", l.setUpInternet},
	} {
		if err := ctx.Err(); err != nil {
			return err
		}
		start := time.Now()
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		if err := l.config.step(step.name); err != nil {
			return err
		}
		l.config.Logger.Debug("lab step done", "lab", l.config.Prefix, "step", step.name, "took", time.Since(start))
	}
	return nil
}

func (l *Lab) takeLock(context.Context) (err error) {
	l.lock, err = newLock(l.config.Prefix)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: stop it, or choose another prefix", err)
	}
	return err
}

func (l *Lab) makeNamespaces(context.Context) error {
	for _, place := range places {
		ns, err := netns.Create(namespaceName(l.config.Prefix, place))
		if errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("%w, left by a lab that was killed: remove it with \"weir lab --clean\"", err)
		}
		if err != nil {
			return err
		}
		l.namespaces[place] = ns
	}
	return nil
}

// Topology is what lab.yaml declares. Its security groups and network ACLs are
// not in force: whoever has the lab sees to that, in the router's namespace,
// before there is traffic. Nobody may change it.
func (l *Lab) Topology() *vpc.Topology { return l.plan.topology }

// Mistakes are what is wrong in the topology on purpose.
func (l *Lab) Mistakes() []Mistake { return l.plan.mistakes() }

// Router is the namespace in which the interfaces' devices are. The lab owns it.
func (l *Lab) Router() *netns.Namespace { return l.Namespace(routerPlace) }

// Namespace is that of a place (router, web, app, db, bastion, nat, internet),
// nil when there is no such place. The lab owns it.
func (l *Lab) Namespace(place string) *netns.Namespace { return l.namespaces[place] }

// Close ends the traffic and removes everything. The kernel takes the namespaces
// down with their devices and rules in the background, a moment after the last
// process and the last open handle of others is gone. Closing again does
// nothing.
func (l *Lab) Close() error {
	l.mu.Lock()
	running := l.running
	closed := l.closed
	l.closed = true
	l.mu.Unlock()
	if closed {
		return nil
	}
	if running != nil {
		running.stop()
		<-running.done
	}
	var errs []error
	for _, ns := range l.namespaces {
		errs = append(errs, ns.Close(), netns.Delete(ns.Name()))
	}
	if l.lock != nil { // last: nobody may build where we still remove
		errs = append(errs, l.lock.release())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("remove lab %s: %w; see what is left with \"ip netns\", remove it with \"weir lab --clean\"", l.config.Prefix, err)
	}
	return nil
}

// needRoot says early what would fail late: namespaces, routes and firewall
// rules are root's.
func needRoot(uid int, what string) error {
	if uid != 0 {
		return fmt.Errorf("%s lab: %w: network namespaces need root, run it with sudo", what, fs.ErrPermission)
	}
	return nil
}
