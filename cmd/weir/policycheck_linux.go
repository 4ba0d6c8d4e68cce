package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"weir/policy/nft"
)

// checkedPolicy is the whole answer of weir policy check.
type checkedPolicy struct {
	File       string             `json:"file"`
	Valid      bool               `json:"valid"`
	Problems   []checkedProblem   `json:"problems"`
	Namespaces []checkedNamespace `json:"namespaces"`
	Unfiltered []string           `json:"unfiltered"` // interfaces at which nothing is refused
	LockedOut  []lockout          `json:"locked_out"` // needs --yes to be applied
}

type checkedNamespace struct {
	Namespace string `json:"namespace"`
	figures
	Bridges     []string `json:"bridges"`
	BridgesFine bool     `json:"bridges_filtered"` // their switched traffic passes firewall rules
	Nft         string   `json:"nft"`              // what it says of the rules: accepted, refused, not asked, no namespace
	Problem     string   `json:"problem,omitempty"`

	err error // that is the problem
}

func newPolicyCheck(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE",
		Short: "Is a policy right, and what would it do?",
		Long: `Check reads a topology's file (- is standard input), shows every problem in it by
line, compiles and renders its security groups and network ACLs, and says per
network namespace what they would filter, whether switched traffic can be
filtered there, and whether it would lock you out. As root it also has nft look at
the rules (nft --check). It changes nothing.

Exit status: 0 it can be applied, 1 it cannot, 2 wrong usage.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.policyCheck(cmd.Context(), args[0]) },
	}
}

func (a *app) policyCheck(ctx context.Context, file string) error {
	c := checkedPolicy{File: file, Problems: []checkedProblem{}, Namespaces: []checkedNamespace{}, Unfiltered: []string{}, LockedOut: []lockout{}}
	d, err := a.draft(file)
	if p, ok := errors.AsType[*problemsError](err); ok && a.json {
		c.Problems = checkedProblems(p.problems)
		return errors.Join(a.printJSONValue(c), err)
	}
	if err != nil {
		return err
	}
	c.Problems = checkedProblems(d.warnings)
	for _, m := range d.misfits() {
		level := "error"
		if m.wait {
			level = "warning"
			m.why += ": apply wants --yes, and filters it as soon as it appears"
		}
		c.Problems = append(c.Problems, checkedProblem{Level: level, Cause: m.why})
	}
	for i := range d.rulesets {
		c.Namespaces = append(c.Namespaces, checkNamespace(ctx, d, &d.rulesets[i]))
	}
	for _, i := range d.policy.Interfaces() {
		if !i.Filtered() {
			c.Unfiltered = append(c.Unfiltered, called(i.Name, i.ID))
		}
	}
	c.LockedOut = append(c.LockedOut, lockedOut(d.policy, currentSession())...)
	err = c.verdict()
	c.Valid = err == nil
	if a.json {
		return errors.Join(a.printJSONValue(c), err)
	}
	return errors.Join(a.printPolicyCheck(&c), err)
}

func checkNamespace(ctx context.Context, d *draft, r *nft.Ruleset) checkedNamespace {
	n := checkedNamespace{Namespace: r.Namespace, figures: figuresOf(d.policy, r.Namespace), Bridges: append([]string{}, r.Bridges...), BridgesFine: true}
	switch {
	case !namespaceExists(r.Namespace):
		n.Nft = "no namespace"
		return n
	case os.Geteuid() != 0:
		n.Nft = "not asked"
	default:
		n.Nft = "accepted"
		if n.err = r.Check(ctx); n.err != nil {
			n.Nft = "refused"
		}
	}
	if err := bridgesFiltered(r.Namespace, r.Bridges); err != nil {
		n.BridgesFine, n.err = false, withHint(err, "%s", bridgeHint)
	}
	if n.err != nil {
		n.Problem = n.err.Error()
	}
	return n
}

// verdict is why the policy cannot be applied, nil when it can.
func (c *checkedPolicy) verdict() error {
	for _, p := range c.Problems {
		if p.Level == "error" {
			return fmt.Errorf("%s cannot be applied: %s", c.File, p.Cause)
		}
	}
	for _, n := range c.Namespaces {
		if n.err != nil {
			return fmt.Errorf("%s cannot be applied: %w", c.File, n.err)
		}
	}
	if len(c.LockedOut) > 0 {
		return &lockoutError{c.LockedOut}
	}
	return nil
}

func (a *app) printPolicyCheck(c *checkedPolicy) error {
	f := checkedFile{File: c.File, Problems: c.Problems}
	f.printProblems(a.out)
	if len(c.Namespaces) == 0 {
		fmt.Fprintln(a.out, c.File+": nothing would be filtered: no interface with a device has groups or an ACL that refuse anything")
		return nil
	}
	var rows [][]string
	for _, n := range c.Namespaces {
		bridges := "-"
		if len(n.Bridges) > 0 {
			bridges = strings.Join(n.Bridges, " ") + " (br_netfilter on)"
			if !n.BridgesFine {
				bridges = strings.Join(n.Bridges, " ") + " (br_netfilter off)"
			}
		}
		rows = append(rows, []string{namespaceName(n.Namespace), bridges, n.Nft, fmt.Sprint(n.Interfaces), fmt.Sprint(n.Groups), fmt.Sprint(n.ACLs), fmt.Sprint(n.Rules), fmt.Sprint(n.Refusing)})
	}
	err := printRows(a.out, []string{"NAMESPACE", "BRIDGES", "NFT", "INTERFACES", "GROUPS", "ACLS", "RULES", "REFUSING"}, 5, rows)
	if len(c.Unfiltered) > 0 {
		fmt.Fprintln(a.out, "not filtered:", strings.Join(c.Unfiltered, ", "))
	}
	return err
}
