package main

import (
	"strings"

	"github.com/spf13/cobra"

	"weir/flowlog"
	"weir/flowlog/ddl"
)

// completeFormats gives every flag of a format, of any command, its completions.
// A network interface has no fields of a transit gateway.
func completeFormats(root *cobra.Command) {
	family := map[string]flowlog.Family{"up": flowlog.VPC, "lab": flowlog.VPC}
	for _, cmd := range root.Commands() {
		of, ok := family[cmd.Name()]
		if !ok {
			of = flowlog.VPC | flowlog.TransitGateway
		}
		for _, name := range []string{"format", "input-format"} {
			if cmd.Flags().Lookup(name) == nil {
				continue
			}
			// It fails for a flag that does not exist, or has completions already.
			_ = cmd.RegisterFlagCompletionFunc(name, func(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
				all := completeFormat(of, typed)
				if cmd.Name() == "ddl" {
					all = append(completeFormatNames(typed), all...)
				}
				return all, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
			})
		}
	}
}

// completeFormat appends each field that may come next to what is typed: one of
// the family that the fields before leave, and not there yet.
func completeFormat(family flowlog.Family, typed string) []string {
	whole := typed[:strings.LastIndexByte(typed, ' ')+1]
	if strings.HasSuffix(typed, "}") {
		whole = typed + " "
	}
	var before flowlog.Format
	if tokens := strings.TrimSuffix(whole, " "); tokens != "" {
		var err error
		if before, err = flowlog.ParseFormatFor(family, tokens); err != nil {
			return nil
		}
		family &= before.Family()
	}
	var all []string
	for _, f := range flowlog.Fields() {
		next := whole + "${" + f.Name + "}"
		if f.Family&family != 0 && !before.Has(f.Name) && strings.HasPrefix(next, typed) {
			all = append(all, next+"\t"+f.Meaning)
		}
	}
	return all
}

func completeFormatNames(typed string) (all []string) {
	for _, known := range formatNames {
		if strings.HasPrefix(known.name, typed) {
			all = append(all, known.name+"\t"+known.about)
		}
	}
	return all
}

// completeFields completes the names of fields that are not there yet.
func completeFields(_ *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	there := map[string]bool{}
	for _, name := range args {
		there[name] = true
	}
	var all []string
	for _, f := range flowlog.Fields() {
		if strings.HasPrefix(f.Name, typed) && !there[f.Name] {
			all = append(all, f.Name+"\t"+f.Meaning)
		}
	}
	return all, cobra.ShellCompDirectiveNoFileComp
}

// completeEngines completes the one engine of weir ddl.
func completeEngines(_ *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	var all []string
	for _, e := range ddl.Engines() {
		if len(args) == 0 && strings.HasPrefix(e.Name, typed) {
			all = append(all, e.Name+"\t"+e.About)
		}
	}
	return all, cobra.ShellCompDirectiveNoFileComp
}

// completeChoices completes a flag that has few values.
func completeChoices(cmd *cobra.Command, flag string, values []string) {
	// It fails for a flag that does not exist.
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
}
