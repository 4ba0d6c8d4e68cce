package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"weir/control"
)

// policyFinding is the policy's line of weir check.
func (a *app) policyFinding(ctx context.Context) finding {
	const name = "policy"
	e := a.enforcer(false)
	former, err := e.inForce()
	switch {
	case err != nil:
		return finding{name, stateNote, err.Error(), hintOf(err)}
	case former == nil:
		return finding{name, stateNote, "none is in force: weir filters nothing", ""}
	}
	detail := policyWords(policyPage(former, nil))
	if os.Geteuid() != 0 {
		return finding{name, stateOK, detail, ""}
	}
	states, err := e.kernel(ctx)
	if err != nil {
		return finding{name, stateNote, detail + "; " + err.Error(), hintOf(err)}
	}
	if why := disagreement(states); why != "" {
		return finding{name, stateNote, detail + "; but in the kernel: " + why, "weir policy status"}
	}
	return finding{name, stateOK, detail + ", as in the kernel", ""}
}

func policyWords(p *control.Policy) string {
	return fmt.Sprintf("version %s since %s (%s), %s", p.Version, p.Since.Format(timeFormat), age(time.Since(p.Since)), howMany(p.Rules, "refusing rule"))
}

// printPolicyPage is the file's and the policy's part of the status of a running
// weir.
func (a *app) printPolicyPage(s *control.Status) error {
	if t := s.Topology; t != nil {
		what := "watched"
		if t.Enforced {
			what = "watched and enforced"
		}
		fmt.Fprintf(a.out, "topology: %s, %s, loaded %s\n", printable(t.File), what, t.Loaded.UTC().Format(timeFormat))
		if t.Problem != "" {
			fmt.Fprintln(a.out, "  a newer content is not used:", printable(t.Problem))
		}
		if len(t.Waiting) > 0 {
			fmt.Fprintln(a.out, "  waiting for devices:", joined(t.Waiting))
		}
		if len(t.Undeclared) > 0 {
			fmt.Fprintln(a.out, "  not watched, not in the file:", joined(t.Undeclared))
		}
	}
	if s.Policy == nil {
		_, err := fmt.Fprintln(a.out, "policy: none is in force")
		return err
	}
	fmt.Fprintln(a.out, "policy:", policyWords(s.Policy))
	if s.Policy.Differs != "" {
		fmt.Fprintln(a.out, "  the kernel has something else:", printable(s.Policy.Differs))
	}
	var rows [][]string
	for _, i := range s.Capture.Interfaces {
		rows = append(rows, []string{i.ID, i.Name, i.Device, judgedWord(i.Judged, i.NotJudged)})
	}
	return printRows(a.out, []string{"INTERFACE", "NAME", "DEVICE", "JUDGED"}, 0, rows)
}
