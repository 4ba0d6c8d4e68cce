package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/spf13/cobra"

	"weir/policy/book"
	"weir/policy/nft"
	"weir/vpc/declare"
)

func newPolicyDiff(a *app) *cobra.Command {
	var rules bool
	cmd := &cobra.Command{
		Use:   "diff FILE",
		Short: "Show what a policy would change",
		Long: `Diff compares the topology that is in force with a file's, both written out with
all ids and defaults, as "weir check --print" does. With --rules it compares the
nftables rules instead. What is in force is what the data directory remembers; as
root, diff warns when the kernel has something else.

Exit status, as of diff(1): 0 they are the same, 1 they differ, 2 trouble.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			same, err := a.policyDiff(cmd.Context(), args[0], rules)
			switch {
			case err != nil:
				return &statusError{err, exitUsage}
			case !same:
				return &statusError{nil, exitFailed}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&rules, "rules", false, "compare the nftables rules, not the topologies")
	return cmd
}

func (a *app) policyDiff(ctx context.Context, file string, rules bool) (same bool, err error) {
	d, err := a.draft(file)
	if err != nil {
		return false, err
	}
	e := a.enforcer(false)
	former, err := e.inForce()
	if err != nil {
		return false, err
	}
	oldName, oldText := "nothing in force", []byte(nil)
	if former != nil {
		oldName = "in force since " + former.Entry.Time.Format(timeFormat)
		if oldText, err = diffText(former, rules); err != nil {
			return false, err
		}
	}
	newText, err := diffText(&book.InForce{Topology: d.topology, Policy: d.policy}, rules)
	if err != nil {
		return false, err
	}
	text := diff.Diff(oldName, oldText, file, newText)
	if os.Geteuid() == 0 {
		if states, err := e.kernel(ctx); err != nil {
			fmt.Fprintln(a.err, "warning: cannot compare with the kernel:", printable(err.Error()))
		} else if why := disagreement(states); why != "" {
			fmt.Fprintln(a.err, "warning: the kernel does not have what is compared here:", why)
		}
	}
	// The first line names the command that diff(1) would have been.
	_, body, _ := bytes.Cut(text, []byte("\n"))
	if a.json {
		return text == nil, a.printJSONValue(struct {
			Different bool   `json:"different"`
			Diff      string `json:"diff"`
		}{text != nil, string(body)})
	}
	_, err = a.out.Write(a.colourDiff(body))
	return text == nil, err
}

func diffText(f *book.InForce, rules bool) ([]byte, error) {
	if !rules {
		return declare.Append(nil, f.Topology), nil
	}
	list, err := nft.Render(f.Policy, nft.Options{})
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	for _, r := range list {
		fmt.Fprintf(&b, "# %s\n%s", namespaceName(r.Namespace), r.Text)
	}
	return b.Bytes(), nil
}

// colourDiff colours lines for people: red went, green came.
func (a *app) colourDiff(text []byte) []byte {
	if !colours(a.out) {
		return text
	}
	var b strings.Builder
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "-"):
			line = "\x1b[31m" + line + "\x1b[0m"
		case strings.HasPrefix(line, "+"):
			line = "\x1b[32m" + line + "\x1b[0m"
		case strings.HasPrefix(line, "@@"):
			line = "\x1b[36m" + line + "\x1b[0m"
		}
		b.WriteString(line + "\n")
	}
	return []byte(b.String())
}
