package nft

import (
	"fmt"
	"path/filepath"
)

// Error is why a ruleset is not in force as it should be.
type Error struct {
	Op        string // "check", "apply", "remove", "look at"
	Namespace string // path; empty is the one Weir runs in
	Err       error
	Next      string // what to do
}

func (e *Error) Error() string {
	where := ""
	if e.Namespace != "" {
		where = " in network namespace " + filepath.Base(e.Namespace)
	}
	return fmt.Sprintf("%s the firewall rules%s: %v", e.Op, where, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// Hint is the next step.
func (e *Error) Hint() string { return e.Next }
