package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"weir/control"
)

func newPolicyApply(a *app) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "apply FILE",
		Short: "Put a policy into force",
		Long: `Apply puts the security groups and network ACLs of a topology's file into force,
in every network namespace that it names, or in none: everything is checked first,
and when one namespace fails, those before it get their former rules back. In each,
packets meet the former rules or the new ones, never none. The version is kept with
its time; it stays in force when no weir runs, until another is applied or
"weir policy remove". It does not survive a restart of the machine: "weir up FILE
--enforce" brings it back.

It refuses what would lock you out (SSH from where you are; without a session, SSH
from anywhere at all, at a card of this host), and devices that do not exist.
--yes applies it all the same: a device's rules wait for it.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.policyApply(cmd.Context(), args[0], yes) },
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "also when it locks you out, a device does not exist, or another data directory's policy is in force")
	return cmd
}

func (a *app) policyApply(ctx context.Context, file string, yes bool) error {
	if err := mayEnforce(); err != nil {
		return err
	}
	d, err := a.draft(file)
	if err != nil {
		return err
	}
	if err := d.fits(yes); err != nil {
		return err
	}
	if err := d.guard(yes); err != nil {
		return err
	}
	out, err := a.enforcer(yes).apply(ctx, d)
	if err != nil {
		return err
	}
	a.warnWaiting(d)
	if err := a.printOutcome(out); err != nil || a.json {
		return err
	}
	what := "is in force"
	if !out.Changed {
		what = "is in force already, nothing has changed"
	}
	_, err = fmt.Fprintf(a.out, "version %s %s\n", out.Version, what)
	return err
}

// warnWaiting says which devices' rules wait for them.
func (a *app) warnWaiting(d *draft) {
	const most = 10
	list := d.misfits() // --yes: what is left only waits
	for i, m := range list {
		if i == most {
			fmt.Fprintf(a.err, "warning: … and %d more devices: weir policy status\n", len(list)-i)
			return
		}
		fmt.Fprintln(a.err, "warning:", printable(m.why)+": it is filtered as soon as it appears")
	}
}

// fits refuses a policy whose rules would not see the packets of one of its
// interfaces. A device that is only not there may be waited for.
func (d *draft) fits(wait bool) error {
	for _, m := range d.misfits() {
		switch {
		case !m.wait:
			return withHint(errors.New(m.why), "its packets would pass unjudged; correct %s", d.file)
		case !wait:
			return withHint(errors.New(m.why), "correct %s, or let its rules wait for it: --yes", d.file)
		}
	}
	return nil
}

// guard refuses a policy that locks people out, unless they agree.
func (d *draft) guard(yes bool) error {
	if yes {
		return nil
	}
	if list := lockedOut(d.policy, currentSession()); len(list) > 0 {
		return &lockoutError{list}
	}
	return nil
}

func (a *app) printOutcome(out *outcome) error {
	if a.json {
		return a.printJSONValue(out)
	}
	for i := range out.Namespaces {
		if _, err := fmt.Fprintln(a.out, out.Namespaces[i].String()); err != nil {
			return err
		}
	}
	return nil
}

func newPolicyRemove(a *app) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "remove",
		Short: "Take the policy away: nothing is filtered any more",
		Long: `Remove takes the rules away that weir made, in every network namespace that has
some, and writes down that nothing is in force. Rules of others stay. It refuses
while a running weir enforces a policy, which would be applied again with the next
change of its file; --yes removes it all the same.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.policyRemove(cmd.Context(), yes) },
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "also while a running weir enforces it, and when another data directory's policy is in force")
	return cmd
}

func (a *app) policyRemove(ctx context.Context, yes bool) error {
	if err := mayEnforce(); err != nil {
		return err
	}
	if s, err := control.Ask(ctx, a.dataDir); err == nil && s.Topology != nil && s.Topology.Enforced && !yes {
		return withHint(fmt.Errorf("the running weir (process %d) enforces %s", s.Process.PID, s.Topology.File),
			"stop it first; or remove the rules until the file changes: --yes")
	}
	out, err := a.enforcer(yes).remove(ctx)
	if err != nil {
		return err
	}
	if !out.Changed && !a.json {
		fmt.Fprintln(a.out, "no policy is in force, nothing has changed")
		return nil
	}
	return a.printOutcome(out)
}

// sortedKeys are a map's keys in order.
func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// joined is a list for people.
func joined(list []string) string { return strings.Join(list, ", ") }
