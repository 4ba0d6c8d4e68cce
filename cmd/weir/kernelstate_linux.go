package main

import (
	"context"
	"errors"
	"strings"

	"weir/policy/book"
)

// inForce is what the book says is in force, nil when nothing is.
func (e *enforcer) inForce() (*book.InForce, error) {
	latest, _, err := e.book.Latest()
	if err != nil || latest == nil {
		return nil, bookError(err)
	}
	f, err := e.book.Load(*latest)
	return f, bookError(err)
}

// kernelState is what the kernel has in one network namespace.
type kernelState struct {
	Namespace string `json:"namespace"`
	Booked    string `json:"booked"` // digest of what was applied, empty for none
	Found     string `json:"found"`  // digest of what is there
	Problem   string `json:"problem,omitempty"`
}

// kernel compares the kernel's rules with the book's, where either should have
// some.
func (e *enforcer) kernel(ctx context.Context) ([]kernelState, error) {
	latest, unfinished, err := e.book.Latest()
	if err != nil {
		return nil, bookError(err)
	}
	var list []kernelState
	for _, namespace := range namespacesOf(latest, unfinished) {
		s := kernelState{Namespace: namespace}
		if latest != nil {
			s.Booked = latest.Seals[namespace]
		}
		p := place{namespace: namespace}
		if err := p.look(ctx); err != nil {
			s.Problem = err.Error()
			if hint := hintOf(err); hint != "" {
				s.Problem += " (" + hint + ")"
			}
		}
		if s.Found = p.seal; p.waiting {
			s.Booked = "" // the rules went with the namespace
		}
		if s.Booked != "" || s.Found != "" || s.Problem != "" {
			list = append(list, s)
		}
	}
	return list, nil
}

func (s *kernelState) why() string {
	where := namespaceName(s.Namespace)
	switch {
	case s.Problem != "":
		return where + ": " + s.Problem
	case s.Found == s.Booked:
		return ""
	case s.Found == "":
		return where + ": the rules are gone"
	case s.Booked == "":
		return where + ": there are rules that nobody wrote down"
	case strings.HasPrefix(s.Found, s.Booked):
		return where + ": a part of the rules is gone"
	}
	return where + ": the rules are those of another version"
}

// disagreement says where kernel and book differ, empty when nowhere.
func disagreement(states []kernelState) string {
	var all []string
	for i := range states {
		if why := states[i].why(); why != "" {
			all = append(all, why)
		}
	}
	return strings.Join(all, "; ")
}

func hintOf(err error) string {
	var h hinter
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}
