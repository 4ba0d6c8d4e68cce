package main

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"weir/netns"
	"weir/policy/nft"
)

func newPolicyRender(a *app) *cobra.Command {
	var namespace string
	cmd := &cobra.Command{
		Use:   "render FILE",
		Short: "Print a policy as nftables rules",
		Long: `Render prints the nftables rules that "weir policy apply" would load, for each
network namespace one script below a heading. It changes nothing and needs no
rights. The numbers in the marks are the rules' ids: those that they have in the
data directory, or would get. What apply loads has a seal beside it, by which weir
knows its own tables.`,
		Example: `  weir policy render shop.yaml
  weir policy render shop.yaml --namespace ''      # only those of this namespace
  weir policy render shop.yaml --namespace router | less`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := a.draft(args[0])
			if err != nil {
				return err
			}
			list := d.rulesets
			if cmd.Flags().Changed("namespace") {
				if list, err = chooseNamespace(list, namespace); err != nil {
					return &usageError{err: err, command: cmd.CommandPath()}
				}
			}
			return a.printRulesets(list)
		},
	}
	cmd.Flags().StringVar(&namespace, "namespace", "", "only the network namespace of this name or path; '' is weir's own")
	_ = cmd.RegisterFlagCompletionFunc("namespace", a.completeNamespaces) // it fails for a flag that does not exist
	return cmd
}

func chooseNamespace(list []nft.Ruleset, namespace string) ([]nft.Ruleset, error) {
	if namespace != "" && !strings.Contains(namespace, "/") {
		namespace = path.Join(netns.Dir, namespace)
	}
	var names []string
	for i := range list {
		if list[i].Namespace == namespace {
			return list[i : i+1], nil
		}
		names = append(names, namespaceName(list[i].Namespace))
	}
	err := fmt.Errorf("nothing is filtered in network namespace %s", namespaceName(namespace))
	if len(names) > 0 {
		err = withHint(err, "there are rules for: %s", strings.Join(names, ", "))
	}
	return nil, err
}

func (a *app) printRulesets(list []nft.Ruleset) error {
	if a.json {
		type script struct {
			Namespace  string   `json:"namespace"`
			Interfaces int      `json:"interfaces"`
			Bridges    []string `json:"bridges"`
			Digest     string   `json:"digest"`
			Text       string   `json:"text"`
		}
		scripts := []script{}
		for _, r := range list {
			scripts = append(scripts, script{r.Namespace, r.Interfaces, append([]string{}, r.Bridges...), r.Digest(), r.Text})
		}
		return a.printJSONValue(scripts)
	}
	for i, r := range list {
		if i > 0 {
			fmt.Fprintln(a.out)
		}
		if _, err := fmt.Fprintf(a.out, "# %s: %s\n%s", namespaceName(r.Namespace), howMany(r.Interfaces, "interface"), r.Text); err != nil {
			return err
		}
	}
	return nil
}

// completeNamespaces completes the namespaces that the file has rules for.
func (a *app) completeNamespaces(_ *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	var names []string
	if len(args) == 1 {
		if d, err := a.draft(args[0]); err == nil {
			for _, r := range d.rulesets {
				names = append(names, strings.TrimPrefix(r.Namespace, netns.Dir+"/"))
			}
		}
	}
	return slices.DeleteFunc(names, func(n string) bool { return !strings.HasPrefix(n, typed) }), cobra.ShellCompDirectiveNoFileComp
}
