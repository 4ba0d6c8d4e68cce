package main

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"weir/control"
	"weir/policy/book"
)

// policyNow keeps what a running weir knows of the policy in force, whoever
// applied it, for the page of status.
type policyNow struct {
	enforcer *enforcer
	log      *slog.Logger

	mu      sync.Mutex // guards what follows
	inForce *book.InForce
	page    *control.Policy
	judged  map[string]judgedInterface // by device, which has another id where no file says one
	problem string                     // that was reported last
}

// run looks every ten seconds: another process may apply and remove policies,
// and other tools change the firewall.
func (n *policyNow) run(ctx context.Context) {
	const every = 10 * time.Second
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		n.refresh(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// refresh looks now.
func (n *policyNow) refresh(ctx context.Context) {
	inForce, err := n.enforcer.inForce()
	var states []kernelState
	if err == nil && inForce != nil { // where nothing was ever applied nft need not be there
		states, err = n.enforcer.kernel(ctx)
	}
	if err == nil {
		err = bookError(n.enforcer.book.Err())
	}
	if ctx.Err() != nil {
		return
	}
	judged := map[string]judgedInterface{}
	if inForce != nil {
		for i, j := range judgement(inForce, states) {
			judged[inForce.Policy.Interfaces()[i].Device.String()] = j
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.inForce, n.page, n.judged = inForce, policyPage(inForce, states), judged
	problem := ""
	if err != nil {
		problem = err.Error()
	}
	if problem != n.problem && err != nil {
		n.log.Warn("cannot tell which policy is in force", "err", err)
	}
	n.problem = problem
}

// state is what is in force, and how the kernel differs from it.
func (n *policyNow) state() (inForce *book.InForce, differs string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.page != nil {
		differs = n.page.Differs
	}
	return n.inForce, differs
}

// current is what is in force, nil when nothing is.
func (n *policyNow) current() *book.InForce {
	inForce, _ := n.state()
	return inForce
}

// describe adds the policy to the page of status.
func (n *policyNow) describe(st *control.Status) {
	n.mu.Lock()
	defer n.mu.Unlock()
	st.Policy = n.page
	if n.page == nil {
		return
	}
	for i := range st.Capture.Interfaces {
		in := &st.Capture.Interfaces[i]
		j, known := n.judged[in.Device]
		if !known {
			j.Why = "the policy does not know the device"
		}
		in.Judged, in.NotJudged = j.Judged, j.Why
	}
}
