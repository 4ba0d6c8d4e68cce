package ebpf

import (
	"errors"
	"fmt"
)

// ErrBusy means that another process captures with the same run directory.
var ErrBusy = errors.New("another Weir is capturing")

// ErrWatched means that another Weir's programs count at a device already.
// Counting there as well would be honest, but two flow logs of one packet is
// not what anybody wants to find out by surprise.
var ErrWatched = errors.New("another Weir is counting at this device")

// ErrSchema means that the kernel holds maps of another version of Weir.
var ErrSchema = errors.New("the kernel holds counts in another version's shape")

// Error names what failed, where, why, and what to do next.
type Error struct {
	Op   string // "attach", "mount bpffs", …
	At   string // the device, the path
	Err  error
	Next string // a sentence for people, may be empty
}

func (e *Error) Error() string {
	if e.At == "" {
		return fmt.Sprintf("capture: %s: %v", e.Op, e.Err)
	}
	return fmt.Sprintf("capture: %s %s: %v", e.Op, e.At, e.Err)
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Hint is the next step.
func (e *Error) Hint() string { return e.Next }
