package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"weir/control"
	"weir/policy"
	"weir/policy/book"
	"weir/vpc/discover"
)

// policyStatus is the whole answer of weir policy status.
type policyStatus struct {
	InForce    bool              `json:"in_force"`
	Version    string            `json:"version,omitempty"`
	File       string            `json:"file,omitempty"`
	Since      *time.Time        `json:"since,omitempty"`
	Asked      bool              `json:"kernel_asked"` // false without root
	Agrees     bool              `json:"kernel_agrees"`
	Differs    string            `json:"kernel_differs,omitempty"`
	Unfinished string            `json:"unfinished,omitempty"` // an apply that was killed
	Failed     *book.Entry       `json:"failed,omitempty"`     // the last event, if it was one
	Namespaces []namespaceState  `json:"namespaces"`
	Interfaces []judgedInterface `json:"interfaces"`
}

type namespaceState struct {
	Namespace string `json:"namespace"`
	figures
	Kernel string `json:"kernel"`
}

// judgedInterface says whether an interface is filtered, and why not.
type judgedInterface struct {
	ID     string `json:"interface_id"`
	Name   string `json:"name"`
	Device string `json:"device"`
	Judged bool   `json:"judged"`
	Why    string `json:"why,omitempty"` // it is not
}

func newPolicyStatus(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show which policy is in force, and whether the kernel agrees",
		Long: `Status says which version is in force by the data directory's memory, since when
and from which file, and per interface whether its packets are judged and why not.
As root it also asks the kernel whether these rules are there.

Exit status: 0 the kernel agrees (or nothing is in force), 1 it does not.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.policyStatus(cmd.Context()) },
	}
}

func (a *app) policyStatus(ctx context.Context) error {
	e := a.enforcer(false)
	former, err := e.inForce()
	if err != nil {
		return err
	}
	s := policyStatus{Agrees: true, Namespaces: []namespaceState{}, Interfaces: []judgedInterface{}}
	all, err := e.book.Log()
	if err != nil {
		return bookError(err)
	}
	if n := len(all); n > 0 {
		switch last := all[n-1]; last.Event {
		case book.Applying:
			s.Unfinished = last.Version
		case book.Failed:
			s.Failed = &last
		}
	}
	var states []kernelState
	if os.Geteuid() == 0 {
		s.Asked = true
		if states, err = e.kernel(ctx); err != nil {
			return err
		}
		s.Differs = disagreement(states)
		s.Agrees = s.Differs == ""
	}
	if former != nil {
		since := former.Entry.Time
		s.InForce, s.Version, s.File, s.Since = true, former.Entry.Version, former.Entry.File, &since
		for _, namespace := range sortedKeys(former.Entry.Seals) {
			s.Namespaces = append(s.Namespaces, namespaceState{namespace, figuresOf(former.Policy, namespace), kernelWord(states, namespace)})
		}
		s.Interfaces = judgement(former, states)
	}
	if a.json {
		err = a.printJSONValue(s)
	} else {
		err = a.printPolicyStatus(&s)
	}
	if err == nil && !s.Agrees {
		err = withHint(errors.New("the kernel does not have what is in force by the book: "+s.Differs), "put it back: weir policy apply FILE; or take it all away: weir policy remove")
	}
	return err
}

func kernelWord(states []kernelState, namespace string) string {
	for i := range states {
		if states[i].Namespace == namespace {
			if why := states[i].why(); why != "" {
				return "differs"
			}
			return "agrees"
		}
	}
	if states == nil {
		return "not asked"
	}
	return "gone with its namespace"
}

// judgement says of each interface of a policy whether its packets are judged.
func judgement(f *book.InForce, states []kernelState) []judgedInterface {
	list := []judgedInterface{}
	var devices discover.Devices
	for _, i := range f.Policy.Interfaces() {
		j := judgedInterface{ID: i.ID, Name: i.Name, Device: deviceName(i.Device)}
		j.Why = notJudged(i, &devices, f.Entry.Seals, states)
		j.Judged = j.Why == ""
		list = append(list, j)
	}
	return list
}

// notJudged says why no packet of an interface is judged, empty when they are.
func notJudged(i *policy.Interface, devices *discover.Devices, seals map[string]string, states []kernelState) string {
	switch {
	case !i.Filtered():
		return "its groups and ACL let everything pass"
	case i.Device.Name == "":
		return "no device of this host carries it"
	case seals[i.Device.Namespace] == "":
		return "its network namespace did not exist when the policy was applied"
	}
	for s := range states {
		if why := states[s].why(); why != "" && states[s].Namespace == i.Device.Namespace {
			return why
		}
	}
	found, err := devices.Find(i.Device)
	switch {
	case errors.Is(err, discover.ErrNoDevice):
		return "its device does not exist"
	case err != nil && os.Geteuid() == 0:
		return err.Error()
	case err == nil && found.Bridge != i.Bridge && found.Bridge != "":
		return "its device is a port of the bridge " + found.Bridge + ", which the file does not say"
	case err == nil && found.Bridge != i.Bridge:
		return "its device is no port of the bridge " + i.Bridge
	case i.Bridge != "":
		if err := bridgesFiltered(i.Device.Namespace, []string{i.Bridge}); err != nil {
			return err.Error()
		}
	}
	return ""
}

func (a *app) printPolicyStatus(s *policyStatus) error {
	switch {
	case s.Unfinished != "":
		fmt.Fprintf(a.out, "an apply of version %s was killed before it was done: apply or remove again\n", s.Unfinished)
	case s.Failed != nil:
		fmt.Fprintf(a.out, "version %s could not be applied at %s: %s\n", s.Failed.Version, s.Failed.Time.Format(timeFormat), printable(s.Failed.Cause))
	}
	if !s.InForce {
		fmt.Fprintln(a.out, "no policy is in force")
		return nil
	}
	fmt.Fprintf(a.out, "version  %s\nfile     %s\nsince    %s (%s)\nkernel   %s\n", s.Version, printable(s.File), s.Since.Format(timeFormat), age(time.Since(*s.Since)), s.kernel())
	var rows [][]string
	for _, n := range s.Namespaces {
		rows = append(rows, []string{namespaceName(n.Namespace), n.Kernel, fmt.Sprint(n.Interfaces), fmt.Sprint(n.Groups), fmt.Sprint(n.ACLs), fmt.Sprint(n.Rules), fmt.Sprint(n.Refusing)})
	}
	if err := printRows(a.out, []string{"NAMESPACE", "KERNEL", "INTERFACES", "GROUPS", "ACLS", "RULES", "REFUSING"}, 5, rows); err != nil {
		return err
	}
	rows = nil
	for _, i := range s.Interfaces {
		rows = append(rows, []string{i.ID, i.Name, i.Device, judgedWord(i.Judged, i.Why)})
	}
	return printRows(a.out, []string{"INTERFACE", "NAME", "DEVICE", "JUDGED"}, 0, rows)
}

func (s *policyStatus) kernel() string {
	switch {
	case !s.Asked:
		return "not asked: that takes root"
	case s.Agrees:
		return "agrees"
	}
	return "differs: " + s.Differs
}

func judgedWord(judged bool, why string) string {
	if judged {
		return "yes"
	}
	return "no: " + why
}

// age is how long ago something was, for people.
func age(d time.Duration) string {
	switch d = max(d, 0); {
	case d < time.Minute:
		return fmt.Sprintf("%.0f s ago", d.Seconds())
	case d < 2*time.Hour:
		return fmt.Sprintf("%.0f min ago", d.Minutes())
	case d < 48*time.Hour:
		return fmt.Sprintf("%.0f h ago", d.Hours())
	}
	return fmt.Sprintf("%.0f days ago", d.Hours()/24)
}

// policyPage is the policy's part of the page of status.
func policyPage(f *book.InForce, states []kernelState) *control.Policy {
	if f == nil {
		return nil
	}
	return &control.Policy{
		Version: f.Entry.Version, File: f.Entry.File, Since: f.Entry.Time,
		Rules: len(refusingAnywhere(f.Policy)), Differs: disagreement(states),
	}
}
