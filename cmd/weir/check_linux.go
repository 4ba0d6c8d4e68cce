package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"weir/capture/ebpf"
	"weir/control"
	"weir/vpc"
	"weir/vpc/discover"
)

// finding is one line of weir check.
type finding struct {
	Name   string `json:"name"`
	State  string `json:"state"` // ok, missing, note
	Detail string `json:"detail"`
	Hint   string `json:"hint,omitempty"`
}

const (
	stateOK      = "ok"
	stateMissing = "missing"
	stateNote    = "note" // works without it, or not as well
)

// checkup is the whole answer of weir check.
type checkup struct {
	Findings   []finding       `json:"findings"`
	Interfaces []checkedDevice `json:"interfaces"` // what weir up would watch
	Running    *control.Status `json:"running,omitempty"`
}

type checkedDevice struct {
	ID        string   `json:"interface_id"`
	Device    string   `json:"device"`
	Side      string   `json:"side"`
	Addresses []string `json:"addresses"`
}

func newCheck(a *app) *cobra.Command {
	var f checkFileFlags
	cmd := &cobra.Command{
		Use:   "check [FILE]",
		Short: "Can this host do it? What does the running weir do? Is this file right?",
		Long: `Without a file, check looks at everything that capturing needs of this host, says
what is missing and what to do about it, lists the interfaces that "weir up" would
watch, and shows the status of the weir that runs with the data directory. It
fails when something is missing.

With a topology's file (- is standard input) it shows what the file declares and
every problem in it, by line. It fails when there is an error; warnings, such as a
device that this host does not have, are shown and are none. The format of the
file: docs/topology.md.

It changes nothing.`,
		Example: `  weir check
  weir check shop.yaml
  weir check --print shop.yaml     # with all ids and defaults, as a file`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				return a.checkFile(args[0], &f)
			}
			if f.print {
				return &usageError{err: errors.New("--print wants a file"), command: cmd.CommandPath()}
			}
			return a.check(cmd.Context())
		},
	}
	cmd.Flags().BoolVar(&f.print, "print", false, "print the topology as a file, with all ids and defaults")
	return cmd
}

func (a *app) check(ctx context.Context) error {
	c := checkup{Findings: append(a.findings(), a.policyFinding(ctx))}
	status, err := control.Ask(ctx, a.dataDir)
	switch {
	case err == nil:
		c.Running = &status
	case !errors.Is(err, control.ErrNotRunning):
		c.Findings = append(c.Findings, finding{"running weir", stateNote, err.Error(), ""})
	}
	list, err := discover.Host{AccountID: defaultAccountID, Region: defaultRegion}.Interfaces()
	if err != nil {
		c.Findings = append(c.Findings, finding{"network devices", stateMissing, err.Error(), ""})
	}
	if err == nil && len(list) == 0 {
		c.Findings = append(c.Findings, finding{"network devices", stateNote, "nothing to watch: no card, bridge port, veth or tap", ""})
	}
	for _, i := range list {
		c.Interfaces = append(c.Interfaces, checkedDevice{i.ID, i.Device.String(), i.Side.String(), addressTexts(&i)})
	}
	if a.json {
		enc := json.NewEncoder(a.out)
		enc.SetIndent("", "  ")
		if err := enc.Encode(c); err != nil {
			return err
		}
	} else if err := a.printCheckup(&c); err != nil {
		return err
	}
	var missing []string
	for _, f := range c.Findings {
		if f.State == stateMissing {
			missing = append(missing, f.Name)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("this host lacks: %s", strings.Join(missing, ", "))
	}
	return nil
}

func addressTexts(i *vpc.Interface) []string {
	list := []string{}
	for _, a := range i.Addresses {
		list = append(list, a.String())
	}
	return list
}

func (a *app) findings() []finding {
	var list []finding
	for _, r := range ebpf.Requirements() {
		f := finding{r.Name, stateOK, r.Detail, ""}
		switch {
		case !r.Asked:
			f.State = stateNote
		case !r.Met:
			f.State, f.Hint = stateMissing, r.Next
		}
		list = append(list, f)
	}
	return append(list, a.dataDirFinding(), bridgeFinding(), nftFinding())
}

// dataDirFinding looks without making anything: the directory, or the nearest
// one above it that exists, must be writable.
func (a *app) dataDirFinding() finding {
	f := finding{Name: "data directory", State: stateOK, Detail: a.dataDir}
	dir := a.dataDir
	for {
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) || filepath.Dir(dir) == dir {
			break
		}
		dir = filepath.Dir(dir)
	}
	if err := unix.Access(dir, unix.W_OK|unix.X_OK); err != nil {
		f.State, f.Detail, f.Hint = stateMissing, fmt.Sprintf("%s: %v", dir, err), "choose a directory that you may write: --data DIR"
		return f
	}
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err == nil {
		free := s.Bavail * uint64(s.Bsize)
		f.Detail = fmt.Sprintf("%s, %d MB free", a.dataDir, free>>20)
		if free < 100<<20 {
			f.State, f.Hint = stateNote, "make room: counts stay in the kernel while the disk is full, and there is not room for many"
		}
	}
	return f
}

// bridgeFinding says how refusals between ports of one bridge are seen.
func bridgeFinding() finding {
	const name = "refusals between ports of a bridge"
	b, err := os.ReadFile("/proc/sys/net/bridge/bridge-nf-call-iptables")
	switch {
	case err != nil:
		return finding{name, stateNote, "br_netfilter is not loaded: switched traffic passes no firewall rule", "to have it filtered: modprobe br_netfilter"}
	case strings.TrimSpace(string(b)) != "1":
		return finding{name, stateNote, "net.bridge.bridge-nf-call-iptables is off: switched traffic passes no firewall rule", "to have it filtered: sysctl -w net.bridge.bridge-nf-call-iptables=1"}
	}
	return finding{name, stateOK, "br_netfilter is on", ""}
}

func nftFinding() finding {
	path, err := exec.LookPath("nft")
	if err != nil {
		return finding{"nft", stateNote, "not found; weir lab needs it", "install nftables"}
	}
	return finding{"nft", stateOK, path, ""}
}

func (a *app) printCheckup(c *checkup) error {
	t := newTable(a.out, []string{"WHAT", "STATE", "FOUND"}, []bool{false, false, false})
	var hints []string
	for _, f := range c.Findings {
		if err := t.Row([]string{f.Name, f.State, f.Detail}); err != nil {
			return err
		}
		if f.Hint != "" {
			hints = append(hints, f.Name+": "+f.Hint)
		}
	}
	if err := t.Close(); err != nil {
		return err
	}
	for _, h := range hints {
		fmt.Fprintln(a.out, "hint:", h)
	}
	if len(c.Interfaces) > 0 {
		fmt.Fprintln(a.out)
		t := newTable(a.out, []string{"INTERFACE", "DEVICE", "SIDE", "ADDRESSES"}, []bool{false, false, false, false})
		for _, i := range c.Interfaces {
			if err := t.Row([]string{i.ID, i.Device, i.Side, strings.Join(i.Addresses, " ")}); err != nil {
				return err
			}
		}
		if err := t.Close(); err != nil {
			return err
		}
	}
	if c.Running != nil {
		fmt.Fprintln(a.out)
		return a.printStatus(c.Running)
	}
	return nil
}

// printStatus is the page of status for people.
func (a *app) printStatus(s *control.Status) error {
	fmt.Fprintf(a.out, "weir %s runs as process %d since %s\n", s.Process.Version, s.Process.PID, s.Process.Started.UTC().Format(time.DateTime))
	t := newTable(a.out, []string{"INTERFACE", "NAME", "DIRECTION", "ACCEPTED", "BYTES", "REJECTED", "BYTES", "LOST"},
		[]bool{false, false, false, true, true, true, true, true})
	for _, i := range s.Capture.Interfaces {
		lost := i.Lost.FullPackets + i.Lost.UnreadPackets + i.Lost.RefusedPackets + i.Lost.JournalPackets
		for _, d := range []struct {
			name string
			c    control.Counts
		}{{"ingress", i.Ingress}, {"egress", i.Egress}} {
			row := []string{i.ID, i.Name, d.name}
			for _, v := range []uint64{d.c.AcceptedPackets, d.c.AcceptedBytes, d.c.RejectedPackets, d.c.RejectedBytes} {
				row = append(row, fmt.Sprint(v))
			}
			if err := t.Row(append(row, fmt.Sprint(lost))); err != nil {
				return err
			}
			lost = 0 // of both directions, shown once
		}
	}
	if err := t.Close(); err != nil {
		return err
	}
	fmt.Fprintf(a.out, "capture: %d swaps, the last at %s in %v, %d flows in it; table %.1f %% full\n",
		s.Capture.Swaps, clockTime(s.Capture.LastSwap), s.Capture.SwapTime.Round(time.Millisecond), s.Capture.Flows, 100*s.Capture.Occupancy)
	a.printJournal(&s.Journal)
	for _, r := range s.Records {
		fmt.Fprintf(a.out, "records: interval %.0f s, %d made (%d NODATA, %d SKIPDATA), %d flows open\n", r.Interval.Seconds(), r.Made, r.NoData, r.SkipData, r.Open)
	}
	if len(s.FlowLogs) > 0 {
		fmt.Fprintln(a.out)
		if err := printFlowLogs(a.out, s.FlowLogs, time.Now()); err != nil {
			return err
		}
		fmt.Fprintln(a.out)
	}
	fmt.Fprintf(a.out, "lost: %d packets, %d records\n", s.Lost.Packets, s.Lost.Records)
	return a.printPolicyPage(s)
}

// printJournal is the journal's part of the page of status.
func (a *app) printJournal(j *control.Journal) {
	fmt.Fprintf(a.out, "journal: %s: %s of %s, %d swaps stored (%d flows), the last in %v; %s\n", printable(j.Place),
		byteSize(int64(j.Stored)), byteSize(int64(j.MaxBytes)), j.Swaps, j.Flows, j.Append.Round(time.Millisecond), oldestCounts(j.Oldest))
	if j.Problem != "" {
		fmt.Fprintln(a.out, "  the last swap is not stored yet, the kernel keeps it:", printable(j.Problem))
	}
	for _, trouble := range []struct {
		n    uint64
		what string
	}{
		{j.Failures, "swaps could not be stored at once, and stayed in the kernel"},
		{j.Damaged, "messages cannot be read: what they held is lost, and told as SKIPDATA"},
		{j.Gaps, "swaps are missing: what they held is lost"},
	} {
		if trouble.n > 0 {
			fmt.Fprintf(a.out, "  %d %s\n", trouble.n, trouble.what)
		}
	}
	if g := j.GivenUp; g.Swaps > 0 {
		fmt.Fprintf(a.out, "  given up because it was full: %d swaps, %d packets, %s\n", g.Swaps, g.Packets, byteSize(int64(g.Bytes)))
	}
}

func oldestCounts(t time.Time) string {
	if t.IsZero() {
		return "nothing waits in it"
	}
	return "the oldest counts are of " + clockTime(t)
}

func clockTime(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format(time.TimeOnly)
}
