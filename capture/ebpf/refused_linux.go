package ebpf

import (
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
)

// attachRefused attaches the drop program once for the host, or keeps the one
// that an earlier run left if it is the same. A tracing link cannot be given
// another program, so a different one is replaced: refusals between the two are
// counted as accepted where they entered.
func (c *Capture) attachRefused() error {
	progs, err := c.load(0, 0, weirProgWeirRefused)
	if err != nil {
		return err
	}
	prog := progs[weirProgWeirRefused]
	defer prog.Close() // the link holds it

	pin := filepath.Join(c.dir.links(), "refused")
	old, err := link.LoadPinnedLink(pin, nil)
	switch {
	case err == nil && runs(old, prog):
		c.refused = old
		return nil
	case err == nil:
		c.cfg.Log.Warn("replacing the drop program of another version")
		if err := errors.Join(old.Unpin(), old.Close()); err != nil {
			return &Error{"replace", pin, err, ""}
		}
	case !errors.Is(err, fs.ErrNotExist):
		return &Error{"open", pin, err, ""}
	}

	c.refused, err = link.AttachTracing(link.TracingOptions{Program: prog})
	if err != nil {
		return &Error{"attach to tracepoint", "kfree_skb", err, "what this host can do: weir check"}
	}
	if err := c.refused.Pin(pin); err != nil {
		return &Error{"pin", pin, err, ""}
	}
	return nil
}

// runs reports whether l runs the same instructions as prog.
func runs(l link.Link, prog *ebpf.Program) bool {
	info, err := l.Info()
	if err != nil {
		return false
	}
	attached, err := ebpf.NewProgramFromID(info.Program)
	if err != nil {
		return false
	}
	defer attached.Close()
	a, errA := attached.Info()
	b, errB := prog.Info()
	return errA == nil && errB == nil && a.Tag == b.Tag
}
