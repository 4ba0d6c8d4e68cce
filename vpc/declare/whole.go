package declare

import (
	"strings"
	"unicode"

	"weir/vpc"
	"weir/vpc/flowlogs"
)

// File is everything that a file says.
type File struct {
	// Topology is what the file declares of the network; never nil.
	Topology *vpc.Topology
	// Described says that the file has vpcs, and so which interfaces there are.
	// Without, Topology is empty, and interfaces are to be discovered.
	Described bool

	// AccountID and Region are the file's, or those of the options.
	AccountID string
	Region    string

	// FlowLogs are those that the file declares, made by [flowlogs.New]: with
	// derived ids, and without the time of their creation.
	FlowLogs []flowlogs.FlowLog
	// HasFlowLogs says that the file has the key flow-logs. With an empty list it
	// declares that there is none; without the key it says nothing about them.
	HasFlowLogs bool
	// MostSpecific is "precedence: most-specific".
	MostSpecific bool

	Settings Settings
}

// ParseFile reads a whole file. With an error among the problems, the File is what
// could be understood, to be shown and not to be used; it is nil when the file is
// no YAML at all. Problems come by line.
func ParseFile(data []byte, o Options) (*File, Problems) { return parseFile(data, o, false) }

func parseFile(data []byte, o Options, described bool) (*File, Problems) {
	root, fault := parse(data)
	if fault != nil {
		return nil, Problems{{Line: fault.line, Column: fault.column, Cause: fault.msg, Hint: fault.hint}}
	}
	d := decoder{options: o, reported: map[place]bool{}}
	f := d.file(root, described)
	d.problems.sort()
	return f, d.problems
}

// sections are the keys of which a file has at least one.
var sections = []string{"vpcs", "flow-logs", "precedence", "destinations", "journal"}

// file reads the whole file. It must have vpcs if described is true.
func (d *decoder) file(n *node, described bool) *File {
	begin := "a file begins with one of the keys " + strings.Join(sections, ", ")
	if described {
		begin = "a topology begins with the key vpcs"
	}
	f := &File{Topology: &vpc.Topology{}}
	if n.kind == nullNode {
		d.add(n, begin, "the file is empty")
		return f
	}
	if !d.object(n, "the file", append([]string{"account-id", "region", "prefix-lists"}, sections...)...) {
		return f
	}
	if account := d.text(n, "account-id"); account != "" {
		d.options.AccountID = account
	}
	if region := d.text(n, "region"); region != "" {
		d.options.Region = region
	}
	f.AccountID, f.Region = d.options.AccountID, d.options.Region
	if n.get("flow-logs") != nil {
		d.owner(n, f)
	}
	f.Described = n.get("vpcs") != nil
	if !f.Described && (described || !hasAny(n, sections)) {
		d.add(n, begin, "the file has no vpcs")
	}
	if v := n.get("prefix-lists"); v != nil && !f.Described {
		d.add(v, "", "prefix-lists say nothing without vpcs")
	}
	f.Topology = d.topology(n)
	if d.rulesMax {
		d.add(n, "prefix lists and group references say much with one rule", "the file has more than the bound of %d rules", vpc.MaxRules)
	} else {
		d.check(f.Topology)
	}
	d.settings(f, n)
	d.flowLogs(f, n)
	return f
}

// owner checks who owns flow logs of resources that the file does not describe.
func (d *decoder) owner(n *node, f *File) {
	place := func(key string) *node {
		if v := n.get(key); v != nil {
			return v
		}
		return n
	}
	if len(f.AccountID) != 12 || strings.Trim(f.AccountID, "0123456789") != "" {
		d.add(place("account-id"), "write it in quotes, so that leading zeros stay", "%q is not an account id: 12 digits", shorten(f.AccountID))
	}
	if f.Region == "" {
		d.add(n, "region: us-east-1, or a name of your own", "the flow logs have no region")
	} else if !isRegion(f.Region) {
		d.add(place("region"), "", "%q is not a region: one word of letters, digits and hyphens", shorten(f.Region))
	}
}

// isRegion reports whether a word can stand in an object's key.
func isRegion(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r != '-' && !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

func hasAny(n *node, keys []string) bool {
	for _, k := range keys {
		if n.get(k) != nil {
			return true
		}
	}
	return false
}
